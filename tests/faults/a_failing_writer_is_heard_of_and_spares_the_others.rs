//! A CommitLogActor that refuses every third message.

use ferromq::actors::broker::Broker;
use ferromq::protocol::codes::response;

use crate::load::{LIMIT, Load, acknowledged, codes, make_topic, pull_all, words_of};
use crate::support::small;
use crate::writers::{Behaviour, front};

#[actix::test]
async fn a_third_is_refused_with_its_words_and_the_rest_can_be_pulled() {
    let directory = tempfile::tempdir().unwrap();
    let failing = front(Behaviour::Refusing { every: 3 });
    let broker = Broker::builder(small(&directory)).commit_log(failing).start().await.unwrap();
    make_topic(&broker, "Failing").await;
    let answers = Load { lanes: 8, messages: 30, limit: LIMIT }.run(&broker, "Failing").await;
    let refused = answers.len() / 3;
    let expected = [(response::SUCCESS, answers.len() - refused), (response::SYSTEM_ERROR, refused)];
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(words_of(&answers, response::SYSTEM_ERROR), "this one is not taken");
    let acknowledged = acknowledged(&answers);
    assert!(pull_all(&broker, "Failing", acknowledged.len()).await == acknowledged, "each acknowledged message once");
    broker.stop().await.unwrap();
}
