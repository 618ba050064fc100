//! Producers and consumers leave traces of messages, which disturb neither.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::client::trace::{ConsumeOutcome, MessageKind};
use ferromq::client::transactions::Deciding;
use ferromq::client::{
    Delay, Delivery, Gathering, OutgoingMessage, ProducerOptions, SendReceipt, TraceCounts, TraceOptions, TraceRecord,
    TransactionListener, TransactionState, Verdict, Wanted,
};
use ferromq::protocol::message::Message;

use crate::inbox::{Inbox, client, from_the_first, reader};
use crate::raw::LIMIT;
use crate::support::{Cluster, wait_until};

const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";

/// A broker that has the topic of traces.
fn traced(mut options: BrokerOptions) -> BrokerOptions {
    options.topics.trace_topic = Some(TRACE_TOPIC.into());
    options
}

/// The records of a topic, once there are so many.
async fn records(cluster: &Cluster, topic: &str, count: usize) -> Vec<TraceRecord> {
    let inbox = Inbox::default();
    let consumer = reader(&client(cluster).await, topic, &inbox).await;
    let decoded = || {
        let of = |message: &Arc<Message>| TraceRecord::decode_all(std::str::from_utf8(&message.body).unwrap()).unwrap();
        inbox.messages().iter().flat_map(of).collect::<Vec<_>>()
    };
    wait_until(LIMIT, &format!("{count} records"), || decoded().len() >= count).await;
    consumer.stop().await.unwrap();
    decoded()
}

/// A listener that consumes what does not begin with "bad".
fn choosy(delivery: Delivery) -> std::future::Ready<Verdict> {
    let is_bad = delivery.messages[0].body.starts_with(b"bad");
    std::future::ready(if is_bad { Verdict::LATER } else { Verdict::Consumed })
}

#[actix::test]
async fn of_what_is_sent_and_what_is_consumed() {
    let cluster = Cluster::start_with(traced).await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").trace(TraceOptions::default()).start().await.unwrap();
    let good = OutgoingMessage::to("Orders", "good").unwrap().tag("paid").key("k1").key("k2");
    let receipt = producer.send(&good).await.unwrap();
    let bad = producer.send(&OutgoingMessage::to("Orders", "bad one").unwrap()).await.unwrap();
    let later = OutgoingMessage::to("Orders", "later").unwrap().delay(Delay::Level(18));
    producer.send(&later).await.unwrap();
    let counted = producer.clone();
    producer.stop().await.unwrap();
    assert_eq!(counted.traces(), Some(TraceCounts { sent: 3, dropped: 0, failed: 0 }), "when it stops, all are sent");

    let consumer = client.push_consumer("choosy").options(from_the_first()).subscribe("Orders", Wanted::All);
    let consumer = consumer.trace(TraceOptions::default()).start(choosy).await.unwrap();
    let records = records(&cluster, TRACE_TOPIC, 7).await;
    consumer.stop().await.unwrap();

    let sent = records.iter().find(|record| matches!(record, TraceRecord::Sent { topic, .. } if topic == "Orders"));
    let Some(TraceRecord::Sent { time_ms, cost_ms, .. }) = sent else { panic!("{records:?}") };
    let expected = TraceRecord::Sent {
        time_ms: *time_ms,
        region: "DefaultRegion".into(),
        group: "writers".into(),
        topic: "Orders".into(),
        message_id: receipt.unique_id.clone(),
        tag: Some("paid".into()),
        keys: Some("k1 k2".into()),
        broker: cluster.broker.address().to_string(),
        body_bytes: 4,
        cost_ms: *cost_ms,
        kind: MessageKind::Normal,
        offset_id: Some(receipt.offset_id.clone()),
        is_stored: true,
    };
    assert_eq!(sent, Some(&expected));
    let is_delayed = |record: &&TraceRecord| matches!(record, TraceRecord::Sent { kind: MessageKind::Delayed, .. });
    assert_eq!(records.iter().filter(is_delayed).count(), 1);
    check_call(&records, &receipt, ConsumeOutcome::Success);
    check_call(&records, &bad, ConsumeOutcome::Failed);
    cluster.stop().await;
}

/// There is a record before and one after the call of a listener with this message.
fn check_call(records: &[TraceRecord], receipt: &SendReceipt, wanted: ConsumeOutcome) {
    let own: Vec<&TraceRecord> = records.iter().filter(|record| record.message_id() == receipt.unique_id).collect();
    let before = own.iter().find_map(|record| match record {
        TraceRecord::Consuming { call_id, retries, group, .. } => Some((call_id, *retries, group.as_str())),
        _ => None,
    });
    let after = own.iter().find_map(|record| match record {
        TraceRecord::Consumed { call_id, outcome, is_consumed, group, .. } => {
            Some((call_id, *outcome, *is_consumed, group.as_deref()))
        }
        _ => None,
    });
    let (call, retries, group) = before.unwrap();
    assert_eq!((retries, group), (0, "choosy"));
    assert_eq!(after, Some((call, wanted, wanted == ConsumeOutcome::Success, Some("choosy"))));
}

/// Commits everything.
struct Commits;

impl TransactionListener for Commits {
    fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
        Box::pin(std::future::ready(TransactionState::Commit))
    }

    fn check<'a>(&'a self, _: &'a Message) -> Deciding<'a> {
        Box::pin(std::future::ready(TransactionState::Commit))
    }
}

#[actix::test]
async fn of_transactions_in_a_topic_of_the_application() {
    let cluster = Cluster::start().await;
    let builder = client(&cluster).await.producer("writers").trace(TraceOptions::to("Traces"));
    let producer = builder.start_transactional(Commits).await.unwrap();
    let message = OutgoingMessage::to("Orders", "body").unwrap().key("k1");
    let (receipt, _) = producer.send(&message).await.unwrap();
    producer.stop().await.unwrap();
    let records = records(&cluster, "Traces", 2).await;
    assert!(matches!(&records[0], TraceRecord::Sent { kind: MessageKind::Half, .. }), "{records:?}");
    let TraceRecord::TransactionEnded { message_id, transaction_id, state, is_answer, broker, .. } = &records[1] else {
        panic!("{records:?}");
    };
    assert_eq!((message_id, *state, *is_answer), (&receipt.unique_id, TransactionState::Commit, false));
    assert_eq!((transaction_id, broker), (&receipt.transaction_id, &cluster.broker.address().to_string()));
    cluster.stop().await;
}

#[actix::test]
async fn of_each_message_of_a_batch() {
    let cluster = Cluster::start_with(traced).await;
    let gathering = Gathering { linger: Duration::from_secs(60), bytes: 1 << 20, messages: 3 };
    let options = ProducerOptions { gathering: Some(gathering), ..ProducerOptions::default() };
    let builder = client(&cluster).await.producer("writers").options(options);
    let producer = builder.trace(TraceOptions::default()).start().await.unwrap();
    let bodies = ["one", "two", "three"];
    let submitted = bodies.map(|body| producer.submit(OutgoingMessage::to("Orders", body).unwrap()).unwrap());
    let mut ids = BTreeSet::new();
    for one in submitted {
        let receipt = one.await.unwrap();
        ids.insert((receipt.unique_id, Some(receipt.offset_id)));
    }
    producer.stop().await.unwrap();
    let traced = records(&cluster, TRACE_TOPIC, 3).await.into_iter().map(|record| match record {
        TraceRecord::Sent { message_id, offset_id, .. } => (message_id, offset_id),
        other => panic!("{other:?}"),
    });
    assert_eq!(traced.collect::<BTreeSet<_>>(), ids);
    cluster.stop().await;
}

#[actix::test]
async fn none_where_the_broker_wants_none() {
    let cluster = Cluster::start_with(|options| BrokerOptions { trace_on: false, ..traced(options) }).await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").trace(TraceOptions::default()).start().await.unwrap();
    producer.send(&OutgoingMessage::to("Orders", "body").unwrap()).await.unwrap();
    let counted = producer.clone();
    producer.stop().await.unwrap();
    assert_eq!(counted.traces(), Some(TraceCounts::default()));
    cluster.stop().await;
}
