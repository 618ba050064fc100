//! Brokers serve without name servers: a client that knows where a topic is goes on, whatever a name server says that was just
//! started, or is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::client::route_cache::ROUTE_AGE_MAX;
use ferromq::client::{ClientError, OutgoingMessage, ProducerOptions};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::names::Topic;
use ferromq::time::ManualClock;

use crate::fake_broker::reply;
use crate::fake_cluster::FakeCluster;

fn message() -> OutgoingMessage {
    OutgoingMessage::new(Topic::parse("T").unwrap(), "x")
}

/// Sends with a route that is known, and then with a name server that answers like this.
async fn check(answer: fn(&Command) -> Command) {
    let forgets = Arc::new(AtomicBool::new(false));
    let has_forgotten = forgets.clone();
    let cluster = FakeCluster::start(2, move |command, _| {
        let is_meant = command.code == request::GET_ROUTEINFO_BY_TOPIC && has_forgotten.load(Ordering::SeqCst);
        is_meant.then(|| vec![answer(command)])
    })
    .await;
    let clock = ManualClock::at(0);
    let own = clock.clone();
    let client = cluster.client_with(|options| ferromq::client::ClientOptions { clock: own, ..options }).await;
    let producer = client.producer("G").start().await.unwrap();
    producer.send(&message()).await.unwrap();
    forgets.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        clock.advance(ROUTE_AGE_MAX);
        producer.send(&message()).await.unwrap();
    }
    let other = OutgoingMessage::new(Topic::parse("U").unwrap(), "x");
    assert!(producer.send(&other).await.is_err(), "what was never known is not made up");
}

#[tokio::test]
async fn one_that_does_not_know_the_topic_any_more() {
    check(|command| reply(command, response::TOPIC_NOT_EXIST)).await;
}

#[tokio::test]
async fn one_that_says_nothing_takes_half_of_a_send_and_no_more() {
    let (routes, sends) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cluster = FakeCluster::start(2, move |command, _| match command.code {
        request::GET_ROUTEINFO_BY_TOPIC if routes.fetch_add(1, Ordering::SeqCst) > 0 => Some(Vec::new()),
        // Whoever is told so asks for the route again, before the message is sent once more.
        request::SEND_MESSAGE_V2 if sends.fetch_add(1, Ordering::SeqCst) == 0 => {
            Some(vec![reply(command, response::TOPIC_NOT_EXIST)])
        }
        _ => None,
    })
    .await;
    let client = cluster.client().await;
    let options = ProducerOptions { send_timeout: Duration::from_millis(400), ..ProducerOptions::default() };
    let producer = client.producer("G").options(options).start().await.unwrap();
    producer.send(&message()).await.unwrap();
}

#[tokio::test]
async fn one_that_knows_no_broker_of_it() {
    check(|command| reply(command, response::SUCCESS).with_body(TopicRouteData::default().encode())).await;
}

#[tokio::test]
async fn one_that_is_no_name_server() {
    check(|command| reply(command, response::REQUEST_CODE_NOT_SUPPORTED)).await;
    check(|command| reply(command, response::SUCCESS).with_body("<html>".into())).await;
}

/// What would fill the memory is no route.
#[tokio::test]
async fn one_that_names_more_queues_than_there_can_be() {
    let cluster = FakeCluster::start(u32::MAX / 2, |_, _| None).await;
    let producer = cluster.client().await.producer("G").start().await.unwrap();
    let sent = producer.send(&message()).await;
    assert!(matches!(sent, Ok(_) | Err(ClientError::NoRoute { .. })), "{sent:?}");
}
