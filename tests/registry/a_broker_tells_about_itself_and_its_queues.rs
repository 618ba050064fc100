//! Questions about single queues and messages, and about the broker as a whole.

use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message;
use ferromq::time::ManualClock;
use serde_json::json;

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

const START_MS: i64 = 1_700_000_000_000;

fn of_queue(code: i32, topic: &str, queue_id: i32) -> Command {
    ask_for(code, &[("topic", &topic), ("queueId", &queue_id)])
}

fn at_time(topic: &str, queue_id: i32, timestamp: i64) -> Command {
    ask_for(
        request::SEARCH_OFFSET_BY_TIMESTAMP,
        &[("topic", &topic), ("queueId", &queue_id), ("timestamp", &timestamp)],
    )
}

async fn number(client: &mut Raw, command: Command, field: &'static str) -> i64 {
    succeeds(client, command).await.ext.int64(field).unwrap()
}

/// A queue with a message of each of these seconds after the start.
async fn with_messages_at(seconds: &[u64]) -> (Cluster, Raw) {
    let clock = ManualClock::at(START_MS);
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let mut now = 0;
    for (second, number) in seconds.iter().zip(1..) {
        clock.advance(Duration::from_secs(second - now));
        now = *second;
        let sent = client.ask(send_to("T", 0, "", format!("at {second}"))).await;
        assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
        let bound = of_queue(request::GET_MAX_OFFSET, "T", 0);
        client.ask_until(bound, |reply| reply.ext.int64("offset").unwrap() == number).await;
    }
    (cluster, client)
}

#[actix::test]
async fn a_search_by_time_finds_the_closest_message_and_of_two_the_earlier() {
    let (cluster, mut client) = with_messages_at(&[0, 10, 30]).await;
    let cases = [
        (-1_000_000, 0),
        (0, 0),
        (4_999, 0),
        (5_000, 0),
        (5_001, 1),
        (10_000, 1),
        (20_000, 1),
        (20_001, 2),
        (30_000, 2),
        (1_000_000, 2),
    ];
    for (after_ms, expected) in cases {
        let found = number(&mut client, at_time("T", 0, START_MS + after_ms), "offset").await;
        assert_eq!(found, expected, "{after_ms} ms after the start");
    }
    for (topic, queue_id) in [("T", 1), ("T", 99), ("T", -1), ("none", 0), ("no topic", 0)] {
        assert_eq!(number(&mut client, at_time(topic, queue_id, START_MS), "offset").await, 0, "{topic} {queue_id}");
    }
    cluster.stop().await;
}

#[actix::test]
async fn a_queue_tells_its_bounds_and_how_old_it_is() {
    let (cluster, mut client) = with_messages_at(&[7, 8]).await;
    let bounds = |topic: &str, queue_id| {
        [request::GET_MAX_OFFSET, request::GET_MIN_OFFSET].map(|code| of_queue(code, topic, queue_id))
    };
    let age = |topic: &str, queue_id| of_queue(request::GET_EARLIEST_MSG_STORETIME, topic, queue_id);
    let held = [("T", 0, 2, START_MS + 7_000)];
    let empty = [("T", 1), ("T", 99), ("T", -1), ("none", 0), ("no topic", 0)];
    let all = held.into_iter().chain(empty.map(|(topic, queue_id)| (topic, queue_id, 0, -1)));
    for (topic, queue_id, expected_max, expected_time) in all {
        let [max, min] = bounds(topic, queue_id);
        assert_eq!(number(&mut client, max, "offset").await, expected_max, "{topic} {queue_id}");
        assert_eq!(number(&mut client, min, "offset").await, 0, "{topic} {queue_id}");
        let oldest = number(&mut client, age(topic, queue_id), "timestamp").await;
        assert_eq!(oldest, expected_time, "{topic} {queue_id}");
    }
    let nameless = ask_for(request::GET_MIN_OFFSET, &[("queueId", &0)]);
    is_refused(&mut client, nameless, response::SYSTEM_ERROR, "the custom field <topic> is null").await;
    cluster.stop().await;
}

#[actix::test]
async fn a_message_is_viewed_by_where_it_lies() {
    let (cluster, mut client) = with_messages_at(&[1, 2]).await;
    let first = view(&mut client, 0).await;
    let second = view(&mut client, first.1).await;
    assert_eq!((&*first.0, &*second.0), ("at 1", "at 2"));
    for nothing in [1, first.1 - 1, second.1 + first.1, -1, i64::MAX] {
        let view = ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &nothing)]);
        let text = format!("can not find message by the offset, {nothing}");
        is_refused(&mut client, view, response::SYSTEM_ERROR, &text).await;
    }
    cluster.stop().await;
}

/// The body of the message at an offset, and where the next one lies.
async fn view(client: &mut Raw, offset: i64) -> (String, i64) {
    let reply = succeeds(client, ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &offset)])).await;
    let size = reply.body.len() as i64;
    let messages = message::decode_all(reply.body).unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    (String::from_utf8(messages[0].body.to_vec()).unwrap(), offset + size)
}

#[actix::test]
async fn its_settings_go_with_the_version_of_its_topics() {
    let properties = "brokerName=broker-a\nlistenPort=10911\n";
    let clock = ManualClock::at(START_MS);
    let cluster =
        Cluster::start_with(|options| BrokerOptions { properties: properties.into(), clock: clock.clone(), ..options })
            .await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let config = || ask_for(request::GET_BROKER_CONFIG, &[]);
    for counter in 0..3 {
        let reply = succeeds(&mut tool, config()).await;
        assert_eq!(reply.body, properties);
        let version = json!({"counter": counter, "timestamp": START_MS + counter * 1_000});
        assert_eq!(reply.ext.get("version").as_deref(), Some(&*version.to_string()));
        clock.advance(Duration::from_secs(1));
        let fields: [(&str, &dyn std::fmt::Display); 6] = [
            ("topic", &"T"),
            ("defaultTopic", &"TBW102"),
            ("readQueueNums", &4),
            ("writeQueueNums", &4),
            ("perm", &6),
            ("order", &false),
        ];
        succeeds(&mut tool, ask_for(request::UPDATE_AND_CREATE_TOPIC, &fields)).await;
    }
    cluster.stop().await;
}

#[actix::test]
async fn its_state_is_a_table_of_texts() {
    let clock = ManualClock::at(START_MS);
    let idle_limit = Duration::MAX;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), idle_limit, ..options }).await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let info = || ask_for(request::GET_BROKER_RUNTIME_INFO, &[]);
    let told = body(&succeeds(&mut tool, info()).await);
    let expected = json!({"brokerVersion": "407", "brokerVersionDesc": "V4_9_7",
        "bootTimestamp": START_MS.to_string(), "runtime": "[ 0 days, 0 hours, 0 minutes, 0 seconds ]",
        "commitLogMinOffset": "0", "commitLogMaxOffset": "0", "dispatchBehindBytes": "0"});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&told["table"][key], value, "{key}");
    }
    clock.advance(Duration::from_secs(86_400 + 2 * 3_600 + 3 * 60 + 4));
    let sent = tool.ask(send_to("T", 0, "", "x")).await;
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    let settled = |reply: &Command| body(reply)["table"]["dispatchBehindBytes"] == "0";
    let told = body(&tool.ask_until(info(), settled).await);
    assert_eq!(told["table"]["runtime"], "[ 1 days, 2 hours, 3 minutes, 4 seconds ]");
    let record = 91 + "x".len() + "T".len() + "CLUSTER\u{1}DefaultCluster".len();
    assert_eq!(told["table"]["commitLogMaxOffset"], record.to_string());
    cluster.stop().await;
}
