//! Messages that are submitted, gathered into batches, or thrown after each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::client::{ClientError, Delay, Gathering, OutgoingMessage, ProducerOptions, SendHook, SentMessage};

use crate::inbox::{Inbox, client, numbered, reader};
use crate::support::Cluster;

fn message(body: &str) -> OutgoingMessage {
    OutgoingMessage::to("Orders", body.to_owned()).unwrap()
}

#[actix::test]
async fn what_is_submitted_is_sent_and_there_is_an_end_to_how_much_may_be() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let few = ProducerOptions { submitted_max: 4, ..ProducerOptions::default() };
    let producer = client.producer("writers").options(few).start().await.unwrap();
    // Nothing of this runs before the first await.
    let bodies = numbered(0..5);
    let mut submitted: Vec<_> = bodies.iter().map(|body| producer.submit(message(body))).collect();
    let refused = submitted.pop().unwrap().unwrap_err();
    assert!(matches!(refused, ClientError::TooManySubmitted { limit: 4 }), "{refused}");
    drop(submitted.pop());
    for one in submitted {
        one.unwrap().await.unwrap();
    }
    for body in numbered(4..40) {
        producer.submit_when_there_is_room(message(&body)).await.unwrap();
    }
    producer.stop().await.unwrap();
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(40).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), numbered(0..40), "what is not waited for is sent all the same, and before the end");
    cluster.stop().await;
}

/// Counts what it is told of.
#[derive(Default)]
struct Counts {
    before: AtomicUsize,
    sent: AtomicUsize,
}

impl SendHook for Counts {
    fn before(&self, message: &OutgoingMessage) -> Result<(), ClientError> {
        self.before.fetch_add(1, Ordering::SeqCst);
        if message.body == "forbidden" { Err(ClientError::Forbidden("not this one".into())) } else { Ok(()) }
    }

    fn after(&self, sent: &SentMessage<'_>) {
        // Each hears of its own place, also within a batch.
        let is_one = sent.outcome.is_ok_and(|receipt| !receipt.unique_id.contains(','));
        self.sent.fetch_add(usize::from(is_one), Ordering::SeqCst);
    }
}

#[actix::test]
async fn what_waits_for_an_answer_is_small() {
    let cluster = Cluster::start().await;
    let producer = client(&cluster).await.producer("writers").start().await.unwrap();
    let message = message("1");
    let sending = size_of_val(&producer.send(&message));
    assert!(sending <= 1_536, "a send takes {sending} bytes: what it seldom waits for belongs into a box");
    cluster.stop().await;
}

#[actix::test]
async fn messages_that_are_sent_one_by_one_travel_together_and_each_has_its_receipt() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let gathering = Gathering { linger: Duration::from_millis(5), bytes: 1 << 20, messages: 10 };
    let gathered = ProducerOptions { gathering: Some(gathering), ..ProducerOptions::default() };
    let hook = Arc::new(Counts::default());
    let producer = client.producer("writers").options(gathered).hook(hook.clone()).start().await.unwrap();
    // Twenty fill two batches, and five go when their time is over.
    let submitted: Vec<_> = numbered(0..25).iter().map(|body| producer.submit(message(body)).unwrap()).collect();
    let mut receipts = Vec::new();
    for one in submitted {
        receipts.push(one.await.unwrap());
    }
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(25).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), numbered(0..25));
    for message in inbox.messages() {
        let receipt = receipts.iter().find(|receipt| Some(&*receipt.unique_id) == message.unique_id()).unwrap();
        let place = (receipt.queue_id, receipt.queue_offset, receipt.offset_id.clone());
        assert_eq!(place, (message.queue_id, message.queue_offset, message.offset_id()), "{message:?}");
    }
    let queues: std::collections::BTreeSet<_> = receipts.iter().map(|receipt| receipt.queue_id.0).collect();
    assert_eq!(queues.len(), 3, "three requests went to three queues");
    assert_eq!((hook.before.load(Ordering::SeqCst), hook.sent.load(Ordering::SeqCst)), (25, 25));
    cluster.stop().await;
}

#[actix::test]
async fn a_batch_that_cannot_be_sent_is_told_to_all_of_it() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let gathering = Gathering { linger: Duration::from_secs(60), bytes: 1 << 20, messages: 3 };
    let gathered = ProducerOptions { gathering: Some(gathering), ..ProducerOptions::default() };
    let builder = client.producer("writers").options(gathered).hook(Arc::new(Counts::default()));
    let producer = builder.start().await.unwrap();
    let bodies = ["one", "forbidden", "three"];
    let submitted: Vec<_> = bodies.map(|body| producer.submit(message(body)).unwrap()).into_iter().collect();
    for one in submitted {
        let error = one.await.unwrap_err().to_string();
        assert_eq!(error, "the message is not to be sent: not this one");
    }
    // What is delayed travels alone, and waits for nobody.
    let delayed = message("later").delay(Delay::Level(1));
    producer.send(&delayed).await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn what_is_thrown_arrives_though_nobody_says_so() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").start().await.unwrap();
    for body in numbered(0..20) {
        producer.send_oneway(&message(&body)).await.unwrap();
    }
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(20).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), numbered(0..20));
    cluster.stop().await;
}

#[actix::test]
async fn one_client_has_one_producer_of_a_group() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let first = client.producer("writers").start().await.unwrap();
    let refused = client.producer("writers").start().await.unwrap_err().to_string();
    assert!(refused.contains("has a member of group writers already"), "{refused}");
    let clone = first.clone();
    first.stop().await.unwrap();
    let second = client.producer("writers").start().await.unwrap();
    // What is left of the one before takes nothing of the next one with it.
    drop(clone);
    assert!(client.producer("writers").start().await.is_err(), "the second one is there");
    drop(second);
    cluster.stop().await;
}
