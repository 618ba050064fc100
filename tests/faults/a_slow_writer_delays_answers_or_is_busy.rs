//! A CommitLogActor that takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::response;

use crate::load::{CONNECTIONS, LIMIT, Load, acknowledged, codes, make_topic, pull_all, words_of};
use crate::support::{small, wait_until};
use crate::writers::{Behaviour, front};

#[actix::test]
async fn answers_come_late_but_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let slow = front(Behaviour::Slow { every: 1, by: Duration::from_millis(30), held: Arc::default() });
    let options = BrokerOptions { send_wait: None, ..small(&directory) };
    let clock = options.clock.clone();
    let broker = Broker::builder(options).commit_log(slow).start().await.unwrap();
    make_topic(&broker, "Slow").await;
    let began = clock.elapsed();
    let answers = Load { lanes: 8, messages: 10, limit: LIMIT }.run(&broker, "Slow").await;
    assert!(clock.elapsed() - began >= Duration::from_millis(300), "ten in a row, 30 ms each");
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, CONNECTIONS * 80)]);
    assert!(pull_all(&broker, "Slow", answers.len()).await == acknowledged(&answers), "each message once");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn who_waits_longer_than_allowed_is_told_busy_and_nothing_of_it_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let held = Arc::new(AtomicUsize::new(0));
    let slow = front(Behaviour::Slow { every: 2, by: Duration::from_secs(3), held: held.clone() });
    let options = BrokerOptions { send_wait: Some(Duration::from_millis(500)), ..small(&directory) };
    let broker = Broker::builder(options).commit_log(slow).start().await.unwrap();
    make_topic(&broker, "Slow").await;
    let answers = Load { lanes: 4, messages: 2, limit: LIMIT }.run(&broker, "Slow").await;
    let codes = codes(&answers);
    assert!(codes.keys().all(|code| [response::SUCCESS, response::SYSTEM_BUSY].contains(code)), "{codes:?}");
    let words = words_of(&answers, response::SYSTEM_BUSY);
    assert!(words.starts_with("[TIMEOUT_CLEAN_QUEUE]broker busy"), "{words:?} of {codes:?}");
    wait_until(LIMIT, "the late batches came to the writer", || held.load(Ordering::SeqCst) == 0).await;
    broker.stop().await.unwrap();

    let broker = Broker::builder(small(&directory)).start().await.unwrap();
    let acknowledged = acknowledged(&answers);
    assert!(pull_all(&broker, "Slow", acknowledged.len()).await == acknowledged, "what was acknowledged, each once");
    broker.stop().await.unwrap();
}
