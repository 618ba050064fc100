//! INVOKE_BROKER_TO_RESET_OFFSET.

use std::fmt::Display;
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::time::ManualClock;

use crate::consumer::{
    Consumer, VERSION, commit, in_cpp, is_refused, needs_its_fields, offsets, queue, succeeds, text, tool,
    with_messages, with_topic,
};
use crate::raw::{Raw, ask_for, with};
use crate::support::Cluster;

const START_MS: i64 = 1_700_000_000_000;

fn reset(timestamp: i64, is_force: bool) -> Command {
    reset_of("T", "CG", timestamp, is_force)
}

fn reset_of(topic: &str, group: &str, timestamp: i64, is_force: bool) -> Command {
    let fields: [(&str, &dyn Display); 4] =
        [("topic", &topic), ("group", &group), ("timestamp", &timestamp), ("isForce", &is_force)];
    ask_for(request::INVOKE_BROKER_TO_RESET_OFFSET, &fields)
}

fn targets(first: i64, second: i64) -> String {
    format!(r#"{{"offsetTable":{{{}:{first},{}:{second}}}}}"#, queue("T", 0), queue("T", 1))
}

/// Messages in queue 0 at the start and one, two seconds later; one in queue 1 at the start. The group wants 1 and 0 next.
async fn with_queues() -> (Cluster, Raw) {
    let clock = ManualClock::at(START_MS);
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), ..options }).await;
    let mut tool = tool(&cluster).await;
    with_topic(&mut tool, "T", 2, 2).await;
    with_messages(&mut tool, "T", 1, 1).await;
    for _ in 0..3 {
        with_messages(&mut tool, "T", 0, 1).await;
        clock.advance(Duration::from_secs(1));
    }
    commit(&mut tool, "T", "CG", 0, 1).await;
    commit(&mut tool, "T", "CG", 1, 0).await;
    (cluster, tool)
}

#[actix::test]
async fn each_of_its_consumers_is_told_and_what_is_stored_stays() {
    let (cluster, mut tool) = with_queues().await;
    let address = cluster.broker.address();
    let mut first = Consumer::join(address, "c", "CG", &["T"]).await;
    let mut second = Consumer::join(address, "d", "CG", &["T"]).await;
    let before = offsets(&mut tool).await;
    let cases = [
        (-1, true, targets(3, 1)),
        (START_MS + 1_200, true, targets(1, 0)),
        (START_MS + 9_000, true, targets(2, 0)),
        (0, true, targets(0, 0)),
        (-2, true, targets(0, 0)),
        // Without force it goes back only.
        (-1, false, targets(1, 0)),
        (0, false, targets(0, 0)),
    ];
    for (timestamp, is_force, expected) in cases {
        let told = succeeds(&mut tool, reset(timestamp, is_force)).await;
        assert_eq!(text(&told), expected, "{timestamp} {is_force}");
        for consumer in [&mut first, &mut second] {
            let heard = consumer.hears().await;
            assert_eq!((heard.code, heard.is_oneway()), (request::RESET_CONSUMER_CLIENT_OFFSET, true), "{heard:?}");
            let mut fields: Vec<_> = heard.ext.iter().map(|(name, value)| format!("{name}={value}")).collect();
            fields.sort();
            // A 4.9.7 broker never says that there was force.
            let time = format!("timestamp={timestamp}");
            assert_eq!(fields, ["group=CG", "isForce=false", &*time, "topic=T"]);
            assert_eq!((text(&heard), heard.version), (expected.clone(), VERSION));
        }
    }
    assert_eq!(offsets(&mut tool).await, before);
    cluster.stop().await;
}

#[actix::test]
async fn consumers_in_cpp_get_a_list() {
    let (cluster, mut tool) = with_queues().await;
    let mut consumer = Consumer::join(cluster.broker.address(), "c", "CG", &["T"]).await;
    let told = succeeds(&mut tool, in_cpp(reset(-1, true))).await;
    assert_eq!(text(&told), targets(3, 1));
    let line =
        |queue_id, offset| format!(r#"{{"brokerName":"broker-a","offset":{offset},"queueId":{queue_id},"topic":"T"}}"#);
    let expected = format!(r#"{{"offsetTable":[{},{}]}}"#, line(0, 3), line(1, 1));
    assert_eq!(text(&consumer.hears().await), expected);
    cluster.stop().await;
}

#[actix::test]
async fn who_cannot_be_told_is_refused_and_nobody_is_told() {
    let (cluster, mut tool) = with_queues().await;
    let away = "Consumer not online, so can not reset offset, Group: CG Topic: T Timestamp: 5";
    is_refused(&mut tool, reset(5, true), response::CONSUMER_NOT_ONLINE, away).await;
    let no_topic = "[reset-offset] reset offset failed, no topic in this broker. topic=none";
    is_refused(&mut tool, reset_of("none", "CG", -1, true), response::SYSTEM_ERROR, no_topic).await;
    let unknown = "THe consumer group <nobody> not exist";
    is_refused(&mut tool, reset_of("T", "nobody", -1, true), response::SYSTEM_ERROR, unknown).await;
    // One queue without an offset is enough.
    commit(&mut tool, "T", "half", 0, 1).await;
    let half = "THe consumer group <half> not exist";
    is_refused(&mut tool, reset_of("T", "half", -1, true), response::SYSTEM_ERROR, half).await;
    commit(&mut tool, "T", "half", 1, -1).await;
    is_refused(&mut tool, reset_of("T", "half", -1, true), response::SYSTEM_ERROR, half).await;
    let address = cluster.broker.address();
    let mut new = Consumer::join(address, "new", "CG", &["T"]).await;
    let mut old = Consumer::join_as(address, "old", "CG", &["T"], 27).await;
    let text = "the client does not support this feature. version=V3_0_6";
    is_refused(&mut tool, reset(-1, true), response::SYSTEM_ERROR, text).await;
    needs_its_fields(
        &mut tool,
        request::INVOKE_BROKER_TO_RESET_OFFSET,
        &[("topic", &"T"), ("group", &"CG"), ("timestamp", &-1)],
    )
    .await;
    new.has_heard_nothing().await;
    old.has_heard_nothing().await;
    cluster.stop().await;
}

/// Tools of RocketMQ 5 may ask for that; without it they say so with -1.
#[actix::test]
async fn one_queue_alone_or_an_offset_is_refused() {
    let (cluster, mut tool) = with_queues().await;
    let mut consumer = Consumer::join(cluster.broker.address(), "c", "CG", &["T"]).await;
    let text = "a reset moves all queues of the topic to a time here: queueId and offset cannot be asked for";
    for (field, value) in [("queueId", 0), ("offset", 0), ("offset", 2)] {
        is_refused(&mut tool, with(reset(-1, true), field, value), response::SYSTEM_ERROR, text).await;
    }
    succeeds(&mut tool, with(with(reset(-1, true), "queueId", -1), "offset", -1)).await;
    let push = consumer.hears().await;
    assert_eq!(push.ext.iter().count(), 4, "{push:?}");
    cluster.stop().await;
}
