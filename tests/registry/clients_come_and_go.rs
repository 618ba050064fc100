//! HEART_BEAT and UNREGISTER_CLIENT, and what tools and clients are told about who is there.

use std::fmt::Display;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Language};
use serde_json::json;

use crate::member::{body, consumes, heartbeat, is_refused, subscription, succeeds};
use crate::raw::{Raw, ask_for, ext, pull_from};
use crate::support::Cluster;

fn list_of(group: &str) -> Command {
    ask_for(request::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", &group)])
}

fn consumers_of(group: &str) -> Command {
    ask_for(request::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", &group)])
}

fn producers_of(group: &str) -> Command {
    ask_for(request::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", &group)])
}

fn leave(fields: &[(&str, &dyn Display)]) -> Command {
    ask_for(request::UNREGISTER_CLIENT, fields)
}

async fn nobody_consumes(tool: &mut Raw, group: &str) {
    let empty = format!("no consumer for this group, {group}");
    is_refused(tool, list_of(group), response::SYSTEM_ERROR, &empty).await;
    let offline = format!("the consumer group[{group}] not online");
    is_refused(tool, consumers_of(group), response::CONSUMER_NOT_ONLINE, &offline).await;
}

async fn nobody_produces(tool: &mut Raw, group: &str) {
    let offline = format!("the producer group[{group}] not exist");
    is_refused(tool, producers_of(group), response::SYSTEM_ERROR, &offline).await;
}

#[actix::test]
async fn a_heartbeat_makes_a_client_known_in_all_its_groups() {
    let cluster = Cluster::start().await;
    let address = cluster.broker.address();
    let (mut java, mut go, mut tool) =
        (Raw::connect(address).await, Raw::connect(address).await, Raw::connect(address).await);
    nobody_consumes(&mut tool, "CG").await;
    nobody_produces(&mut tool, "PG").await;
    let reply = succeeds(&mut java, heartbeat("j", &["PG", "PH"], &[consumes("CG", &["T", "U"])])).await;
    // Java accepts SQL92 subscriptions of no broker that is older than 232.
    assert_eq!((reply.version, reply.body.len()), (407, 0), "{reply:?}");
    let mut of_go = heartbeat("g", &["PG"], &[consumes("CG", &["T", "U"])]);
    (of_go.language, of_go.version) = (Language::Go, 317);
    succeeds(&mut go, of_go).await;
    assert_eq!(body(&succeeds(&mut tool, list_of("CG")).await), json!({"consumerIdList": ["j", "g"]}));
    let of_java = json!({"clientAddr": java.local_address().to_string(), "clientId": "j", "language": "JAVA",
        "version": 407});
    let of_go =
        json!({"clientAddr": go.local_address().to_string(), "clientId": "g", "language": "GO", "version": 317});
    let topics = json!({"T": subscription("T", 1_700_000_000_000), "U": subscription("U", 1_700_000_000_000)});
    let expected = json!({"connectionSet": [of_java, of_go], "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
        "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "subscriptionTable": topics});
    assert_eq!(body(&succeeds(&mut tool, consumers_of("CG")).await), expected);
    assert_eq!(body(&succeeds(&mut tool, producers_of("PG")).await), json!({"connectionSet": [of_java, of_go]}));
    assert_eq!(body(&succeeds(&mut tool, producers_of("PH")).await), json!({"connectionSet": [of_java]}));
    cluster.stop().await;
}

#[actix::test]
async fn a_client_leaves_the_groups_that_it_names_and_those_on_its_connection() {
    let cluster = Cluster::start().await;
    let address = cluster.broker.address();
    let (mut client, mut tool) = (Raw::connect(address).await, Raw::connect(address).await);
    let groups = [consumes("CG", &["T"]), consumes("CH", &["T"])];
    succeeds(&mut client, heartbeat("c", &["PG", "PH"], &groups)).await;
    // Who leaves is known by the connection, whatever it calls itself.
    let all = leave(&[("clientID", &"c"), ("consumerGroup", &"CG"), ("producerGroup", &"PG")]);
    succeeds(&mut tool, all.clone()).await;
    succeeds(&mut tool, list_of("CG")).await;
    succeeds(&mut tool, producers_of("PG")).await;
    succeeds(&mut client, all.clone()).await;
    nobody_consumes(&mut tool, "CG").await;
    nobody_produces(&mut tool, "PG").await;
    succeeds(&mut tool, list_of("CH")).await;
    succeeds(&mut tool, producers_of("PH")).await;
    for again in [all, leave(&[("clientID", &"c")]), leave(&[("clientID", &"x"), ("consumerGroup", &"none")])] {
        succeeds(&mut client, again).await;
    }
    is_refused(&mut client, leave(&[]), response::SYSTEM_ERROR, "the custom field <clientID> is null").await;
    drop(client);
    tool.ask_until(list_of("CH"), |reply| reply.code == response::SYSTEM_ERROR).await;
    nobody_consumes(&mut tool, "CH").await;
    nobody_produces(&mut tool, "PH").await;
    cluster.stop().await;
}

#[actix::test]
async fn a_client_with_two_connections_is_there_twice() {
    let cluster = Cluster::start().await;
    let address = cluster.broker.address();
    let (mut first, mut second) = (Raw::connect(address).await, Raw::connect(address).await);
    for connection in [&mut first, &mut second] {
        succeeds(connection, heartbeat("c", &[], &[consumes("CG", &["T"])])).await;
    }
    assert_eq!(body(&succeeds(&mut first, list_of("CG")).await), json!({"consumerIdList": ["c", "c"]}));
    drop(second);
    let one = json!({"consumerIdList": ["c"]});
    first.ask_until(list_of("CG"), |reply| body(reply) == one).await;
    cluster.stop().await;
}

#[actix::test]
async fn a_group_comes_into_being_with_its_retry_topic() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    succeeds(&mut client, heartbeat("c", &[], &[consumes("CG", &["T"])])).await;
    let topics = body(&succeeds(&mut client, ask_for(request::GET_ALL_TOPIC_CONFIG, &[])).await);
    let retry = json!({"order": false, "perm": 6, "readQueueNums": 1, "topicFilterType": "SINGLE_TAG",
        "topicName": "%RETRY%CG", "topicSysFlag": 0, "writeQueueNums": 1});
    assert_eq!(topics["topicConfigTable"]["%RETRY%CG"], retry);
    let groups = succeeds(&mut client, ask_for(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, &[])).await;
    let group = json!({"brokerId": 0, "consumeBroadcastEnable": true, "consumeEnable": true,
        "consumeFromMinEnable": true, "groupName": "CG", "notifyConsumerIdsChangedEnable": true, "retryMaxTimes": 16,
        "retryQueueNums": 1, "whichBrokerWhenConsumeSlowly": 1});
    assert_eq!(body(&groups)["subscriptionGroupTable"]["CG"], group);
    let mut clients = Raw::connect(cluster.namesrv.address()).await;
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"%RETRY%CG")]);
    clients.ask_until(route, |reply| reply.code == response::SUCCESS).await;
    cluster.stop().await;
}

/// A pull that relies on what the group's heartbeats said.
fn pull(topic: &str, sub_version: i64) -> Command {
    let fields = ext(&[
        ("consumerGroup", &"CG"),
        ("topic", &topic),
        ("queueId", &0),
        ("queueOffset", &0),
        ("maxMsgNums", &1),
        ("sysFlag", &0),
        ("commitOffset", &0),
        ("suspendTimeoutMillis", &0),
        ("subVersion", &sub_version),
    ]);
    ask_for(request::PULL_MESSAGE, &[]).with_ext(fields)
}

#[actix::test]
async fn a_pull_relies_on_what_the_last_heartbeat_said() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let faq = "\nSee http://rocketmq.apache.org/docs/faq/ for further details.";
    let offline = format!("the consumer's group info not exist{faq}");
    is_refused(&mut client, pull("BenchmarkTest", 0), response::SUBSCRIPTION_NOT_EXIST, &offline).await;
    succeeds(&mut client, heartbeat("c", &[], &[consumes("CG", &["BenchmarkTest"])])).await;
    let empty = client.ask(pull("BenchmarkTest", 1_700_000_000_000)).await;
    assert_eq!((empty.code, empty.remark.as_deref()), (response::PULL_NOT_FOUND, Some("NO_MESSAGE_IN_QUEUE")));
    let unwanted = format!("the consumer's subscription not exist{faq}");
    is_refused(&mut client, pull("TBW102", 0), response::SUBSCRIPTION_NOT_EXIST, &unwanted).await;
    let newer = pull("BenchmarkTest", 1_700_000_000_001);
    is_refused(&mut client, newer, response::SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest").await;
    succeeds(&mut client, ask_for(request::UNREGISTER_CLIENT, &[("clientID", &"c"), ("consumerGroup", &"CG")])).await;
    is_refused(&mut client, pull("BenchmarkTest", 0), response::SUBSCRIPTION_NOT_EXIST, &offline).await;
    cluster.stop().await;
}

/// The client pulls from it as soon as the heartbeat is answered.
#[actix::test]
async fn a_heartbeat_is_answered_when_its_retry_topics_are_there() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..20 {
        let groups = [format!("CG{number}"), format!("CH{number}")];
        let consumers = groups.each_ref().map(|group| consumes(group, &["T"]));
        succeeds(&mut client, heartbeat("me", &[], &consumers)).await;
        for group in groups {
            let reply = client.ask(pull_from(&format!("%RETRY%{group}"), 0, 0, 1)).await;
            assert_eq!(reply.code, response::PULL_NOT_FOUND, "{reply:?}");
        }
    }
    cluster.stop().await;
}

#[actix::test]
async fn a_heartbeat_of_megabytes_is_refused_and_ends_nothing() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let of_bytes =
        |bytes: usize| ask_for(request::HEART_BEAT, &[]).with_body(format!("{{}}{}", " ".repeat(bytes - 2)).into());
    succeeds(&mut client, of_bytes(4 << 20)).await;
    let text = "the heartbeat cannot be read: it has 4194305 bytes, at most 4194304 are taken";
    is_refused(&mut client, of_bytes((4 << 20) + 1), response::SYSTEM_ERROR, text).await;
    succeeds(&mut client, heartbeat("j", &["PG"], &[])).await;
    cluster.stop().await;
}

#[actix::test]
async fn a_heartbeat_that_cannot_be_read_is_told_so_and_the_connection_goes_on() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for body in ["", "{", "5", r#"{"consumerDataSet":7}"#] {
        let reply = client.ask(ask_for(request::HEART_BEAT, &[]).with_body(body.into())).await;
        assert_eq!(reply.code, response::SYSTEM_ERROR, "{body:?}");
        let remark = reply.remark.unwrap_or_default();
        assert!(remark.starts_with("the heartbeat cannot be read: "), "{body:?}: {remark}");
    }
    succeeds(&mut client, heartbeat("j", &["PG"], &[])).await;
    cluster.stop().await;
}
