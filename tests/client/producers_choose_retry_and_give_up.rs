use ferromq::client::route_cache::ROUTE_AGE_MAX;
use ferromq::client::{Client, ClientError, ClientOptions, OutgoingMessage, Producer, ProducerOptions, SendStatus};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::message::decode_batch;
use ferromq::protocol::names::Topic;
use ferromq::protocol::properties::{find, keys};
use ferromq::time::ManualClock;

use crate::fake_broker::{FakeBroker, reply, route_reply};

async fn producer(broker: &FakeBroker) -> Producer {
    let client = Client::new(ClientOptions::of(&broker.address)).await.unwrap();
    client.producer("G").start().await.unwrap()
}

fn message(body: &str) -> OutgoingMessage {
    OutgoingMessage::new(Topic::parse("T").unwrap(), body.to_owned())
}

fn stored(command: &Command, code: i32) -> Command {
    let mut ext = ExtFields::builder();
    ext.push("msgId", "ID").push("queueId", command.ext.int32("e").unwrap()).push("queueOffset", 41);
    reply(command, code).with_ext(ext.build())
}

#[tokio::test]
async fn messages_go_round_the_queues_with_their_properties() {
    let broker = FakeBroker::with_route(3, |command, _| Some(vec![stored(command, response::SUCCESS)])).await;
    let producer = producer(&broker).await;
    let tagged = OutgoingMessage { tag: Some("red".into()), keys: Some("k1 k2".into()), ..message("hello") };
    let mut queues = Vec::new();
    for _ in 0..6 {
        let receipt = producer.send(&tagged).await.unwrap();
        assert_eq!((receipt.status, receipt.queue_offset.0), (SendStatus::Stored, 41));
        queues.push(receipt.queue_id.0);
    }
    assert_eq!(queues[..3], queues[3..]);
    queues.sort_unstable();
    assert_eq!(queues, [0, 0, 1, 1, 2, 2]);
    let sent = broker.received(request::SEND_MESSAGE_V2);
    let text = sent[0].ext.required("i").unwrap();
    assert_eq!([keys::TAGS, keys::KEYS, keys::WAIT].map(|key| find(&text, key).unwrap()), ["red", "k1 k2", "true"]);
    let id = |command: &Command| find(&command.ext.required("i").unwrap(), keys::UNIQ_KEY).unwrap().to_owned();
    assert!(id(&sent[0]).len() == 32 && id(&sent[0]) != id(&sent[1]));
    assert_eq!(broker.received(request::GET_ROUTEINFO_BY_TOPIC).len(), 1, "a route is asked for once");
}

#[tokio::test]
async fn a_batch_is_one_request_of_many_messages() {
    let broker =
        FakeBroker::with_route(1, |command, _| Some(vec![stored(command, response::FLUSH_DISK_TIMEOUT)])).await;
    let receipt = producer(&broker).await.send_batch(&[message("one"), message("two")]).await.unwrap();
    assert_eq!((receipt.status, receipt.unique_id.split(',').count()), (SendStatus::FlushTimeout, 2));
    let sent = broker.received(request::SEND_BATCH_MESSAGE);
    let bodies: Vec<_> = decode_batch(sent[0].body.clone()).unwrap().into_iter().map(|item| item.body).collect();
    assert_eq!(bodies, ["one", "two"]);
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_a_busy_broker_is_left_alone() {
    for (code, tries) in [(response::SERVICE_NOT_AVAILABLE, 3), (response::SYSTEM_BUSY, 1)] {
        let broker = FakeBroker::with_route(2, move |command, _| Some(vec![reply(command, code)])).await;
        let error = producer(&broker).await.send(&message("x")).await.unwrap_err();
        assert_eq!(error.refusal(), Some(code));
        assert_eq!(broker.received(request::SEND_MESSAGE_V2).len(), tries, "code {code}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_opened_again() {
    let broker = FakeBroker::with_route(1, |command, number| {
        // Request 0 asks for the route; the first send finds the connection closed, the second is stored.
        (number != 1).then(|| vec![stored(command, response::SUCCESS)])
    })
    .await;
    assert!(producer(&broker).await.send(&message("x")).await.is_ok());
    assert_eq!(broker.received(request::SEND_MESSAGE_V2).len(), 2);
}

/// Brokers serve without name servers. A name server that has closed an idle connection is asked on another one.
#[tokio::test]
async fn an_old_route_is_used_when_nobody_tells_a_newer_one() {
    for (closed_for, asked) in [(1, 4), (usize::MAX, 5)] {
        let broker = FakeBroker::start_for_clients(|command, _| Some(vec![stored(command, response::SUCCESS)])).await;
        let address = broker.address.clone();
        let name_server = FakeBroker::start(move |command, number| {
            (number == 0 || number > closed_for).then(|| vec![route_reply(command, &address, 1)])
        })
        .await;
        let clock = ManualClock::at(0);
        let options = ClientOptions { clock: clock.clone(), ..ClientOptions::of(&name_server.address) };
        let producer = Client::new(options).await.unwrap().producer("G").start().await.unwrap();
        for _ in 0..3 {
            producer.send(&message("x")).await.unwrap();
            clock.advance(ROUTE_AGE_MAX);
        }
        assert_eq!(broker.received(request::SEND_MESSAGE_V2).len(), 3);
        assert_eq!(name_server.received(request::GET_ROUTEINFO_BY_TOPIC).len(), asked, "{closed_for}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_here() {
    let broker = FakeBroker::start(|command, _| {
        Some(vec![reply(command, response::TOPIC_NOT_EXIST).with_remark("no such topic")])
    })
    .await;
    let producer = producer(&broker).await;
    assert!(matches!(producer.send(&message("")).await, Err(ClientError::BodyLength { length: 0, .. })));
    assert!(matches!(producer.send_batch(&[]).await, Err(ClientError::Batch(_))));
    let other = OutgoingMessage::new(Topic::parse("U").unwrap(), "x");
    assert!(matches!(producer.send_batch(&[message("x"), other]).await, Err(ClientError::Batch(_))));
    assert!(broker.received(request::GET_ROUTEINFO_BY_TOPIC).is_empty());
    assert!(matches!(producer.send(&message("x")).await, Err(ClientError::NoRoute { .. })));
}

/// A firewall that has forgotten a connection answers nothing on it for ever.
#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_not_sent_on_again() {
    let silent = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_silent = silent.clone();
    let broker = FakeBroker::with_route(1, move |command, _| {
        let is_silent = is_silent.load(std::sync::atomic::Ordering::SeqCst);
        Some(if is_silent { Vec::new() } else { vec![stored(command, response::SUCCESS)] })
    })
    .await;
    let client = Client::new(ClientOptions::of(&broker.address)).await.unwrap();
    let short = ProducerOptions { send_timeout: std::time::Duration::from_millis(200), ..ProducerOptions::default() };
    let producer = client.producer("G").options(short).start().await.unwrap();
    assert!(producer.send(&message("x")).await.unwrap_err().is_of_transport());
    let before = broker.accepted();
    silent.store(false, std::sync::atomic::Ordering::SeqCst);
    producer.send(&message("x")).await.unwrap();
    assert_eq!(broker.accepted(), before + 1, "on another connection");
}
