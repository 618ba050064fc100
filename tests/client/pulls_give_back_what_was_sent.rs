use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ferromq::client::{ClientError, Connections, Limits, PullStatus, Puller, Queue};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::compression;
use ferromq::protocol::message::{RecordParts, body_crc};
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::sys_flag;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

use crate::fake_broker::{FakeBroker, reply};

fn puller() -> Puller {
    Puller::new(Connections::new(Limits::default()), GroupName::parse("G").unwrap(), Topic::parse("T").unwrap())
}

fn queue(broker: &FakeBroker) -> Queue {
    Queue { broker_name: "fake".into(), address: broker.address.as_str().into(), id: QueueId(2) }
}

/// A stored message.
fn record(queue_offset: u64, sys_flag: i32, body: &[u8]) -> Vec<u8> {
    let host: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let parts = RecordParts {
        topic: "T",
        queue_id: QueueId(2),
        flag: 0,
        queue_offset: QueueOffset(queue_offset),
        physical_offset: PhysicalOffset(0),
        sys_flag,
        born_time: BornTime(1),
        born_host: host,
        store_time: StoreTime(2),
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body_crc: body_crc(body),
        body,
        properties: b"TAGS\x01red",
    };
    let mut out = Vec::new();
    parts.append_to(&mut out);
    out
}

fn pulled(command: &Command, code: i32, next: i64, body: Vec<u8>) -> Command {
    let mut ext = ExtFields::builder();
    ext.push("suggestWhichBrokerId", 0).push("nextBeginOffset", next).push("minOffset", 3).push("maxOffset", 9);
    reply(command, code).with_ext(ext.build()).with_body(Bytes::from(body))
}

#[tokio::test]
async fn messages_come_in_order_and_decompressed() {
    let text = b"a text that is long enough to be worth the trouble".repeat(9);
    let large = text.clone();
    let broker = FakeBroker::start(move |command, _| {
        let packed = record(6, sys_flag::COMPRESSED, &compression::zlib(&large, 5));
        Some(vec![pulled(command, response::SUCCESS, 7, [record(5, 0, b"plain"), packed].concat())])
    })
    .await;
    let found = puller().pull(&queue(&broker), QueueOffset(5), 32, Duration::ZERO).await.unwrap();
    assert_eq!((found.status, found.next, found.min, found.max), {
        (PullStatus::Found, QueueOffset(7), QueueOffset(3), QueueOffset(9))
    });
    let bodies: Vec<_> = found.messages.iter().map(|message| message.body.clone()).collect();
    assert_eq!(bodies, [&b"plain"[..], &text]);
    let sent = broker.received(request::PULL_MESSAGE).remove(0).ext;
    assert_eq!((sent.int32("queueId").unwrap(), sent.int64("queueOffset").unwrap()), (2, 5));
    assert_eq!(sent.int32("sysFlag").unwrap(), sys_flag::pull::SUBSCRIPTION, "not held, nothing committed");
}

#[tokio::test]
async fn each_answer_without_messages_tells_where_to_go_on() {
    let codes = [response::PULL_NOT_FOUND, response::PULL_RETRY_IMMEDIATELY, response::PULL_OFFSET_MOVED];
    let statuses = [PullStatus::NothingYet, PullStatus::NoneMatched, PullStatus::OutOfRange];
    for (code, status) in codes.into_iter().zip(statuses) {
        let broker = FakeBroker::start(move |command, _| Some(vec![pulled(command, code, 8, Vec::new())])).await;
        let found = puller().pull(&queue(&broker), QueueOffset(5), 32, Duration::from_secs(1)).await.unwrap();
        assert_eq!((found.status, found.next, found.messages.len()), (status, QueueOffset(8), 0));
    }
}

#[tokio::test]
async fn bounds_are_numbers_and_nothing_is_zero() {
    let broker = FakeBroker::start(|command, _| {
        let mut ext = ExtFields::builder();
        ext.push("offset", if command.code == request::GET_MAX_OFFSET { 12 } else { -1 });
        Some(vec![reply(command, response::SUCCESS).with_ext(ext.build())])
    })
    .await;
    let (puller, queue) = (puller(), queue(&broker));
    assert_eq!(puller.max_offset(&queue).await.unwrap(), QueueOffset(12));
    assert_eq!(puller.min_offset(&queue).await.unwrap(), QueueOffset(0));
    assert_eq!(puller.offset_at(&queue, 5).await.unwrap(), QueueOffset(0));
}

#[tokio::test]
async fn what_is_no_message_is_an_error() {
    let broker = FakeBroker::start(|command, _| Some(vec![pulled(command, response::SUCCESS, 7, vec![1; 40])])).await;
    let outcome = puller().pull(&queue(&broker), QueueOffset(5), 32, Duration::ZERO).await;
    assert!(matches!(outcome, Err(ClientError::Record(_))), "{outcome:?}");
}
