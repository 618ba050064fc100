//! Stores, opened as a broker opens them before it serves anybody.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};

use ferromq::store::Report;
use tempfile::TempDir;

use crate::damage::{self, Damage};
use crate::samples::{Contents, LIMIT, Sample, files_below, javas, opened, ours_clean, ours_killed, put};

/// Stores are opened at once by so many threads.
const THREADS: usize = 3;

/// What is done to which file of which store.
struct Case<'a> {
    sample: &'a Sample,
    file: PathBuf,
    damage: Damage,
}

/// A start and what it said.
struct Start {
    contents: Contents,
    report: Report,
}

fn check_all(sample: &Sample, damages: &[Damage]) {
    let cases: Vec<Case<'_>> = sample
        .files()
        .iter()
        .flat_map(|file| damages.iter().map(move |damage| Case { sample, file: file.clone(), damage: *damage }))
        .collect();
    let (left, failures) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().next() else { return };
                    if let Err(failure) = case.check() {
                        let name = format!("{}, {}, {:?}", sample.name, case.file.display(), case.damage);
                        failures.lock().unwrap().push(format!("{name}: {failure}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

impl Case<'_> {
    fn check(&self) -> Result<(), String> {
        let copy = self.sample.copy();
        let root = self.sample.options_in(&copy).root;
        let path = root.join(&self.file);
        let whole = fs::read(&path).unwrap();
        let other = if self.file.starts_with("commitlog") { "checkpoint" } else { "commitlog/00000000000000000000" };
        let other = fs::read(root.join(other)).unwrap_or_default();
        let seed = self.file.as_os_str().len() as u64;
        let Some(made) = self.damage.befall(&path, &other, seed) else { return Ok(()) };
        let damaged = snapshot(&root);
        match self.start(&copy)? {
            Ok(start) => self.check_opened(&copy, &damaged, &start),
            Err(line) => {
                // A file without content may go.
                let mut damaged = damaged;
                damaged.retain(|name, bytes| {
                    bytes.iter().any(|byte| *byte != 0) || root.join(name).symlink_metadata().is_ok()
                });
                let changed = changed(&damaged, &snapshot(&root), &["commitlog", "config"]);
                if !changed.is_empty() {
                    return Err(format!("refused with {line:?}, but changed {changed:?}"));
                }
                self.check_refused(&copy, &line)?;
                // Whoever puts the file back has everything back.
                made.iter().for_each(|made| fs::remove_file(made).unwrap());
                restore(&path, &whole);
                let healed = Self { damage: Damage::CopiedInWords, file: self.file.clone(), ..*self };
                let start = healed.start(&copy)?.map_err(|line| format!("restored, but refused with {line:?}"))?;
                same(&self.sample.contents, &start.contents).map_err(|what| format!("restored, but {what}"))
            }
        }
    }

    /// Opens the copy, within a limit.
    fn start(&self, copy: &TempDir) -> Result<Result<Start, String>, String> {
        let options = self.sample.options_in(copy);
        let disk = self.damage.disk(&options.root.join(&self.file));
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            let start = opened(disk, options).and_then(|mut store| {
                let contents = Contents::of(&mut store)?;
                // It goes on behind what is there.
                if let Some(((topic, queue_id), next)) = contents.next.iter().next() {
                    assert_eq!(put(&mut store, topic, *queue_id, b"next").queue_offset.0, *next);
                }
                Ok(Start { contents, report: store.report.clone() })
            });
            let _ = tell.send(start);
        });
        match told.recv_timeout(LIMIT) {
            Ok(start) => Ok(start),
            Err(RecvTimeoutError::Disconnected) => {
                let panic = thread.join().unwrap_err();
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
                Err(format!("panics: {}", said.unwrap_or_default()))
            }
            Err(RecvTimeoutError::Timeout) => Err("hangs".into()),
        }
    }

    fn check_refused(&self, copy: &TempDir, line: &str) -> Result<(), String> {
        // Of a gap the file behind it is named.
        let directory = self.file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let named = directory.unwrap_or(&self.file).to_string_lossy();
        if line.contains('\n') || !line.contains(&*named) {
            return Err(format!("refused with {line:?}, which does not name the file"));
        }
        match self.start(copy)? {
            Err(again) if again == line => Ok(()),
            Err(again) => Err(format!("refused with {line:?}, then with {again:?}")),
            Ok(_) => Err(format!("refused with {line:?}, then opened")),
        }
    }

    /// Whether nothing tells that a file is gone: the first ones of a queue are taken away with the log that they point to,
    /// and keys are found by whoever sent them in other ways too.
    fn goes_unnoticed(&self) -> bool {
        let gone = matches!(self.damage, Damage::Gone | Damage::NamedInWords);
        let is_first = || {
            let beside = self.sample.files().into_iter().filter(|file| file.parent() == self.file.parent());
            let beside: Vec<_> = beside.collect();
            beside.len() > 1 && beside.first() == Some(&self.file)
        };
        gone && (self.file.starts_with("index") || (self.file.starts_with("consumequeue") && is_first()))
    }

    fn check_opened(&self, copy: &TempDir, damaged: &Snapshot, start: &Start) -> Result<(), String> {
        let lost = self.sample.part_of_log(&self.file).filter(|_| !self.damage.spares_the_file());
        self.check_log(copy, damaged, start, lost.is_some())?;
        let before = &self.sample.contents;
        if self.goes_unnoticed() {
            return Ok(());
        }
        for (key, message) in &before.messages {
            // Behind a torn end nothing counts that was not known to be on the disk.
            let cut = !self.sample.clean && message.0 >= start.report.log_end.0;
            let in_damaged = lost.as_ref().is_some_and(|lost| cut || lost.contains(&message.0));
            match start.contents.messages.get(key) {
                Some(found) if found == message => {}
                Some(found) if !in_damaged => return Err(format!("{key:?} is another one, at {}", found.0)),
                None if !in_damaged => return Err(format!("{key:?} is gone, {}", said(&start.report))),
                _ => {}
            }
        }
        if let Some(new) = start.contents.messages.keys().find(|key| !before.messages.contains_key(key)) {
            return Err(format!("{new:?} has come out of nowhere"));
        }
        if lost.is_none() {
            same(before, &start.contents)?;
        }
        let again = self.start(copy)?.map_err(|line| format!("opened, then refused with {line:?}"))?;
        let mut expected = start.contents.clone();
        // The first start has put one more.
        if let Some((key, next)) = expected.next.iter_mut().next() {
            let found = again.contents.messages.get(&(key.0.clone(), key.1, *next));
            let found = found.ok_or("what was put is gone after the next start")?.clone();
            expected.messages.insert((key.0.clone(), key.1, *next), found);
            *next += 1;
        }
        expected.indexed = again.contents.indexed;
        same(&expected, &again.contents).map_err(|what| format!("after the next start {what}"))
    }

    /// Nothing of the log is changed but what lies behind its durable end.
    fn check_log(&self, copy: &TempDir, damaged: &Snapshot, start: &Start, in_log: bool) -> Result<(), String> {
        let end = start.report.log_end;
        let last = self.sample.contents.messages.values().map(|message| message.0).max().unwrap_or(0);
        let was_last = self.sample.part_of_log(&self.file).is_some_and(|part| part.contains(&last));
        if end < self.sample.durable && (self.sample.ours || !was_last) {
            return Err(format!("opened with a log up to {end}, which was on the disk up to {}", self.sample.durable));
        }
        let root = self.sample.options_in(copy).root;
        for (name, before) in damaged.iter().filter(|(name, _)| name.starts_with("commitlog")) {
            let after = fs::read(root.join(name)).unwrap_or_default();
            let base = self.sample.part_of_log(name).map_or(0, |part| part.start);
            let kept = (end.0.saturating_sub(base) as usize).min(before.len());
            let mine = in_log && *name == self.file;
            if after.get(..kept) != before.get(..kept) {
                return Err(format!("{} is changed before the end of the log", name.display()));
            }
            let cut = before.get(kept..).unwrap_or_default();
            if !mine
                && !was_last
                && self.sample.clean
                && cut.iter().any(|byte| *byte != 0)
                && after.get(kept..) != Some(cut)
            {
                return Err(format!("of {} is lost what lay behind {end}", name.display()));
            }
        }
        Ok(())
    }
}

type Snapshot = BTreeMap<PathBuf, Vec<u8>>;

fn snapshot(root: &Path) -> Snapshot {
    let relative = |path: &Path| path.strip_prefix(root).unwrap().to_path_buf();
    files_below(root).into_iter().map(|path| (relative(&path), fs::read(&path).unwrap_or_default())).collect()
}

/// What differs below these directories.
fn changed(before: &Snapshot, after: &Snapshot, below: &[&str]) -> Vec<PathBuf> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differs = |name: &&PathBuf| before.get(*name) != after.get(*name);
    names
        .into_iter()
        .filter(differs)
        .filter(|name| below.iter().any(|below| name.starts_with(below)))
        .cloned()
        .collect()
}

fn restore(path: &Path, bytes: &[u8]) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    } else {
        let _ = fs::remove_file(path);
    }
    fs::write(path, bytes).unwrap();
}

fn same(before: &Contents, after: &Contents) -> Result<(), String> {
    if before.messages != after.messages {
        return Err(format!("{} messages have become {}", before.messages.len(), after.messages.len()));
    }
    if before.next != after.next {
        return Err(format!("queues go on with {:?} instead of {:?}", after.next, before.next));
    }
    if after.indexed < before.indexed {
        return Err(format!("the index finds {} instead of {}", after.indexed, before.indexed));
    }
    Ok(())
}

fn said(report: &Report) -> String {
    format!(
        "walked from {} to {}, added {}, {:?}",
        report.walked_from, report.log_end, report.entries_added, report.warnings
    )
}

#[test]
fn of_ours_after_a_stop() {
    check_all(&ours_clean(), &damage::ALL);
}

#[test]
fn of_ours_after_a_kill() {
    check_all(&ours_killed(&ours_clean()), &damage::FEWER);
}

#[test]
fn of_java_after_a_stop() {
    check_all(&javas("b0-clean-many-files"), &damage::FEWER);
}

#[test]
fn of_java_after_a_kill() {
    check_all(&javas("b1-killed"), &damage::FEWER);
}

#[test]
fn of_java_with_extensions() {
    check_all(&javas("e-queue-ext"), &damage::FEWER);
}
