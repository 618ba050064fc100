//! A CommitLogActor that refuses every third message.

use bytes::BytesMut;
use ferromq::actors::broker::Broker;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;
use ferromq::protocol::units::Opaque;

use crate::load::{LIMIT, Load, acknowledged, codes, connect, make_topic, pull_all, topic_command, words_of};
use crate::raw::{Raw, send_to, with};
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

/// Whoever takes a batch apart finds the key of each send with it.
#[actix::test]
async fn sends_that_come_twice_are_known_when_their_batch_was_taken_apart() {
    let directory = tempfile::tempdir().unwrap();
    let failing = front(Behaviour::Refusing { every: usize::MAX });
    let broker = Broker::builder(small(&directory)).commit_log(failing).start().await.unwrap();
    let once = with(topic_command("Once"), "attributes", "+duplicate.window.ms=60000");
    connect(&broker).await.call(once, LIMIT).await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    let mut bytes = BytesMut::new();
    for (opaque, key) in (0..).zip(["", "a", "b", "a", "", "b"]) {
        let properties = if key.is_empty() { String::new() } else { format!("UNIQ_KEY\u{1}{key}") };
        let send = send_to("Once", 0, &properties, key).with_opaque(Opaque(opaque));
        frame::encode(&send, Serialization::Json, &mut bytes);
    }
    assert!(client.write(&bytes).await);
    let mut offsets = Vec::new();
    for _ in 0..6 {
        let reply = client.next().await.unwrap();
        offsets.push((reply.opaque.0, reply.ext.int64("queueOffset").unwrap()));
    }
    offsets.sort_unstable();
    assert_eq!(offsets, [(0, 0), (1, 1), (2, 2), (3, 1), (4, 3), (5, 2)]);
    broker.stop().await.unwrap();
}
