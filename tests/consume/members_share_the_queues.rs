//! Members come and go, and every queue is somebody's, once.

use std::collections::BTreeSet;

use ferromq::client::{Begin, Client, ConsumerOptions, PushConsumer, Wanted};

use crate::inbox::{Inbox, client, numbered, send};
use crate::raw::LIMIT;
use crate::support::{Cluster, wait_until};

async fn member(client: &Client, inbox: &Inbox) -> PushConsumer {
    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let builder = client.push_consumer("readers").options(options).subscribe("Orders", Wanted::All);
    builder.start(inbox.listener()).await.unwrap()
}

/// The numbers of the queues of the topic that a member has.
fn numbers(consumer: &PushConsumer) -> BTreeSet<i32> {
    let queues = consumer.queues();
    queues.borrow().iter().filter(|queue| queue.topic == "Orders").map(|queue| queue.queue_id).collect()
}

/// Waits until the members have these many queues.
async fn have(members: &[&PushConsumer], counts: &[usize]) {
    let all = || -> Vec<BTreeSet<i32>> { members.iter().map(|member| numbers(member)).collect() };
    let is_so = || all().iter().map(BTreeSet::len).eq(counts.iter().copied());
    wait_until(LIMIT, &format!("members have {counts:?} queues"), is_so).await;
    let all = all();
    let distinct: BTreeSet<i32> = all.iter().flatten().copied().collect();
    assert_eq!(distinct.len(), counts.iter().sum::<usize>(), "no queue has two members: {all:?}");
}

#[actix::test]
async fn a_second_member_gets_its_half_at_once_and_gives_it_back_when_it_goes() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..40)).await;
    let (inbox, first_client, second_client) = (Inbox::default(), client(&cluster).await, client(&cluster).await);
    let first = member(&first_client, &inbox).await;
    have(&[&first], &[4]).await;
    inbox.holds(40).await;
    let second = member(&second_client, &inbox).await;
    have(&[&first, &second], &[2, 2]).await;
    send(&cluster, "Orders", &numbered(40..80)).await;
    inbox.holds_different(80).await;
    second.stop().await.unwrap();
    have(&[&first], &[4]).await;
    send(&cluster, "Orders", &numbered(80..120)).await;
    inbox.holds_different(120).await;
    first.stop().await.unwrap();
    // What was consumed when a queue changed hands may have come twice; nothing is missing.
    let bodies: BTreeSet<String> = inbox.bodies().into_iter().collect();
    assert_eq!(bodies.into_iter().collect::<Vec<_>>(), numbered(0..120));
    cluster.stop().await;
}

#[actix::test]
async fn a_member_that_vanishes_is_stood_in_for() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..4)).await;
    let (inbox, first_client, second_client) = (Inbox::default(), client(&cluster).await, client(&cluster).await);
    let first = member(&first_client, &inbox).await;
    let second = member(&second_client, &inbox).await;
    have(&[&first, &second], &[2, 2]).await;
    // Its connections end with it, which is all that the broker hears.
    drop(second);
    drop(second_client);
    have(&[&first], &[4]).await;
    first.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn one_client_has_one_consumer_of_a_group() {
    let cluster = Cluster::start().await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let first = member(&client, &inbox).await;
    let options = client.push_consumer("readers").subscribe("Other", Wanted::All);
    let refused = options.start(inbox.listener()).await.err().unwrap().to_string();
    assert!(refused.contains("has a member of group readers already"), "{refused}");
    // The one that was refused takes nothing with it: brokers still know the first one, and tell it of others.
    let (other_client, other_inbox) = (crate::inbox::client(&cluster).await, Inbox::default());
    send(&cluster, "Orders", &numbered(0..4)).await;
    have(&[&first], &[4]).await;
    let other = member(&other_client, &other_inbox).await;
    have(&[&first, &other], &[2, 2]).await;
    other.stop().await.unwrap();
    first.stop().await.unwrap();
    member(&client, &inbox).await.stop().await.unwrap();
    cluster.stop().await;
}
