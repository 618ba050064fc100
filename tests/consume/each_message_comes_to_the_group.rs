//! Each message comes to one member of its group, and the group goes on where it was.

use ferromq::client::{Begin, ConsumerOptions, Wanted};

use crate::inbox::{Inbox, client, numbered, send};
use crate::support::Cluster;

fn from_the_first() -> ConsumerOptions {
    ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() }
}

#[actix::test]
async fn what_was_sent_comes_once_and_the_group_goes_on_behind_it() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..100)).await;
    let inbox = Inbox::default();
    let client = client(&cluster).await;
    let start = || client.push_consumer("readers").options(from_the_first()).subscribe("Orders", Wanted::All);
    let consumer = start().start(inbox.listener()).await.unwrap();
    inbox.holds(100).await;
    send(&cluster, "Orders", &numbered(100..150)).await;
    inbox.holds(150).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), numbered(0..150));

    send(&cluster, "Orders", &numbered(150..200)).await;
    let inbox = Inbox::default();
    let consumer = start().start(inbox.listener()).await.unwrap();
    inbox.holds(50).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), numbered(150..200), "and nothing that was consumed before");
    cluster.stop().await;
}
