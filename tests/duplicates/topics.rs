//! Topics with attributes, as administrators with the tools of RocketMQ 5 make them, and what sends to them are told.

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;

use crate::raw::{Raw, ask_for, send_to};

/// The window of the topics here.
pub(crate) const WINDOW_MS: i64 = 60_000;

/// Makes a topic with eight queues and these attributes, or changes it.
pub(crate) async fn update(client: &mut Raw, topic: &str, attributes: &str) -> Command {
    let update = ask_for(
        request::UPDATE_AND_CREATE_TOPIC,
        &[
            ("topic", &topic),
            ("defaultTopic", &"TBW102"),
            ("readQueueNums", &8),
            ("writeQueueNums", &8),
            ("perm", &6),
            ("topicFilterType", &"SINGLE_TAG"),
            ("order", &false),
            ("attributes", &attributes),
        ],
    );
    client.ask(update).await
}

/// Makes a topic with a window.
pub(crate) async fn make(client: &mut Raw, topic: &str) {
    let made = update(client, topic, &format!("+duplicate.window.ms={WINDOW_MS}")).await;
    assert_eq!(made.code, response::SUCCESS, "{made:?}");
}

/// What the answer to a send says of where its messages lie: ids, queue and number in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) ids: String,
    pub(crate) queue_id: i64,
    pub(crate) queue_offset: i64,
}

pub(crate) fn answer(reply: &Command) -> Answer {
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    Answer {
        ids: reply.ext.get("msgId").unwrap().into_owned(),
        queue_id: reply.ext.int64("queueId").unwrap(),
        queue_offset: reply.ext.int64("queueOffset").unwrap(),
    }
}

/// Sends and tells where it lies.
pub(crate) async fn send(client: &mut Raw, topic: &str, queue_id: i32, properties: &str, body: &str) -> Answer {
    answer(&client.ask(send_to(topic, queue_id, properties, body.to_owned())).await)
}
