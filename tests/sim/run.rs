//! A run: a broker at work, a crash, what is left, and on.

use fastrand::Rng;
use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::{OpenStore, open};

use crate::broker::{Plan, Policy, SimBroker};
use crate::disk::{Faults, SimDisk};
use crate::model::Model;
use crate::world::Crash;

/// Opened, worked with and left so many times.
const LIVES: usize = 6;
const STEPS: usize = 70;

/// One seed.
pub(crate) fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let disk = SimDisk::new(rng.u64(..));
    let plan = Plan::of(&mut rng, &format!("/sim/{seed}"));
    let mut model = Model::default();
    let mut last = None;
    for _ in 0..LIVES {
        let mut store = open_whatever_happens(&disk, &plan, &model, &mut last, &mut rng);
        let least = least(&model, &plan, last);
        if std::env::var_os("FERROMQ_SIM_TRACE").is_some() {
            for path in disk.files() {
                let bytes = disk.bytes(&path).unwrap();
                eprintln!("{} {} {}", path.display(), bytes.len(), bytes.iter().filter(|byte| **byte != 0).count());
            }
            eprintln!("{last:?} {:?} {:?}", model.promises, store.report);
        }
        model.check(&mut store, &plan.options, least);
        last = Some(live(&disk, &plan, store, &mut model, &mut rng));
    }
}

/// Up to where everything must be there.
fn least(model: &Model, plan: &Plan, last: Option<Crash>) -> PhysicalOffset {
    let promises = model.promises;
    match (last, plan.policy) {
        (Some(Crash::Kill) | None, _) => promises.published,
        (Some(Crash::PowerCut), Policy::Sync) => promises.lasting.max(promises.shown),
        (Some(Crash::PowerCut), Policy::Async) => promises.lasting,
    }
}

/// Opens the store. Now and then that is cut short too, and tried again.
fn open_whatever_happens(
    disk: &SimDisk,
    plan: &Plan,
    _model: &Model,
    last: &mut Option<Crash>,
    rng: &mut Rng,
) -> OpenStore {
    loop {
        if rng.u8(..) < 100 {
            disk.set_faults(Faults { crash_at: Some(rng.u64(1..150)), ..Faults::default() });
        } else {
            disk.set_faults(Faults::default());
        }
        match open(disk.shared(), plan.options.clone(), &mut |_| {}) {
            Ok(store) => {
                disk.set_faults(Faults::default());
                return store;
            }
            Err(error) => {
                assert!(disk.is_off(), "{error}");
                let crash = crash_of(rng);
                disk.crash(crash);
                // What the process left in memory only is not there any more.
                *last = last.map(|last| if crash == Crash::PowerCut { crash } else { last });
            }
        }
    }
}

/// Works until something ends it. Tells what that was; `Kill` stands for a stop in order too, since all is there then.
fn live(disk: &SimDisk, plan: &Plan, store: OpenStore, model: &mut Model, rng: &mut Rng) -> Crash {
    let mut broker = SimBroker::new(disk, plan, store);
    if rng.u8(..) < 150 {
        disk.set_faults(Faults { crash_at: Some(rng.u64(1..400)), ..Faults::default() });
    }
    let mut ended = Ok(());
    for _ in 0..rng.usize(1..STEPS) {
        ended = broker.step(model, rng);
        if ended.is_err() {
            break;
        }
    }
    if ended.is_ok() && rng.u8(..) < 80 {
        ended = broker.close(model);
        if ended.is_ok() {
            assert!(disk.bytes(&plan.options.file("abort")).is_none());
        }
    } else {
        drop(broker);
    }
    if let Err(error) = ended {
        assert!(disk.is_off(), "{error}");
    }
    let crash = crash_of(rng);
    disk.crash(crash);
    crash
}

fn crash_of(rng: &mut Rng) -> Crash {
    if rng.bool() { Crash::Kill } else { Crash::PowerCut }
}
