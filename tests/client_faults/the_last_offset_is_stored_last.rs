//! Brokers serve the requests of one connection apart: an older offset that is still on its way must not come after the last one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::client::{ConsumerOptions, Wanted};
use ferromq::protocol::codes::{request, response};
use tokio::time::Instant;

use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::{Inbox, from_the_first};
use crate::raw::LIMIT;
use crate::support::wait_until;

/// One message, and a broker that never answers the first offset.
async fn silent_about_the_first_offset() -> FakeCluster {
    let stored = AtomicUsize::new(0);
    FakeCluster::start(1, move |command, _| match command.code {
        request::PULL_MESSAGE if command.ext.int64("queueOffset") == Ok(0) => {
            Some(vec![pulled(command, response::SUCCESS, 1, record(0, "first"))])
        }
        request::UPDATE_CONSUMER_OFFSET if stored.fetch_add(1, Ordering::SeqCst) == 0 => Some(Vec::new()),
        _ => None,
    })
    .await
}

/// So long as one that is not answered may still take effect the last one is not sent.
#[tokio::test]
async fn behind_one_that_is_under_way() {
    let cluster = silent_about_the_first_offset().await;
    let inbox = Inbox::default();
    let options = ConsumerOptions { persist_interval: Duration::from_millis(20), ..from_the_first() };
    let builder = cluster.client().await.push_consumer("readers").options(options).subscribe("T", Wanted::All);
    let consumer = builder.start(inbox.listener()).await.unwrap();
    let updates = || cluster.broker.received(request::UPDATE_CONSUMER_OFFSET);
    wait_until(LIMIT, "an offset is being stored", || !updates().is_empty()).await;
    let under_way = Instant::now();
    consumer.stop().await.unwrap();
    let (updates, took) = (updates(), under_way.elapsed());
    assert!(updates.iter().all(|update| !update.is_oneway()), "each is to be confirmed");
    assert_eq!(updates.len(), 2, "the one, and the last");
    // A request for an offset has five seconds.
    assert!(took > Duration::from_secs(2), "the last was sent beside it: {took:?}");
}

/// An application that stores offsets itself tries again when it commits again, whatever became of the commit before.
#[tokio::test]
async fn after_one_that_was_not_stored() {
    let cluster = silent_about_the_first_offset().await;
    let builder = cluster.client().await.pull_consumer("readers").options(from_the_first()).commit_by_hand();
    let mut consumer = builder.subscribe("T", Wanted::All).start().await.unwrap();
    assert_eq!(consumer.poll(LIMIT).await.unwrap().len(), 1);
    for commits in 1..=2 {
        consumer.commit().await.unwrap();
        assert_eq!(cluster.broker.received(request::UPDATE_CONSUMER_OFFSET).len(), commits);
    }
    consumer.stop().await.unwrap();
}
