//! The store on a simulated disk: crashes and faults at any moment, thousands of them, each of which can be had again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod broker;
mod damage;
mod disk;
mod housekeeping;
mod model;
mod run;
mod world;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::world::Crash;

/// So many seeds that fail end a test.
const FAILURES_TOLD: usize = 5;

/// Which syncs do nothing.
type Deaf = fn(&Path) -> bool;

/// Those that were asked for, as `FROM..TO` in `FERROMQ_SIM_SEEDS`, or the first ones.
fn seeds(usual: u64) -> Range<u64> {
    let Ok(asked) = std::env::var("FERROMQ_SIM_SEEDS") else { return 0..usual };
    let (from, to) = asked.split_once("..").expect("FERROMQ_SIM_SEEDS is FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

/// Runs each seed once, on all cores, and tells those that failed.
fn each(seeds: Range<u64>, run: impl Fn(u64) + Sync) {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(BTreeSet::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // Some of them say as much as all.
                    if seed >= seeds.end || failed.lock().unwrap().len() >= FAILURES_TOLD {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                        eprintln!("seed {seed} failed; it does so again with: just sim {seed}..{}", seed + 1);
                        failed.lock().unwrap().insert(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "of {seeds:?} these failed: {failed:?}");
}

/// Nothing acknowledged is lost, nothing seen is taken back, and queues, index and log agree, whatever happens when.
#[test]
fn crashes_at_any_moment() {
    each(seeds(700), run::with_crashes);
}

#[test]
fn checkpoints_that_are_forgotten() {
    each(seeds(150), run::with_forgotten_checkpoints);
}

#[test]
fn calls_that_fail() {
    each(seeds(300), run::with_failures);
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    each(seeds(200), run::on_a_small_disk);
}

/// Queue and index files are made again, also by a start that is itself cut short.
#[test]
fn files_that_are_gone() {
    each(seeds(150), damage::with_lost_files);
}

#[test]
fn bits_that_flip() {
    each(seeds(300), damage::with_a_flipped_bit);
}

#[test]
fn listings_that_lack_an_entry() {
    each(seeds(200), damage::with_a_short_listing);
}

/// Each call of a store that is opened, worked with, closed and opened again is the last one once.
#[test]
fn each_call_is_the_last() {
    for (seed, crash) in [(1, Crash::Kill), (2, Crash::PowerCut), (3, Crash::PowerCut)] {
        let calls = run::crash_at(seed, None, crash);
        each(1..(calls + 1), |call| {
            run::crash_at(seed, Some(call), crash);
        });
    }
}

/// A disk that does not sync what it is told to is found out: the checks above can fail, and each of these syncs is needed.
#[test]
fn syncs_that_do_nothing_are_noticed() {
    // What is not synced, and from which seed on one is looked for that notices: some are rare.
    const DEAF: [(&str, u64, Deaf); 9] = [
        ("the log", 0, |path| is_file_in(path, &["commitlog", "log1", "log2"])),
        ("queues", 0, |path| is_file_in(path, &["consumequeue"])),
        ("extensions of queues", 0, |path| is_file_in(path, &["consumequeue_ext"])),
        ("the index", 0, |path| is_file_in(path, &["index"])),
        ("the names of segments", 0, |path| ["commitlog", "log1", "log2"].iter().any(|name| path.ends_with(name))),
        ("the names of queue files", 1_045, |path| {
            path.ancestors().nth(2).is_some_and(|up| up.ends_with("consumequeue"))
        }),
        ("the names of queues", 1_782, |path| path.ancestors().nth(1).is_some_and(|up| up.ends_with("consumequeue"))),
        ("the names of topics", 234, |path| path.ends_with("consumequeue")),
        ("the names in the root", 0, |path| path.ends_with("store")),
    ];
    for (what, from, deaf) in DEAF {
        let found = (from..from + 2_000).find(|seed| catch_unwind(|| run::with_deaf_syncs(*seed, deaf)).is_err());
        assert!(found.is_some(), "syncs of {what} can be left out, and nobody notices");
    }
}

fn is_file_in(path: &Path, directories: &[&str]) -> bool {
    let is_file =
        path.file_name().is_some_and(|name| name.len() >= 17 && name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    is_file && path.components().any(|part| directories.iter().any(|name| part.as_os_str() == *name))
}
