//! Which seeds a simulation runs with, and what becomes of each.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many seeds that fail end a test.
const FAILURES_TOLD: usize = 5;

/// Those that were asked for, as `FROM..TO` in `FERROMQ_SIM_SEEDS`, or the first ones.
pub(crate) fn asked_or_first(count: u64) -> Range<u64> {
    let Ok(asked) = std::env::var("FERROMQ_SIM_SEEDS") else { return 0..count };
    let (from, to) = asked.split_once("..").expect("FERROMQ_SIM_SEEDS is FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

/// Runs each seed once, on all cores, and tells those that failed.
pub(crate) fn each(seeds: Range<u64>, run: impl Fn(u64) + Sync) {
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
                        eprintln!("seed {seed} failed; it does so again with FERROMQ_SIM_SEEDS={seed}..{}", seed + 1);
                        failed.lock().unwrap().insert(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "of {seeds:?} these failed: {failed:?}");
}
