//! Which of several brokers a message goes to: not to one that has failed or was slow, and to another one where it was stored
//! less safely than promised, if that is wanted.

use ferromq::client::{Client, ClientError, ClientOptions, OutgoingMessage, Producer, ProducerOptions, SendStatus};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use ferromq::protocol::body::topic_config::Permission;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};

use crate::fake_broker::{FakeBroker, reply};

/// A broker that answers each send with this code.
async fn broker(code: i32) -> FakeBroker {
    FakeBroker::start_for_clients(move |command, _| {
        let mut ext = ExtFields::builder();
        ext.push("msgId", "ID").push("queueId", command.ext.int32("e").unwrap()).push("queueOffset", 0);
        Some(vec![reply(command, code).with_ext(ext.build())])
    })
    .await
}

/// A producer of a topic that has two queues at each of these brokers, `a`, `b` and so on.
async fn producer(brokers: &[&FakeBroker], options: ProducerOptions) -> Producer {
    let names: Vec<String> = (0..brokers.len()).map(|number| char::from(b'a' + number as u8).to_string()).collect();
    let data = |(name, broker): (&String, &&FakeBroker)| BrokerData {
        broker_addrs: [(0, broker.address.clone())].into(),
        broker_name: name.clone(),
        cluster: "c".into(),
    };
    let queues = |name: &String| QueueData {
        broker_name: name.clone(),
        perm: Permission::READ_WRITE,
        read_queue_nums: 2,
        write_queue_nums: 2,
        ..QueueData::default()
    };
    let route = TopicRouteData {
        broker_datas: names.iter().zip(brokers).map(data).collect(),
        queue_datas: names.iter().map(queues).collect(),
        ..TopicRouteData::default()
    };
    let body = route.encode();
    let name_server = FakeBroker::start_for_clients(move |command: &Command, _| {
        Some(vec![reply(command, response::SUCCESS).with_body(body.clone())])
    })
    .await;
    let client = Client::new(ClientOptions::of(&name_server.address)).await.unwrap();
    client.producer("G").options(options).start().await.unwrap()
}

fn message() -> OutgoingMessage {
    OutgoingMessage::to("T", "x").unwrap()
}

fn sends(broker: &FakeBroker) -> usize {
    broker.received(request::SEND_MESSAGE_V2).len()
}

#[tokio::test]
async fn what_one_broker_refuses_another_one_takes() {
    let (bad, good) = (broker(response::SERVICE_NOT_AVAILABLE).await, broker(response::SUCCESS).await);
    let producer = producer(&[&bad, &good], ProducerOptions::default()).await;
    for _ in 0..8 {
        assert_eq!(&*producer.send(&message()).await.unwrap().broker_name, "b");
    }
    assert_eq!(sends(&good), 8);
    assert!(sends(&bad) > 1, "it is tried again and again in its turn");
}

#[tokio::test]
async fn one_that_has_failed_is_left_alone_where_that_is_wanted() {
    let (bad, good) = (broker(response::SERVICE_NOT_AVAILABLE).await, broker(response::SUCCESS).await);
    let options = ProducerOptions { fault_tolerance: true, ..ProducerOptions::default() };
    let producer = producer(&[&bad, &good], options).await;
    for _ in 0..8 {
        producer.send(&message()).await.unwrap();
    }
    assert!(sends(&bad) <= 1, "for ten minutes from its first failure on: {}", sends(&bad));
    assert_eq!(sends(&good), 8);
}

#[tokio::test]
async fn when_all_have_failed_they_are_still_tried() {
    let (one, other) = (broker(response::SYSTEM_ERROR).await, broker(response::SYSTEM_ERROR).await);
    let options = ProducerOptions { fault_tolerance: true, ..ProducerOptions::default() };
    let producer = producer(&[&one, &other], options).await;
    for _ in 0..4 {
        let error = producer.send(&message()).await.unwrap_err();
        assert!(matches!(&error, ClientError::GaveUp { topic, .. } if topic == "T"), "{error}");
        assert_eq!(error.refusal(), Some(response::SYSTEM_ERROR));
        assert!(error.to_string().contains("nothing was sent to topic T"), "{error}");
    }
    assert_eq!(sends(&one) + sends(&other), 12, "three tries each");
}

#[tokio::test]
async fn what_is_stored_badly_goes_elsewhere_if_that_is_wanted() {
    for (wanted, statuses) in [(false, 2), (true, 1)] {
        let (slow, good) = (broker(response::FLUSH_DISK_TIMEOUT).await, broker(response::SUCCESS).await);
        let options = ProducerOptions { retry_unless_stored: wanted, ..ProducerOptions::default() };
        let producer = producer(&[&slow, &good], options).await;
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..8 {
            seen.insert(format!("{:?}", producer.send(&message()).await.unwrap().status));
        }
        assert_eq!(seen.len(), statuses, "{seen:?}");
    }
    let (slow, other) = (broker(response::FLUSH_DISK_TIMEOUT).await, broker(response::FLUSH_SLAVE_TIMEOUT).await);
    let options = ProducerOptions { retry_unless_stored: true, ..ProducerOptions::default() };
    let last = producer(&[&slow, &other], options).await.send(&message()).await.unwrap().status;
    assert!(matches!(last, SendStatus::FlushTimeout | SendStatus::ReplicaTimeout), "better than nothing: {last:?}");
}
