//! Brokers that say goodbye, and brokers whose connection ends.

use ferromq::protocol::codes::request;
use serde_json::json;

use crate::by_hand::{
    Alone, Identity, MASTER_A, MASTER_B, SLAVE_A, body, brokers, only_are_left, route, succeeds, topics,
};
use crate::raw::ask_for;

#[actix::test]
async fn a_goodbye_takes_one_broker_and_the_last_of_a_set_its_topics() {
    let alone = Alone::start().await;
    let mut client = alone.connect().await;
    succeeds(&mut client, MASTER_A.holds(1, &[("T", 4), ("OnlyA", 1)])).await;
    succeeds(&mut client, SLAVE_A.holds(1, &[])).await;
    succeeds(&mut client, MASTER_B.holds(1, &[("T", 2)])).await;
    succeeds(&mut client, MASTER_A.asks(request::UNREGISTER_BROKER)).await;
    assert_eq!(brokers(&mut client).await, json!({"a": {"1": SLAVE_A.address}, "b": {"0": MASTER_B.address}}));
    assert_eq!(topics(&mut client).await, json!(["OnlyA", "T"]), "a slave may still be read");
    succeeds(&mut client, SLAVE_A.asks(request::UNREGISTER_BROKER)).await;
    assert_eq!(brokers(&mut client).await, json!({"b": {"0": MASTER_B.address}}));
    assert_eq!(topics(&mut client).await, json!(["T"]));
    assert_eq!(route(&mut client, "OnlyA").await, None);
    let left = route(&mut client, "T").await.unwrap();
    assert_eq!(left["queueDatas"].as_array().unwrap().len(), 1, "{left}");
    // Who goes twice, or was never there, is nobody's concern.
    let nobody = Identity { cluster: "none", name: "none", address: "none", id: 7 };
    for gone in [SLAVE_A, nobody] {
        succeeds(&mut client, gone.asks(request::UNREGISTER_BROKER)).await;
    }
    succeeds(&mut client, MASTER_B.asks(request::UNREGISTER_BROKER)).await;
    let empty = succeeds(&mut client, ask_for(request::GET_BROKER_CLUSTER_INFO, &[])).await;
    assert_eq!(body(&empty), json!({"brokerAddrTable": {}, "clusterAddrTable": {}}), "no cluster without brokers");
    alone.stop().await;
}

#[actix::test]
async fn a_connection_that_ends_takes_its_brokers_along_at_once() {
    let alone = Alone::start().await;
    let (mut client, mut of_a, mut of_b) = (alone.connect().await, alone.connect().await, alone.connect().await);
    succeeds(&mut of_a, MASTER_A.holds(1, &[("T", 4), ("OnlyA", 1)])).await;
    succeeds(&mut of_b, MASTER_B.holds(1, &[("T", 2)])).await;
    succeeds(&mut of_b, SLAVE_A.holds(1, &[])).await;
    drop(of_b);
    only_are_left(&mut client, json!({"a": {"0": MASTER_A.address}})).await;
    assert_eq!(topics(&mut client).await, json!(["OnlyA", "T"]));
    // A connection that is replaced by a new one takes nobody along.
    let mut again = alone.connect().await;
    succeeds(&mut again, MASTER_A.holds(1, &[("T", 4), ("OnlyA", 1)])).await;
    succeeds(&mut of_a, MASTER_B.holds(1, &[("T", 2)])).await;
    drop(of_a);
    only_are_left(&mut client, json!({"a": {"0": MASTER_A.address}})).await;
    drop(again);
    only_are_left(&mut client, json!({})).await;
    assert_eq!(topics(&mut client).await, json!([]));
    alone.stop().await;
}
