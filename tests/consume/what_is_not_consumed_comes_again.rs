//! A message that a listener could not consume comes again, as often as it was said, and then to the dead letters.

use std::sync::Arc;
use std::time::Duration;

use ferromq::client::{Begin, ConsumerOptions, Delivery, RetryWhen, Verdict, Wanted};
use ferromq::protocol::message::Message;
use ferromq::protocol::properties::keys;

use crate::inbox::{Inbox, allow_reading, body, client, numbered, quick, send};
use crate::support::Cluster;

const SOON: Verdict = Verdict::Retry { consumed: 0, when: RetryWhen::Level(1) };

fn options() -> ConsumerOptions {
    ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() }
}

/// A listener that answers by what it is brought, and keeps all of it.
fn judging(
    inbox: &Inbox,
    judge: impl Fn(&Message) -> Verdict + Send + Sync + 'static,
) -> impl Fn(Delivery) -> std::future::Ready<Verdict> + Send + Sync + 'static {
    let inbox = inbox.clone();
    move |delivery| {
        let verdict = judge(&delivery.messages[0]);
        inbox.take_in(delivery);
        std::future::ready(verdict)
    }
}

/// How often each message had been tried, by body and in the order in which they came.
fn tries(messages: &[Arc<Message>], text: &str) -> Vec<i32> {
    messages.iter().filter(|message| body(message) == text).map(|message| message.reconsume_times).collect()
}

#[actix::test]
async fn it_comes_again_under_the_topic_that_it_was_sent_to() {
    let cluster = Cluster::start_with(quick).await;
    send(&cluster, "Orders", &numbered(0..8)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let judge = |message: &Message| {
        if body(message) == "message 0003" && message.reconsume_times < 2 { SOON } else { Verdict::Consumed }
    };
    let builder = client.push_consumer("readers").options(options()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(judging(&inbox, judge)).await.unwrap();
    inbox.holds(10).await;
    consumer.stop().await.unwrap();
    let messages = inbox.messages();
    assert_eq!(tries(&messages, "message 0003"), [0, 1, 2]);
    assert!(messages.iter().all(|message| message.topic == "Orders"), "{messages:?}");
    let again = messages.iter().find(|message| message.reconsume_times == 1).unwrap();
    assert_eq!(again.property(keys::RETRY_TOPIC), Some("Orders"));
    cluster.stop().await;
}

#[actix::test]
async fn what_is_never_to_come_again_or_was_tried_too_often_is_with_the_dead_letters() {
    let cluster = Cluster::start_with(quick).await;
    send(&cluster, "Orders", &numbered(0..2)).await;
    let (inbox, dead, client) = (Inbox::default(), Inbox::default(), client(&cluster).await);
    let judge = |message: &Message| match body(message).as_str() {
        "message 0000" => Verdict::Retry { consumed: 0, when: RetryWhen::Never },
        _ => SOON,
    };
    let few = ConsumerOptions { retries_max: Some(1), ..options() };
    let builder = client.push_consumer("readers").options(few).subscribe("Orders", Wanted::All);
    let consumer = builder.start(judging(&inbox, judge)).await.unwrap();
    // The last try is over when the message is where it goes then.
    inbox.holds(3).await;
    allow_reading(&cluster, "%DLQ%readers").await;
    let builder = client.push_consumer("sorters").options(options()).subscribe("%DLQ%readers", Wanted::All);
    let sorter = builder.start(dead.listener()).await.unwrap();
    dead.holds(2).await;
    consumer.stop().await.unwrap();
    sorter.stop().await.unwrap();
    assert_eq!(tries(&inbox.messages(), "message 0001"), [0, 1]);
    assert_eq!(dead.sorted(), numbered(0..2));
    cluster.stop().await;
}

#[actix::test]
async fn of_a_delivery_what_is_behind_the_consumed_ones_comes_again() {
    let cluster = Cluster::start_with(quick).await;
    send(&cluster, "Orders", &numbered(0..16)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let two = Verdict::Retry { consumed: 2, when: RetryWhen::Level(1) };
    let judge = move |message: &Message| if message.reconsume_times == 0 { two } else { Verdict::Consumed };
    let four = ConsumerOptions { messages_per_delivery: 4, ..options() };
    let builder = client.push_consumer("readers").options(four).subscribe("Orders", Wanted::All);
    let consumer = builder.start(judging(&inbox, judge)).await.unwrap();
    inbox.holds(24).await;
    consumer.stop().await.unwrap();
    let again = inbox.messages().iter().filter(|message| message.reconsume_times == 1).count();
    assert_eq!(again, 8, "two of each queue's four");
    cluster.stop().await;
}

#[actix::test]
async fn a_listener_that_panics_or_fails_has_consumed_nothing() {
    let cluster = Cluster::start_with(quick).await;
    send(&cluster, "Orders", &numbered(0..2)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let seen = inbox.clone();
    let listener = move |delivery: Delivery| {
        let first = delivery.messages[0].clone();
        seen.take_in(delivery);
        async move {
            assert!(body(&first) != "message 0000" || first.reconsume_times > 0, "a bug of the application");
            if first.reconsume_times > 0 { Ok(()) } else { Err("not yet") }
        }
    };
    let builder = client.push_consumer("readers").options(options()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(4).await;
    consumer.stop().await.unwrap();
    assert_eq!(tries(&inbox.messages(), "message 0000"), [0, 1]);
    assert_eq!(tries(&inbox.messages(), "message 0001"), [0, 1]);
    cluster.stop().await;
}

#[actix::test]
async fn a_listener_that_hangs_is_not_waited_for() {
    let cluster = Cluster::start_with(quick).await;
    send(&cluster, "Orders", &numbered(0..1)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let seen = inbox.clone();
    let listener = move |delivery: Delivery| {
        let hangs = delivery.messages[0].reconsume_times == 0;
        seen.take_in(delivery);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
        }
    };
    // There is room for one call, which the one that hangs must not keep.
    let short = Duration::from_millis(300);
    let impatient = ConsumerOptions {
        consume_timeout: short,
        deliveries_at_once: 1,
        stop_limit: Duration::from_secs(1),
        ..options()
    };
    let builder = client.push_consumer("readers").options(impatient).subscribe("Orders", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(2).await;
    consumer.stop().await.unwrap();
    assert_eq!(tries(&inbox.messages(), "message 0000"), [0, 1]);
    cluster.stop().await;
}
