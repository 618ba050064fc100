//! Hooks hear of each call of a listener, before it and after, and disturb nobody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferromq::client::{
    CallEnd, ConsumeCall, ConsumeHook, ConsumerOptions, Delivery, Ending, PushConsumer, RetryWhen, Verdict, Wanted,
};

use crate::inbox::{Inbox, client, from_the_first, numbered, send};
use crate::raw::LIMIT;
use crate::support::{Cluster, wait_until};

/// The number of a call, and how it ended if that is told of.
type Note = (u64, Option<CallEnd>);

/// Writes down what it is told; panics at some calls.
#[derive(Clone, Default)]
struct Notes {
    told: Arc<Mutex<Vec<Note>>>,
    panics_at: Option<u64>,
}

impl Notes {
    fn note(&self, call: &ConsumeCall<'_>, end: Option<CallEnd>) {
        assert_eq!(call.delivery.messages.len(), 1);
        self.told.lock().unwrap().push((call.number, end));
        assert_ne!(Some(call.number), self.panics_at, "a hook that panics");
    }

    fn told(&self) -> Vec<Note> {
        self.told.lock().unwrap().clone()
    }

    async fn holds(&self, count: usize) {
        wait_until(LIMIT, &format!("{count} notes"), || self.told().len() >= count).await;
    }
}

impl ConsumeHook for Notes {
    fn before(&self, call: &ConsumeCall<'_>) {
        self.note(call, None);
    }

    fn after(&self, call: &ConsumeCall<'_>, end: &CallEnd) {
        self.note(call, Some(*end));
    }
}

/// What a hook is told of the end of a call with one message.
async fn check(listener: impl ferromq::client::Listener, verdict: Verdict, ending: Ending) {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..1)).await;
    let notes = Notes::default();
    let options = ConsumerOptions { consume_timeout: Duration::from_millis(50), ..from_the_first() };
    let builder = client(&cluster).await.push_consumer("readers").options(options).subscribe("Orders", Wanted::All);
    let consumer: PushConsumer = builder.hook(Arc::new(notes.clone())).start(listener).await.unwrap();
    notes.holds(2).await;
    consumer.stop().await.unwrap();
    let (before, after) = (notes.told()[0], notes.told()[1]);
    assert_eq!(before, (0, None));
    let end = after.1.unwrap();
    assert_eq!((after.0, end.verdict, end.ending), (0, verdict, ending));
    assert!(ending != Ending::Overdue || end.took >= Duration::from_millis(50), "{end:?}");
    cluster.stop().await;
}

#[actix::test]
async fn of_messages_that_are_consumed() {
    check(|_: Delivery| std::future::ready(()), Verdict::Consumed, Ending::Returned).await;
}

#[actix::test]
async fn of_a_listener_that_fails() {
    check(|_: Delivery| async { Err::<(), _>("no") }, Verdict::LATER, Ending::Returned).await;
}

#[actix::test]
async fn of_a_listener_that_panics() {
    check(|_: Delivery| async { assert_eq!(1, 2, "a listener that panics") }, Verdict::LATER, Ending::Panicked).await;
}

#[actix::test]
async fn of_a_listener_that_takes_too_long() {
    let late = Verdict::Retry { consumed: 0, when: RetryWhen::Level(3) };
    check(|_: Delivery| std::future::pending::<()>(), late, Ending::Overdue).await;
}

#[actix::test]
async fn one_that_panics_disturbs_nobody() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..10)).await;
    let (notes, inbox) = (Notes { panics_at: Some(0), ..Notes::default() }, Inbox::default());
    let options = ConsumerOptions { deliveries_at_once: 1, ..from_the_first() };
    let builder = client(&cluster).await.push_consumer("readers").options(options).subscribe("Orders", Wanted::All);
    let consumer = builder.hook(Arc::new(notes.clone())).start(inbox.listener()).await.unwrap();
    inbox.holds(10).await;
    notes.holds(20).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), numbered(0..10));
    cluster.stop().await;
}
