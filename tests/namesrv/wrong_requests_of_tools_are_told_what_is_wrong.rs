//! Requests of tools that lack a field: nothing is done, and who asked is told.
//!
//! # Source
//! RocketMQ 4.9.7 was asked the same (measured). Where it answers with an error, code and text are its own; where it answers
//! success and does nothing, or stores what is not there, ours says what is missing.

use std::fmt::Display;

use ferromq::protocol::codes::{request, response};
use serde_json::json;

use crate::by_hand::{Alone, MASTER_A, is_refused, route, succeeds, topics};
use crate::raw::ask_for;

const FIELDS: [(&str, &dyn Display); 6] =
    [("namespace", &"n"), ("key", &"k"), ("value", &"v"), ("brokerName", &"a"), ("topic", &"T"), ("cluster", &"C")];

#[actix::test]
async fn fields_that_are_missing() {
    const ERROR: i32 = response::SYSTEM_ERROR;
    const NOT_FOUND: i32 = response::QUERY_NOT_FOUND;
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    succeeds(&mut tool, MASTER_A.holds(1, &[("T", 4)])).await;
    for (code, missing, told, remark) in [
        (request::PUT_KV_CONFIG, &["namespace", "key", "value"][..], ERROR, "namespace or key is null"),
        (request::PUT_KV_CONFIG, &["namespace"], ERROR, "namespace or key is null"),
        (request::PUT_KV_CONFIG, &["key"], ERROR, "namespace or key is null"),
        (request::PUT_KV_CONFIG, &["value"], ERROR, "the custom field <value> is null"),
        (request::GET_KV_CONFIG, &["namespace", "key"], NOT_FOUND, "No config item, Namespace: null Key: null"),
        (request::GET_KV_CONFIG, &["namespace"], NOT_FOUND, "No config item, Namespace: null Key: k"),
        (request::GET_KV_CONFIG, &["key"], NOT_FOUND, "No config item, Namespace: n Key: null"),
        (request::GET_KVLIST_BY_NAMESPACE, &["namespace"], NOT_FOUND, "No config item, Namespace: null"),
        (request::DELETE_KV_CONFIG, &["namespace"], ERROR, "the custom field <namespace> is null"),
        (request::DELETE_KV_CONFIG, &["key"], ERROR, "the custom field <key> is null"),
        (request::WIPE_WRITE_PERM_OF_BROKER, &["brokerName"], ERROR, "the custom field <brokerName> is null"),
        (request::ADD_WRITE_PERM_OF_BROKER, &["brokerName"], ERROR, "the custom field <brokerName> is null"),
        (request::DELETE_TOPIC_IN_NAMESRV, &["topic"], ERROR, "the custom field <topic> is null"),
        (request::GET_TOPICS_BY_CLUSTER, &["cluster"], ERROR, "the custom field <cluster> is null"),
    ] {
        let fields: Vec<_> = FIELDS.into_iter().filter(|(name, _)| !missing.contains(name)).collect();
        is_refused(&mut tool, ask_for(code, &fields), told, remark).await;
    }
    assert!(!alone.directory.path().join("kvConfig.json").exists(), "nothing was written");
    assert_eq!(topics(&mut tool).await, json!(["T"]));
    assert_eq!(route(&mut tool, "T").await.unwrap()["queueDatas"][0]["perm"], 6);
    // What is called "null" is something else than what has no name.
    let of_null = [("namespace", &"null" as &dyn Display), ("key", &"null"), ("value", &"v")];
    succeeds(&mut tool, ask_for(request::PUT_KV_CONFIG, &of_null)).await;
    let text = "No config item, Namespace: null Key: null";
    is_refused(&mut tool, ask_for(request::GET_KV_CONFIG, &[]), NOT_FOUND, text).await;
    is_refused(&mut tool, ask_for(request::GET_KVLIST_BY_NAMESPACE, &[]), NOT_FOUND, "No config item, Namespace: null")
        .await;
    alone.stop().await;
}
