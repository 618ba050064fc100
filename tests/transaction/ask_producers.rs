//! A producer that does not say how its transaction ended is asked, so often and no oftener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::append_answer::AppendAnswer;
use ferromq::actors::commitlog_actor::AppendBatch;
use ferromq::actors::options::BrokerOptions;
use ferromq::actors::transaction_actor::CheckNow;
use ferromq::broker::config::TransactionSettings;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::ids;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId};
use ferromq::store::{NewMessage, PutBatch};
use ferromq::time::{ManualClock, SharedClock};

use crate::held_disk::Held;
use crate::messages::{bodies, messages_in, wait_for};
use crate::producer::{BORN_MS, COMMIT, Producer, ROLLBACK};
use crate::raw::{Raw, ask_for, send_to, with};
use crate::support::Cluster;
use crate::watched_disk::{Call, WatchedDisk};

/// A broker whose clock stands, and whose rounds begin when a test says so.
struct Patient {
    cluster: Cluster,
    clock: Arc<ManualClock>,
}

impl Patient {
    async fn start(check_max: u32) -> Self {
        let transactions = TransactionSettings { check_max, ..TransactionSettings::default() };
        let clock = ManualClock::at(BORN_MS);
        let given = Arc::clone(&clock) as SharedClock;
        let flush_every = Duration::from_millis(5);
        let cluster =
            Cluster::start_with(|options| BrokerOptions { clock: given, transactions, flush_every, ..options });
        Self { cluster: cluster.await, clock }
    }

    fn address(&self) -> SocketAddr {
        self.cluster.broker.address()
    }

    /// Lets `transactionTimeOut` pass and begins a round.
    async fn check(&self) {
        self.clock.advance(TransactionSettings::default().timeout);
        self.cluster.broker.transactions().check.send(CheckNow).await.unwrap();
    }

    async fn stop(self) {
        self.cluster.stop().await;
    }
}

#[actix::test]
async fn the_answer_ends_the_transaction() {
    let broker = Patient::start(15).await;
    let mut producer = Producer::join(broker.address(), "p").await;
    producer.begin("kept").await;
    producer.begin("dropped").await;
    broker.check().await;
    // Both questions first: who waits for an answer passes over what it is asked.
    let asked = [producer.is_asked().await, producer.is_asked().await];
    for ((copy, message), how) in asked.into_iter().zip([COMMIT, ROLLBACK]) {
        assert_eq!((&*message.topic, message.queue_id.0), ("T", 2));
        assert_eq!(message.property("TRANSACTION_CHECK_TIMES"), Some("1"));
        producer.ends(copy, how).await;
    }
    assert_eq!(bodies(&wait_for(&mut producer.client, "T", 2, 0, 1).await), ["kept"]);
    // Nobody is asked again: a third half message, begun now, is the next that is asked about.
    producer.begin("third").await;
    broker.check().await;
    let (_, message) = producer.is_asked().await;
    assert_eq!(&*message.body, b"third");
    assert_eq!(bodies(&messages_in(&mut producer.client, "T", 2, 0).await), ["kept"]);
    broker.stop().await;
}

#[actix::test]
async fn another_producer_of_the_group_answers_for_one_that_is_gone() {
    let broker = Patient::start(15).await;
    let mut first = Producer::join(broker.address(), "first").await;
    first.begin("orphan").await;
    drop(first);
    let mut second = Producer::join(broker.address(), "second").await;
    let gone = |reply: &Command| String::from_utf8_lossy(&reply.body).matches("clientId").count() == 1;
    let connections = ask_for(request::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", &"PG")]);
    second.client.ask_until(connections, gone).await;
    broker.check().await;
    let (copy, _) = second.is_asked().await;
    second.ends(copy, COMMIT).await;
    assert_eq!(bodies(&wait_for(&mut second.client, "T", 2, 0, 1).await), ["orphan"]);
    broker.stop().await;
}

#[actix::test]
async fn while_nobody_of_the_group_is_online_it_waits() {
    let broker = Patient::start(15).await;
    let mut producer = Producer::join(broker.address(), "p").await;
    producer.begin("lonely").await;
    drop(producer);
    let mut other = Raw::connect(broker.address()).await;
    let connections = ask_for(request::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", &"PG")]);
    other.ask_until(connections, |reply| reply.code == response::SYSTEM_ERROR).await;
    broker.check().await;
    // The copy that tells of the question says that it was put to nobody in vain.
    wait_for(&mut other, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 1, 1).await;
    let mut back = Producer::join(broker.address(), "back").await;
    broker.check().await;
    let (copy, message) = back.is_asked().await;
    assert_eq!((&*message.body, message.property("TRANSACTION_CHECK_TIMES")), (&b"lonely"[..], Some("2")));
    back.ends(copy, COMMIT).await;
    assert_eq!(bodies(&wait_for(&mut other, "T", 2, 0, 1).await), ["lonely"]);
    broker.stop().await;
}

#[actix::test]
async fn one_that_nobody_can_end_is_put_aside_and_can_be_brought_back() {
    let broker = Patient::start(2).await;
    let mut producer = Producer::join(broker.address(), "p").await;
    producer.begin("unknown").await;
    for times in ["1", "2"] {
        broker.check().await;
        let (_, message) = producer.is_asked().await;
        assert_eq!(message.property("TRANSACTION_CHECK_TIMES"), Some(times));
    }
    broker.check().await;
    let max = |topic: &'static str| ask_for(request::GET_MAX_OFFSET, &[("topic", &topic), ("queueId", &0)]);
    let one = |reply: &Command| reply.ext.int64("offset") == Ok(1);
    producer.client.ask_until(max("TRANS_CHECK_MAX_TIME_TOPIC"), one).await;
    let fields: [(&str, &dyn std::fmt::Display); 2] = [("topic", &"TRANS_CHECK_MAX_TIME_TOPIC"), ("queueId", &0)];
    let stored = producer.client.ask(ask_for(request::GET_EARLIEST_MSG_STORETIME, &fields)).await;
    assert!(stored.ext.int64("timestamp").unwrap() > 0, "{stored:?}");
    // The third copy of the half message and the one put aside lie behind each other; its id is that of the last record.
    let info = producer.client.ask(ask_for(request::GET_BROKER_RUNTIME_INFO, &[])).await;
    let info: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
    let end: u64 = info["table"]["commitLogMaxOffset"].as_str().unwrap().parse().unwrap();
    let copies = wait_for(&mut producer.client, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 2, 1).await;
    let last = &copies[0];
    let aside = ids::offset_id(last.store_host, PhysicalOffset(end - (last.stored_size() as u64 + 2)));
    let resume = |id: &str| ask_for(request::RESUME_CHECK_HALF_MESSAGE, &[("msgId", &id)]);
    assert_eq!(producer.client.ask(resume("no id")).await.code, response::SYSTEM_ERROR);
    let other = producer.client.ask(resume(&copies[0].offset_id())).await;
    assert_eq!(other.code, response::SYSTEM_ERROR, "what was not put aside is not brought back: {other:?}");
    let resumed = producer.client.ask(resume(&aside)).await;
    assert_eq!(resumed.code, response::SUCCESS, "{resumed:?}");
    broker.check().await;
    let (copy, message) = producer.is_asked().await;
    assert_eq!(message.property("TRANSACTION_CHECK_TIMES"), Some("1"));
    producer.ends(copy, COMMIT).await;
    assert_eq!(bodies(&wait_for(&mut producer.client, "T", 2, 0, 1).await), ["unknown"]);
    broker.stop().await;
}

#[actix::test]
async fn immunity_lets_a_producer_take_its_time() {
    let broker = Patient::start(15).await;
    let mut producer = Producer::join(broker.address(), "p").await;
    let slow = producer.begin_with("CHECK_IMMUNITY_TIME_IN_SECONDS\u{1}3600", "slow").await;
    producer.begin("quick").await;
    broker.check().await;
    let (_, message) = producer.is_asked().await;
    assert_eq!(&*message.body, b"quick");
    // The copy of the slow one is known by the offset that its producer has.
    let copies = wait_for(&mut producer.client, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 2, 1).await;
    assert_eq!(copies[0].property("TRAN_PREPARED_QUEUE_OFFSET"), Some("0"));
    producer.ends(slow, COMMIT).await;
    assert_eq!(bodies(&wait_for(&mut producer.client, "T", 2, 0, 1).await), ["slow"]);
    broker.stop().await;
}

/// Another broker may have stored one whose properties are as long as they can be: how often it was asked about has no
/// place.
#[actix::test]
async fn one_that_nobody_can_be_asked_about_holds_nobody_up() {
    let broker = Patient::start(15).await;
    let mut producer = Producer::join(broker.address(), "p").await;
    let half = Topic::parse("RMQ_SYS_TRANS_HALF_TOPIC").unwrap();
    let pairs = "PGROUP\u{1}PG\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}0\u{2}A\u{1}";
    let properties = format!("{pairs}{:a<1$}", "", 32_767 - pairs.len());
    let message = NewMessage::plain(&half, QueueId(0), BornTime(BORN_MS), broker.address(), b"full");
    let prepared = NewMessage { properties: properties.as_bytes(), ..message };
    let batch = AppendBatch { puts: PutBatch::of(&prepared).unwrap(), keys: Vec::new(), answer: AppendAnswer::Nobody };
    broker.cluster.broker.append().send(batch).await.unwrap();
    // Nobody is given one by this broker: its producer is told.
    let long = with(send_to("T", 0, &format!("TRAN_MSG\u{1}true\u{2}A\u{1}{:a<32640}", ""), "long"), "f", 4);
    let refused = producer.client.ask(long).await;
    assert_eq!(refused.code, response::MESSAGE_ILLEGAL, "{refused:?}");
    producer.begin("next").await;
    broker.check().await;
    let (copy, message) = producer.is_asked().await;
    assert_eq!(&*message.body, b"next");
    producer.ends(copy, COMMIT).await;
    assert_eq!(bodies(&wait_for(&mut producer.client, "T", 2, 0, 1).await), ["next"]);
    let max = ask_for(request::GET_MAX_OFFSET, &[("topic", &"TRANS_CHECK_MAX_TIME_TOPIC"), ("queueId", &0)]);
    producer.client.ask_until(max, |reply| reply.ext.int64("offset") == Ok(1)).await;
    broker.stop().await;
}

/// After a power cut the next round would go on behind a half message whose copy is lost.
#[actix::test]
async fn a_round_is_noted_when_its_copies_are_on_the_disk() {
    let held = Arc::new(Held::at(Call::Sync, "commitlog"));
    let clock = ManualClock::at(BORN_MS);
    let (given, disk) = (Arc::clone(&clock) as SharedClock, Arc::new(WatchedDisk(Arc::clone(&held))));
    let flush_every = Duration::from_millis(5);
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: given, disk, flush_every, ..options }).await;
    let broker = Patient { cluster, clock };
    let mut producer = Producer::join(broker.address(), "p").await;
    producer.begin("half").await;
    held.set(true);
    broker.clock.advance(TransactionSettings::default().timeout);
    let round = actix::spawn(broker.cluster.broker.transactions().check.send(CheckNow));
    producer.is_asked().await;
    let group = "CID_RMQ_SYS_TRANS";
    let fields: [(&str, &dyn std::fmt::Display); 3] =
        [("consumerGroup", &group), ("topic", &"RMQ_SYS_TRANS_HALF_TOPIC"), ("queueId", &0)];
    let noted = ask_for(request::QUERY_CONSUMER_OFFSET, &fields);
    for _ in 0..200 {
        assert_ne!(producer.client.ask(noted.clone()).await.ext.int64("offset"), Ok(1));
    }
    held.set(false);
    round.await.unwrap().unwrap();
    producer.client.ask_until(noted, |reply| reply.ext.int64("offset") == Ok(1)).await;
    broker.stop().await;
}
