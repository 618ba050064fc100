//! A consumer gets what it has subscribed to, and what it has changed that to since.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::config::FilterSettings;
use ferromq::client::{Begin, ConsumerOptions, Delivery, OutgoingMessage, Wanted};
use ferromq::protocol::names::Topic;
use tokio::sync::Semaphore;

use crate::inbox::{Inbox, client, numbered, send};
use crate::raw::LIMIT;
use crate::support::{Cluster, wait_until};

fn options() -> ConsumerOptions {
    ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() }
}

/// Sends a message of each tag, which also is its body, with its length as a property. Two of them have one hash in Java.
async fn send_tagged(cluster: &Cluster) {
    let producer = client(cluster).await.producer("writers").start().await.unwrap();
    for tag in ["Aa", "BB", "paid", "cancelled"] {
        let mut message = OutgoingMessage::new(Topic::parse("Orders").unwrap(), tag);
        message.tag = Some(tag.into());
        message.properties = vec![("length".into(), tag.len().to_string())];
        producer.send(&message).await.unwrap();
    }
}

#[actix::test]
async fn tags_are_told_apart_also_where_their_hashes_are_not() {
    let cluster = Cluster::start().await;
    send_tagged(&cluster).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let builder = client.push_consumer("readers").options(options());
    let consumer =
        builder.subscribe("Orders", Wanted::Tags("Aa || paid".into())).start(inbox.listener()).await.unwrap();
    inbox.holds(2).await;
    send_tagged(&cluster).await;
    inbox.holds(4).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), ["Aa", "Aa", "paid", "paid"]);
    cluster.stop().await;
}

#[actix::test]
async fn a_condition_chooses_by_properties() {
    let filters = FilterSettings { enabled: true, ..FilterSettings::default() };
    let cluster = Cluster::start_with(|options| BrokerOptions { filters, ..options }).await;
    send_tagged(&cluster).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let builder = client.push_consumer("readers").options(options());
    let wanted = Wanted::Condition("length > 3".into());
    let consumer = builder.subscribe("Orders", wanted).start(inbox.listener()).await.unwrap();
    inbox.holds(2).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), ["cancelled", "paid"]);
    cluster.stop().await;
}

#[actix::test]
async fn topics_are_added_and_taken_away_while_it_runs() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..4)).await;
    send(&cluster, "Payments", &numbered(10..14)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let builder = client.push_consumer("readers").options(options()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(inbox.listener()).await.unwrap();
    inbox.holds(4).await;
    consumer.subscribe("Payments", Wanted::All).await.unwrap();
    inbox.holds(8).await;
    consumer.unsubscribe("Orders").await.unwrap();
    let mut queues = consumer.queues();
    let only_payments = queues.wait_for(|queues| queues.iter().all(|queue| queue.topic != "Orders"));
    tokio::time::timeout(LIMIT, only_payments).await.expect("the queues are given up").unwrap();
    send(&cluster, "Orders", &numbered(4..8)).await;
    send(&cluster, "Payments", &numbered(14..18)).await;
    inbox.holds(12).await;
    consumer.stop().await.unwrap();
    let mut expected = numbered(0..4);
    expected.extend(numbered(10..18));
    assert_eq!(inbox.sorted(), expected);
    cluster.stop().await;
}

#[actix::test]
async fn what_is_suspended_gets_nothing_until_it_is_resumed() {
    let cluster = Cluster::start().await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    send(&cluster, "Orders", &numbered(0..4)).await;
    let builder = client.push_consumer("readers").options(options()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(inbox.listener()).await.unwrap();
    inbox.holds(4).await;
    consumer.suspend().await.unwrap();
    send(&cluster, "Orders", &numbered(4..8)).await;
    let other = client.push_consumer("others").options(options()).subscribe("Orders", Wanted::All);
    let witness = Inbox::default();
    let other = other.start(witness.listener()).await.unwrap();
    witness.holds(8).await;
    assert_eq!(inbox.len(), 4, "another group has had everything by now");
    consumer.resume().await.unwrap();
    inbox.holds(8).await;
    other.stop().await.unwrap();
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

/// What was handed over already, and waits for the call before it, waits on.
#[actix::test]
async fn a_call_that_is_due_does_not_begin_while_it_is_suspended() {
    let cluster = Cluster::start().await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    send(&cluster, "Orders", &numbered(0..8)).await;
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (own_gate, own_begun, seen) = (gate.clone(), begun.clone(), inbox.clone());
    let listener = move |delivery: Delivery| {
        own_begun.fetch_add(1, Ordering::SeqCst);
        let (gate, seen) = (own_gate.clone(), seen.clone());
        async move {
            gate.acquire().await.unwrap().forget();
            seen.take_in(delivery);
        }
    };
    let one = ConsumerOptions { deliveries_at_once: 1, ..options() };
    let builder = client.push_consumer("readers").options(one).subscribe("Orders", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    wait_until(LIMIT, "a call has begun", || begun.load(Ordering::SeqCst) == 1).await;
    consumer.suspend().await.unwrap();
    gate.add_permits(1);
    inbox.holds(1).await;
    let witness = Inbox::default();
    let other = client.push_consumer("others").options(options()).subscribe("Orders", Wanted::All);
    let other = other.start(witness.listener()).await.unwrap();
    witness.holds(8).await;
    assert_eq!(begun.load(Ordering::SeqCst), 1, "another group has had everything by now");
    consumer.resume().await.unwrap();
    gate.add_permits(7);
    inbox.holds(8).await;
    other.stop().await.unwrap();
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn what_nobody_could_want_is_refused_at_once() {
    let cluster = Cluster::start().await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let refused = async |builder: ferromq::client::PushConsumerBuilder| {
        builder.start(inbox.listener()).await.err().unwrap().to_string()
    };
    let no_tag = client.push_consumer("readers").subscribe("Orders", Wanted::Tags(" || ".into()));
    assert!(refused(no_tag).await.contains("names no tag"));
    let no_topic = client.push_consumer("readers").subscribe("or ders", Wanted::All);
    assert!(refused(no_topic).await.contains("illegal characters"));
    let no_group = client.push_consumer("").subscribe("Orders", Wanted::All);
    assert!(refused(no_group).await.contains("blank"));
    cluster.stop().await;
}
