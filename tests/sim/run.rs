//! A run: a broker at work, a crash, what is left, and on.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::{OpenStore, StoreError, open};

use crate::broker::{Plan, Policy, SimBroker};
use crate::disk::{Call, Faults, SimDisk};
use crate::housekeeping::offsets_in;
use crate::model::Model;
use crate::world::Crash;

/// Opened, worked with and left so many times.
const LIVES: usize = 6;
const STEPS: usize = 70;
static ROOTS: AtomicU64 = AtomicU64::new(0);
/// What can fail. After a failed sync nobody knows what is on the disk.
const CALLS: [Call; 7] = [Call::Open, Call::Write, Call::Allocate, Call::Sync, Call::SyncDir, Call::Remove, Call::List];

/// A store and what is known of it.
pub(crate) struct Run {
    pub(crate) disk: SimDisk,
    pub(crate) plan: Plan,
    pub(crate) model: Model,
    pub(crate) rng: Rng,
    /// How the last life ended; a stop in order counts as a kill, since all is there then.
    last: Option<Crash>,
    /// Before here no start need look, if none was cut short since that was written down.
    pub(crate) vouched: PhysicalOffset,
    /// Syncs of such paths do nothing.
    deaf: Option<fn(&Path) -> bool>,
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let disk = SimDisk::new(rng.u64(..));
        // No two runs of this process may have a store of the same name.
        let root = format!("/sim/{}/store", ROOTS.fetch_add(1, Ordering::Relaxed));
        let plan = Plan::of(&mut rng, &root);
        Self { disk, plan, model: Model::default(), rng, last: None, vouched: PhysicalOffset(0), deaf: None }
    }

    /// Up to where everything must be there.
    fn least(&self) -> PhysicalOffset {
        let promises = self.model.promises;
        match (self.last, self.plan.policy) {
            (Some(Crash::Kill) | None, _) => promises.published,
            (Some(Crash::PowerCut), Policy::Sync) => promises.lasting.max(promises.shown),
            (Some(Crash::PowerCut), Policy::Async) => promises.lasting,
        }
    }

    pub(crate) fn open(&self) -> Result<OpenStore, StoreError> {
        open(self.disk.shared(), self.plan.options.clone(), &mut |_| {})
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.disk.set_faults(Faults { deaf: self.deaf, ..faults });
    }

    pub(crate) fn check(&mut self, store: &mut OpenStore) {
        self.set_faults(Faults::default());
        let (least, report) = (self.least(), &store.report);
        // A queue that is made anew as a whole is told of, and takes all of the log. An index whose last file has gone is looked
        // at from its last record on.
        let indexed = self.model.last_with_keys(self.vouched);
        let looked_again = report.walked_from < indexed && report.warnings.is_empty();
        assert!(!looked_again, "nothing before {} was to be walked: {report:?}", self.vouched);
        self.model.check(store, &self.plan.options, least);
        let (found, known) = (offsets_in(&self.disk, &self.plan.options), &mut self.model.offsets);
        assert!((known.start..=known.end).contains(&found), "offsets {found}, not in {known:?}");
        *known = found..found;
    }

    /// Opens the store. Now and then that is cut short too, or fails, and is tried again.
    pub(crate) fn open_whatever_happens(&mut self, faults: fn(&mut Rng) -> Faults) -> OpenStore {
        loop {
            let faults = if self.rng.u8(..) < 100 { faults(&mut self.rng) } else { Faults::default() };
            self.set_faults(faults);
            match self.open() {
                Ok(store) => return store,
                Err(error) => {
                    assert!(self.disk.is_off() || self.disk.has_failed(), "{error}");
                    self.crash();
                    self.vouched = PhysicalOffset(0);
                }
            }
        }
    }

    pub(crate) fn crash(&mut self) {
        // What the process left in memory only may be gone. What a sync failed to write is there until the power goes.
        let crash = if self.rng.bool() { Crash::Kill } else { Crash::PowerCut };
        self.disk.crash(crash);
        self.last = if self.last == Some(Crash::PowerCut) { self.last } else { Some(crash) };
    }

    /// Works until something ends it.
    pub(crate) fn live(&mut self, store: OpenStore, faults: fn(&mut Rng) -> Faults) {
        let mut broker = SimBroker::new(&self.disk, &self.plan, store);
        if self.rng.u8(..) < 150 {
            let faults = faults(&mut self.rng);
            self.set_faults(faults);
        }
        let steps = self.rng.usize(1..STEPS);
        let mut ended = (0..steps).try_for_each(|_| broker.step(&mut self.model, &mut self.rng));
        if ended.is_ok() && self.rng.u8(..) < 80 {
            ended = broker.close(&mut self.model);
        }
        if let Err(error) = &ended {
            assert!(self.disk.is_off() || self.disk.has_failed() || error.is_shortage(), "{error}");
        }
        // Between checkpoint and state nothing vouches for anything.
        self.vouched = if ended.is_ok() { broker.vouched() } else { PhysicalOffset(0) };
        self.last = None;
        self.crash();
    }

    fn lives(&mut self, faults: fn(&mut Rng) -> Faults) {
        for _ in 0..LIVES {
            let mut store = self.open_whatever_happens(faults);
            self.check(&mut store);
            self.live(store, faults);
        }
    }
}

/// Crashes at any call. Those of a start, which come first, are few, and matter as much.
pub(crate) fn crashes(rng: &mut Rng) -> Faults {
    let calls = if rng.bool() { 40 } else { 400 };
    Faults { crash_at: Some(rng.u64(1..calls)), ..Faults::default() }
}

/// Calls that fail.
fn failures(rng: &mut Rng) -> Faults {
    let call = *rng.choice(&CALLS).unwrap();
    Faults { fail: Some((call, rng.u64(..60))), ..Faults::default() }
}

/// One seed of crashes.
pub(crate) fn with_crashes(seed: u64) {
    Run::new(seed).lives(crashes);
}

/// One seed of lives that end while the checkpoint is synced. Whoever starts next finds it, and after a power cut it may be the
/// one before again.
pub(crate) fn with_forgotten_checkpoints(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..LIVES {
        let mut store = run.open_whatever_happens(crashes);
        run.check(&mut store);
        run.live(store, |_| Faults { crash_at_sync_of: Some("checkpoint"), ..Faults::default() });
    }
}

/// One seed of calls that fail.
pub(crate) fn with_failures(seed: u64) {
    Run::new(seed).lives(failures);
}

/// One seed on a disk that is small, and has more room from time to time: nothing is an error then.
pub(crate) fn on_a_small_disk(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..LIVES {
        run.disk.set_capacity(usize::MAX);
        let mut store = run.open_whatever_happens(crashes);
        run.check(&mut store);
        run.disk.set_capacity(run.rng.usize(..200_000));
        run.live(store, crashes);
    }
}

/// The same work with a crash at one call. Tells how many calls there are.
pub(crate) fn crash_at(seed: u64, call: Option<u64>, crash: Crash) -> u64 {
    let mut run = Run::new(seed);
    run.set_faults(Faults { crash_at: call, ..Faults::default() });
    let worked = run.open().and_then(|store| {
        let mut broker = SimBroker::new(&run.disk, &run.plan, store);
        (0..60).try_for_each(|_| broker.step(&mut run.model, &mut run.rng))?;
        broker.close(&mut run.model)?;
        drop(broker);
        run.open().map(drop)
    });
    assert_eq!(worked.is_err(), run.disk.is_off(), "{worked:?}");
    let calls = run.disk.calls();
    run.disk.crash(crash);
    run.last = Some(crash);
    let mut store = run.open().unwrap();
    run.check(&mut store);
    calls
}

/// One seed of power cuts on a disk that does not do some syncs.
pub(crate) fn with_deaf_syncs(seed: u64, deaf: fn(&Path) -> bool) {
    let mut run = Run::new(seed);
    run.deaf = Some(deaf);
    run.lives(crashes);
}
