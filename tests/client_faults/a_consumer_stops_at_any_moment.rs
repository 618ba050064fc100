//! A consumer that is asked for messages stops also while some wait that nobody has asked for yet.

use ferromq::client::Wanted;
use ferromq::protocol::codes::{request, response};
use tokio::time::timeout;

use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::from_the_first;
use crate::raw::LIMIT;
use crate::support::wait_until;

#[tokio::test]
async fn while_messages_wait_that_nobody_asks_for() {
    let cluster = FakeCluster::start(1, |command, _| match command.code {
        request::PULL_MESSAGE if command.ext.int64("queueOffset") == Ok(0) => {
            Some(vec![pulled(command, response::SUCCESS, 2, [record(0, "first"), record(1, "second")].concat())])
        }
        _ => None,
    })
    .await;
    let client = cluster.client().await;
    for _ in 0..10 {
        let before = cluster.broker.received(request::PULL_MESSAGE).len();
        let builder = client.pull_consumer("readers").options(from_the_first()).subscribe("T", Wanted::All);
        let consumer = builder.start().await.unwrap();
        // It pulls on when it has handed over what has come.
        let pulls = || cluster.broker.received(request::PULL_MESSAGE).len();
        wait_until(LIMIT, "it pulls what comes next", || pulls() >= before + 2).await;
        timeout(LIMIT, consumer.stop()).await.expect("it stops").unwrap();
    }
}
