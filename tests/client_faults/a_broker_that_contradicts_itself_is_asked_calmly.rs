//! What a broker says of its own queues may not be so; it is not asked at once, and for ever, then.

use std::time::Duration;

use ferromq::client::Wanted;
use ferromq::protocol::codes::{request, response};
use tokio::time::Instant;

use crate::fake_cluster::{FakeCluster, pulled};
use crate::inbox::{Inbox, from_the_first};
use crate::raw::LIMIT;
use crate::support::wait_until;

#[tokio::test]
async fn where_it_sends_the_group_to_an_offset_that_it_has_not_either() {
    let cluster = FakeCluster::start(1, |command, _| {
        (command.code == request::PULL_MESSAGE).then(|| vec![pulled(command, response::PULL_OFFSET_MOVED, 7, "")])
    })
    .await;
    let builder = cluster.client().await.push_consumer("readers").options(from_the_first()).subscribe("T", Wanted::All);
    let consumer = builder.start(Inbox::default().listener()).await.unwrap();
    let pulls = || cluster.broker.received(request::PULL_MESSAGE).len();
    wait_until(LIMIT, "it was asked", || pulls() >= 1).await;
    let began = Instant::now();
    wait_until(LIMIT, "it is asked again", || pulls() >= 4).await;
    assert!(began.elapsed() > Duration::from_secs(1), "four pulls in {:?}", began.elapsed());
    consumer.stop().await.unwrap();
}
