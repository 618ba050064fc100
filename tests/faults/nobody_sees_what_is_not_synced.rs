//! Under SYNC_FLUSH a message is in the log before it is on the disk, and nobody sees it until it is.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferromq::actors::arbiters::start_on;
use ferromq::actors::broker::Broker;
use ferromq::actors::commitlog_actor::FlushPolicy;
use ferromq::actors::flush_actor::{FlushActor, FlushPorts};
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Serialization;

use tempfile::TempDir;

use crate::load::make_topic;
use crate::raw::{Raw, ask_for, pull_from, send_to, with};
use crate::support::small;
use crate::writers::gate;

/// Longer than this test takes.
const NEVER: Duration = Duration::from_secs(600);

/// A broker whose FlushActor hears of no promise until the gate is opened.
async fn start(directory: &TempDir) -> (Broker, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&open);
    let options = BrokerOptions { flush: FlushPolicy::Sync, sync_limit: NEVER, ..small(directory) };
    let broker = Broker::builder(options).flush(move |parts, on| {
        let ports: FlushPorts = start_on(on, |_| FlushActor::new(parts)).into();
        FlushPorts { await_sync: gate(ports.await_sync, opened, on), ..ports }
    });
    (broker.start().await.unwrap(), open)
}

#[actix::test]
async fn a_message_is_seen_when_it_is_acknowledged_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, open) = start(&directory).await;
    make_topic(&broker, "Unseen").await;
    let (mut producer, mut consumer) = (Raw::connect(broker.address()).await, Raw::connect(broker.address()).await);
    // What wants no answer is in the log as well.
    producer.send_as(send_to("Unseen", 0, "WAIT\u{1}false\u{2}", "unseen"), Serialization::Json).await;
    assert_eq!(producer.next().await.unwrap().code, response::SUCCESS);
    producer.send_as(send_to("Unseen", 0, "", "unseen"), Serialization::Json).await;
    let max_offset = ask_for(request::GET_MAX_OFFSET, &[("topic", &"Unseen"), ("queueId", &0)]);
    for _ in 0..50 {
        let seen = consumer.ask(max_offset.clone()).await;
        assert_eq!(seen.ext.int64("offset").unwrap(), 0);
        assert_eq!(consumer.ask(pull_from("Unseen", 0, 0, 1)).await.code, response::PULL_NOT_FOUND);
    }
    open.store(true, Ordering::SeqCst);
    assert_eq!(producer.next().await.unwrap().code, response::SUCCESS);
    consumer.ask_until(max_offset, |reply| reply.ext.int64("offset").unwrap() == 2).await;
    broker.stop().await.unwrap();
}

/// A send that comes a second time is not told that it is safe before the first one is.
#[actix::test]
async fn a_second_send_is_answered_when_the_first_one_is_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, open) = start(&directory).await;
    let (mut first, mut second) = (Raw::connect(broker.address()).await, Raw::connect(broker.address()).await);
    let fields: [(&str, &dyn Display); 5] =
        [("topic", &"Once"), ("readQueueNums", &4), ("writeQueueNums", &4), ("perm", &6), ("order", &false)];
    let update = ask_for(request::UPDATE_AND_CREATE_TOPIC, &fields);
    let made = first.ask(with(update, "attributes", "+duplicate.window.ms=60000")).await;
    assert_eq!(made.code, response::SUCCESS, "{made:?}");
    let send = send_to("Once", 0, "UNIQ_KEY\u{1}k", "once");
    first.send_as(send.clone(), Serialization::Json).await;
    let max_offset = ask_for(request::GET_MAX_OFFSET, &[("topic", &"Once"), ("queueId", &0)]);
    // It is in the log when the writer has taken what comes behind it, which is the same on one connection.
    first.ask(max_offset.clone()).await;
    second.send_as(send, Serialization::Json).await;
    for _ in 0..50 {
        // `ask` takes nothing but its own reply.
        second.ask(max_offset.clone()).await;
    }
    open.store(true, Ordering::SeqCst);
    let (one, other) = (first.next().await.unwrap(), second.next().await.unwrap());
    assert_eq!((one.code, other.code), (response::SUCCESS, response::SUCCESS));
    assert_eq!(one.ext.get("msgId"), other.ext.get("msgId"));
    broker.stop().await.unwrap();
}
