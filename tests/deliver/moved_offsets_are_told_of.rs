//! A group that asks for what its queue does not have is told where to go on, and a message says so to whoever watches.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::pull::PullLimits;
use ferromq::protocol::codes::{request, response};
use ferromq::time::{ManualClock, SharedClock};
use serde_json::{Value, json};

use crate::messages::{property_pairs, wait_for};
use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::Cluster;

#[actix::test]
async fn a_message_names_group_queue_and_offsets_once_a_second() {
    let clock = ManualClock::at(1_795_000_000_000);
    let given = Arc::clone(&clock) as SharedClock;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: given, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    client.ask(send_to("T", 3, "", "x")).await;
    client.ask_until(pull_from("T", 3, 0, 1), |reply| reply.code == response::SUCCESS).await;
    // The second question comes within the second of the first.
    for (offset, later) in [(50, 0), (60, 0), (70, 1)] {
        clock.advance(Duration::from_secs(later));
        let moved = client.ask(pull_from("T", 3, offset, 1)).await;
        assert_eq!(moved.code, response::PULL_OFFSET_MOVED, "{moved:?}");
    }
    let events = wait_for(&mut client, "OFFSET_MOVED_EVENT", 0, 0, 2).await;
    let told: Vec<Value> = events.iter().map(|event| serde_json::from_slice(&event.body).unwrap()).collect();
    let queue = json!({"brokerName": "broker-a", "queueId": 3, "topic": "T"});
    let event =
        |asked: i64| json!({"consumerGroup": "CG", "messageQueue": queue, "offsetNew": 1, "offsetRequest": asked});
    assert_eq!(told, [event(50), event(70)]);
    assert_eq!(property_pairs(&events[0]), ["KEYS=CG", "TAGS=CG"]);
    cluster.stop().await;
}

/// With `slaveReadEnable` a group that is far behind is sent to the broker that its settings name.
#[actix::test]
async fn who_is_far_behind_is_sent_to_a_slave() {
    let cluster = Cluster::start_with(|options| BrokerOptions {
        slave_read: true,
        pull_limits: PullLimits { memory_bytes: 2_000, ..options.pull_limits },
        ..options
    })
    .await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let body = json!({"groupName": "CG", "brokerId": 4, "whichBrokerWhenConsumeSlowly": 7});
    let group = ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(body.to_string().into());
    assert_eq!(client.ask(group).await.code, response::SUCCESS);
    for _ in 0..4 {
        client.ask(send_to("T", 0, "", vec![b'x'; 1_000])).await;
    }
    client.ask_until(pull_from("T", 0, 3, 1), |reply| reply.code == response::SUCCESS).await;
    for (offset, suggested) in [(0, 7), (3, 4), (4, 4), (50, 4)] {
        let reply = client.ask(pull_from("T", 0, offset, 1)).await;
        assert_eq!(reply.ext.int64("suggestWhichBrokerId").unwrap(), suggested, "{offset}: {reply:?}");
    }
    cluster.stop().await;
}
