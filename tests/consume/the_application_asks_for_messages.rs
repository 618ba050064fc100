//! Consumers that are asked for messages: of their share of the group's queues, or of queues that they have chosen.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ferromq::client::{Begin, Client, ConsumerOptions, PullConsumer, PullConsumerBuilder, Wanted};
use ferromq::protocol::message::Message;
use ferromq::protocol::units::QueueOffset;
use futures_core::Stream;

use crate::inbox::{body, client, numbered, send};
use crate::raw::LIMIT;
use crate::support::Cluster;

fn builder(client: &Client) -> PullConsumerBuilder {
    let options = ConsumerOptions { begin: Begin::First, messages_per_delivery: 8, ..ConsumerOptions::default() };
    client.pull_consumer("readers").options(options)
}

/// Polls until so many messages have come, and gives their bodies.
async fn poll(consumer: &mut PullConsumer, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let messages = consumer.poll(LIMIT).await.unwrap();
        assert!(!messages.is_empty(), "{} of {count} within {LIMIT:?}", bodies.len());
        bodies.extend(messages.iter().map(|message| body(message)));
    }
    bodies
}

fn sorted(mut bodies: Vec<String>) -> Vec<String> {
    bodies.sort();
    bodies
}

#[actix::test]
async fn a_share_is_polled_and_the_group_goes_on_behind_it() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..100)).await;
    let client = client(&cluster).await;
    let mut consumer = builder(&client).subscribe("Orders", Wanted::All).start().await.unwrap();
    assert_eq!(sorted(poll(&mut consumer, 100).await), numbered(0..100));
    assert!(consumer.poll(Duration::from_millis(10)).await.unwrap().is_empty(), "nothing more");
    consumer.stop().await.unwrap();
    send(&cluster, "Orders", &numbered(100..120)).await;
    let mut consumer = builder(&client).subscribe("Orders", Wanted::All).start().await.unwrap();
    assert_eq!(sorted(poll(&mut consumer, 20).await), numbered(100..120));
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn what_is_not_committed_by_hand_comes_again() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..4)).await;
    let client = client(&cluster).await;
    let start = || builder(&client).subscribe("Orders", Wanted::All).commit_by_hand().start();
    for _ in 0..2 {
        let mut consumer = start().await.unwrap();
        assert_eq!(sorted(poll(&mut consumer, 4).await), numbered(0..4));
        consumer.stop().await.unwrap();
    }
    let mut consumer = start().await.unwrap();
    poll(&mut consumer, 4).await;
    consumer.commit().await.unwrap();
    consumer.stop().await.unwrap();
    send(&cluster, "Orders", &numbered(4..8)).await;
    let mut consumer = start().await.unwrap();
    assert_eq!(sorted(poll(&mut consumer, 4).await), numbered(4..8));
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn chosen_queues_are_read_from_where_it_is_said() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..40)).await;
    let client = client(&cluster).await;
    let mut consumer = builder(&client).start().await.unwrap();
    let queues = consumer.queues_of("Orders").await.unwrap();
    assert_eq!(queues.len(), 4);
    consumer.assign(queues[..2].to_vec()).await.unwrap();
    assert_eq!(consumer.queues(), queues[..2].iter().cloned().collect::<BTreeSet<_>>());
    poll(&mut consumer, 20).await;
    consumer.seek(&queues[1], QueueOffset(7)).await.unwrap();
    assert_eq!(poll(&mut consumer, 3).await.len(), 3, "of ten, from the seventh on");
    consumer.seek_to_time(&queues[0], 0).await.unwrap();
    assert_eq!(poll(&mut consumer, 10).await.len(), 10);
    let elsewhere = consumer.seek(&queues[2], QueueOffset(0)).await.unwrap_err().to_string();
    assert!(elsewhere.contains("queue 2 of topic Orders"), "{elsewhere}");
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn queues_that_rest_give_nothing() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    send(&cluster, "Orders", &numbered(0..4)).await;
    let mut consumer = builder(&client).subscribe("Orders", Wanted::All).start().await.unwrap();
    poll(&mut consumer, 4).await;
    let resting: Vec<_> = consumer.queues().into_iter().filter(|queue| queue.queue_id > 0).collect();
    consumer.pause(&resting).await;
    send(&cluster, "Orders", &numbered(4..8)).await;
    assert_eq!(poll(&mut consumer, 1).await.len(), 1, "of the one queue that does not rest");
    assert!(consumer.poll(Duration::from_millis(50)).await.unwrap().is_empty());
    consumer.resume(&resting).await;
    assert_eq!(poll(&mut consumer, 3).await.len(), 3);
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

/// The next message of a stream.
async fn next(stream: &mut PullConsumer) -> Arc<Message> {
    let next = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    tokio::time::timeout(LIMIT, next).await.expect("a message").expect("the stream goes on")
}

#[actix::test]
async fn a_stream_gives_messages_one_by_one() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..40)).await;
    let client = client(&cluster).await;
    let mut consumer = builder(&client).subscribe("Orders", Wanted::All).start().await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..40 {
        bodies.push(body(&*next(&mut consumer).await));
    }
    assert_eq!(sorted(bodies), numbered(0..40));
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn two_members_share_what_they_are_asked_for() {
    let cluster = Cluster::start().await;
    let (one, other) = (client(&cluster).await, client(&cluster).await);
    send(&cluster, "Orders", &numbered(0..4)).await;
    let mut first = builder(&one).subscribe("Orders", Wanted::All).start().await.unwrap();
    poll(&mut first, 4).await;
    // Stored when more is asked for.
    first.commit().await.unwrap();
    let mut second = builder(&other).subscribe("Orders", Wanted::All).start().await.unwrap();
    let halves = || [first.queues().len(), second.queues().len()] == [2, 2];
    crate::support::wait_until(LIMIT, "two queues each", halves).await;
    send(&cluster, "Orders", &numbered(4..24)).await;
    let (one, other) = tokio::join!(poll(&mut first, 10), poll(&mut second, 10));
    assert_eq!(sorted([one, other].concat()), numbered(4..24));
    first.stop().await.unwrap();
    second.stop().await.unwrap();
    cluster.stop().await;
}
