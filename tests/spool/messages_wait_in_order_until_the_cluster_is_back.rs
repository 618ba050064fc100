//! While nobody is there messages are spooled; when somebody is, they come in the order in which they were sent.

use std::collections::BTreeMap;

use ferromq::client::{Sent, Waiting};

use crate::inbox::numbered;
use crate::place::{Place, drained, message, spool};
use crate::raw::LIMIT;
use crate::support::wait_until;

fn is_stored(sent: &Sent) -> bool {
    matches!(sent, Sent::Stored(_))
}

#[actix::test]
async fn a_cluster_that_comes_late() {
    let place = Place::new();
    let producer = place.producer().await;
    spool(&producer, &numbered(0..100)).await;
    let waiting = producer.waiting();
    assert!(waiting.messages == 100 && waiting.bytes > 100 * 100, "{waiting:?}");
    let cluster = place.start().await;
    drained(&producer).await;
    assert_eq!(producer.waiting(), Waiting::default());
    assert!(is_stored(&producer.send(&message("message 0100")).await.unwrap()));
    assert_eq!(place.stored("Orders", 101).await, numbered(0..101));
    producer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn a_cluster_that_is_away_for_a_while() {
    let place = Place::new();
    let cluster = place.start().await;
    let producer = place.producer().await;
    for body in numbered(0..10) {
        assert!(is_stored(&producer.send(&message(&body)).await.unwrap()));
    }
    cluster.stop().await;
    spool(&producer, &numbered(10..50)).await;
    let cluster = place.start().await;
    // What is sent while others still wait goes behind them.
    for body in numbered(50..100) {
        producer.send(&message(&body)).await.unwrap();
    }
    drained(&producer).await;
    assert_eq!(place.stored("Orders", 100).await, numbered(0..100));
    producer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn a_name_server_that_knows_no_broker_yet() {
    let place = Place::new();
    let namesrv = place.start_namesrv().await;
    let producer = place.producer().await;
    spool(&producer, &numbered(0..3)).await;
    let broker = place.start_broker().await;
    drained(&producer).await;
    assert_eq!((producer.waiting().refused, place.stored("Orders", 3).await), (0, numbered(0..3)));
    producer.stop().await.unwrap();
    broker.stop().await.unwrap();
    namesrv.stop().await;
}

#[actix::test]
async fn messages_of_one_key_go_to_one_queue() {
    let place = Place::new();
    let producer = place.producer().await;
    let keys = ["customer-1", "customer-2", "customer-3"];
    for number in 0..10 {
        for key in keys {
            producer.send(&message(&format!("{key} {number}")).sharding_key(key)).await.unwrap();
        }
    }
    let cluster = place.start().await;
    drained(&producer).await;
    // One that is sent at once goes to the same queue as those that waited.
    let mut queues = BTreeMap::new();
    for key in keys {
        let Sent::Stored(receipt) = producer.send(&message(&format!("{key} last")).sharding_key(key)).await.unwrap()
        else {
            panic!("the spool is empty")
        };
        *queues.entry(receipt.queue_id).or_insert(0) += 11;
        assert_eq!(receipt.queue_offset.0 + 1, queues[&receipt.queue_id], "{key}");
    }
    producer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn what_one_producer_leaves_the_next_one_sends() {
    let place = Place::new();
    let producer = place.producer().await;
    spool(&producer, &numbered(0..20)).await;
    producer.stop().await.unwrap();
    let producer = place.producer().await;
    assert_eq!(producer.waiting().messages, 20);
    spool(&producer, &numbered(20..40)).await;
    // One that is dropped gives the directory up, too, a moment later.
    drop(producer);
    let lock = place.spool();
    let is_free = || ferromq::client::spool::Spool::open(&lock).is_ok();
    wait_until(LIMIT, "the directory is given up", is_free).await;
    let cluster = place.start().await;
    let producer = place.producer().await;
    drained(&producer).await;
    assert_eq!(place.stored("Orders", 40).await, numbered(0..40));
    producer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn many_that_send_at_once_are_all_spooled() {
    let place = Place::new();
    let producer = place.producer().await;
    let sending = numbered(0..300).into_iter().map(|body| {
        let producer = &producer;
        async move { producer.send(&message(&body)).await.unwrap() }
    });
    for sent in futures_of(sending).await {
        assert!(!is_stored(&sent));
    }
    let cluster = place.start().await;
    drained(&producer).await;
    let mut stored = place.stored("Orders", 300).await;
    stored.sort();
    assert_eq!(stored, numbered(0..300));
    producer.stop().await.unwrap();
    cluster.stop().await;
}

/// All of them, under way together.
async fn futures_of<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, outcome) in waiting.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *outcome = Some(value);
            }
        }
        if waiting.iter().all(|(_, outcome)| outcome.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, outcome)| outcome).collect()
}
