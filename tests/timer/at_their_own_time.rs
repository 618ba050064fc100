//! A message with a delivery time is delivered then, however far ahead it lies, unless it is taken back.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::append_answer::AppendAnswer;
use ferromq::actors::commitlog_actor::AppendBatch;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, QueueId};
use ferromq::store::{NewMessage, PutBatch, StoreOptions};
use ferromq::time::{ManualClock, SharedClock};

use crate::messages::{bodies, lies_at, messages_in, property_pairs, wait_for};
use crate::raw::{Raw, ext, send_to};
use crate::support::Cluster;

const NOW: i64 = 1_795_000_000_000;
const HOUR: i64 = 3_600_000;
const RULES: TimerRules = TimerRules { ahead_ms_max: 30 * 24 * HOUR };
const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";

/// A broker with delivery times, and its clock.
async fn start() -> (Cluster, Arc<ManualClock>) {
    let clock = ManualClock::at(NOW);
    let given = Arc::clone(&clock) as SharedClock;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: given, timer: Some(RULES), ..options }).await;
    (cluster, clock)
}

async fn send(client: &mut Raw, properties: &str, body: &str) {
    lies_at(&client.ask(send_to("T", 0, properties, body.to_owned())).await);
}

/// Hours pass, and connections that were silent meanwhile are closed.
async fn after(cluster: &Cluster, clock: &ManualClock, ms: i64) -> Raw {
    clock.advance(Duration::from_millis(ms as u64));
    Raw::connect(cluster.broker.address()).await
}

#[actix::test]
async fn each_of_the_names_says_when() {
    let (cluster, clock) = start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, &format!("TIMER_DELIVER_MS\u{1}{}", NOW + 3_000), "third").await;
    send(&mut client, "TIMER_DELAY_MS\u{1}2000\u{2}TAGS\u{1}t", "second").await;
    send(&mut client, "TIMER_DELAY_SEC\u{1}1", "first").await;
    send(&mut client, &format!("TIMER_DELIVER_MS\u{1}{}", NOW - 1), "at once").await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["at once"]);
    for (offset, body) in [(1, "first"), (2, "second"), (3, "third")] {
        clock.advance(Duration::from_millis(999));
        // Whoever would come too soon had its time: the wheel looks at the clock a hundred times as often.
        assert_eq!(messages_in(&mut client, "T", 0, offset).await, []);
        clock.advance(Duration::from_millis(1));
        assert_eq!(bodies(&wait_for(&mut client, "T", 0, offset, 1).await), [body]);
    }
    let second = wait_for(&mut client, "T", 0, 2, 1).await.remove(0);
    assert_eq!(second.store_time.0, NOW + 2_000);
    let text = [
        "CLUSTER=DefaultCluster".to_owned(),
        "REAL_QID=0".into(),
        "REAL_TOPIC=T".into(),
        "TAGS=t".into(),
        "TIMER_DELAY_MS=2000".into(),
        format!("TIMER_OUT_MS={}", NOW + 2_000),
    ];
    assert_eq!(property_pairs(&second), text);
    cluster.stop().await;
}

/// Its segment would be removed before: it is stored again each day.
#[actix::test]
async fn a_message_that_waits_for_days_is_stored_again_meanwhile() {
    let (cluster, clock) = start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, &format!("TIMER_DELAY_MS\u{1}{}", 60 * HOUR), "later").await;
    for day in 1..3 {
        let mut client = after(&cluster, &clock, 24 * HOUR).await;
        let again = wait_for(&mut client, TIMER_TOPIC, 0, day, 1).await.remove(0);
        assert_eq!(again.store_time.0, NOW + day * 24 * HOUR);
        assert_eq!(messages_in(&mut client, TIMER_TOPIC, 0, day + 1).await, []);
    }
    let mut client = after(&cluster, &clock, 12 * HOUR).await;
    let delivered = wait_for(&mut client, "T", 0, 0, 1).await.remove(0);
    assert_eq!((&*delivered.body, delivered.store_time.0), (b"later".as_slice(), NOW + 60 * HOUR));
    cluster.stop().await;
}

#[actix::test]
async fn what_is_taken_back_is_not_delivered() {
    let (cluster, clock) = start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let at = |ms: i64, more: &str| format!("TIMER_DELIVER_MS\u{1}{}\u{2}{more}", NOW + ms);
    for (ms, key) in [(1_200, "A"), (1_300, "B"), (2_000, "E"), (30 * HOUR, "C"), (30 * HOUR, "D")] {
        send(&mut client, &at(ms, &format!("UNIQ_KEY\u{1}{key}")), key).await;
    }
    // By the time that it names, to the second; what has another time or another key is not meant.
    send(&mut client, &at(1_200, "TIMER_DEL_UNIQKEY\u{1}A"), "").await;
    send(&mut client, &at(9_000, "TIMER_DEL_UNIQKEY\u{1}B"), "").await;
    send(&mut client, &at(2_000, "TIMER_DEL_UNIQKEY\u{1}E"), "").await;
    send(&mut client, &at(30 * HOUR, "TIMER_DEL_UNIQKEY\u{1}C"), "").await;
    wait_for(&mut client, TIMER_TOPIC, 1, 0, 4).await;
    clock.advance(Duration::from_secs(2));
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["B"]);
    // The cancellation is stored again as well.
    let mut client = after(&cluster, &clock, 24 * HOUR).await;
    wait_for(&mut client, TIMER_TOPIC, 1, 4, 1).await;
    wait_for(&mut client, TIMER_TOPIC, 0, 5, 2).await;
    let mut client = after(&cluster, &clock, 6 * HOUR).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 1, 1).await), ["D"]);
    assert_eq!(messages_in(&mut client, "T", 0, 2).await, []);
    cluster.stop().await;
}

/// With `enableConsumeQueueExt` the time stands in the extension of the queue.
#[actix::test]
async fn times_of_extended_queues() {
    let clock = ManualClock::at(NOW);
    let given = Arc::clone(&clock) as SharedClock;
    let extended = |options: BrokerOptions| BrokerOptions {
        clock: given,
        timer: Some(RULES),
        store: StoreOptions { queue_ext_enabled: true, ..options.store },
        ..options
    };
    let cluster = Cluster::start_with(extended).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "TIMER_DELAY_MS\u{1}2000", "second").await;
    send(&mut client, "TIMER_DELAY_MS\u{1}1000", "first").await;
    clock.advance(Duration::from_millis(1_000));
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["first"]);
    clock.advance(Duration::from_millis(1_000));
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 1, 1).await), ["second"]);
    // Nothing was stored again in between.
    assert_eq!(messages_in(&mut client, TIMER_TOPIC, 0, 0).await.len(), 2);
    cluster.stop().await;
}

#[actix::test]
async fn a_level_of_delay_wins() {
    let (cluster, _clock) = start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "DELAY\u{1}1\u{2}TIMER_DELAY_MS\u{1}5000", "late").await;
    wait_for(&mut client, "SCHEDULE_TOPIC_XXXX", 0, 0, 1).await;
    cluster.stop().await;
}

/// One whose properties are as long as they can be has no room for how often it was stored again; it comes all the same.
#[actix::test]
async fn a_message_without_room_for_more_is_stored_again_as_it_is() {
    let (cluster, clock) = start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let pairs = format!("REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}0\u{2}TIMER_OUT_MS\u{1}{}\u{2}A\u{1}", NOW + 30 * HOUR);
    let properties = format!("{pairs}{:a<1$}", "", 32_767 - pairs.len());
    let topic = Topic::parse(TIMER_TOPIC).unwrap();
    let message = NewMessage::plain(&topic, QueueId(0), BornTime(NOW), cluster.broker.address(), b"full");
    let put = PutBatch::of(&NewMessage { properties: properties.as_bytes(), ..message }).unwrap();
    let batch = AppendBatch { puts: put, keys: Vec::new(), answer: AppendAnswer::Nobody };
    cluster.broker.append().send(batch).await.unwrap();
    send(&mut client, &format!("TIMER_DELAY_MS\u{1}{}", 25 * HOUR), "other").await;
    // Nobody is given one by this broker: its producer is told.
    let long = format!("TIMER_DELAY_MS\u{1}1000\u{2}A\u{1}{:a<32600}", "");
    let refused = client.ask(send_to("T", 0, &long, "long")).await;
    assert_eq!(refused.code, response::MESSAGE_ILLEGAL, "{refused:?}");
    let mut client = after(&cluster, &clock, 24 * HOUR).await;
    wait_for(&mut client, TIMER_TOPIC, 0, 2, 2).await;
    let mut client = after(&cluster, &clock, HOUR).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["other"]);
    let mut client = after(&cluster, &clock, 5 * HOUR).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 1, 1).await), ["full"]);
    cluster.stop().await;
}

/// The time is looked up, also right after the message was acknowledged, and after it was stored again.
#[actix::test]
async fn a_key_alone_takes_a_message_back() {
    let (cluster, clock) = start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..20 {
        let properties = format!("TIMER_DELAY_MS\u{1}{}\u{2}UNIQ_KEY\u{1}K{number}", 2_000 + number);
        send(&mut client, &properties, &number.to_string()).await;
        if number != 7 {
            send(&mut client, &format!("TIMER_DEL_UNIQKEY\u{1}K{number}"), "").await;
        }
    }
    // The index cannot tell these two apart.
    for (key, ms) in [("Aa", 2_100), ("BB", 29 * HOUR)] {
        send(&mut client, &format!("TIMER_DELAY_MS\u{1}{ms}\u{2}UNIQ_KEY\u{1}{key}"), key).await;
    }
    send(&mut client, "TIMER_DEL_UNIQKEY\u{1}Aa", "").await;
    send(&mut client, &format!("TIMER_DELAY_MS\u{1}{}\u{2}UNIQ_KEY\u{1}far", 30 * HOUR), "far").await;
    send(&mut client, &format!("TIMER_DELAY_MS\u{1}{}\u{2}UNIQ_KEY\u{1}farther", 31 * HOUR), "farther").await;
    clock.advance(Duration::from_secs(3));
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["7"]);
    let delivered = client.ask(send_to("T", 0, "TIMER_DEL_UNIQKEY\u{1}K7", "")).await;
    assert_eq!(delivered.code, response::MESSAGE_ILLEGAL, "it waits no more: {delivered:?}");
    // Who has written the long names of fields is understood as well.
    let mut client = after(&cluster, &clock, 24 * HOUR).await;
    wait_for(&mut client, TIMER_TOPIC, 0, 24, 3).await;
    let mut cancel = send_to("T", 0, "", "");
    cancel.code = request::SEND_MESSAGE;
    cancel.ext = ext(&[
        ("producerGroup", &"PG"),
        ("topic", &"T"),
        ("defaultTopic", &"TBW102"),
        ("defaultTopicQueueNums", &4),
        ("queueId", &0),
        ("sysFlag", &0),
        ("bornTimestamp", &NOW),
        ("flag", &0),
        ("properties", &"TIMER_DEL_UNIQKEY\u{1}far"),
    ]);
    lies_at(&client.ask(cancel).await);
    let mut client = after(&cluster, &clock, 8 * HOUR).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 1, 2).await), ["BB", "farther"]);
    assert_eq!(messages_in(&mut client, "T", 0, 3).await, []);
    cluster.stop().await;
}
