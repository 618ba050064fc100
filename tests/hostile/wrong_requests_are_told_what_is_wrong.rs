//! Fields, names and numbers that make no sense: the response codes and texts of RocketMQ, and the connection goes on.
//!
//! Texts marked "recorded" are those of the 4.9.7 probe; where the reference shows a Java exception, ours says which field
//! is wrong.

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;

use crate::raw::{Raw, ask_for, ext, pull_from, send_to};
use crate::support::Cluster;

/// Asks on one connection that is used for all: an answer ends nothing.
async fn check(client: &mut Raw, command: Command, code: i32, remark: &str) {
    let asked = format!("{} {:?}", command.code, command.ext);
    let reply = client.ask(command).await;
    let said = reply.remark.as_deref().unwrap_or_default();
    assert_eq!(reply.code, code, "{asked}: {said}");
    assert_eq!(said, remark, "{asked}");
}

async fn with_topic(cluster: &Cluster) -> Raw {
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("WireT", 0, "", "first")).await.code, response::SUCCESS);
    client
}

#[actix::test]
async fn fields_that_are_missing_or_no_numbers() {
    let cluster = Cluster::start().await;
    let mut client = with_topic(&cluster).await;
    let null = |field: &str| format!("the custom field <{field}> is null");
    let mut pull = pull_from("WireT", 0, 0, 1);
    pull.ext = ext(&[("consumerGroup", &"CG"), ("topic", &"WireT")]);
    check(&mut client, pull, response::SYSTEM_ERROR, &null("queueId")).await;
    let query =
        ask_for(request::QUERY_CONSUMER_OFFSET, &[("consumerGroup", &"CG"), ("topic", &"WireT"), ("queueId", &"x")]);
    let text = "the custom field <queueId> is \"x\", which is not a 32-bit number";
    check(&mut client, query, response::SYSTEM_ERROR, text).await;
    let overflow = ask_for(request::GET_MAX_OFFSET, &[("topic", &"WireT"), ("queueId", &(1_i64 << 40))]);
    let text = "the custom field <queueId> is \"1099511627776\", which is not a 32-bit number";
    check(&mut client, overflow, response::SYSTEM_ERROR, text).await;
    check(&mut client, ask_for(request::GET_TOPIC_STATS_INFO, &[]), response::SYSTEM_ERROR, &null("topic")).await;
    let mut namesrv = Raw::connect(cluster.namesrv.address()).await;
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[]);
    check(&mut namesrv, route, response::SYSTEM_ERROR, &null("topic")).await;
    cluster.stop().await;
}

/// Recorded.
#[actix::test]
async fn names_of_topics_that_nobody_may_send_to() {
    let cluster = Cluster::start().await;
    let mut client = with_topic(&cluster).await;
    let blank = "The specified topic is blank.";
    check(&mut client, send_to(" ", 0, "", "x"), response::SYSTEM_ERROR, blank).await;
    let alone = ask_for(request::SEND_MESSAGE_V2, &[("a", &"PG")]);
    check(&mut client, alone, response::SYSTEM_ERROR, blank).await;
    let null = "the custom field <defaultTopicQueueNums> is null";
    let nearly = ask_for(request::SEND_MESSAGE_V2, &[("a", &"PG"), ("b", &"WireT")]);
    check(&mut client, nearly, response::SYSTEM_ERROR, null).await;
    let illegal = "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$";
    for topic in ["bad topic", "../../etc/passwd", "t\u{0}", "täg"] {
        check(&mut client, send_to(topic, 0, "", "x"), response::SYSTEM_ERROR, illegal).await;
    }
    let long = "The specified topic is longer than topic max length 127.";
    check(&mut client, send_to(&"t".repeat(128), 0, "", "x"), response::SYSTEM_ERROR, long).await;
    let forbidden = "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden.";
    check(&mut client, send_to("SCHEDULE_TOPIC_XXXX", 0, "", "x"), response::NO_PERMISSION, forbidden).await;
    // This one is not there yet, and is not made for a send.
    let forbidden = "Sending message to topic[TRANS_CHECK_MAX_TIME_TOPIC] is forbidden.";
    check(&mut client, send_to("TRANS_CHECK_MAX_TIME_TOPIC", 0, "", "x"), response::NO_PERMISSION, forbidden).await;
    let config = ask_for(request::GET_TOPIC_CONFIG, &[("topic", &"TRANS_CHECK_MAX_TIME_TOPIC")]);
    assert_eq!(client.ask(config).await.code, response::TOPIC_NOT_EXIST);
    cluster.stop().await;
}

/// Recorded.
#[actix::test]
async fn topics_and_queues_that_are_not_there() {
    let cluster = Cluster::start().await;
    let mut client = with_topic(&cluster).await;
    let mut orphan = send_to("zz1", 0, "", "x");
    orphan.ext = ext(&[
        ("a", &"PG"),
        ("b", &"zz1"),
        ("c", &"NoSuchDefault"),
        ("d", &4),
        ("e", &0),
        ("f", &0),
        ("g", &0),
        ("h", &0),
    ]);
    let unknown =
        "topic[zz1] not exist, apply first please!\nSee http://rocketmq.apache.org/docs/faq/ for further details.";
    check(&mut client, orphan, response::TOPIC_NOT_EXIST, unknown).await;
    let unknown =
        "topic[nn] not exist, apply first please! \nSee http://rocketmq.apache.org/docs/faq/ for further details.";
    check(&mut client, pull_from("nn", 0, 0, 1), response::TOPIC_NOT_EXIST, unknown).await;
    let from = client.local_address();
    for queue_id in [4, 99, i32::MAX] {
        let illegal = format!(
            "request queueId[{queue_id}] is illegal, TopicConfig [topicName=WireT, readQueueNums=4, writeQueueNums=4, \
             perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false] Producer: {from}"
        );
        check(&mut client, send_to("WireT", queue_id, "", "x"), response::SYSTEM_ERROR, &illegal).await;
    }
    for queue_id in [4, 44, -1, i32::MIN] {
        let illegal =
            format!("queueId[{queue_id}] is illegal, topic:[WireT] topicConfig.readQueueNums:[4] consumer:[/{from}]");
        check(&mut client, pull_from("WireT", queue_id, 0, 1), response::SYSTEM_ERROR, &illegal).await;
    }
    let mut namesrv = Raw::connect(cluster.namesrv.address()).await;
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"nope")]);
    let unknown = "No topic route info in name server for the topic: nope\nSee http://rocketmq.apache.org/docs/faq/ for \
                   further details.";
    check(&mut namesrv, route, response::TOPIC_NOT_EXIST, unknown).await;
    cluster.stop().await;
}

#[actix::test]
async fn topics_that_cannot_be_made() {
    let cluster = Cluster::start().await;
    let mut client = with_topic(&cluster).await;
    let topic = |perm: i32, filter: &'static str| {
        let queues = 4;
        ask_for(
            request::UPDATE_AND_CREATE_TOPIC,
            &[
                ("topic", &"Odd"),
                ("readQueueNums", &queues),
                ("writeQueueNums", &queues),
                ("perm", &perm),
                ("topicFilterType", &filter),
            ],
        )
    };
    let negative = "perm is -6, which allows nothing";
    check(&mut client, topic(-6, "SINGLE_TAG"), response::SYSTEM_ERROR, negative).await;
    let unknown = "topicFilterType is \"TRIPLE_TAG\", expected SINGLE_TAG or MULTI_TAG";
    check(&mut client, topic(6, "TRIPLE_TAG"), response::SYSTEM_ERROR, unknown).await;
    check(&mut client, topic(6, "MULTI_TAG"), response::SUCCESS, "").await;
    cluster.stop().await;
}

/// A group of no legal name is as good as unknown, and is not made: neither by a pull nor by a heartbeat.
#[actix::test]
async fn names_of_groups_that_nobody_may_have() {
    let cluster = Cluster::start().await;
    let mut client = with_topic(&cluster).await;
    let long = "g".repeat(256);
    for group in ["no group", "../up", "", &long] {
        let mut pull = pull_from("WireT", 0, 0, 1);
        let fields: Vec<(String, String)> = pull.ext.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut changed = ferromq::protocol::command::ExtFields::builder();
        for (name, value) in &fields {
            changed.push(name, if name == "consumerGroup" { group } else { value });
        }
        pull.ext = changed.build();
        let unknown = format!(
            "subscription group [{group}] does not exist, \nSee http://rocketmq.apache.org/docs/faq/ for further details."
        );
        check(&mut client, pull, response::SUBSCRIPTION_GROUP_NOT_EXIST, &unknown).await;
    }
    let heartbeat = r#"{"clientID":"c","consumerDataSet":[{"groupName":"no group","consumeType":"CONSUME_PASSIVELY",
        "messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","subscriptionDataSet":[]}],
        "producerDataSet":[]}"#;
    let heartbeat = ask_for(request::HEART_BEAT, &[]).with_body(heartbeat.into());
    check(&mut client, heartbeat, response::SUCCESS, "").await;
    let groups = client.ask(ask_for(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, &[])).await;
    let groups = String::from_utf8(groups.body.to_vec()).unwrap();
    assert!(groups.contains("TOOLS_CONSUMER") && !groups.contains("no group"), "{groups}");
    cluster.stop().await;
}

#[actix::test]
async fn bodies_that_are_missing_or_unreadable() {
    let cluster = Cluster::start().await;
    let mut client = with_topic(&cluster).await;
    for body in ["", "{", "\u{0}", "null"] {
        for code in [request::HEART_BEAT, request::CHECK_CLIENT_CONFIG, request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP] {
            let reply = client.ask(ask_for(code, &[]).with_body(body.into())).await;
            assert_eq!(reply.code, response::SYSTEM_ERROR, "{code} with {body:?}: {reply:?}");
            assert!(reply.remark.is_some(), "{code} with {body:?}");
        }
    }
    let mut namesrv = Raw::connect(cluster.namesrv.address()).await;
    let fields: [(&str, &dyn std::fmt::Display); 6] = [
        ("brokerName", &"b"),
        ("brokerAddr", &"1.2.3.4:10911"),
        ("clusterName", &"c"),
        ("haServerAddr", &""),
        ("brokerId", &0),
        ("compressed", &true),
    ];
    let register = ask_for(request::REGISTER_BROKER, &fields).with_body("neither zlib nor JSON".into());
    assert_eq!(namesrv.ask(register).await.code, response::SYSTEM_ERROR);
    cluster.stop().await;
}
