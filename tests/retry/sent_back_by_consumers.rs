//! What a consumer sends back comes again in its group's retry topic, and in the end among its dead letters.

use std::fmt::Display;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::store::StoreOptions;
use serde_json::json;

use crate::messages::{lies_at, property_pairs, wait_for};
use crate::raw::{Raw, ask_for, pull_from, send_to, with};
use crate::support::Cluster;

/// 18 levels as RocketMQ has them, but of milliseconds.
fn short_levels(options: BrokerOptions) -> BrokerOptions {
    BrokerOptions { store: StoreOptions { delay_levels_ms: (1..=18).collect(), ..options.store }, ..options }
}

fn send_back(offset: i64, delay_level: i32) -> Command {
    let fields: [(&str, &dyn Display); 7] = [
        ("offset", &offset),
        ("group", &"G"),
        ("delayLevel", &delay_level),
        ("originMsgId", &"ID"),
        ("originTopic", &"T"),
        ("unitMode", &false),
        ("maxReconsumeTimes", &16),
    ];
    ask_for(request::CONSUMER_SEND_MSG_BACK, &fields)
}

async fn start() -> (Cluster, Raw, i64) {
    let cluster = Cluster::start_with(short_levels).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let properties = "TAGS\u{1}t\u{2}UNIQ_KEY\u{1}ID\u{2}WAIT\u{1}true";
    let at = lies_at(&client.ask(with(send_to("T", 3, properties, "body"), "h", 5)).await);
    (cluster, client, at)
}

async fn succeeds(client: &mut Raw, command: Command) {
    let reply = client.ask(command).await;
    assert_eq!((reply.code, reply.remark), (response::SUCCESS, None));
}

#[actix::test]
async fn it_comes_again_with_its_history() {
    let (cluster, mut client, at) = start().await;
    let origin = format!("{:0>32}", format!("{at:016X}"));
    succeeds(&mut client, send_back(at, 0)).await;
    let first = wait_for(&mut client, "%RETRY%G", 0, 0, 1).await.remove(0);
    assert_eq!((first.reconsume_times, first.flag, &*first.body), (1, 5, b"body".as_slice()));
    let origin_of =
        |message: &ferromq::protocol::message::Message| message.property("ORIGIN_MESSAGE_ID").unwrap().to_owned();
    assert_eq!(origin_of(&first)[16..], origin[16..]);
    let mut expected = vec![
        "CLUSTER=DefaultCluster".to_owned(),
        "DELAY=3".into(),
        format!("ORIGIN_MESSAGE_ID={}", origin_of(&first)),
        "REAL_QID=0".into(),
        "REAL_TOPIC=%RETRY%G".into(),
        "RETRY_TOPIC=T".into(),
        "TAGS=t".into(),
        "UNIQ_KEY=ID".into(),
        "WAIT=false".into(),
    ];
    assert_eq!(property_pairs(&first), expected);
    // Again: one level further, the same origin, and no name twice.
    succeeds(&mut client, send_back(first.physical_offset.0 as i64, 0)).await;
    let second = wait_for(&mut client, "%RETRY%G", 0, 1, 1).await.remove(0);
    expected[1] = "DELAY=4".into();
    assert_eq!((second.reconsume_times, property_pairs(&second)), (2, expected));
    cluster.stop().await;
}

#[actix::test]
async fn what_was_tried_often_enough_or_never_is_to_be_again_is_a_dead_letter() {
    let (cluster, mut client, at) = start().await;
    succeeds(&mut client, send_back(at, -1)).await;
    succeeds(&mut client, with(send_back(at, 0), "maxReconsumeTimes", 0)).await;
    let dead = wait_for(&mut client, "%DLQ%G", 0, 0, 2).await;
    for letter in &dead {
        assert_eq!(
            (letter.reconsume_times, letter.property("DELAY"), letter.property("WAIT")),
            (1, Some("0"), Some("false"))
        );
        assert_eq!(letter.property("RETRY_TOPIC"), Some("T"));
    }
    // A consumer older than 3.4.9 has the limit of its group, which is 16.
    succeeds(&mut client, Command { version: 120, ..with(send_back(at, 1), "maxReconsumeTimes", 0) }).await;
    wait_for(&mut client, "%RETRY%G", 0, 0, 1).await;
    cluster.stop().await;
}

#[actix::test]
async fn the_group_says_whether_and_where() {
    let (cluster, mut client, at) = start().await;
    let settings = |retry_queues: u32, attempts: i32| {
        let body = json!({"groupName": "G", "retryQueueNums": retry_queues, "retryMaxTimes": attempts});
        ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(body.to_string().into())
    };
    succeeds(&mut client, settings(0, 16)).await;
    succeeds(&mut client, send_back(at, 1)).await;
    let dropped = client.ask(pull_from("%RETRY%G", 0, 0, 1)).await;
    assert_eq!(dropped.code, response::TOPIC_NOT_EXIST, "{dropped:?}");
    succeeds(&mut client, settings(3, 16)).await;
    for _ in 0..40 {
        succeeds(&mut client, send_back(at, 1)).await;
    }
    // Each of the three queues gets some.
    for queue_id in 0..3 {
        wait_for(&mut client, "%RETRY%G", queue_id, 0, 1).await;
    }
    // The topic keeps the queues that it was made with, and consumers look at no others.
    succeeds(&mut client, settings(30, 16)).await;
    for _ in 0..40 {
        succeeds(&mut client, send_back(at, 1)).await;
    }
    let mut there = 0;
    for queue_id in 0..3 {
        let max = ask_for(request::GET_MAX_OFFSET, &[("topic", &"%RETRY%G"), ("queueId", &queue_id)]);
        let grown = client.ask_until(max, |reply| reply.ext.int64("offset").unwrap() > 15).await;
        there += grown.ext.int64("offset").unwrap();
    }
    assert!(there > 45, "{there}");
    let remark = format!("retryQueueNums is {}, which is no number of queues", u32::MAX);
    let refused = client.ask(settings(u32::MAX, 16)).await;
    assert_eq!((refused.code, refused.remark), (response::SYSTEM_ERROR, Some(remark)));
    cluster.stop().await;
}

#[actix::test]
async fn what_cannot_be_found_is_refused_in_the_words_of_the_reference() {
    let (cluster, mut client, at) = start().await;
    for wrong in [at + 1, 1 << 40, -1] {
        let reply = client.ask(send_back(wrong, 1)).await;
        let text = format!("look message by offset failed, {wrong}");
        assert_eq!((reply.code, reply.remark), (response::SYSTEM_ERROR, Some(text)));
    }
    let no_group = ask_for(request::CONSUMER_SEND_MSG_BACK, &[("offset", &at), ("delayLevel", &1)]);
    assert_eq!(client.ask(no_group).await.code, response::SYSTEM_ERROR);
    let illegal = client.ask(with(send_back(at, 1), "group", "no group")).await;
    assert_eq!(illegal.code, response::SUBSCRIPTION_GROUP_NOT_EXIST, "{illegal:?}");
    cluster.stop().await;
}

#[actix::test]
async fn a_group_that_may_not_be_made_gets_nothing() {
    let cluster = Cluster::start_with(|options| BrokerOptions { auto_create_group: false, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let at = lies_at(&client.ask(send_to("T", 0, "", "body")).await);
    let reply = client.ask(send_back(at, 1)).await;
    assert_eq!(reply.code, response::SUBSCRIPTION_GROUP_NOT_EXIST, "{reply:?}");
    let reply = client.ask(send_to("%RETRY%G", 0, "", "body")).await;
    assert_eq!(reply.code, response::SUBSCRIPTION_GROUP_NOT_EXIST, "{reply:?}");
    cluster.stop().await;
}
