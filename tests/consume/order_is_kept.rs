//! Where order matters, a queue's messages come one after the other, to the member that has its lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::client::{Begin, ConsumerOptions, Delivery, Order, RetryWhen, Verdict, Wanted};
use ferromq::protocol::message::Message;
use tokio::sync::Barrier;

use crate::inbox::{Inbox, allow_reading, body, client, numbered, send};
use crate::support::Cluster;

fn in_order() -> ConsumerOptions {
    let suspend = Duration::from_millis(20);
    ConsumerOptions { begin: Begin::First, order: Order::Queue, suspend, ..ConsumerOptions::default() }
}

/// The offsets of each queue in the order in which they came.
fn by_queue(messages: &[Arc<Message>]) -> BTreeMap<u32, Vec<u64>> {
    let mut by_queue: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for message in messages {
        by_queue.entry(message.queue_id.0).or_default().push(message.queue_offset.0);
    }
    by_queue
}

#[actix::test]
async fn messages_of_a_queue_come_one_after_the_other_and_queues_beside_each_other() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..80)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let (seen, under_way) = (inbox.clone(), Arc::new([const { AtomicUsize::new(0) }; 4]));
    let most = Arc::new(AtomicUsize::new(0));
    let own_most = most.clone();
    // The first call of each queue waits for those of the others, and would do so for ever if they came one after the other.
    let together = Arc::new(Barrier::new(4));
    let listener = move |delivery: Delivery| {
        let number = delivery.queue.queue_id as usize;
        let (seen, under_way) = (seen.clone(), under_way.clone());
        own_most.fetch_max(under_way[number].fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let (is_first, together) = (delivery.messages[0].queue_offset.0 == 0, together.clone());
        async move {
            if is_first {
                together.wait().await;
            }
            tokio::task::yield_now().await;
            seen.take_in(delivery);
            under_way[number].fetch_sub(1, Ordering::SeqCst);
        }
    };
    let builder = client.push_consumer("readers").options(in_order()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(80).await;
    consumer.stop().await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1, "calls of one queue at once");
    for (queue, offsets) in by_queue(&inbox.messages()) {
        assert_eq!(offsets, (0..20).collect::<Vec<_>>(), "queue {queue}");
    }
    cluster.stop().await;
}

#[actix::test]
async fn a_message_that_is_not_consumed_holds_its_queue_up_until_it_goes_to_the_dead_letters() {
    let cluster = Cluster::start().await;
    // Four queues get two each.
    send(&cluster, "Orders", &numbered(0..8)).await;
    let (inbox, dead, client) = (Inbox::default(), Inbox::default(), client(&cluster).await);
    let seen = inbox.clone();
    let listener = move |delivery: Delivery| {
        let verdict = match body(&delivery.messages[0]).as_str() {
            "message 0000" => Verdict::Retry { consumed: 0, when: RetryWhen::After(Duration::from_millis(10)) },
            _ => Verdict::Consumed,
        };
        seen.take_in(delivery);
        std::future::ready(verdict)
    };
    let few = ConsumerOptions { retries_max: Some(2), ..in_order() };
    let builder = client.push_consumer("readers").options(few).subscribe("Orders", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(10).await;
    allow_reading(&cluster, "%DLQ%readers").await;
    let builder = client.push_consumer("sorters").options(in_order()).subscribe("%DLQ%readers", Wanted::All);
    let sorter = builder.start(dead.listener()).await.unwrap();
    dead.holds(1).await;
    consumer.stop().await.unwrap();
    sorter.stop().await.unwrap();
    let messages = inbox.messages();
    let stuck = messages.iter().find(|message| body(message) == "message 0000").unwrap();
    let of_its_queue: Vec<_> = messages
        .iter()
        .filter(|message| message.queue_id == stuck.queue_id)
        .map(|message| (message.queue_offset.0, message.reconsume_times))
        .collect();
    assert_eq!(of_its_queue, [(0, 0), (0, 1), (0, 2), (1, 0)]);
    assert_eq!(dead.bodies(), ["message 0000"]);
    cluster.stop().await;
}

#[actix::test]
async fn a_queue_changes_hands_without_a_message_out_of_order() {
    let cluster = Cluster::start().await;
    let (inbox, first_client, second_client) = (Inbox::default(), client(&cluster).await, client(&cluster).await);
    send(&cluster, "Orders", &numbered(0..40)).await;
    let start = async |client: &ferromq::client::Client| {
        let builder = client.push_consumer("readers").options(in_order()).subscribe("Orders", Wanted::All);
        builder.start(inbox.listener()).await.unwrap()
    };
    let first = start(&first_client).await;
    inbox.holds(10).await;
    let second = start(&second_client).await;
    send(&cluster, "Orders", &numbered(40..80)).await;
    inbox.holds(80).await;
    first.stop().await.unwrap();
    send(&cluster, "Orders", &numbered(80..120)).await;
    inbox.holds(120).await;
    second.stop().await.unwrap();
    for (queue, offsets) in by_queue(&inbox.messages()) {
        assert_eq!(offsets, (0..30).collect::<Vec<_>>(), "queue {queue}");
    }
    cluster.stop().await;
}
