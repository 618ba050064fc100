//! Brokers that are there and refuse: what they refuse at once, while it is busy, for a while, and for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::client::{Client, ClientOptions, OutgoingMessage, Sent, SpoolOptions, SpooledProducer};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::time::ManualClock;
use tempfile::TempDir;

use crate::fake_broker::{FakeBroker, reply};
use crate::place::{drained, message, spool, trying_once};
use crate::raw::LIMIT;
use crate::support::wait_until;

fn stored(command: &Command) -> Command {
    let mut ext = ExtFields::builder();
    ext.push("msgId", "ID").push("queueId", 0).push("queueOffset", 41);
    reply(command, response::SUCCESS).with_ext(ext.build())
}

/// A broker that closes connections until it is told to be there, and then answers sends with what the code of their number
/// says, counted from 0.
struct Surly {
    broker: FakeBroker,
    is_there: Arc<AtomicBool>,
    directory: TempDir,
    clock: Arc<ManualClock>,
}

impl Surly {
    async fn start(code_of: impl Fn(&[u8], usize) -> i32 + Send + Sync + 'static) -> Self {
        let (is_there, sends) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
        let opened = Arc::clone(&is_there);
        let broker = FakeBroker::with_route(1, move |command, _| {
            if !opened.load(Ordering::SeqCst) {
                return None;
            }
            let code = code_of(&command.body, sends.fetch_add(1, Ordering::SeqCst));
            Some(vec![if code == response::SUCCESS { stored(command) } else { reply(command, code) }])
        });
        let (broker, directory) = (broker.await, tempfile::tempdir().unwrap());
        Self { broker, is_there, directory, clock: ManualClock::at(1_795_000_000_000) }
    }

    async fn producer(&self) -> SpooledProducer {
        let options = ClientOptions { clock: self.clock.clone(), ..ClientOptions::of(&self.broker.address) };
        let client = Client::new(options).await.unwrap();
        let spool = SpoolOptions::at(self.directory.path().join("spool"));
        client.producer("writers").options(trying_once()).start_spooled(spool).await.unwrap()
    }

    fn opens(&self) {
        self.is_there.store(true, Ordering::SeqCst);
    }

    /// The bodies of the sends so far.
    fn received(&self) -> Vec<String> {
        let sends = self.broker.received(request::SEND_MESSAGE_V2);
        sends.iter().map(|send| String::from_utf8_lossy(&send.body).into_owned()).collect()
    }
}

fn strings(bodies: &[&str]) -> Vec<String> {
    bodies.iter().map(|body| (*body).to_owned()).collect()
}

#[tokio::test]
async fn its_sender_is_told_at_once() {
    for code in [response::MESSAGE_ILLEGAL, response::SYSTEM_BUSY, response::SERVICE_NOT_AVAILABLE] {
        let surly = Surly::start(move |_, _| code).await;
        surly.opens();
        let producer = surly.producer().await;
        let error = producer.send(&message("x")).await.unwrap_err();
        assert_eq!((error.refusal(), producer.waiting().messages), (Some(code), 0));
    }
}

#[tokio::test]
async fn what_is_refused_later_is_put_aside_and_holds_nobody_up() {
    let is_bad = |body: &[u8]| body.starts_with(b"bad");
    let code = move |body: &[u8], _| if is_bad(body) { response::MESSAGE_ILLEGAL } else { response::SUCCESS };
    let surly = Surly::start(code).await;
    let producer = surly.producer().await;
    let bodies = strings(&["good 1", "bad 1", "good 2", "bad 2", "good 3"]);
    spool(&producer, &bodies).await;
    let tried = surly.received().len();
    surly.opens();
    drained(&producer).await;
    let waiting = producer.waiting();
    assert!(waiting.refused == 2 && waiting.refused_bytes > 300 && waiting.bytes == 0, "{waiting:?}");
    let received = surly.received();
    assert_eq!(received[received.len() - 5..], bodies, "{tried} tries before");
    producer.stop().await.unwrap();
    // They are still there for whoever looks.
    let file = std::fs::read(surly.directory.path().join("spool/refused")).unwrap();
    for body in ["bad 1", "bad 2"] {
        assert!(file.windows(5).any(|part| part == body.as_bytes()), "{body}");
    }
    let producer = surly.producer().await;
    assert_eq!(producer.waiting(), waiting);
    assert!(matches!(producer.send(&message("good 4")).await.unwrap(), Sent::Stored(_)));
}

#[tokio::test]
async fn a_busy_broker_is_waited_for() {
    let busy = [response::SYSTEM_BUSY, response::FLOW_CONTROL];
    let surly = Surly::start(move |_, number| busy.get(number).copied().unwrap_or(response::SUCCESS)).await;
    let producer = surly.producer().await;
    spool(&producer, &strings(&["one", "two"])).await;
    let before = surly.received().len();
    surly.opens();
    drained(&producer).await;
    assert_eq!(producer.waiting().refused, 0);
    let received = surly.received();
    let last = &received[received.len() - 4..];
    assert_eq!(last, ["one", "one", "one", "two"], "{before} tries before");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_for_some_time() {
    let code = |body: &[u8], _| if body == b"never" { response::SYSTEM_ERROR } else { response::SUCCESS };
    let surly = Surly::start(code).await;
    let producer = surly.producer().await;
    spool(&producer, &strings(&["never", "always"])).await;
    let before = surly.received().len();
    surly.opens();
    wait_until(LIMIT, "it is tried again", || surly.received().len() >= before + 3).await;
    let waiting = producer.waiting();
    assert_eq!((waiting.messages, waiting.refused), (2, 0));
    surly.clock.advance(Duration::from_secs(301));
    drained(&producer).await;
    assert_eq!(producer.waiting().refused, 1);
    assert_eq!(surly.received().last().unwrap(), "always");
}

/// A topic that is gone costs its patience once, not with each of its messages.
#[tokio::test]
async fn a_topic_that_is_refused_for_long_holds_the_others_up_once() {
    let code = |body: &[u8], _| if body.starts_with(b"gone") { response::SYSTEM_ERROR } else { response::SUCCESS };
    let surly = Surly::start(code).await;
    let producer = surly.producer().await;
    for body in ["gone 1", "good 1", "gone 2", "good 2", "gone 3"] {
        let (topic, _) = body.split_once(' ').unwrap();
        let sent = producer.send(&OutgoingMessage::to(topic, body).unwrap()).await.unwrap();
        assert!(matches!(sent, Sent::Spooled { .. }), "{sent:?}");
    }
    let before = surly.received().len();
    surly.opens();
    wait_until(LIMIT, "it is tried again", || surly.received().len() >= before + 3).await;
    surly.clock.advance(Duration::from_secs(301));
    drained(&producer).await;
    assert_eq!(producer.waiting().refused, 3);
    assert_eq!(surly.received()[surly.received().len() - 4..], ["good 1", "gone 2", "good 2", "gone 3"]);
}

#[tokio::test]
async fn what_was_put_aside_is_tried_again_when_it_is_said_so() {
    let has_mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&has_mended);
    let surly = Surly::start(move |body: &[u8], _| match body {
        b"illegal" if !is_mended.load(Ordering::SeqCst) => response::MESSAGE_ILLEGAL,
        _ => response::SUCCESS,
    })
    .await;
    let producer = surly.producer().await;
    spool(&producer, &strings(&["illegal", "good"])).await;
    surly.opens();
    drained(&producer).await;
    assert_eq!(producer.retry_refused().await.unwrap(), 1);
    drained(&producer).await;
    assert_eq!(producer.waiting().refused, 1, "it is as it was");
    has_mended.store(true, Ordering::SeqCst);
    assert_eq!(producer.retry_refused().await.unwrap(), 1);
    drained(&producer).await;
    assert_eq!((producer.waiting().refused, surly.received().last().unwrap().as_str()), (0, "illegal"));
    assert_eq!((producer.retry_refused().await.unwrap(), producer.discard_refused().await.unwrap()), (0, 0));
}
