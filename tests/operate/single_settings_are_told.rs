//! Questions of newer tools about one topic or one group, and which topics are the broker's own.

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::{request, response};
use serde_json::json;

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

#[actix::test]
async fn of_a_topic() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    assert_eq!(tool.ask(send_to("T", 0, "", "x")).await.code, response::SUCCESS);
    let told = succeeds(&mut tool, ask_for(request::GET_TOPIC_CONFIG, &[("topic", &"T"), ("lo", &true)])).await;
    let expected = json!({"topicName": "T", "readQueueNums": 4, "writeQueueNums": 4, "perm": 6, "order": false,
        "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0});
    assert_eq!(body(&told), expected);
    let unknown = ask_for(request::GET_TOPIC_CONFIG, &[("topic", &"none")]);
    is_refused(&mut tool, unknown, response::TOPIC_NOT_EXIST, "No topic in this broker. topic: none").await;
    cluster.stop().await;
}

#[actix::test]
async fn of_a_group() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let of = |group| ask_for(request::GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", &group)]);
    let told = body(&succeeds(&mut tool, of("TOOLS_CONSUMER")).await);
    assert_eq!((&told["groupName"], &told["retryMaxTimes"]), (&json!("TOOLS_CONSUMER"), &json!(16)));
    let text = "No group in this broker. group: none";
    is_refused(&mut tool, of("none"), response::SUBSCRIPTION_GROUP_NOT_EXIST, text).await;
    cluster.stop().await;
}

#[actix::test]
async fn of_the_brokers_own_topics() {
    let timer = Some(TimerRules { ahead_ms_max: 1_000 });
    let cluster = Cluster::start_with(|options| BrokerOptions { timer, ..options }).await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let told = body(&succeeds(&mut tool, ask_for(request::GET_SYSTEM_TOPIC_LIST_FROM_BROKER, &[])).await);
    let topics: Vec<&str> = told["topicList"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for topic in [
        "TBW102",
        "SCHEDULE_TOPIC_XXXX",
        "DefaultCluster",
        "DefaultCluster_REPLY_TOPIC",
        "broker-a",
        "rmq_sys_wheel_timer",
    ] {
        assert!(topics.contains(&topic), "{topic} in {topics:?}");
    }
    cluster.stop().await;
}
