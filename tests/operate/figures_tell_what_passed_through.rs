//! Counters by topic, group and broker, and the table that tools print and parse.

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::{Value, json};

use crate::member::{body, is_refused, succeeds};
use crate::messages::lies_at;
use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::Cluster;

/// Bytes of a record of topic T with a body of one byte.
const RECORD: i64 = 91 + 1 + 1 + "CLUSTER\u{1}DefaultCluster".len() as i64;

fn view(name: &str, key: &str) -> Command {
    ask_for(request::VIEW_BROKER_STATS_DATA, &[("statsName", &name), ("statsKey", &key)])
}

fn sum(reply: &Command, span: &str) -> i64 {
    serde_json::from_slice::<Value>(&reply.body).map_or(0, |body| body[span]["sum"].as_i64().unwrap())
}

/// Waits until a counter says this in every span.
async fn counts(client: &mut Raw, name: &str, key: &str, expected: i64) -> Value {
    let reply = client.ask_until(view(name, key), |reply| sum(reply, "statsMinute") >= expected).await;
    for span in ["statsMinute", "statsHour", "statsDay"] {
        assert_eq!(sum(&reply, span), expected, "{name} {key} {span}");
    }
    body(&reply)
}

async fn send(client: &mut Raw, topic: &str, queue_id: i32, messages: usize) {
    for _ in 0..messages {
        let sent = client.ask(send_to(topic, queue_id, "", "x")).await;
        assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    }
}

#[actix::test]
async fn what_is_put_is_counted_by_topic_and_as_a_whole() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "T", 0, 3).await;
    send(&mut client, "T", 1, 2).await;
    send(&mut client, "U", 0, 1).await;
    counts(&mut client, "TOPIC_PUT_NUMS", "T", 5).await;
    counts(&mut client, "TOPIC_PUT_NUMS", "U", 1).await;
    counts(&mut client, "TOPIC_PUT_SIZE", "T", 5 * RECORD).await;
    let whole = counts(&mut client, "BROKER_PUT_NUMS", "DefaultCluster", 6).await;
    assert_eq!(whole["statsMinute"]["avgpt"], 0.0);
    send(&mut client, "T", 0, 4).await;
    counts(&mut client, "TOPIC_PUT_NUMS", "T", 9).await;
    cluster.stop().await;
}

#[actix::test]
async fn what_is_got_is_counted_by_group() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "T", 0, 6).await;
    let end = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
    client.ask_until(end, |reply| reply.ext.int64("offset").unwrap() == 6).await;
    for (offset, count) in [(0, 4), (4, 4)] {
        assert_eq!(client.pull(pull_from("T", 0, offset, count)).await.code, response::SUCCESS);
    }
    let nothing = client.ask(pull_from("T", 0, 6, 1)).await;
    assert_eq!(nothing.code, response::PULL_NOT_FOUND);
    let group = counts(&mut client, "GROUP_GET_NUMS", "T@CG", 6).await;
    assert_eq!(group["statsMinute"]["avgpt"], 3.0, "six in two answers");
    counts(&mut client, "GROUP_GET_SIZE", "T@CG", 6 * RECORD).await;
    counts(&mut client, "BROKER_GET_NUMS", "DefaultCluster", 6).await;
    cluster.stop().await;
}

#[actix::test]
async fn what_could_not_be_handled_is_counted_under_the_topic_it_came_from() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "T", 0, 1).await;
    // Of what has come by a topic that was never there it is not known.
    let odd = lies_at(&client.ask(send_to("T", 0, "RETRY_TOPIC\u{1}never there", "odd")).await);
    for at in [0, odd] {
        let back = ask_for(
            request::CONSUMER_SEND_MSG_BACK,
            &[("offset", &at), ("group", &"G"), ("delayLevel", &3), ("originTopic", &"T")],
        );
        succeeds(&mut client, back).await;
    }
    counts(&mut client, "SNDBCK_PUT_NUMS", "T@G", 2).await;
    counts(&mut client, "TOPIC_PUT_NUMS", "SCHEDULE_TOPIC_XXXX", 2).await;
    cluster.stop().await;
}

#[actix::test]
async fn a_counter_that_never_counted_is_none() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    for (name, key) in [("TOPIC_PUT_NUMS", "T"), ("NOTHING", "T")] {
        let text = format!("The stats <{name}> <{key}> not exist");
        is_refused(&mut tool, view(name, key), response::SYSTEM_ERROR, &text).await;
    }
    cluster.stop().await;
}

#[actix::test]
async fn the_state_of_a_broker_has_every_key_that_tools_look_for() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "T", 0, 2).await;
    let delayed = client.ask(send_to("T", 0, "DELAY\u{1}1\u{2}", "x")).await;
    assert_eq!(delayed.code, response::SUCCESS);
    let info = || ask_for(request::GET_BROKER_RUNTIME_INFO, &[]);
    let settled = |reply: &Command| {
        let table = &body(reply)["table"];
        table["msgPutTotalTodayNow"] == "4" && table["scheduleMessageOffset_1"] == "1,1"
    };
    let table = body(&client.ask_until(info(), settled).await)["table"].clone();
    for (key, expected) in [
        ("putMessageTimesTotal", json!("4")),
        ("sendThreadPoolQueueSize", json!("0")),
        ("pageCacheLockTimeMills", json!("0")),
        ("dispatchBehindBytes", json!("0")),
        ("remainTransientStoreBufferNumbs", json!("2147483647")),
    ] {
        assert_eq!(table[key], expected, "{key}");
    }
    for key in ["putTps", "getTotalTps", "getTransferedTps", "getFoundTps", "getMissTps"] {
        let rates: Vec<f64> = table[key].as_str().unwrap().split(' ').map(|rate| rate.parse().unwrap()).collect();
        assert_eq!(rates.len(), 3, "{key}");
    }
    let log = cluster.directory.path().join("store/commitlog");
    for key in ["commitLogDiskRatio", "consumeQueueDiskRatio", &format!("commitLogDiskRatio_{}", log.display())] {
        let share: f64 = table[key].as_str().unwrap().parse().unwrap();
        assert!((0.0..=1.0).contains(&share), "{key} {share}");
    }
    assert!(table["earliestMessageTimeStamp"].as_str().unwrap().parse::<i64>().unwrap() > 1_600_000_000_000);
    assert!(table["commitLogDirCapacity"].as_str().unwrap().starts_with("Total : "));
    let names: Vec<&String> = table.as_object().unwrap().keys().collect();
    let missing: Vec<_> = KEYS.iter().filter(|key| !names.iter().any(|name| name == *key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    cluster.stop().await;
}

/// The keys of a Java broker of this release, but for those of its paths and delay levels.
const KEYS: [&str; 46] = [
    "EndTransactionQueueSize",
    "EndTransactionThreadPoolQueueCapacity",
    "bootTimestamp",
    "brokerVersion",
    "brokerVersionDesc",
    "commitLogDirCapacity",
    "commitLogDiskRatio",
    "commitLogMaxOffset",
    "commitLogMinOffset",
    "consumeQueueDiskRatio",
    "dispatchBehindBytes",
    "dispatchMaxBuffer",
    "earliestMessageTimeStamp",
    "getFoundTps",
    "getMessageEntireTimeMax",
    "getMissTps",
    "getTotalTps",
    "getTransferedTps",
    "msgGetTotalTodayMorning",
    "msgGetTotalTodayNow",
    "msgGetTotalYesterdayMorning",
    "msgPutTotalTodayMorning",
    "msgPutTotalTodayNow",
    "msgPutTotalYesterdayMorning",
    "pageCacheLockTimeMills",
    "pullThreadPoolQueueCapacity",
    "pullThreadPoolQueueHeadWaitTimeMills",
    "pullThreadPoolQueueSize",
    "putLatency99",
    "putLatency999",
    "putMessageAverageSize",
    "putMessageDistributeTime",
    "putMessageEntireTimeMax",
    "putMessageFailedTimes",
    "putMessageSizeTotal",
    "putMessageTimesTotal",
    "putTps",
    "queryThreadPoolQueueCapacity",
    "queryThreadPoolQueueHeadWaitTimeMills",
    "queryThreadPoolQueueSize",
    "remainHowManyDataToFlush",
    "remainTransientStoreBufferNumbs",
    "runtime",
    "sendThreadPoolQueueCapacity",
    "sendThreadPoolQueueHeadWaitTimeMills",
    "sendThreadPoolQueueSize",
];
