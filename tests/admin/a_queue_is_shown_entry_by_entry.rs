//! QUERY_CONSUME_QUEUE.

use std::fmt::Display;

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::config::FilterSettings;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::{Value, json};

use crate::consumer::{
    Consumer, VERSION, body, is_refused, needs_its_fields, subscription, succeeds, tool, with_messages, with_topic,
};
use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

fn page(index: i64, count: i32, besides: &[(&str, &dyn Display)]) -> Command {
    let fields: [(&str, &dyn Display); 4] = [("topic", &"A"), ("queueId", &0), ("index", &index), ("count", &count)];
    ask_for(request::QUERY_CONSUME_QUEUE, &[&fields[..], besides].concat())
}

/// What is told of queue 0 of topic A, which has three entries.
fn told(entries: &[Value]) -> Value {
    json!({"maxQueueIndex": 3, "minQueueIndex": 0, "queueData": entries})
}

async fn with_queue(cluster: &Cluster) -> (Raw, [Value; 3]) {
    let mut tool = tool(cluster).await;
    with_topic(&mut tool, "A", 2, 2).await;
    with_messages(&mut tool, "A", 0, 2).await;
    let tagged = tool.ask(send_to("A", 0, "TAGS\u{1}TagA", "message 2")).await;
    assert_eq!(tagged.code, response::SUCCESS, "{tagged:?}");
    let max = ask_for(request::GET_MAX_OFFSET, &[("topic", &"A"), ("queueId", &0)]);
    tool.ask_until(max, |reply| reply.ext.int64("offset").unwrap() == 3).await;
    let record = (91 + "message 0".len() + "A".len() + "CLUSTER\u{1}DefaultCluster".len()) as i64;
    let tag = "TAGS\u{1}TagA\u{2}".len() as i64;
    let entry =
        |at: i64, size: i64, tag: i64| json!({"eval": false, "physicOffset": at, "physicSize": size, "tagsCode": tag});
    // The hash that Java gives to "TagA".
    let entries = [entry(0, record, 0), entry(record, record, 0), entry(2 * record, record + tag, 2_598_919)];
    (tool, entries)
}

#[actix::test]
async fn from_any_entry_on_as_many_as_are_wanted() {
    let cluster = Cluster::start().await;
    let (mut tool, entries) = with_queue(&cluster).await;
    for (index, count, expected) in [(0, 2, &entries[..2]), (1, i32::MAX, &entries[1..]), (2, 0, &[]), (0, -3, &[])] {
        assert_eq!(body(&succeeds(&mut tool, page(index, count, &[])).await), told(expected), "{index} {count}");
    }
    for index in [-1, 3, 99, i64::MAX, i64::MIN] {
        let reply = tool.ask(page(index, 2, &[])).await;
        let text = format!("Index {index} of 0@A is not exist!");
        assert_eq!((reply.code, reply.remark.as_deref()), (response::SUCCESS, Some(&*text)), "{reply:?}");
        assert!(reply.body.is_empty(), "{reply:?}");
    }
    for (topic, queue_id) in [("A", 1), ("A", 7), ("A", -1), ("none", 0), ("a b", 0)] {
        let asked = ask_for(request::QUERY_CONSUME_QUEUE, &[("topic", &topic), ("queueId", &queue_id), ("count", &1)]);
        let text = format!("{queue_id}@{topic} is not exist!");
        is_refused(&mut tool, asked, response::SYSTEM_ERROR, &text).await;
    }
    let bare = ask_for(request::QUERY_CONSUME_QUEUE, &[("topic", &"A"), ("count", &1)]);
    assert_eq!(body(&succeeds(&mut tool, bare).await), told(&entries[..1]));
    needs_its_fields(&mut tool, request::QUERY_CONSUME_QUEUE, &[("topic", &"A")]).await;
    cluster.stop().await;
}

#[actix::test]
async fn with_what_a_group_wants_of_it() {
    let cluster = Cluster::start_with(|options| {
        let filters = FilterSettings { enabled: true, ..options.filters };
        BrokerOptions { filters, ..options }
    })
    .await;
    let (mut tool, entries) = with_queue(&cluster).await;
    let of_group = |group: &'static str| page(0, 1, &[("consumerGroup", &group)]);
    let away = body(&succeeds(&mut tool, of_group("nobody")).await);
    assert_eq!((&away["filterData"], away.get("subscriptionData")), (&json!("nobody@A is not online!"), None));
    assert_eq!(away["queueData"], json!(entries[..1]));
    let by_tag = subscription("A", "*", "TAG");
    let address = cluster.broker.address();
    let _by_tag = Consumer::join_with(address, "c", "CG", std::slice::from_ref(&by_tag), VERSION).await;
    let online = body(&succeeds(&mut tool, of_group("CG")).await);
    assert_eq!((&online["filterData"], &online["subscriptionData"]), (&json!("null"), &by_tag));
    let by_condition = subscription("A", "a > 1", "SQL92");
    let _by_condition = Consumer::join_with(address, "d", "SG", std::slice::from_ref(&by_condition), VERSION).await;
    let online = body(&succeeds(&mut tool, of_group("SG")).await);
    assert_eq!(online["subscriptionData"], by_condition);
    let filter: Value = serde_json::from_str(online["filterData"].as_str().unwrap()).unwrap();
    assert_eq!((&filter["expression"], &filter["consumerGroup"]), (&json!("a > 1"), &json!("SG")));
    cluster.stop().await;
}
