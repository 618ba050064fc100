//! NOTIFY_CONSUMER_IDS_CHANGED: the members of a group divide the queues anew when one comes or goes.

use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::request;
use ferromq::time::ManualClock;
use serde_json::json;

use crate::member::{Member, body, consumes, subscription, succeeds};
use crate::raw::{Raw, ask_for};
use crate::support::Cluster;

#[actix::test]
async fn all_members_hear_who_joins_and_the_others_who_leaves() {
    let cluster = Cluster::start().await;
    let broker = cluster.broker.address();
    let mut first = Member::join(broker, "first", "CG").await;
    first.has_heard(&["CG"]).await;
    let mut second = Member::join(broker, "second", "CG").await;
    first.is_told_of(&["CG"]).await;
    second.has_heard(&["CG"]).await;
    let mut elsewhere = Member::join(broker, "elsewhere", "CH").await;
    elsewhere.has_heard(&["CH"]).await;
    second.leaves().await;
    first.is_told_of(&["CG"]).await;
    second.has_heard(&[]).await;
    second.leaves().await;
    second.beats(&["T"]).await;
    first.has_heard(&["CG"]).await;
    second.has_heard(&["CG"]).await;
    drop(second);
    first.is_told_of(&["CG"]).await;
    elsewhere.has_heard(&[]).await;
    cluster.stop().await;
}

#[actix::test]
async fn a_heartbeat_tells_of_topics_that_come_or_go_and_of_nothing_else() {
    let cluster = Cluster::start().await;
    let broker = cluster.broker.address();
    let mut first = Member::join(broker, "first", "CG").await;
    let mut second = Member::join(broker, "second", "CG").await;
    first.has_heard(&["CG", "CG"]).await;
    second.has_heard(&["CG"]).await;
    for (topics, told) in [(&["T"][..], &[][..]), (&["T", "U"], &["CG"]), (&["T", "U"], &[]), (&["U"], &["CG"])] {
        second.beats(topics).await;
        first.has_heard(told).await;
        second.has_heard(told).await;
    }
    // What is wanted of a topic is no matter of dividing it.
    let mut newer = consumes("CG", &[]);
    newer["subscriptionDataSet"] = json!([subscription("U", i64::MAX)]);
    second.beats_with(newer).await;
    first.has_heard(&[]).await;
    cluster.stop().await;
}

#[actix::test]
async fn nobody_is_told_where_that_is_switched_off() {
    let cluster = Cluster::start_with(|options| BrokerOptions { notify_ids_changed: false, ..options }).await;
    let broker = cluster.broker.address();
    let mut first = Member::join(broker, "first", "CG").await;
    let mut second = Member::join(broker, "second", "CG").await;
    second.beats(&["U"]).await;
    second.leaves().await;
    first.has_heard(&[]).await;
    second.has_heard(&[]).await;
    cluster.stop().await;

    let cluster = Cluster::start().await;
    let broker = cluster.broker.address();
    let group = json!({"groupName": "Quiet", "notifyConsumerIdsChangedEnable": false});
    let update = ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(group.to_string().into());
    succeeds(&mut Raw::connect(broker).await, update).await;
    let mut first = Member::join(broker, "first", "Quiet").await;
    let mut second = Member::join(broker, "second", "Quiet").await;
    second.leaves().await;
    first.has_heard(&[]).await;
    second.has_heard(&[]).await;
    cluster.stop().await;
}

/// A consumer whose heartbeats leave out one of its groups is silent there, and in the end its connection is closed.
#[actix::test]
async fn the_silent_go_unannounced_but_their_other_groups_hear_of_the_end() {
    const SILENCE_MAX: Duration = Duration::from_secs(120);
    let clock = ManualClock::at(1_700_000_000_000);
    let idle_limit = 10 * SILENCE_MAX;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), idle_limit, ..options }).await;
    let broker = cluster.broker.address();
    let mut silent = Member::join(broker, "silent", "CG").await;
    let mut in_group = Member::join(broker, "in group", "CG").await;
    let mut in_other = Member::join(broker, "in other", "CH").await;
    clock.advance(SILENCE_MAX);
    in_group.beats(&["T"]).await;
    in_other.beats(&["T"]).await;
    silent.beats_with(consumes("CH", &["T"])).await;
    in_group.has_heard(&["CG"]).await;
    in_other.has_heard(&["CH", "CH"]).await;
    clock.advance(Duration::from_millis(1));
    in_other.is_told_of(&["CH"]).await;
    in_group.has_heard(&[]).await;
    let left = ask_for(request::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", &"CG")]);
    let left = succeeds(&mut Raw::connect(broker).await, left).await;
    assert_eq!(body(&left), json!({"consumerIdList": ["in group"]}));
    cluster.stop().await;
}
