//! Routes become the same lists of queues as in the reference's client.

use ferromq::client::route::{Queue, publish_queues, subscribe_queues};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::{MASTER_ID, TopicRouteData};
use ferromq::protocol::body::topic_config::Permission;
use serde_json::Value;

fn fixture(path: &str) -> Value {
    let path = format!("{}/tests/fixtures/{path}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The route of a case: that of the first one, changed as the others say in words.
fn route_of(case: &Value) -> TopicRouteData {
    let text = fixture("body/body_route_legacy")["text"].as_str().unwrap().to_owned();
    let mut route = TopicRouteData::decode(text.as_bytes()).unwrap();
    route.order_topic_conf = case["orderTopicConf"].as_str().map(Into::into);
    match case["note"].as_str() {
        None => {}
        Some("broker-b has no master (id 0)") => {
            assert_eq!(route.broker_datas[1].broker_name, "broker-b");
            route.broker_datas[1].broker_addrs.remove(&MASTER_ID).unwrap();
        }
        Some("broker-a perm 4 (read only)") => {
            assert_eq!(route.queue_datas[0].broker_name, "broker-a");
            route.queue_datas[0].perm = Permission(4);
        }
        Some(other) => panic!("nothing is known of a route of which it is said: {other}"),
    }
    route
}

fn names(queues: &[Queue]) -> Value {
    queues.iter().map(|queue| format!("{}:{}", queue.broker_name, queue.id)).collect()
}

#[test]
fn as_the_reference_lists_them() {
    let fixture = fixture("wire/route_to_queues");
    let mut subscribed = 0;
    for case in fixture["cases"].as_array().unwrap() {
        let route = route_of(case);
        assert_eq!(names(&publish_queues(&route)), case["publishQueues"], "{case}");
        if let Some(wanted) = case.get("subscribeQueues") {
            assert_eq!(names(&subscribe_queues(&route)), *wanted, "{case}");
            subscribed += 1;
        }
    }
    assert!(subscribed > 0);
}
