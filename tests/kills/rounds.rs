//! Rounds of load and an end, at moments that come from a seed.
//!
//! A moment is a number of acknowledgements, the first acknowledgement out of a new segment of the log, or a time after the
//! start of the process, which may not serve by then. That last one is the one place where a delay is the subject: it is
//! the limit of the wait for the line that says `ready`. By hand: `just kill ROUNDS SEED`.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ferromq::time::{Clock, SystemClock};
use rustix::process::Pid;
use tokio::sync::watch;

use crate::binary::{Ferromq, Serving};
use crate::ledger::Ledger;
use crate::load::Sender;
use crate::raw::{LIMIT, Raw};

const SERVE: &str = "standalone --port 0 --namesrv-port 0 --log-level error -c kill.conf --data disk/data";
/// Small files, so that every kind of roll is met; nobody is asked about transactions.
const SETTINGS: &str = "mappedFileSizeCommitLog=65536\nmappedFileSizeConsumeQueue=600\nmaxHashSlotNum=50\nmaxIndexNum=200\n\
    messageDelayLevel=1s 2s\ntransactionTimeOut=3600000\nflushConsumeQueueThoroughInterval=200\n";
const SEGMENT_BYTES: i64 = 65_536;
const SENDERS: u64 = 3;
/// Rounds of each way to flush, unless `KILL_ROUNDS` says how many.
const ROUNDS: u64 = 10;

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Acknowledged(usize),
    NewSegment,
}

/// How a process ends, and what it is begun by.
pub(crate) trait End {
    /// What the disk is that data lie on.
    fn prepare(&self, _: &Path) {}

    /// The command that becomes the process; none for the binary itself.
    fn before(&self) -> &[&str] {
        &[]
    }

    /// Before it is killed, while it may not serve yet.
    fn strike(&self, _directory: &Path, _process: Pid) {}

    /// When it is gone.
    fn clear_away(&self, _directory: &Path) {}
}

/// The process is killed, and no more.
pub(crate) struct Kill;

impl End for Kill {}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

/// Rounds of load, each followed by an end and by a look at what the next start finds.
pub(crate) async fn check(end: &dyn End, flush: &str, more: &str) {
    let rounds = of_environment("KILL_ROUNDS").unwrap_or(ROUNDS);
    let seed = of_environment("KILL_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    // Shown when the test fails.
    eprintln!("{flush}: {rounds} rounds, KILL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let ferromq = Ferromq::new().with_file("kill.conf", &format!("{SETTINGS}flushDiskType={flush}\n{more}"));
    std::fs::create_dir(ferromq.path().join("disk")).unwrap();
    end.prepare(ferromq.path());
    let mut ledger = Ledger::default();
    let clock = SystemClock::new();
    let mut starts_in = Duration::from_millis(300);
    for round in 0..rounds {
        for _ in 0..random.usize(..3) {
            let after = starts_in.mul_f64(random.f64() * 1.2);
            let strike = |process| end.strike(ferromq.path(), process);
            let served = ferromq.end_while_it_starts(end.before(), SERVE, after, strike);
            end.clear_away(ferromq.path());
            eprintln!(
                "round {round}: killed {after:?} after its start, when it {}",
                if served { "served" } else { "did not serve" }
            );
        }
        let begun_ms = clock.now_ms();
        let serving = ferromq.serve_by(end.before(), SERVE);
        starts_in = Duration::from_millis((clock.now_ms() - begun_ms).unsigned_abs());
        ledger.check(&mut Raw::connect(serving.broker()).await).await;
        let moment = if random.bool() { Moment::Acknowledged(random.usize(1..300)) } else { Moment::NewSegment };
        let strike = |process| end.strike(ferromq.path(), process);
        ledger = load(serving, moment, random.u64(..), round, ledger, strike).await;
        end.clear_away(ferromq.path());
        eprintln!("round {round}: killed at {moment:?}, {} acknowledged", ledger.count());
    }
    let serving = ferromq.serve_by(end.before(), SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    ledger.check(&mut client).await;
    ledger.check_delayed(&mut client).await;
    // A stop in order changes nothing.
    assert_eq!(serving.terminate().code, 0);
    end.clear_away(ferromq.path());
    let serving = ferromq.serve_by(end.before(), SERVE);
    ledger.check(&mut Raw::connect(serving.broker()).await).await;
}

/// Sends until the moment has come, and ends the process.
async fn load(
    serving: Serving,
    moment: Moment,
    seed: u64,
    round: u64,
    ledger: Ledger,
    strike: impl FnOnce(Pid),
) -> Ledger {
    let ledger = Rc::new(RefCell::new(ledger));
    let (tell, mut told) = watch::channel((0, 0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let name = format!("r{round}s{sender}");
            let sending = Sender::run(name, serving.broker(), seed ^ sender, Rc::clone(&ledger), tell.clone());
            actix::spawn(sending)
        })
        .collect();
    let first = told.wait_for(|(count, _)| *count > 0);
    let (_, begin) = *tokio::time::timeout(LIMIT, first).await.expect("an acknowledgement").unwrap();
    let come = told.wait_for(|(count, at)| match moment {
        Moment::Acknowledged(wanted) => *count >= wanted,
        Moment::NewSegment => at / SEGMENT_BYTES > begin / SEGMENT_BYTES,
    });
    tokio::time::timeout(LIMIT, come).await.unwrap_or_else(|_| panic!("{moment:?} comes")).unwrap();
    strike(serving.pid());
    // SIGKILL, in the middle of what is on its way.
    drop(serving);
    for sender in senders {
        sender.await.unwrap();
    }
    Rc::into_inner(ledger).expect("the senders are gone").into_inner()
}
