//! A queue that is locked by one client of a group is locked by no other until it is unlocked or its lease is over.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::queue_locks::LEASE_MS;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::time::{ManualClock, SharedClock};
use serde_json::{Value, json};

use crate::raw::{Raw, ask_for};
use crate::support::Cluster;

fn about(code: i32, group: &str, client: &str, queues: &[i32]) -> Command {
    let queues: Vec<Value> =
        queues.iter().map(|queue| json!({"brokerName": "broker-a", "queueId": queue, "topic": "T"})).collect();
    let body = json!({"clientId": client, "consumerGroup": group, "mqSet": queues, "onlyThisBroker": false});
    ask_for(code, &[]).with_body(body.to_string().into())
}

async fn locks(client: &mut Raw, group: &str, id: &str, queues: &[i32]) -> Vec<i64> {
    let reply = client.ask(about(request::LOCK_BATCH_MQ, group, id, queues)).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["lockOKMQSet"].as_array().unwrap().iter().map(|queue| queue["queueId"].as_i64().unwrap()).collect()
}

#[actix::test]
async fn one_client_of_a_group_holds_a_queue() {
    let clock = ManualClock::at(1_000_000);
    let given: SharedClock = Arc::clone(&clock) as SharedClock;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: given, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(locks(&mut client, "G", "one", &[0, 1, 2]).await, [0, 1, 2]);
    assert_eq!(locks(&mut client, "G", "two", &[1, 2, 3]).await, [3]);
    assert_eq!(locks(&mut client, "H", "two", &[1]).await, [1]);
    // A stranger unlocks nothing; the owner does, also without waiting for the answer.
    client.ask(about(request::UNLOCK_BATCH_MQ, "G", "two", &[0])).await;
    assert_eq!(locks(&mut client, "G", "two", &[0]).await, Vec::<i64>::new());
    client.send_as(about(request::UNLOCK_BATCH_MQ, "G", "one", &[0]).oneway(), Serialization::Json).await;
    assert_eq!(locks(&mut client, "G", "two", &[0]).await, [0]);
    // The lease of queue 2 is renewed, that of queue 1 is not.
    clock.advance(Duration::from_millis(LEASE_MS as u64));
    assert_eq!(locks(&mut client, "G", "one", &[2]).await, [2]);
    clock.advance(Duration::from_millis(1));
    assert_eq!(locks(&mut client, "G", "two", &[1, 2]).await, [1]);
    cluster.stop().await;
}

#[actix::test]
async fn requests_with_missing_or_newer_fields_are_answered() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let ask = |text: &'static str| ask_for(request::LOCK_BATCH_MQ, &[]).with_body(text.into());
    for (text, code) in [
        ("{}", response::SUCCESS),
        (r#"{"mqSet":null}"#, response::SUCCESS),
        (r#"{"clientId":"c","consumerGroup":"G","mqSet":[{}],"newer":{"a":1}}"#, response::SUCCESS),
        (r#"{"clientId":"c","mqSet":[{}]}"#, response::SYSTEM_ERROR),
        (r#"{"consumerGroup":"G","mqSet":[{}]}"#, response::SYSTEM_ERROR),
        ("{", response::SYSTEM_ERROR),
        ("", response::SYSTEM_ERROR),
        (r#"{"mqSet":5}"#, response::SYSTEM_ERROR),
    ] {
        let reply = client.ask(ask(text)).await;
        assert_eq!(reply.code, code, "{text:?}: {reply:?}");
    }
    cluster.stop().await;
}
