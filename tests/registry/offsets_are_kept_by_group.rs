//! How far groups have come: kept as they say, asked for by them and by slaves, and forgotten with the group or not.

use std::fmt::Display;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::pull::PullLimits;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::{Value, json};

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, send_to};
use crate::support::{Cluster, small};

const NOT_FOUND: &str = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first";

fn of_queue(topic: &str, group: &str, queue_id: i32, code: i32, besides: &[(&str, &dyn Display)]) -> Command {
    let fields: [(&str, &dyn Display); 3] = [("consumerGroup", &group), ("topic", &topic), ("queueId", &queue_id)];
    ask_for(code, &[&fields[..], besides].concat())
}

fn query(topic: &str, group: &str, queue_id: i32) -> Command {
    of_queue(topic, group, queue_id, request::QUERY_CONSUMER_OFFSET, &[])
}

fn commit(topic: &str, group: &str, queue_id: i32, offset: i64) -> Command {
    of_queue(topic, group, queue_id, request::UPDATE_CONSUMER_OFFSET, &[("commitOffset", &offset)])
}

async fn offset(client: &mut Raw, query: Command) -> i64 {
    succeeds(client, query).await.ext.int64("offset").unwrap()
}

/// The whole table, as a slave asks for it.
async fn table(client: &mut Raw) -> Value {
    body(&succeeds(client, ask_for(request::GET_ALL_CONSUMER_OFFSET, &[])).await)["offsetTable"].clone()
}

#[actix::test]
async fn offsets_are_taken_as_they_are_given_and_outlive_a_restart() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(table(&mut client).await, json!({}));
    // Back and forth, in queues and topics that nobody has.
    for (topic, queue_id, given) in [("T", 0, 7), ("T", 0, 3), ("T", 99, i64::MAX), ("none", 0, 1), ("T", 1, -1)] {
        succeeds(&mut client, commit(topic, "CG", queue_id, given)).await;
        // A negative one is kept, but no answer: the group begins where one without an offset does.
        assert_eq!(offset(&mut client, query(topic, "CG", queue_id)).await, given.max(0), "{topic} {queue_id}");
    }
    succeeds(&mut client, commit("T", "CH", 0, 5)).await;
    let expected = json!({"T@CG": {"0": 3, "1": -1, "99": i64::MAX}, "T@CH": {"0": 5}, "none@CG": {"0": 1}});
    assert_eq!(table(&mut client).await, expected);
    let directory = cluster.stop().await;
    let broker = Broker::builder(small(&directory)).start().await.unwrap();
    assert_eq!(table(&mut Raw::connect(broker.address()).await).await, expected);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn what_lacks_a_field_stores_nothing() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let without = of_queue("T", "CG", 0, request::UPDATE_CONSUMER_OFFSET, &[]);
    is_refused(&mut client, without, response::SYSTEM_ERROR, "the custom field <commitOffset> is null").await;
    let nameless = ask_for(request::QUERY_CONSUMER_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
    is_refused(&mut client, nameless, response::SYSTEM_ERROR, "the custom field <consumerGroup> is null").await;
    assert_eq!(table(&mut client).await, json!({}));
    cluster.stop().await;
}

/// A group that has stored nothing reads a young queue from its beginning; in an old one it follows its own settings.
#[actix::test]
async fn a_new_group_begins_at_zero_only_while_the_first_message_is_young() {
    const MEMORY_BYTES: u64 = 8 * 1024;
    let cluster = Cluster::start_with(|options| {
        let pull_limits = PullLimits { memory_bytes: MEMORY_BYTES, ..options.pull_limits };
        BrokerOptions { pull_limits, ..options }
    })
    .await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let mut logged = 0;
    let mut count = 0;
    while logged <= MEMORY_BYTES as i64 {
        assert_eq!(offset(&mut client, query("T", "New", 0)).await, 0, "the log ends at {logged}");
        succeeds_to_send(&mut client, 0).await;
        count += 1;
        let bound = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
        client.ask_until(bound, |reply| reply.ext.int64("offset").unwrap() == count).await;
        logged = log_end(&mut client).await;
    }
    is_refused(&mut client, query("T", "New", 0), response::QUERY_NOT_FOUND, NOT_FOUND).await;
    // Of the queues beside it one is empty and one has just been begun.
    succeeds_to_send(&mut client, 1).await;
    let bound = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &1)]);
    client.ask_until(bound, |reply| reply.ext.int64("offset").unwrap() == 1).await;
    assert_eq!(offset(&mut client, query("T", "New", 1)).await, 0);
    assert_eq!(offset(&mut client, query("T", "New", 2)).await, 0);
    // A stored offset is told whatever is old.
    succeeds(&mut client, commit("T", "New", 0, 2)).await;
    assert_eq!(offset(&mut client, query("T", "New", 0)).await, 2);
    cluster.stop().await;
}

async fn succeeds_to_send(client: &mut Raw, queue_id: i32) {
    let reply = client.ask(send_to("T", queue_id, "", vec![7; 1024])).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
}

async fn log_end(client: &mut Raw) -> i64 {
    let info = body(&succeeds(client, ask_for(request::GET_BROKER_RUNTIME_INFO, &[])).await);
    info["table"]["commitLogMaxOffset"].as_str().unwrap().parse().unwrap()
}

#[actix::test]
async fn a_group_is_deleted_with_its_offsets_only_when_that_is_asked_for() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let cases = [
        (&[][..], true),
        (&[("removeOffset", false)], true),
        (&[("cleanOffset", false)], true),
        (&[("removeOffset", true)], false),
        // Clients of 5.x have another name for it.
        (&[("cleanOffset", true)], false),
        (&[("removeOffset", false), ("cleanOffset", true)], false),
    ];
    for (fields, kept) in cases {
        let group = json!({"groupName": "CG", "retryMaxTimes": 3});
        let create = ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(group.to_string().into());
        succeeds(&mut client, create).await;
        for (topic, group) in [("T", "CG"), ("U", "CG"), ("T", "CGX")] {
            succeeds(&mut client, commit(topic, group, 0, 7)).await;
        }
        let mut all: Vec<(&str, &dyn Display)> = vec![("groupName", &"CG")];
        all.extend(fields.iter().map(|(name, value)| (*name, value as &dyn Display)));
        succeeds(&mut client, ask_for(request::DELETE_SUBSCRIPTIONGROUP, &all)).await;
        let groups = body(&succeeds(&mut client, ask_for(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, &[])).await);
        assert_eq!(groups["subscriptionGroupTable"].get("CG"), None, "{fields:?}");
        let everything = json!({"T@CG": {"0": 7}, "T@CGX": {"0": 7}, "U@CG": {"0": 7}});
        let expected = if kept { everything } else { json!({"T@CGX": {"0": 7}}) };
        assert_eq!(table(&mut client).await, expected, "{fields:?}");
    }
    // A group that is not there counts as deleted.
    let again = ask_for(request::DELETE_SUBSCRIPTIONGROUP, &[("groupName", &"CG"), ("removeOffset", &true)]);
    succeeds(&mut client, again).await;
    let nameless = ask_for(request::DELETE_SUBSCRIPTIONGROUP, &[("removeOffset", &true)]);
    is_refused(&mut client, nameless, response::SYSTEM_ERROR, "the custom field <groupName> is null").await;
    cluster.stop().await;
}

/// They would fill the table, and the file, with what nobody can have consumed.
#[actix::test]
async fn names_that_nothing_can_have_are_not_kept() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let long = "x".repeat(1 << 20);
    for (topic, group, says) in [("T", &*long, "255"), (&*long, "CG", "127"), ("T", "C G", "illegal"), ("", "CG", "")] {
        let commit = of_queue(topic, group, 0, request::UPDATE_CONSUMER_OFFSET, &[("commitOffset", &1)]);
        let refused = client.ask(commit).await;
        assert_eq!(refused.code, response::SYSTEM_ERROR, "{refused:?}");
        assert!(refused.remark.as_deref().unwrap_or_default().contains(says), "{refused:?}");
    }
    let all = client.ask(ask_for(request::GET_ALL_CONSUMER_OFFSET, &[])).await;
    assert!(all.body.len() < 1_000, "{all:?}");
    cluster.stop().await;
}
