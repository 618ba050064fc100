use std::rc::Rc;
use std::time::Duration;

use ferromq::cli::bench::closed::{Load, send_answered};
use ferromq::cli::bench::link::Link;
use ferromq::cli::bench::run::{Extent, GRACE, Run};
use ferromq::cli::bench::tally::{Outcome, Tally};
use ferromq::cli::bench::template::{Shape, Template};
use ferromq::cli::bench::transaction::send_and_commit;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields, Serialization};
use tokio::task::{JoinHandle, LocalSet};

use crate::fake_broker::{FakeBroker, reply};

fn load(in_flight: usize) -> Load {
    let template = Template::new(&Shape {
        topic: "T".into(),
        group: "G".into(),
        queues: 4,
        body_bytes: 10,
        keys: 0,
        tag: None,
        properties: Vec::new(),
        sys_flag: 0,
        batch: 1,
        oneway: false,
        serialization: Serialization::Json,
        instance: 1,
        first_counter: 0,
    });
    Load { template, queue: 0, queues: 4, batch: 1, in_flight }
}

/// Sends until `count` messages are stored, on one connection; gives what was counted and what failed.
async fn measure(broker: &FakeBroker, in_flight: usize, count: u64) -> (Tally, Vec<String>) {
    measure_with(broker, count, |run, link| run.spawn(send_answered(run.clone(), link, load(in_flight)))).await
}

async fn measure_with(
    broker: &FakeBroker,
    count: u64,
    begin: impl FnOnce(&Rc<Run>, Link) -> JoinHandle<()>,
) -> (Tally, Vec<String>) {
    let run = Run::new(Some(count));
    let local = LocalSet::new();
    let link = Link::open(&broker.address).await.unwrap();
    let cost = local
        .run_until(async {
            let loads = vec![begin(&run, link)];
            run.measure(Extent { warmup: Duration::ZERO, length: None, grace: GRACE }, &[], loads).await.unwrap()
        })
        .await;
    let tally = run.tally.borrow().clone();
    (tally, cost.failures)
}

#[tokio::test]
async fn stored_busy_and_refused_are_counted_apart() {
    let broker = FakeBroker::start(|command, number| {
        let code = match number % 10 {
            3 => response::SYSTEM_BUSY,
            7 => response::MESSAGE_ILLEGAL,
            _ => response::SUCCESS,
        };
        Some(vec![reply(command, code), Command::reply(0, command.opaque).with_remark("once more")])
    })
    .await;
    let (tally, failures) = measure(&broker, 8, 800).await;
    assert!(tally.messages >= 800 && tally.messages == tally.requests(Outcome::Ok) && failures.is_empty());
    let share = |outcome| tally.requests(outcome) as f64 / tally.messages as f64;
    assert!((0.1..0.15).contains(&share(Outcome::Busy)), "one in ten, eight of which are stored");
    assert!((0.1..0.15).contains(&share(Outcome::Error)));
    assert!(tally.stray > 800, "a second answer to the same request is none");
    assert_eq!(tally.times().count, tally.messages);
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    // Nothing is answered before the window is full: with one request more or less allowed, this would hang or differ.
    let waiting = std::sync::Mutex::new(Vec::new());
    let broker = FakeBroker::start(move |command, _| {
        let mut waiting = waiting.lock().unwrap();
        waiting.push(reply(command, response::SUCCESS));
        assert!(waiting.len() <= 16);
        Some(if waiting.len() == 16 { waiting.drain(..).rev().collect() } else { Vec::new() })
    })
    .await;
    let (tally, failures) = measure(&broker, 16, 160).await;
    assert!(failures.is_empty() && tally.messages >= 160 && tally.messages % 16 == 0);
    assert_eq!(tally.unanswered, 0, "seventeen under way would leave one over");
    let queues: Vec<_> =
        broker.received(request::SEND_MESSAGE_V2)[..8].iter().map(|command| command.ext.int32("e").unwrap()).collect();
    assert_eq!(queues, [0, 1, 2, 3, 0, 1, 2, 3]);
}

#[tokio::test]
async fn a_connection_that_ends_is_reported_with_what_it_left() {
    let broker = FakeBroker::start(|command, number| (number < 40).then(|| vec![reply(command, 0)])).await;
    let (tally, failures) = measure(&broker, 4, u64::MAX).await;
    assert_eq!(failures.len(), 1);
    assert!(tally.unanswered > 0 && tally.messages <= 40);
}

/// A half message is answered with where it lies, its commit with success if `commits` are answered at all.
fn transactions(commits: bool) -> impl Fn(&Command, usize) -> Option<Vec<Command>> {
    move |command, _| match command.code {
        request::END_TRANSACTION if commits => Some(vec![reply(command, response::SUCCESS)]),
        request::END_TRANSACTION => Some(Vec::new()),
        _ => {
            let mut ext = ExtFields::builder();
            ext.push("msgId", "7F00000100002A9F0000000000000064").push("queueId", 0).push("queueOffset", 7);
            Some(vec![reply(command, response::SUCCESS).with_ext(ext.build())])
        }
    }
}

#[tokio::test]
async fn a_transaction_is_over_when_its_commit_is_answered() {
    let broker = FakeBroker::start(transactions(true)).await;
    let begin = |run: &Rc<Run>, link| run.spawn(send_and_commit(run.clone(), link, load(4)));
    let (tally, failures) = measure_with(&broker, 40, begin).await;
    assert!(failures.is_empty() && tally.messages >= 40 && tally.unanswered == 0, "{tally:?} {failures:?}");
    let ended = broker.received(request::END_TRANSACTION);
    assert_eq!(ended[0].ext.int64("commitLogOffset"), Ok(100));
    assert_eq!((ended[0].ext.int64("tranStateTableOffset"), ended[0].ext.int32("commitOrRollback")), (Ok(7), Ok(8)));
    // Some may have ended before the measurement began, or after it.
    assert!(ended.len() as u64 >= tally.messages, "{} of {}", tally.messages, ended.len());
}

#[tokio::test]
async fn transactions_that_are_not_ended_are_counted_as_unanswered() {
    let broker = FakeBroker::start(transactions(false)).await;
    let local = LocalSet::new();
    let run = Run::new(None);
    let link = Link::open(&broker.address).await.unwrap();
    let extent =
        Extent { warmup: Duration::ZERO, length: Some(Duration::from_millis(200)), grace: Duration::from_millis(50) };
    let measured = async {
        let loads = vec![run.spawn(send_and_commit(run.clone(), link, load(4)))];
        run.measure(extent, &[], loads).await.unwrap()
    };
    local.run_until(measured).await;
    let tally = run.tally.borrow();
    // However far they came, as half messages or as commits, four were under way.
    assert_eq!((tally.messages, tally.unanswered), (0, 4), "{tally:?}");
}
