//! The store on a simulated disk: crashes and faults at any moment, thousands of them, each of which can be had again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod broker;
mod disk;
mod model;
mod run;
mod world;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of a test run.
const SEEDS: Range<u64> = 0..2_000;

/// Those that were asked for, as `FROM..TO` in `FERROMQ_SIM_SEEDS`, or the usual ones.
fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("FERROMQ_SIM_SEEDS") else { return SEEDS };
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
                    if seed >= seeds.end {
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
    assert!(failed.is_empty(), "{} of {seeds:?} failed: {failed:?}", failed.len());
}

/// Nothing acknowledged is lost, nothing seen is taken back, and queues, index and log agree, whatever happens when.
#[test]
fn seeds_of_everything() {
    each(seeds(), run::run);
}
