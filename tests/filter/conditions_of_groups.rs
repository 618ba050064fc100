//! A group's condition comes with its heartbeat, is what its pulls are filtered by, and is kept in `consumerFilter.json`.

use ferromq::protocol::body::lenient;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message;
use serde_json::{Value, json};

use crate::by_properties::enabled;
use crate::messages::{bodies, lies_at};
use crate::raw::{Raw, ask_for, pull_from, send_to, with};
use crate::support::Cluster;

fn heartbeat(condition: &str, version: i64) -> Command {
    let wanted = json!({"topic": "T", "subString": condition, "expressionType": "SQL92", "subVersion": version});
    let group = json!({"groupName": "G", "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "subscriptionDataSet": [wanted]});
    let body = json!({"clientID": "c", "consumerDataSet": [group], "producerDataSet": []});
    ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())
}

/// A pull that relies on the heartbeat.
fn pull(version: i64) -> Command {
    with(with(with(pull_from("T", 0, 0, 32), "consumerGroup", "G"), "sysFlag", 0), "subVersion", version)
}

async fn beats(client: &mut Raw, condition: &str, version: i64) {
    let reply = client.ask(heartbeat(condition, version)).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
}

async fn gets(client: &mut Raw, version: i64) -> Vec<String> {
    let reply = client.pull(pull(version)).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    bodies(&message::decode_all(reply.body).unwrap())
}

#[actix::test]
async fn pulls_are_filtered_by_the_newest_condition() {
    let cluster = Cluster::start_with(enabled).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..4 {
        lies_at(&client.ask(send_to("T", 0, &format!("a\u{1}{number}"), number.to_string())).await);
    }
    client.ask_until(pull_from("T", 0, 3, 1), |reply| reply.code == response::SUCCESS).await;
    beats(&mut client, "a > 1", 5).await;
    assert_eq!(gets(&mut client, 5).await, ["2", "3"]);
    beats(&mut client, "a < 1", 6).await;
    assert_eq!(gets(&mut client, 6).await, ["0"]);
    // A client that was restarted later than the others does not take it back.
    beats(&mut client, "a > 1", 5).await;
    assert_eq!(gets(&mut client, 6).await, ["0"]);
    let newer = client.ask(pull(7)).await;
    assert_eq!(newer.code, response::SUBSCRIPTION_NOT_LATEST, "{newer:?}");
    beats(&mut client, "a >", 8).await;
    let wrong = client.ask(pull(8)).await;
    let text = "The broker's consumer filter data is not exist!Your expression may be wrong!";
    assert_eq!((wrong.code, wrong.remark.as_deref()), (response::FILTER_DATA_NOT_EXIST, Some(text)));
    let directory = cluster.stop().await;
    let file = std::fs::read(directory.path().join("store/config/consumerFilter.json")).unwrap();
    assert_eq!(lenient::read::<Value>(&file).unwrap()["filterDataByTopic"], json!({}));
}

#[actix::test]
async fn the_file_says_when_the_group_has_left() {
    let cluster = Cluster::start_with(enabled).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    beats(&mut client, "a > 5 AND b = 'x'", 5).await;
    drop(client);
    let mut other = Raw::connect(cluster.broker.address()).await;
    let gone = |reply: &Command| reply.code == response::CONSUMER_NOT_ONLINE;
    other.ask_until(ask_for(request::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", &"G")]), gone).await;
    let directory = cluster.stop().await;
    let file = std::fs::read(directory.path().join("store/config/consumerFilter.json")).unwrap();
    let kept = &lenient::read::<Value>(&file).unwrap()["filterDataByTopic"]["T"]["groupFilterData"]["G"];
    assert_eq!(
        (&kept["expression"], &kept["clientVersion"], &kept["dead"]),
        (&json!("a > 5 AND b = 'x'"), &json!(5), &json!(true))
    );
    assert_eq!(kept["bloomFilterData"]["bitNum"], 112);
}

#[actix::test]
async fn a_broker_that_does_not_filter_so_says_so() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    lies_at(&client.ask(send_to("T", 0, "", "x")).await);
    beats(&mut client, "a > 1", 5).await;
    let reply = client.ask(pull(5)).await;
    let text = "The broker does not support consumer to filter message by SQL92";
    assert_eq!((reply.code, reply.remark.as_deref()), (response::SYSTEM_ERROR, Some(text)));
    cluster.stop().await;
}

/// Filtering by uploaded classes is declared by RocketMQ and served by no broker of it.
#[actix::test]
async fn classes_as_filters_are_refused_as_by_the_reference() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for code in [request::REGISTER_FILTER_SERVER, request::REGISTER_MESSAGE_FILTER_CLASS] {
        let refused = client.ask(ask_for(code, &[])).await;
        let text = format!(" request type {code} not supported");
        assert_eq!((refused.code, refused.remark), (response::REQUEST_CODE_NOT_SUPPORTED, Some(text)));
    }
    cluster.stop().await;
}
