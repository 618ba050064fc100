//! Brokers take the newer of two subscriptions, by their versions, which are times of day: one that was set back must not have a
//! change passed over.

use std::time::Duration;

use ferromq::client::{ClientOptions, Wanted};
use ferromq::protocol::codes::request;
use ferromq::time::Clock;

use crate::fake_cluster::FakeCluster;
use crate::inbox::{Inbox, from_the_first};
use crate::raw::LIMIT;
use crate::support::wait_until;

/// A clock whose time of day goes back with every look.
struct Backwards(std::sync::atomic::AtomicI64);

impl Clock for Backwards {
    fn now_ms(&self) -> i64 {
        self.0.fetch_sub(1_000, std::sync::atomic::Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[tokio::test]
async fn a_change_is_newer_than_what_it_changes() {
    let cluster = FakeCluster::start(1, |command, _| {
        // Each pull says which version it goes by, and the next one says so at once.
        (command.code == request::PULL_MESSAGE).then(|| {
            let next = command.ext.int64("queueOffset").unwrap();
            vec![crate::fake_cluster::pulled(command, ferromq::protocol::codes::response::PULL_NOT_FOUND, next, "")]
        })
    })
    .await;
    let clock = std::sync::Arc::new(Backwards(1_700_000_000_000.into()));
    let client = cluster.client_with(|options| ClientOptions { clock, ..options }).await;
    let builder = client.push_consumer("readers").options(from_the_first()).subscribe("T", Wanted::Tags("red".into()));
    let consumer = builder.start(Inbox::default().listener()).await.unwrap();
    let version = || {
        let pulls = cluster.broker.received(request::PULL_MESSAGE);
        pulls.last().map(|pull| pull.ext.int64("subVersion").unwrap())
    };
    wait_until(LIMIT, "a pull has come", || version().is_some()).await;
    let before = version().unwrap();
    consumer.subscribe("T", Wanted::Tags("blue".into())).await.unwrap();
    wait_until(LIMIT, "a pull goes by another version", || version() != Some(before)).await;
    assert!(version().unwrap() > before);
    consumer.stop().await.unwrap();
}
