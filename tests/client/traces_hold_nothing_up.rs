//! Traces that cannot be sent are dropped, and the messages that they are about are sent all the same.

use std::sync::Arc;
use std::time::Duration;

use ferromq::client::{Client, ClientOptions, OutgoingMessage, Producer, TraceCounts, TraceOptions};
use ferromq::protocol::codes::response;
use ferromq::protocol::command::{Command, ExtFields};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fake_broker::{Answers, FakeBroker, reply};

const LIMIT: Duration = Duration::from_secs(20);

/// Takes messages, and does with traces what it is told.
async fn broker(traces: impl Fn(&Command) -> Answers + Send + Sync + 'static) -> FakeBroker {
    FakeBroker::with_route(1, move |command, _| {
        if command.ext.get("b").as_deref() == Some("RMQ_SYS_TRACE_TOPIC") {
            return traces(command);
        }
        let mut ext = ExtFields::builder();
        ext.push("msgId", "ID").push("queueId", 0).push("queueOffset", 0);
        Some(vec![reply(command, response::SUCCESS).with_ext(ext.build())])
    })
    .await
}

async fn producer(broker: &FakeBroker, trace: TraceOptions) -> Producer {
    let client = Client::new(ClientOptions::of(&broker.address)).await.unwrap();
    client.producer("writers").trace(trace).start().await.unwrap()
}

async fn send(producer: &Producer, count: usize) {
    for _ in 0..count {
        producer.send(&OutgoingMessage::to("Orders", "body").unwrap()).await.unwrap();
    }
}

#[actix::test]
async fn those_that_find_no_room_are_dropped_and_counted() {
    let brought = Arc::new(Notify::new());
    let is_brought = Arc::clone(&brought);
    let broker = broker(move |_| {
        is_brought.notify_one();
        Some(Vec::new())
    })
    .await;
    let trace =
        TraceOptions { waiting_max: 2, batch: 1, send_timeout: Duration::from_secs(3600), ..Default::default() };
    let producer = producer(&broker, trace).await;
    send(&producer, 1).await;
    // The first one is on its way for ever: of the others two may wait.
    timeout(LIMIT, brought.notified()).await.unwrap();
    send(&producer, 10).await;
    assert_eq!(producer.traces(), Some(TraceCounts { sent: 0, dropped: 8, failed: 0 }));
}

#[actix::test]
async fn those_that_no_broker_takes_are_counted() {
    let broker = broker(|command| Some(vec![reply(command, response::NO_PERMISSION)])).await;
    let producer = producer(&broker, TraceOptions::default()).await;
    send(&producer, 3).await;
    let counted = producer.clone();
    timeout(LIMIT, producer.stop()).await.unwrap().unwrap();
    assert_eq!(counted.traces(), Some(TraceCounts { sent: 0, dropped: 0, failed: 3 }));
}

#[actix::test]
async fn a_stop_waits_for_them_as_long_as_one_may_take() {
    let broker = broker(|_| Some(Vec::new())).await;
    let trace = TraceOptions {
        linger: Duration::from_secs(3600),
        send_timeout: Duration::from_millis(50),
        ..Default::default()
    };
    let producer = producer(&broker, trace).await;
    send(&producer, 1).await;
    timeout(LIMIT, producer.stop()).await.unwrap().unwrap();
}

#[actix::test]
async fn a_topic_that_is_none_is_told_and_the_group_stays_free() {
    let broker = broker(|_| Some(Vec::new())).await;
    let client = Client::new(ClientOptions::of(&broker.address)).await.unwrap();
    assert!(client.producer("writers").trace(TraceOptions::to("not a topic")).start().await.is_err());
    client.producer("writers").start().await.unwrap();
}
