//! A listener may panic before there is anything to wait for, more often than there are calls at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferromq::client::{ConsumerOptions, Delivery, Wanted};
use ferromq::protocol::codes::request;

use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::{Inbox, from_the_first};

#[tokio::test]
async fn calls_go_on_after_as_many_panics_as_there_are_lanes() {
    let cluster = FakeCluster::start(1, |command, _| {
        let is_first = command.code == request::PULL_MESSAGE && command.ext.int64("queueOffset") == Ok(0);
        let all = || (0..8).flat_map(|at| record(at, "x")).collect::<Vec<_>>();
        is_first.then(|| vec![pulled(command, 0, 8, all())])
    })
    .await;
    let (inbox, calls) = (Inbox::default(), Arc::new(AtomicUsize::new(0)));
    let seen = inbox.clone();
    let listener = move |delivery: Delivery| {
        assert!(calls.fetch_add(1, Ordering::SeqCst) >= 6, "a bug of the application");
        seen.take_in(delivery);
        std::future::ready(())
    };
    let options = ConsumerOptions { deliveries_at_once: 2, ..from_the_first() };
    let builder = cluster.client().await.push_consumer("readers").options(options).subscribe("T", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(2).await;
    consumer.stop().await.unwrap();
    assert!(cluster.broker.received(request::CONSUMER_SEND_MSG_BACK).len() >= 6, "what was not consumed comes again");
}
