//! `disableConsumeIfConsumerReadSlowly`: a group that reads too far behind reads no more until somebody allows it again.

use ferromq::actors::options::BrokerOptions;
use ferromq::actors::slow_group_actor::CheckGroups;
use ferromq::protocol::codes::{request, response};
use serde_json::Value;

use crate::member::{consumes, heartbeat, succeeds};
use crate::raw::{Raw, ask_for, pull_from, send_to, with};
use crate::support::Cluster;

/// The group that pulls of these tests name.
const GROUP: &str = "CG";

async fn commit(client: &mut Raw, group: &str, offset: i64) {
    let fields = [
        ("consumerGroup", &group as &dyn std::fmt::Display),
        ("topic", &"T"),
        ("queueId", &0),
        ("commitOffset", &offset),
    ];
    succeeds(client, ask_for(request::UPDATE_CONSUMER_OFFSET, &fields)).await;
}

async fn pulled(client: &mut Raw, group: &str) -> i32 {
    client.ask(with(pull_from("T", 0, 0, 1), "consumerGroup", group)).await.code
}

/// Ten messages of a thousand bytes, of which the online groups AHEAD and CG have consumed nine and one, and the group AWAY
/// nothing.
async fn groups(cluster: &Cluster) -> Raw {
    let mut client = Raw::connect(cluster.broker.address()).await;
    for _ in 0..10 {
        client.ask(send_to("T", 0, "", vec![b'x'; 1_000])).await;
    }
    client.ask_until(pull_from("T", 0, 9, 1), |reply| reply.code == response::SUCCESS).await;
    succeeds(&mut client, heartbeat("c", &[], &[consumes(GROUP, &["T"]), consumes("AHEAD", &["T"])])).await;
    for (group, offset) in [(GROUP, 1), ("AHEAD", 9), ("AWAY", 0)] {
        assert_eq!(pulled(&mut client, group).await, response::SUCCESS);
        commit(&mut client, group, offset).await;
    }
    client
}

#[actix::test]
async fn those_that_read_and_are_further_behind_than_the_threshold() {
    let cluster = Cluster::start_with(|options| BrokerOptions { behind_bytes_max: Some(5_000), ..options }).await;
    let mut client = groups(&cluster).await;
    cluster.broker.slow_groups().check.send(CheckGroups).await.unwrap();
    let refused = with(pull_from("T", 0, 0, 1), "consumerGroup", GROUP);
    let reply = client.ask_until(refused, |reply| reply.code == response::NO_PERMISSION).await;
    assert_eq!(reply.remark.as_deref(), Some("subscription group no permission, CG"));
    for group in ["AHEAD", "AWAY"] {
        assert_eq!(pulled(&mut client, group).await, response::SUCCESS, "{group}");
    }
    // It is written down, as any other setting of a group.
    let told = client.ask(ask_for(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, &[])).await;
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    let enabled = |group: &str| told["subscriptionGroupTable"][group]["consumeEnable"].as_bool().unwrap();
    assert_eq!([GROUP, "AHEAD", "AWAY"].map(enabled), [false, true, true]);
    cluster.stop().await;
}

#[actix::test]
async fn none_unless_it_is_asked_for() {
    let cluster = Cluster::start().await;
    let mut client = groups(&cluster).await;
    cluster.broker.slow_groups().check.send(CheckGroups).await.unwrap();
    assert_eq!(pulled(&mut client, GROUP).await, response::SUCCESS);
    cluster.stop().await;
}
