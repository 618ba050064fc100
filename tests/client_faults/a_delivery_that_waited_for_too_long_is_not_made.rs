//! Where order matters, a lock may lapse while a delivery waits for its turn: another member may have the queue by then.

use std::sync::Arc;
use std::time::Duration;

use ferromq::client::actors::pull_actor::LOCK_TRUSTED;
use ferromq::client::{ClientOptions, ConsumerOptions, Delivery, Order, Wanted};
use ferromq::protocol::codes::{request, response};
use ferromq::time::ManualClock;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::{Inbox, from_the_first};
use crate::raw::LIMIT;
use crate::support::wait_until;

/// What another delivery would take to be made.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn when_its_lock_is_not_trusted_any_more() {
    // Two queues have a message each, and there is room for one call.
    let cluster = FakeCluster::start(2, |command, _| {
        let is_first = command.code == request::PULL_MESSAGE && command.ext.int64("queueOffset") == Ok(0);
        is_first.then(|| vec![pulled(command, response::SUCCESS, 1, record(0, "x"))])
    })
    .await;
    let (inbox, may_end, clock) = (Inbox::default(), Arc::new(Semaphore::new(0)), ManualClock::at(0));
    let (seen, permits, own) = (inbox.clone(), may_end.clone(), clock.clone());
    let listener = move |delivery: Delivery| {
        let permits = permits.clone();
        seen.take_in(delivery);
        async move { permits.acquire().await.unwrap().forget() }
    };
    let client = cluster.client_with(|options| ClientOptions { clock: own, ..options }).await;
    let options = ConsumerOptions { order: Order::Queue, deliveries_at_once: 1, ..from_the_first() };
    let builder = client.push_consumer("readers").options(options).subscribe("T", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(1).await;
    // The other queue is pulled behind its message, which so waits for its turn.
    let behind = || {
        let pulls = cluster.broker.received(request::PULL_MESSAGE);
        pulls.iter().filter(|pull| pull.ext.int64("queueOffset") == Ok(1)).count()
    };
    wait_until(LIMIT, "both messages are there", || behind() == 2).await;
    clock.advance(LOCK_TRUSTED);
    may_end.add_permits(1);
    let other = timeout(SHORT, inbox.holds(2)).await;
    assert!(other.is_err(), "a message was brought whose queue may be another member's");
    may_end.add_permits(1);
    consumer.stop().await.unwrap();
}
