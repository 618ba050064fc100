//! Actors that take what they are sent and never answer.

use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::client_actor::ClientPorts;
use ferromq::actors::offset_actor::OffsetPorts;
use ferromq::actors::queue_actor::QueuePorts;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::headers::offset::QueryConsumerOffset;

use crate::load::{LIMIT, Load, codes, connect, make_topic, pull_from, words_of};
use crate::support::small;
use crate::writers::{deaf, deaf_here};

/// The longest that a request may stay unanswered.
const UNANSWERED_MAX: Duration = Duration::from_secs(5);

/// Asks many times at once and has every answer in time.
async fn check_busy(broker: &Broker, ask: impl Fn() -> Command) {
    let connection = connect(broker).await;
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let (connection, command) = (connection.clone(), ask());
            actix::spawn(async move { connection.request(command, UNANSWERED_MAX).await.unwrap() })
        })
        .collect();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer.code, response::SYSTEM_BUSY, "{:?}", answer.remark);
    }
}

#[actix::test]
async fn sends_to_a_deaf_writer_are_told_busy() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(small(&directory)).commit_log(|_, on| deaf(on)).start().await.unwrap();
    make_topic(&broker, "Deaf").await;
    let answers = Load { lanes: 20, messages: 1, limit: UNANSWERED_MAX }.run(&broker, "Deaf").await;
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SYSTEM_BUSY, answers.len())]);
    let words = words_of(&answers, response::SYSTEM_BUSY);
    assert!(words.starts_with("[TIMEOUT_CLEAN_QUEUE]broker busy"), "{words}");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn pulls_from_a_deaf_queue_are_told_busy_while_sends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let wrap = |ports: QueuePorts| QueuePorts { pull: deaf_here(), ..ports };
    let broker = Broker::builder(small(&directory)).queue(wrap).start().await.unwrap();
    make_topic(&broker, "Deaf").await;
    let load = Load { lanes: 4, messages: 50, limit: LIMIT }.run(&broker, "Deaf");
    let pulls = check_busy(&broker, || pull_from("Deaf", "readers", 0, Duration::ZERO));
    let (answers, ()) = tokio::join!(load, pulls);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn questions_to_deaf_actors_are_told_busy_while_sends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(small(&directory))
        .offset(|_, on| OffsetPorts { requests: deaf(on), commit: deaf(on), persist: deaf(on) })
        .client(|_, on| ClientPorts { requests: deaf(on), closed: deaf(on) })
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Deaf").await;
    let load = Load { lanes: 4, messages: 50, limit: LIMIT }.run(&broker, "Deaf");
    let offsets = check_busy(&broker, || {
        let header = QueryConsumerOffset {
            consumer_group: "readers".into(),
            topic: "Deaf".into(),
            queue_id: 0,
            set_zero_if_not_found: None,
        };
        Command::request(request::QUERY_CONSUMER_OFFSET).with_ext(header.to_ext())
    });
    let heartbeats = check_busy(&broker, || Command::request(request::HEART_BEAT).with_body("{}".into()));
    let (answers, (), ()) = tokio::join!(load, offsets, heartbeats);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    broker.stop().await.unwrap();
}
