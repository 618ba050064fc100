//! How far a level has come is written down once what it delivered is on the disk: after a power cut it comes again.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::store::StoreOptions;
use serde_json::Value;

use crate::held_disk::Held;
use crate::messages::{bodies, lies_at, wait_for};
use crate::raw::{Raw, ask_for, send_to};
use crate::support::small;
use crate::watched_disk::{Call, WatchedDisk};

fn noted(reply: &Command) -> Option<i64> {
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    let table: Value = serde_json::from_slice(&reply.body).unwrap();
    table["offsetTable"]["1"].as_i64()
}

#[actix::test]
async fn a_level_is_noted_when_what_it_delivered_is_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let held = Arc::new(Held::at(Call::Sync, "commitlog"));
    let options = BrokerOptions {
        disk: Arc::new(WatchedDisk(Arc::clone(&held))),
        persist_delays_every: Duration::from_millis(1),
        flush_every: Duration::from_millis(5),
        ..small(&directory)
    };
    let store = StoreOptions { delay_levels_ms: vec![50], ..options.store };
    let broker = Broker::builder(BrokerOptions { store, ..options }).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    lies_at(&client.ask(send_to("T", 0, "", "makes the topic")).await);
    held.set(true);
    lies_at(&client.ask(send_to("T", 0, "DELAY\u{1}1", "late")).await);
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 1, 1).await), ["late"]);
    let info = ask_for(request::GET_BROKER_RUNTIME_INFO, &[]);
    let is_told = |reply: &Command| {
        let info: Value = serde_json::from_slice(&reply.body).unwrap();
        info["table"]["scheduleMessageOffset_1"] == "1,1"
    };
    client.ask_until(info, is_told).await;
    // It would be written down a millisecond later.
    let all = ask_for(request::GET_ALL_DELAY_OFFSET, &[]);
    for _ in 0..200 {
        assert_ne!(noted(&client.ask(all.clone()).await), Some(1));
    }
    held.set(false);
    client.ask_until(all, |reply| noted(reply) == Some(1)).await;
    broker.stop().await.unwrap();
}
