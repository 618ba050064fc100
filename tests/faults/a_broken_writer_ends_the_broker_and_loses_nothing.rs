//! A CommitLogActor that panics.

use ferromq::actors::broker::{Broker, StopError};
use ferromq::protocol::codes::response;

use crate::load::{LIMIT, Load, acknowledged, codes, connect, make_topic, pull_all, send_command, words_of};
use crate::support::small;
use crate::writers::{Behaviour, front};

#[actix::test]
async fn every_request_is_answered_the_owner_is_told_and_the_next_start_has_every_acknowledged_message() {
    let directory = tempfile::tempdir().unwrap();
    let panicking = front(Behaviour::Panicking { at: 40 });
    let broker = Broker::builder(small(&directory)).commit_log(panicking).start().await.unwrap();
    make_topic(&broker, "Broken").await;
    let answers = Load { lanes: 8, messages: 60, limit: LIMIT }.run(&broker, "Broken").await;
    let codes = codes(&answers);
    // What was in the writer's hands cannot be said to be stored or not; what comes later is told why.
    let expected = [response::SUCCESS, response::SYSTEM_ERROR, response::SERVICE_NOT_AVAILABLE];
    assert!(codes.keys().all(|code| expected.contains(code)), "{codes:?}");
    let words = words_of(&answers, response::SERVICE_NOT_AVAILABLE);
    assert!(words.contains("Front failed at AppendBatch: the writer breaks"), "{words:?} of {codes:?}");

    let terminal = tokio::time::timeout(LIMIT, broker.ended()).await.unwrap();
    assert_eq!(
        (terminal.actor, terminal.at.as_str(), terminal.cause.as_str()),
        ("Front", "AppendBatch", "the writer breaks")
    );
    let later = connect(&broker).await.request(send_command("Broken", 0, "later"), LIMIT).await.unwrap();
    assert_eq!(later.code, response::SERVICE_NOT_AVAILABLE, "{:?}", later.remark);
    assert!(matches!(broker.stop().await, Err(StopError::Ended(_))));

    let broker = Broker::builder(small(&directory)).start().await.unwrap();
    let acknowledged = acknowledged(&answers);
    assert!(!acknowledged.is_empty());
    assert!(pull_all(&broker, "Broken", acknowledged.len()).await == acknowledged, "each acknowledged message once");
    broker.stop().await.unwrap();
}
