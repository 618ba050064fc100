//! What no crash does: bits that flip, files that are gone, listings that lack an entry. What can be made again is, what cannot
//! is refused or told of, and nothing is made worse by that.

use std::ops::Range;
use std::path::PathBuf;

use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::{OpenStore, StoreError};

use crate::broker::Plan;
use crate::disk::Faults;
use crate::model::{Model, Sent};
use crate::run::{Run, crashes};
use crate::world::Crash;

/// One seed: a few lives, then files that can be made again are gone, then starts that are cut short, and one that is not.
pub(crate) fn with_lost_files(seed: u64) {
    let mut run = begun(seed);
    let options = run.plan.options.clone();
    // A file of the index that is gone from between others is noticed by `ferromq store verify` only.
    let mut lost = Vec::from_iter(run.disk.files_under(&options.index_dir()).pop());
    lost.extend(run.disk.files_under(&options.queues_dir()));
    for path in lost {
        if run.rng.u8(..) < 60 {
            run.disk.lose(&path);
        }
    }
    let mut store = run.open_whatever_happens(crashes);
    run.check(&mut store);
}

/// One seed: a few lives, then a bit flips somewhere. A start takes nothing for whole but what was sent.
pub(crate) fn with_a_flipped_bit(seed: u64) {
    let mut run = begun(seed);
    let options = run.plan.options.clone();
    let mut files = run.disk.files_under(options.root());
    files.retain(|path| {
        !path.starts_with(options.config_dir()) && run.disk.bytes(path).is_some_and(|bytes| !bytes.is_empty())
    });
    let path = run.rng.choice(&files).unwrap().clone();
    let len = run.disk.bytes(&path).unwrap().len();
    let (at, bit) = (run.rng.usize(..len), run.rng.u8(..8));
    run.disk.flip(&path, at, bit);
    run.set_faults(Faults::default());
    let flipped = Flipped { path, at };
    match run.open() {
        Ok(mut store) => flipped.check(&run.model, &mut store, &run.plan),
        Err(StoreError::Io { action, source, .. }) => panic!("{flipped:?}: cannot {action}: {source}"),
        // A person has to look; the bit can be flipped back, and nothing else has changed.
        Err(refused) => {
            assert!(refused.to_string().contains("/store/"), "{flipped:?}: no file is named: {refused}");
            run.disk.crash(Crash::Kill);
            run.disk.flip(&flipped.path, at, bit);
            let mut store = run.open_whatever_happens(|_| Faults::default());
            run.check(&mut store);
        }
    }
}

/// One seed: a few lives, then a start whose listing lacks something. Whether it goes on or not, with the next one all is there.
pub(crate) fn with_a_short_listing(seed: u64) {
    let mut run = begun(seed);
    let listing = run.rng.u64(..12);
    run.set_faults(Faults { short_list: Some(listing), ..Faults::default() });
    drop(run.open());
    run.crash();
    let mut store = run.open_whatever_happens(|_| Faults::default());
    run.check(&mut store);
}

/// A store that has had a few lives; a start may look at any of it.
fn begun(seed: u64) -> Run {
    let mut run = Run::new(seed);
    (run.plan.retention, run.plan.deletion) = (false, false);
    // Units that are gone are not made again: where there is none, a message passes.
    run.plan.options.queue_ext_enabled = false;
    for _ in 0..3 {
        let mut store = run.open_whatever_happens(crashes);
        run.check(&mut store);
        run.live(store, crashes);
    }
    let mut store = run.open_whatever_happens(|_| Faults::default());
    run.check(&mut store);
    drop(store);
    run.disk.crash(Crash::Kill);
    run.vouched = PhysicalOffset(0);
    run
}

/// Where a bit has flipped.
#[derive(Debug)]
struct Flipped {
    path: PathBuf,
    at: usize,
}

impl Flipped {
    fn check(&self, model: &Model, store: &mut OpenStore, plan: &Plan) {
        let (view, log) = (store.log.view(), self.in_log(plan));
        let hit = |sent: &&Sent| log.is_some_and(|at| bytes_of(sent).contains(&at));
        for sent in model.sent.iter().filter(|sent| !hit(sent)) {
            let at = sent.placed.physical;
            // Above what is known to have been on the disk, damage is the end of the log.
            let is_cut = at >= view.written() && log.is_some_and(|flipped| flipped < at.0);
            let is_there =
                view.with_record(at, |record| record.body == sent.body && record.properties == sent.properties);
            assert!(is_cut || is_there == Some(true), "{self:?}: the record at {at} is another; {:?}", store.report);
        }
        let kept: Vec<_> = model.sent.iter().filter(|sent| sent.placed.physical < view.written()).collect();
        let mut others = 0;
        for sent in &kept {
            let next = store.log.offsets().next(&sent.topic, sent.queue_id);
            // No checksum covers which queue a record is of, and what its number is there.
            assert!(hit(sent) || sent.placed.queue_offset < next, "{self:?}: {:?} is given out twice", sent.placed);
            let queue = store.queues.queue_mut(&sent.topic, sent.queue_id).unwrap();
            let entry = queue.entry(sent.placed.queue_offset).unwrap();
            others += usize::from(entry.is_none_or(|entry| entry.physical != sent.placed.physical));
        }
        assert!(others <= 1, "{self:?}: {others} entries point to somewhere else; {:?}", store.report);
    }

    /// Its place in the log.
    fn in_log(&self, plan: &Plan) -> Option<u64> {
        let is_log = plan.options.log_dirs().iter().any(|directory| self.path.starts_with(directory));
        let base: u64 = self.path.file_name()?.to_str()?.parse().ok()?;
        is_log.then_some(base + self.at as u64)
    }
}

fn bytes_of(sent: &Sent) -> Range<u64> {
    let from = sent.placed.physical.0;
    from..from + u64::from(sent.placed.size)
}
