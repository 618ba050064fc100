//! What clients and tools ask: GET_ROUTEINFO_BY_TOPIC, GET_BROKER_CLUSTER_INFO and the list of all topics.

use ferromq::protocol::codes::{request, response};
use serde_json::json;

use crate::by_hand::{
    Alone, ELSEWHERE, MASTER_A, MASTER_B, SLAVE_A, body, route, route_of, succeeds, topic_table, topics,
};
use crate::raw::{Raw, ask_for};

/// Two sets of one cluster, the first with a slave, and one of another cluster.
async fn with_four_brokers() -> (Alone, Raw) {
    let alone = Alone::start().await;
    let mut brokers = alone.connect().await;
    succeeds(&mut brokers, MASTER_A.holds(1, &[("T", 4), ("OnlyA", 1)])).await;
    succeeds(&mut brokers, SLAVE_A.holds(1, &[])).await;
    succeeds(&mut brokers, MASTER_B.holds(1, &[("T", 2)])).await;
    succeeds(&mut brokers, ELSEWHERE.holds(1, &[("Far", 3)])).await;
    (alone, brokers)
}

#[actix::test]
async fn a_route_has_every_broker_that_holds_the_topic() {
    let (alone, mut brokers) = with_four_brokers().await;
    let queues = |broker: &str, queues: u32| {
        json!({"brokerName": broker, "perm": 6, "readQueueNums": queues, "writeQueueNums": queues, "topicSysFlag": 0,
            "topicSynFlag": 0})
    };
    let set_a =
        json!({"brokerAddrs": {"0": MASTER_A.address, "1": SLAVE_A.address}, "brokerName": "a", "cluster": "C"});
    let set_b = json!({"brokerAddrs": {"0": MASTER_B.address}, "brokerName": "b", "cluster": "C"});
    let both = json!({"brokerDatas": [set_a, set_b], "filterServerTable": {},
        "queueDatas": [queues("a", 4), queues("b", 2)]});
    assert_eq!(route(&mut brokers, "T").await.unwrap(), both);
    let one = json!({"brokerDatas": [set_a], "filterServerTable": {}, "queueDatas": [queues("a", 1)]});
    assert_eq!(route(&mut brokers, "OnlyA").await.unwrap(), one);
    let nobody = brokers.ask(route_of("t")).await;
    let text = "No topic route info in name server for the topic: t\nSee http://rocketmq.apache.org/docs/faq/ for \
                further details.";
    assert_eq!((nobody.code, nobody.remark.as_deref()), (response::TOPIC_NOT_EXIST, Some(text)));
    assert!(nobody.body.is_empty());
    alone.stop().await;
}

#[actix::test]
async fn clusters_and_topics_are_listed() {
    let (alone, mut brokers) = with_four_brokers().await;
    let reply = succeeds(&mut brokers, ask_for(request::GET_BROKER_CLUSTER_INFO, &[])).await;
    let set = |cluster: &str, name: &str| json!({"cluster": cluster, "brokerName": name});
    let mut expected = json!({"brokerAddrTable": {"a": set("C", "a"), "b": set("C", "b"), "d": set("D", "d")},
        "clusterAddrTable": {"C": ["a", "b"], "D": ["d"]}});
    expected["brokerAddrTable"]["a"]["brokerAddrs"] = json!({"0": MASTER_A.address, "1": SLAVE_A.address});
    expected["brokerAddrTable"]["b"]["brokerAddrs"] = json!({"0": MASTER_B.address});
    expected["brokerAddrTable"]["d"]["brokerAddrs"] = json!({"0": ELSEWHERE.address});
    assert_eq!(body(&reply), expected);
    let reply = succeeds(&mut brokers, ask_for(request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[])).await;
    assert_eq!(body(&reply), json!({"topicList": ["Far", "OnlyA", "T"]}), "and no broker's address");
    alone.stop().await;
}

#[actix::test]
async fn nothing_is_there_before_anybody_registers() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    let reply = succeeds(&mut tool, ask_for(request::GET_BROKER_CLUSTER_INFO, &[])).await;
    assert_eq!(body(&reply), json!({"brokerAddrTable": {}, "clusterAddrTable": {}}));
    assert_eq!(topics(&mut tool).await, json!([]));
    assert_eq!(route(&mut tool, "TBW102").await, None);
    alone.stop().await;
}

#[actix::test]
async fn filter_servers_come_and_go_with_registrations() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    for servers in [json!(["127.0.0.1:7"]), json!([])] {
        let table = json!({"filterServerList": servers, "topicConfigSerializeWrapper": topic_table(1, &[("T", 1)])});
        succeeds(&mut broker, MASTER_A.registers(&[]).with_body(table.to_string().into())).await;
        let known = route(&mut broker, "T").await.unwrap()["filterServerTable"].clone();
        let expected = if servers == json!([]) { json!({}) } else { json!({MASTER_A.address: servers}) };
        assert_eq!(known, expected);
    }
    alone.stop().await;
}
