//! WIPE_WRITE_PERM_OF_BROKER, ADD_WRITE_PERM_OF_BROKER and DELETE_TOPIC_IN_NAMESRV: until the broker registers a change.
//!
//! # Source
//! The name server of RocketMQ 4.9.7 was asked the same: every permission, number and list is what it gave (measured).

use std::fmt::Display;

use ferromq::protocol::codes::request;
use serde_json::{Value, json};

use crate::by_hand::{Alone, ELSEWHERE, Identity, MASTER_A, MASTER_B, brokers, route, succeeds, topics};
use crate::raw::{Raw, ask_for};

/// The permissions of a topic by broker; none when it has no route.
async fn permissions(client: &mut Raw, topic: &str) -> Vec<(String, i64)> {
    let Some(route) = route(client, topic).await else { return Vec::new() };
    let of = |queues: &Value| (queues["brokerName"].as_str().unwrap().to_owned(), queues["perm"].as_i64().unwrap());
    route["queueDatas"].as_array().unwrap().iter().map(of).collect()
}

fn of_each(permissions: &[(&str, i64)]) -> Vec<(String, i64)> {
    permissions.iter().map(|(broker, perm)| ((*broker).to_owned(), *perm)).collect()
}

/// Registers a broker with topics that have these permissions.
async fn registers(client: &mut Raw, broker: Identity, version: i64, permissions: &[(&str, i32)]) {
    succeeds(client, broker.configures(version, "perm", permissions)).await;
}

/// Changes the permission of a broker, which must have so many topics.
async fn changes(client: &mut Raw, code: i32, broker: &str, topics: i32) {
    let reply = succeeds(client, ask_for(code, &[("brokerName", &broker)])).await;
    let field = if code == request::WIPE_WRITE_PERM_OF_BROKER { "wipeTopicCount" } else { "addTopicCount" };
    let fields: Vec<_> = reply.ext.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
    assert_eq!(fields, [(field.to_owned(), topics.to_string())], "{broker}");
}

#[actix::test]
async fn write_permission_is_wiped_and_added_until_the_broker_registers_a_change() {
    const WIPE: i32 = request::WIPE_WRITE_PERM_OF_BROKER;
    const ADD: i32 = request::ADD_WRITE_PERM_OF_BROKER;
    let alone = Alone::start().await;
    let mut client = alone.connect().await;
    let of_a = [("T", 6), ("Read", 4), ("Write", 2), ("None", 0), ("Inherited", 7)];
    registers(&mut client, MASTER_A, 1, &of_a).await;
    registers(&mut client, MASTER_B, 1, &[("T", 6)]).await;
    // A cluster's name is no broker's.
    for nobody in ["nobody", "", "C"] {
        changes(&mut client, WIPE, nobody, 0).await;
        changes(&mut client, ADD, nobody, 0).await;
    }
    for _ in 0..2 {
        changes(&mut client, WIPE, "a", 5).await;
        assert_eq!(permissions(&mut client, "T").await, of_each(&[("a", 4), ("b", 6)]));
        for (topic, perm) in [("Read", 4), ("Write", 0), ("None", 0), ("Inherited", 5)] {
            assert_eq!(permissions(&mut client, topic).await, of_each(&[("a", perm)]), "{topic}");
        }
    }
    // Whatever it was before, it is to be read and written.
    changes(&mut client, ADD, "a", 5).await;
    for (topic, _) in of_a {
        assert_eq!(permissions(&mut client, topic).await[0], ("a".to_owned(), 6), "{topic}");
    }
    changes(&mut client, WIPE, "a", 5).await;
    registers(&mut client, MASTER_A, 1, &of_a).await;
    assert_eq!(permissions(&mut client, "T").await[0].1, 4, "nothing has changed at the broker");
    registers(&mut client, MASTER_A, 2, &[("T", 6)]).await;
    assert_eq!(permissions(&mut client, "T").await[0].1, 6);
    assert_eq!(permissions(&mut client, "Inherited").await[0].1, 4, "what the broker did not tell");
    alone.stop().await;
}

#[actix::test]
async fn a_route_is_deleted_in_one_cluster_or_everywhere_until_the_broker_registers_a_change() {
    let alone = Alone::start().await;
    let mut client = alone.connect().await;
    registers(&mut client, MASTER_A, 1, &[("T", 6), ("OnlyA", 6)]).await;
    registers(&mut client, MASTER_B, 1, &[("T", 6)]).await;
    registers(&mut client, ELSEWHERE, 1, &[("T", 6), ("Far", 6)]).await;
    let delete = |fields: &[(&str, &dyn Display)]| ask_for(request::DELETE_TOPIC_IN_NAMESRV, fields);
    for in_vain in [
        delete(&[("topic", &"T"), ("clusterName", &"none")]),
        delete(&[("topic", &"Far"), ("clusterName", &"C")]),
        delete(&[("topic", &"nobody's")]),
        delete(&[("topic", &"")]),
    ] {
        succeeds(&mut client, in_vain).await;
        assert_eq!(topics(&mut client).await, json!(["Far", "OnlyA", "T"]));
    }
    succeeds(&mut client, delete(&[("topic", &"T"), ("clusterName", &"C")])).await;
    assert_eq!(permissions(&mut client, "T").await, of_each(&[("d", 6)]));
    succeeds(&mut client, delete(&[("topic", &"Far"), ("clusterName", &"D")])).await;
    assert_eq!(topics(&mut client).await, json!(["OnlyA", "T"]), "nobody else has it");
    succeeds(&mut client, delete(&[("topic", &"T"), ("clusterName", &"")])).await;
    assert_eq!(route(&mut client, "T").await, None, "no cluster is every cluster");
    registers(&mut client, ELSEWHERE, 1, &[("T", 6)]).await;
    assert_eq!(topics(&mut client).await, json!(["OnlyA"]), "nothing has changed at the broker");
    registers(&mut client, ELSEWHERE, 2, &[("T", 6)]).await;
    succeeds(&mut client, delete(&[("topic", &"OnlyA")])).await;
    assert_eq!(topics(&mut client).await, json!(["T"]));
    let all = json!({"a": {"0": MASTER_A.address}, "b": {"0": MASTER_B.address}, "d": {"0": ELSEWHERE.address}});
    assert_eq!(brokers(&mut client).await, all, "brokers stay, with topics or without");
    alone.stop().await;
}
