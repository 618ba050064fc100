//! The process is killed, the power goes and the disk fails, at any moment: what was acknowledged is sent, in its order.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;

use fastrand::Rng;
use ferromq::client::SpoolOptions;
use ferromq::client::spool::{Spool, SpoolError};

use crate::disk::{Call, Faults, SimDisk};
use crate::letters::{letter, number, options};
use crate::seeds::{asked_or_first, each};
use crate::world::Crash;

/// Small files, so that many are begun and removed.
const BYTES_MAX: u64 = 60_000;
/// A power cut has so many letters sent again, and one that was under way.
const DOUBLED_MAX: u64 = 33;

/// Which syncs do nothing.
type Deaf = fn(&Path) -> bool;

/// What was done with a spool so far, and must be true of it ever after.
struct Application {
    rng: Rng,
    disk: SimDisk,
    options: SpoolOptions,
    /// The next letter's number.
    next: u64,
    acknowledged: BTreeSet<u64>,
    sent: BTreeSet<u64>,
}

impl Application {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let options = options(&disk, BYTES_MAX);
        let (rng, acknowledged, sent) = (Rng::with_seed(seed), BTreeSet::new(), BTreeSet::new());
        Self { rng, disk, options, next: 1, acknowledged, sent }
    }

    /// Works with the spool until a call fails, or for so many steps.
    fn run(&mut self, steps: usize) -> Result<(), SpoolError> {
        let mut spool = Spool::open(&self.options)?;
        let mut before = None;
        for _ in 0..steps {
            if self.rng.u8(..) < 110 {
                self.put_some(&mut spool)?;
            } else {
                self.send_some(&mut spool, &mut before)?;
            }
            if self.rng.u8(..) < 10 {
                self.disk.write_back();
            }
        }
        Ok(())
    }

    fn put_some(&mut self, spool: &mut Spool) -> Result<(), SpoolError> {
        let mut group = Vec::new();
        for _ in 0..self.rng.usize(1..6) {
            match spool.put(&letter(self.next)) {
                Ok(()) => group.push(self.next),
                Err(SpoolError::Full { .. }) => {}
                Err(error) => return Err(error),
            }
            self.next += 1;
        }
        let waiting = spool.waiting().messages;
        spool.commit()?;
        assert_eq!(spool.waiting().messages, waiting + group.len() as u64);
        self.acknowledged.extend(group);
        Ok(())
    }

    fn send_some(&mut self, spool: &mut Spool, before: &mut Option<u64>) -> Result<(), SpoolError> {
        for _ in 0..self.rng.usize(1..12) {
            let Some(letter) = spool.front()? else {
                assert_eq!(spool.waiting().messages, 0);
                break;
            };
            let number = number(&letter);
            self.comes_after(number, *before);
            *before = Some(number);
            self.sent.insert(number);
            spool.sent()?;
        }
        Ok(())
    }

    /// Nothing acknowledged is passed over, and nothing is sent again that was sent long ago.
    fn comes_after(&self, number: u64, before: Option<u64>) {
        let first_unsent = self.acknowledged.iter().find(|number| !self.sent.contains(number));
        assert!(first_unsent.is_none_or(|unsent| number <= *unsent), "{first_unsent:?} was passed over by {number}");
        match before {
            Some(before) => assert!(number > before, "{number} after {before}"),
            None => {
                let again = self.sent.range(number..).count() as u64;
                assert!(again <= DOUBLED_MAX, "{again} are sent again");
            }
        }
    }

    /// Nothing goes wrong any more: everything acknowledged comes out.
    fn finish(&mut self) {
        self.disk.set_faults(Faults::default());
        let mut spool = Spool::open(&self.options).unwrap();
        let (mut before, waiting) = (None, spool.waiting().messages);
        let mut count = 0;
        while let Some(letter) = spool.front().unwrap() {
            let number = number(&letter);
            self.comes_after(number, before);
            before = Some(number);
            self.sent.insert(number);
            spool.sent().unwrap();
            count += 1;
        }
        assert_eq!(count, waiting, "what was said to wait");
        let lost: Vec<_> = self.acknowledged.difference(&self.sent).collect();
        assert!(lost.is_empty(), "{lost:?} were acknowledged and never sent");
    }
}

#[test]
fn when_the_process_or_the_power_goes_at_any_moment() {
    each(asked_or_first(600), |seed| {
        let mut application = Application::new(seed);
        for _ in 0..6 {
            let crash_at = Some(application.rng.u64(1..200));
            application.disk.set_faults(Faults { crash_at, ..Faults::default() });
            let outcome = application.run(60);
            assert!(outcome.is_ok() || application.disk.is_off(), "{outcome:?}");
            let crash = if application.rng.bool() { Crash::Kill } else { Crash::PowerCut };
            application.disk.crash(crash);
        }
        application.finish();
    });
}

#[test]
fn when_a_call_fails_and_the_power_goes_later() {
    let calls = [Call::Open, Call::Write, Call::Sync, Call::SyncDir, Call::Remove, Call::List];
    each(asked_or_first(600), |seed| {
        let mut application = Application::new(seed);
        for _ in 0..6 {
            let call = *application.rng.choice(&calls).unwrap();
            let fail = Some((call, application.rng.u64(..20)));
            application.disk.set_faults(Faults { fail, ..Faults::default() });
            let outcome = application.run(40);
            assert!(outcome.is_ok() || application.disk.has_failed(), "{outcome:?}");
            // Nothing fails in the run of the next process.
            application.disk.set_faults(Faults::default());
            application.run(20).unwrap();
            if application.rng.bool() {
                application.disk.crash(Crash::PowerCut);
            }
        }
        application.finish();
    });
}

#[test]
fn when_each_call_is_the_last() {
    for (seed, crash) in [(1, Crash::Kill), (2, Crash::PowerCut), (3, Crash::PowerCut)] {
        let mut application = Application::new(seed);
        application.run(60).unwrap();
        let calls = application.disk.calls();
        assert!(calls > 250, "{calls} calls");
        for call in 1..=calls {
            let mut application = Application::new(seed);
            application.disk.set_faults(Faults { crash_at: Some(call), ..Faults::default() });
            assert!(application.run(60).is_err(), "call {call}");
            application.disk.crash(crash);
            application.finish();
        }
    }
}

/// The checks above can fail: a disk that does not sync what it is told to is found out.
#[test]
fn syncs_that_do_nothing_are_noticed() {
    const DEAF: [(&str, Deaf); 3] = [
        ("letters", |path| path.file_name().is_some_and(|name| name.len() == 20)),
        ("the position", |path| path.ends_with("sent")),
        ("names", |path| path.file_name().unwrap().to_str().unwrap().starts_with("spool-")),
    ];
    for (what, deaf) in DEAF {
        let is_noticed = |seed| {
            let outcome = catch_unwind(|| {
                let mut application = Application::new(seed);
                for _ in 0..4 {
                    let crash_at = Some(application.rng.u64(1..200));
                    application.disk.set_faults(Faults { crash_at, deaf: Some(deaf), ..Faults::default() });
                    let _ = application.run(60);
                    application.disk.crash(Crash::PowerCut);
                }
                application.finish();
            });
            outcome.is_err()
        };
        assert!((0..500).any(is_noticed), "syncs of {what} can be left out, and nobody notices");
    }
}
