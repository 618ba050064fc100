//! Requests that this broker cannot carry out are told so, and leave no trace.

use std::fmt::Display;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::message::encode_batch_item;
use serde_json::Value;

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, ext, pull_from, send_to};
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

fn send_back() -> Command {
    let fields: [(&str, &dyn Display); 7] = [
        ("offset", &0),
        ("group", &"CG"),
        ("delayLevel", &0),
        ("originMsgId", &"id"),
        ("originTopic", &"T"),
        ("unitMode", &false),
        ("maxReconsumeTimes", &16),
    ];
    ask_for(request::CONSUMER_SEND_MSG_BACK, &fields)
}

fn end_transaction(commit_or_rollback: i32) -> Command {
    let fields: [(&str, &dyn Display); 6] = [
        ("producerGroup", &"PG"),
        ("tranStateTableOffset", &0),
        ("commitLogOffset", &0),
        ("commitOrRollback", &commit_or_rollback),
        ("fromTransactionCheck", &false),
        ("msgId", &"id"),
    ];
    ask_for(request::END_TRANSACTION, &fields)
}

#[actix::test]
async fn messages_are_not_sent_back_and_transactions_not_ended() {
    let cluster = Cluster::start().await;
    let mut client = with_message(&cluster).await;
    let before = state(&mut client).await;
    for command in [send_back(), end_transaction(8), end_transaction(12), end_transaction(0)] {
        let text = format!(" request type {} not supported", command.code);
        is_refused(&mut client, command.clone(), response::REQUEST_CODE_NOT_SUPPORTED, &text).await;
        // Producers end transactions without waiting for an answer.
        client.send_as(command.oneway(), Serialization::Json).await;
    }
    assert_eq!(state(&mut client).await, before);
    let bound = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
    assert_eq!(succeeds(&mut client, bound).await.ext.int64("offset").unwrap(), 1);
    cluster.stop().await;
}

/// A half message that can be neither committed nor rolled back would be lost in silence.
#[actix::test]
async fn half_and_delayed_messages_are_not_taken() {
    let cluster = Cluster::start().await;
    let mut client = with_message(&cluster).await;
    let before = state(&mut client).await;
    let half = client.ask(send_to("T", 0, "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG\u{2}", "half")).await;
    assert_eq!(half.code, response::NO_PERMISSION, "{half:?}");
    assert!(half.remark.is_some_and(|remark| remark.contains("transaction")));
    let delayed = client.ask(send_to("T", 0, "DELAY\u{1}3\u{2}", "delayed")).await;
    assert_eq!(delayed.code, response::MESSAGE_ILLEGAL, "{delayed:?}");
    assert!(delayed.remark.is_some_and(|remark| remark.contains("delay")));
    for (properties, code) in [
        ("DELAY\u{1}3", response::MESSAGE_ILLEGAL),
        ("DELAY\u{1}soon", response::MESSAGE_ILLEGAL),
        ("TRAN_MSG\u{1}TRUE", response::NO_PERMISSION),
    ] {
        let single = client.ask(send_to("T", 0, properties, "x")).await;
        assert_eq!(single.code, code, "{properties:?}: {single:?}");
        // What a client forgets to say of its batch counts all the same.
        let mut items = Vec::new();
        encode_batch_item(0, b"plain", "", &mut items).unwrap();
        encode_batch_item(0, b"hidden", properties, &mut items).unwrap();
        let batch = Command { code: request::SEND_BATCH_MESSAGE, ..send_to("T", 0, "", items) };
        let batch = client.ask(batch).await;
        assert_eq!(batch.code, code, "{properties:?} in a batch: {batch:?}");
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
