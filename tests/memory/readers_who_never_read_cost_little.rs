//! A thousand clients ask for a megabyte each, again and again, and never read; others ask for little, very often. The
//! process stays small.

use std::time::Duration;

use bytes::BytesMut;
use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;
use tokio::time::timeout;

use crate::good_client::GoodClient;
use crate::raw::{Raw, pull_from, send_to};
use crate::support::{Cluster, small};

const CLIENTS: usize = 1_000;
const PULLS: usize = 4;
const BODY_BYTES: usize = 1 << 20;
/// Clients that ask for a small message very often,
const MANY_PULLS_CLIENTS: usize = 20;
/// each so often,
const MANY_PULLS: usize = 3_000;
/// and its size: the answers would take 60 MB a client.
const SMALL_BODY_BYTES: usize = 20_000;
/// What such a client may cost: 256 KB of answers in a buffer that may be twice as large, and its questions.
const MANY_PULLS_BYTES_EACH_MAX: u64 = 3 << 20;
/// How long a client tries to write.
const SOME_TIME: Duration = Duration::from_millis(100);
/// What a client that does not read may cost: the buffer of its writer, lists of slices, its place in tables.
const BYTES_EACH_MAX: u64 = 128 * 1024;

/// Memory of this process that no file stands behind: slices of the mapped log do not count, copies do.
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn send(cluster: &Cluster, topic: &str, body_bytes: usize) {
    let mut writer = Raw::connect(cluster.broker.address()).await;
    assert_eq!(writer.ask(send_to(topic, 0, "", vec![7; body_bytes])).await.code, response::SUCCESS);
    let pulled = writer.pull(pull_from(topic, 0, 0, 1)).await;
    assert!(pulled.body.len() > body_bytes, "one message is given whatever its size");
}

/// Asks without reading, then sees what it cost and that others are served.
async fn check(cluster: &Cluster, topic: &'static str) {
    let mut good = GoodClient::connect(cluster, topic).await;
    let before = anonymous_bytes();
    let mut silent = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Raw::connect(cluster.broker.address()).await;
        for _ in 0..PULLS {
            client.send_as(pull_from("Big", 0, 0, 1), Serialization::Json).await;
        }
        silent.push(client);
    }
    // The first bytes of an answer are there: the broker has gone as far with this client as it will.
    for client in &silent {
        client.has_bytes_to_read().await;
    }
    for _ in 0..20 {
        good.is_served().await;
    }
    let cost = anonymous_bytes().saturating_sub(before);
    assert!(cost < CLIENTS as u64 * BYTES_EACH_MAX, "{cost} bytes for {CLIENTS} clients");
    // One of them begins to read after all.
    let reader = silent.last_mut().unwrap();
    for _ in 0..PULLS {
        assert!(reader.next().await.unwrap().body.len() > BODY_BYTES);
    }
}

/// Small answers are copied, and thousands of questions fit into what a connection may have in flight.
async fn check_many_small(cluster: &Cluster, topic: &'static str) {
    let mut good = GoodClient::connect(cluster, topic).await;
    let mut pulls = BytesMut::new();
    for _ in 0..MANY_PULLS {
        frame::encode(&pull_from("Small", 0, 0, 1), Serialization::Json, &mut pulls);
    }
    let before = anonymous_bytes();
    let mut silent = Vec::new();
    for _ in 0..MANY_PULLS_CLIENTS {
        let mut client = Raw::connect(cluster.broker.address()).await;
        // The broker stops reading at some point, and with it this client's writing.
        let _ = timeout(SOME_TIME, client.write(&pulls)).await;
        silent.push(client);
    }
    for _ in 0..20 {
        good.is_served().await;
    }
    let cost = anonymous_bytes().saturating_sub(before);
    let most = MANY_PULLS_CLIENTS as u64 * MANY_PULLS_BYTES_EACH_MAX;
    assert!(cost < most, "{cost} bytes for {MANY_PULLS_CLIENTS} clients, at most {most}");
    let reader = silent.last_mut().unwrap();
    for _ in 0..100 {
        assert!(reader.next().await.is_some());
    }
}

/// What was written just now leaves from memory; after a restart the log may not be there, and the pool reads it.
#[actix::test]
async fn readers_who_never_read_cost_little() {
    let cluster = Cluster::start().await;
    send(&cluster, "Small", SMALL_BODY_BYTES).await;
    check_many_small(&cluster, "WarmSmall").await;
    send(&cluster, "Big", BODY_BYTES).await;
    check(&cluster, "Warm").await;
    let Cluster { namesrv, broker, directory } = cluster;
    broker.stop().await.unwrap();
    let name_servers = vec![namesrv.address().to_string()];
    let options = BrokerOptions { name_servers, ..small(&directory) };
    let broker = Broker::builder(options).start().await.unwrap();
    let cluster = Cluster { namesrv, broker, directory };
    check(&cluster, "Cold").await;
    check_many_small(&cluster, "ColdSmall").await;
    cluster.stop().await;
}
