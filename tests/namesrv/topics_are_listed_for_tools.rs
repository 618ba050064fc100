//! GET_TOPICS_BY_CLUSTER, GET_SYSTEM_TOPIC_LIST_FROM_NS and the three lists of topics of cross-unit deployments.
//!
//! # Source
//! The name server of RocketMQ 4.9.7 was asked the same and gave the same names (measured), in the order of their hashes.

use ferromq::protocol::codes::request;
use serde_json::{Value, json};

use crate::by_hand::{Alone, ELSEWHERE, Identity, MASTER_A, MASTER_B, SLAVE_A, body, succeeds};
use crate::raw::{Raw, ask_for};

const UNIT: i32 = 1;
const UNIT_SUBSCRIPTION: i32 = 2;

const UNIT_LISTS: [i32; 3] =
    [request::GET_UNIT_TOPIC_LIST, request::GET_HAS_UNIT_SUB_TOPIC_LIST, request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST];

/// Registers a broker with topics that have these flags.
async fn registers(client: &mut Raw, broker: Identity, flags: &[(&str, i32)]) {
    succeeds(client, broker.configures(1, "topicSysFlag", flags)).await;
}

async fn list(client: &mut Raw, code: i32) -> Value {
    body(&succeeds(client, ask_for(code, &[])).await)
}

async fn list_of(client: &mut Raw, cluster: &str) -> Value {
    body(&succeeds(client, ask_for(request::GET_TOPICS_BY_CLUSTER, &[("cluster", &cluster)])).await)
}

#[actix::test]
async fn topics_are_listed_by_cluster() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    registers(&mut tool, MASTER_A, &[("T", 0), ("OnlyA", 0)]).await;
    registers(&mut tool, SLAVE_A, &[("OfSlave", 0)]).await;
    registers(&mut tool, MASTER_B, &[("T", 0), ("OnlyB", 0)]).await;
    registers(&mut tool, ELSEWHERE, &[("T", 0), ("Far", 0)]).await;
    assert_eq!(list_of(&mut tool, "C").await, json!({"topicList": ["OnlyA", "OnlyB", "T"]}));
    assert_eq!(list_of(&mut tool, "D").await, json!({"topicList": ["Far", "T"]}));
    for nobody in ["none", "", "a"] {
        assert_eq!(list_of(&mut tool, nobody).await, json!({"topicList": []}), "{nobody}");
    }
    succeeds(&mut tool, ELSEWHERE.asks(request::UNREGISTER_BROKER)).await;
    assert_eq!(list_of(&mut tool, "D").await, json!({"topicList": []}));
    alone.stop().await;
}

#[actix::test]
async fn system_topics_are_the_names_of_clusters_and_brokers_and_one_broker_to_ask_for_more() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    assert_eq!(list(&mut tool, request::GET_SYSTEM_TOPIC_LIST_FROM_NS).await, json!({"topicList": []}));
    registers(&mut tool, ELSEWHERE, &[("T", 0)]).await;
    registers(&mut tool, MASTER_B, &[("T", 0)]).await;
    registers(&mut tool, SLAVE_A, &[]).await;
    registers(&mut tool, MASTER_A, &[("T", 0)]).await;
    // Of several brokers the first by name, of its set the master.
    let expected = json!({"brokerAddr": MASTER_A.address, "topicList": ["C", "D", "a", "b", "d"]});
    assert_eq!(list(&mut tool, request::GET_SYSTEM_TOPIC_LIST_FROM_NS).await, expected);
    alone.stop().await;
}

#[actix::test]
async fn topics_of_units_are_found_by_the_flags_of_the_first_broker_that_has_them() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    for code in UNIT_LISTS {
        assert_eq!(list(&mut tool, code).await, json!({"topicList": []}), "{code}");
    }
    let flags = [("Neither", 0), ("Unit", UNIT), ("Subscribed", UNIT_SUBSCRIPTION), ("Both", UNIT | UNIT_SUBSCRIPTION)];
    registers(&mut tool, MASTER_A, &flags).await;
    registers(&mut tool, MASTER_B, &[("Neither", UNIT | UNIT_SUBSCRIPTION), ("Both", 0)]).await;
    for (code, expected) in
        UNIT_LISTS.into_iter().zip([["Both", "Unit"].as_slice(), &["Both", "Subscribed"], &["Subscribed"]])
    {
        assert_eq!(list(&mut tool, code).await, json!({ "topicList": expected }), "{code}");
    }
    alone.stop().await;
}
