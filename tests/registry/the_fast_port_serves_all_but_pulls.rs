//! The port two below: for producers, tools and slaves, whom no pull may hold up.

use ferromq::actors::{client_actor, group_actor, offset_actor, topic_actor};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;

use crate::fast_port::with_fast_port;
use crate::member::{Member, is_refused, succeeds};
use crate::raw::{Raw, ask_for, pull_from, send_to};

/// No code of 4.9.7, and none of those of 5.x that are served, is as high.
const CODES_MAX: i32 = 1_100;

#[actix::test]
async fn every_code_but_those_of_pulls_is_answered_alike() {
    let (cluster, fast) = with_fast_port().await;
    let (mut fast, mut main) = (Raw::connect(fast).await, Raw::connect(cluster.broker.address()).await);
    let mut supported = Vec::new();
    for code in 0..CODES_MAX {
        let expected = main.ask(ask_for(code, &[])).await;
        if [request::PULL_MESSAGE, request::LITE_PULL_MESSAGE].contains(&code) {
            assert_eq!(expected.code, response::SYSTEM_ERROR, "a field is missing: {expected:?}");
            let text = format!(" request type {code} not supported");
            is_refused(&mut fast, ask_for(code, &[]), response::REQUEST_CODE_NOT_SUPPORTED, &text).await;
            continue;
        }
        let told = fast.ask(ask_for(code, &[])).await;
        assert_eq!((told.code, &told.remark), (expected.code, &expected.remark), "{code}");
        if told.code != response::REQUEST_CODE_NOT_SUPPORTED {
            supported.push(code);
        }
    }
    let served = [
        client_actor::CODES.as_slice(),
        &offset_actor::CODES,
        &topic_actor::CODES,
        &group_actor::CODES,
        &[request::SEND_MESSAGE, request::SEND_MESSAGE_V2, request::SEND_BATCH_MESSAGE],
        &[request::GET_BROKER_CONFIG, request::GET_BROKER_RUNTIME_INFO, request::VIEW_MESSAGE_BY_ID],
        &[request::GET_MAX_OFFSET, request::GET_MIN_OFFSET, request::SEARCH_OFFSET_BY_TIMESTAMP],
        &[request::GET_EARLIEST_MSG_STORETIME, request::GET_TOPIC_STATS_INFO],
    ];
    let missing: Vec<_> = served.concat().into_iter().filter(|code| !supported.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    cluster.stop().await;
}

#[actix::test]
async fn what_is_sent_there_is_pulled_on_the_other_port() {
    let (cluster, fast) = with_fast_port().await;
    let (mut fast, mut main) = (Raw::connect(fast).await, Raw::connect(cluster.broker.address()).await);
    let sent = fast.ask(send_to("T", 0, "", "x")).await;
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    let pull = pull_from("T", 0, 0, 1);
    for code in [request::PULL_MESSAGE, request::LITE_PULL_MESSAGE] {
        let text = format!(" request type {code} not supported");
        let pull = Command { code, ..pull.clone() };
        is_refused(&mut fast, pull, response::REQUEST_CODE_NOT_SUPPORTED, &text).await;
    }
    assert_eq!(main.pull(pull).await.code, response::SUCCESS);
    // Message ids lead to the port that serves everything.
    let id = sent.ext.get("msgId").unwrap();
    let port = u16::from_str_radix(&id[12..16], 16).unwrap();
    assert_eq!(port, cluster.broker.address().port());
    cluster.stop().await;
}

#[actix::test]
async fn clients_on_either_port_are_members_of_the_same_groups() {
    let (cluster, fast) = with_fast_port().await;
    let mut first = Member::join(fast, "first", "CG").await;
    first.has_heard(&["CG"]).await;
    let second = Member::join(cluster.broker.address(), "second", "CG").await;
    first.is_told_of(&["CG"]).await;
    drop(second);
    first.is_told_of(&["CG"]).await;
    let commit = ask_for(
        request::UPDATE_CONSUMER_OFFSET,
        &[("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0), ("commitOffset", &7)],
    );
    succeeds(&mut Raw::connect(fast).await, commit).await;
    let query = ask_for(request::QUERY_CONSUMER_OFFSET, &[("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0)]);
    let stored = succeeds(&mut Raw::connect(cluster.broker.address()).await, query).await;
    assert_eq!(stored.ext.int64("offset").unwrap(), 7);
    cluster.stop().await;
}
