//! Requests that this broker cannot carry out are told so, and leave no trace.

use std::fmt::Display;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message::encode_batch_item;
use serde_json::Value;

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, ext, pull_from, send_to, with};
use crate::support::Cluster;

/// Everything that the broker keeps, but for the time.
async fn state(client: &mut Raw) -> Vec<Value> {
    let mut state = Vec::new();
    for code in [
        request::GET_ALL_TOPIC_CONFIG,
        request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
        request::GET_ALL_CONSUMER_OFFSET,
        request::GET_BROKER_RUNTIME_INFO,
    ] {
        let mut part = body(&succeeds(client, ask_for(code, &[])).await);
        if let Some(table) = part.get_mut("table") {
            table["runtime"].take();
        }
        state.push(part);
    }
    state
}

async fn with_message(cluster: &Cluster) -> Raw {
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 0, "", "stored")).await.code, response::SUCCESS);
    assert_eq!(client.pull(pull_from("T", 0, 0, 1)).await.code, response::SUCCESS);
    let settled = |reply: &Command| body(reply)["table"]["dispatchBehindBytes"] == "0";
    client.ask_until(ask_for(request::GET_BROKER_RUNTIME_INFO, &[]), settled).await;
    client
}

/// What is neither delivered later nor a half message that ends would be lost in silence, or delivered at once.
#[actix::test]
async fn messages_that_would_be_lost_or_come_too_soon_are_not_taken() {
    let cluster = Cluster::start().await;
    let mut client = with_message(&cluster).await;
    let before = state(&mut client).await;
    let soon = client.ask(send_to("T", 0, "DELAY\u{1}soon", "x")).await;
    assert_eq!(soon.code, response::MESSAGE_ILLEGAL, "{soon:?}");
    assert!(soon.remark.is_some_and(|remark| remark.contains("DELAY")));
    for properties in ["DELAY\u{1}3", "DELAY\u{1}soon", "TRAN_MSG\u{1}TRUE"] {
        // What a client forgets to say of its batch counts all the same.
        let mut items = Vec::new();
        encode_batch_item(0, b"plain", "", &mut items).unwrap();
        encode_batch_item(0, b"hidden", properties, &mut items).unwrap();
        let batch = Command { code: request::SEND_BATCH_MESSAGE, ..send_to("T", 0, "", items) };
        let batch = client.ask(batch).await;
        assert_eq!(batch.code, response::MESSAGE_ILLEGAL, "{properties:?} in a batch: {batch:?}");
    }
    for transaction_type in [4, 12] {
        let half = client.ask(with(send_to("T", 0, "", "x"), "f", transaction_type)).await;
        assert_eq!(half.code, response::MESSAGE_ILLEGAL, "{transaction_type}: {half:?}");
    }
    assert_eq!(state(&mut client).await, before);
    cluster.stop().await;
}

fn pull_for(expression: &str, expression_type: &str) -> Command {
    let mut pull = pull_from("T", 0, 0, 1);
    let fields: [(&str, &dyn Display); 11] = [
        ("consumerGroup", &"CG"),
        ("topic", &"T"),
        ("queueId", &0),
        ("queueOffset", &0),
        ("maxMsgNums", &1),
        // The subscription and an offset to be stored, which is not.
        ("sysFlag", &(4 + 1)),
        ("commitOffset", &1),
        ("suspendTimeoutMillis", &0),
        ("subscription", &expression),
        ("subVersion", &0),
        ("expressionType", &expression_type),
    ];
    pull.ext = ext(&fields);
    pull
}

#[actix::test]
async fn expressions_that_cannot_be_read_are_refused_before_anything_is_committed() {
    let cluster = Cluster::start().await;
    let mut client = with_message(&cluster).await;
    let before = state(&mut client).await;
    let unreadable = "parse the consumer's subscription failed";
    for expression in ["||", "||||"] {
        let pull = pull_for(expression, "TAG");
        is_refused(&mut client, pull, response::SUBSCRIPTION_PARSE_FAILED, unreadable).await;
    }
    let sql = "The broker does not support consumer to filter message by SQL92";
    is_refused(&mut client, pull_for("a > 5", "SQL92"), response::SYSTEM_ERROR, sql).await;
    assert_eq!(state(&mut client).await, before);
    // Separators around a tag are none of the tag's business.
    let reply = client.ask(pull_for("||A||", "TAG")).await;
    assert_eq!(reply.code, response::PULL_RETRY_IMMEDIATELY, "{reply:?}");
    cluster.stop().await;
}
