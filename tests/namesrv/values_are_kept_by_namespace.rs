//! PUT_KV_CONFIG, GET_KV_CONFIG, DELETE_KV_CONFIG and GET_KVLIST_BY_NAMESPACE, and the file that outlives the process.
//!
//! # Source
//! The name server of RocketMQ 4.9.7 was asked the same: codes, texts, values and files are those that it gave (measured),
//! but for what cannot be written or answered, of which docs/differences.md tells.

use std::fs;
use std::path::Path;

use ferromq::actors::namesrv::Namesrv;
use ferromq::namesrv::kv_config::TABLE_BYTES_MAX;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use serde_json::json;

use crate::by_hand::{Alone, MASTER_A, body, brokers, is_refused, options_in, succeeds};
use crate::raw::{Raw, ask_for};

/// Nearly what a header may have.
const LONG: usize = 1_900_000;

fn put(namespace: &str, key: &str, value: &str) -> Command {
    ask_for(request::PUT_KV_CONFIG, &[("namespace", &namespace), ("key", &key), ("value", &value)])
}

fn get(namespace: &str, key: &str) -> Command {
    ask_for(request::GET_KV_CONFIG, &[("namespace", &namespace), ("key", &key)])
}

fn delete(namespace: &str, key: &str) -> Command {
    ask_for(request::DELETE_KV_CONFIG, &[("namespace", &namespace), ("key", &key)])
}

fn list(namespace: &str) -> Command {
    ask_for(request::GET_KVLIST_BY_NAMESPACE, &[("namespace", &namespace)])
}

/// Checks a value, or that there is none.
async fn holds(tool: &mut Raw, namespace: &str, key: &str, value: Option<&str>) {
    if value.is_none() {
        let text = format!("No config item, Namespace: {namespace} Key: {key}");
        return is_refused(tool, get(namespace, key), response::QUERY_NOT_FOUND, &text).await;
    }
    let reply = succeeds(tool, get(namespace, key)).await;
    assert!(reply.ext.get("value").as_deref() == value, "{namespace} {key}");
}

/// Checks all of a namespace, or that there is none.
async fn lists(tool: &mut Raw, namespace: &str, table: Option<serde_json::Value>) {
    match table {
        Some(table) => assert_eq!(body(&succeeds(tool, list(namespace)).await), json!({ "table": table })),
        None => {
            let text = format!("No config item, Namespace: {namespace}");
            is_refused(tool, list(namespace), response::QUERY_NOT_FOUND, &text).await;
        }
    }
}

fn file_in(directory: &Path) -> String {
    fs::read_to_string(directory.join("kvConfig.json")).unwrap()
}

#[actix::test]
async fn what_is_put_is_found_listed_deleted_and_in_the_file_before_it_is_acknowledged() {
    let alone = Alone::start().await;
    let (mut tool, directory) = (alone.connect().await, alone.directory.path().to_owned());
    holds(&mut tool, "x", "y", None).await;
    lists(&mut tool, "x", None).await;
    assert!(!directory.join("kvConfig.json").exists(), "nobody has changed anything");
    succeeds(&mut tool, delete("x", "y")).await;
    assert_eq!(file_in(&directory), r#"{"configTable":{}}"#);
    for value in ["v", "v", "w \"q\" \n é 😀 <>&/"] {
        succeeds(&mut tool, put("ns", "k", value)).await;
        assert_eq!(file_in(&directory), json!({"configTable": {"ns": {"k": value}}}).to_string());
        holds(&mut tool, "ns", "k", Some(value)).await;
        lists(&mut tool, "ns", Some(json!({ "k": value }))).await;
    }
    holds(&mut tool, "ns", "z", None).await;
    holds(&mut tool, "k", "ns", None).await;
    succeeds(&mut tool, delete("ns", "z")).await;
    succeeds(&mut tool, put("ns", "z", "last")).await;
    for (key, left) in [("k", json!({"z": "last"})), ("k", json!({"z": "last"})), ("z", json!({}))] {
        succeeds(&mut tool, delete("ns", key)).await;
        holds(&mut tool, "ns", key, None).await;
        assert_eq!(file_in(&directory), json!({"configTable": {"ns": left}}).to_string());
        lists(&mut tool, "ns", Some(left)).await;
    }
    alone.stop().await;
}

#[actix::test]
async fn a_name_or_a_value_may_be_empty() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    for (namespace, key, value) in [("", "k", "v"), ("n", "", "v"), ("n", "k", "")] {
        succeeds(&mut tool, put(namespace, key, value)).await;
        holds(&mut tool, namespace, key, Some(value)).await;
    }
    lists(&mut tool, "", Some(json!({"k": "v"}))).await;
    lists(&mut tool, "n", Some(json!({"": "v", "k": ""}))).await;
    holds(&mut tool, "", "", None).await;
    succeeds(&mut tool, delete("n", "")).await;
    lists(&mut tool, "n", Some(json!({"k": ""}))).await;
    alone.stop().await;
}

#[actix::test]
async fn values_outlive_the_process() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    succeeds(&mut tool, put("ns", "k", "v")).await;
    succeeds(&mut tool, put("ns", "gone", "v")).await;
    succeeds(&mut tool, delete("ns", "gone")).await;
    // Who asks for no answer is heard all the same.
    let one_way = Command { flag: 2, ..put("one way", "k", "v") };
    tool.send_as(one_way, Serialization::Json).await;
    holds(&mut tool, "one way", "k", Some("v")).await;
    let directory = alone.stop().await;
    let again = Namesrv::builder(options_in(directory.path())).start().await.unwrap();
    let mut tool = Raw::connect(again.address()).await;
    lists(&mut tool, "ns", Some(json!({"k": "v"}))).await;
    lists(&mut tool, "one way", Some(json!({"k": "v"}))).await;
    again.stop().await;
}

/// The reference answers success, and forgets the value with the process.
#[actix::test]
async fn what_cannot_be_written_is_not_kept_and_its_tool_is_told() {
    let alone = Alone::start().await;
    let (mut tool, directory) = (alone.connect().await, alone.directory.path().to_owned());
    succeeds(&mut tool, put("ns", "k", "v")).await;
    let file = directory.join("kvConfig.json");
    fs::remove_file(&file).unwrap();
    // A directory in its place is no file that could be replaced.
    fs::create_dir(&file).unwrap();
    for change in [put("ns", "k", "w"), put("ns", "l", "w"), put("new", "k", "w"), delete("ns", "k")] {
        let reply = tool.ask(change).await;
        assert_eq!(reply.code, response::SYSTEM_ERROR, "{reply:?}");
        assert!(reply.remark.as_deref().is_some_and(|remark| remark.contains("kvConfig.json")), "{reply:?}");
    }
    lists(&mut tool, "ns", Some(json!({"k": "v"}))).await;
    lists(&mut tool, "new", None).await;
    fs::remove_dir(&file).unwrap();
    // A value that is there is written too: the file may say anything now.
    succeeds(&mut tool, put("ns", "k", "v")).await;
    assert_eq!(file_in(&directory), r#"{"configTable":{"ns":{"k":"v"}}}"#);
    alone.stop().await;
}

#[actix::test]
async fn megabytes_are_kept_as_long_as_they_fit_an_answer() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    let long = "x".repeat(LONG);
    let fit = TABLE_BYTES_MAX / LONG;
    for key in 0..fit {
        succeeds(&mut tool, put("ORDER_TOPIC_CONFIG", &key.to_string(), &long)).await;
    }
    holds(&mut tool, "ORDER_TOPIC_CONFIG", "0", Some(&long)).await;
    holds(&mut tool, &long, "k", None).await;
    let before = file_in(alone.directory.path());
    let refused = tool.ask(put("ns", "k", &long)).await;
    let bytes = before.len() + LONG + r#","ns":{"k":""}"#.len();
    let text = format!(
        "the key-value table would have {bytes} bytes, {TABLE_BYTES_MAX} at most are kept: delete some of it first"
    );
    assert_eq!((refused.code, refused.remark), (response::SYSTEM_ERROR, Some(text)));
    lists(&mut tool, "ns", None).await;
    assert!(file_in(alone.directory.path()) == before, "nothing was written");
    // The table goes to every broker that registers.
    let registered = succeeds(&mut tool, MASTER_A.holds(1, &[("T", 4)])).await;
    assert_eq!(body(&registered)["table"].as_object().unwrap().len(), fit);
    assert_eq!(brokers(&mut tool).await, json!({"a": {"0": MASTER_A.address}}));
    succeeds(&mut tool, delete("ORDER_TOPIC_CONFIG", "0")).await;
    succeeds(&mut tool, put("ns", "k", &long)).await;
    alone.stop().await;
}
