//! Messages as a consumer sees them: pulled, decoded, waited for.
#![allow(dead_code, reason = "not every test that includes this file looks at messages in every way")]

use std::time::Duration;

use ferromq::protocol::codes::response;
use ferromq::protocol::command::Command;
use ferromq::protocol::message::{self, Message};
use ferromq::protocol::properties;
use tokio::time::timeout;

use crate::raw::{LIMIT, Raw, pull_from, waiting_pull_from};

/// Everything that a queue holds from `offset` on, in one answer.
pub(crate) async fn messages_in(client: &mut Raw, topic: &str, queue_id: i32, offset: i64) -> Vec<Message> {
    let reply = client.ask(pull_from(topic, queue_id, offset, 32)).await;
    message::decode_all(reply.body).unwrap()
}

/// The next `count` messages of a queue from `offset` on, once they are there.
pub(crate) async fn wait_for(client: &mut Raw, topic: &str, queue_id: i32, offset: i64, count: usize) -> Vec<Message> {
    let waited = timeout(LIMIT, async {
        let mut messages = Vec::new();
        while messages.len() < count {
            let next = offset + messages.len() as i64;
            let reply = client.ask(waiting_pull_from(topic, queue_id, next, 32)).await;
            match reply.code {
                response::SUCCESS => messages.extend(message::decode_all(reply.body).unwrap()),
                // The topic may come with its first message.
                response::TOPIC_NOT_EXIST => tokio::time::sleep(Duration::from_millis(2)).await,
                response::PULL_NOT_FOUND => {}
                _ => panic!("{reply:?}"),
            }
        }
        messages
    });
    waited.await.unwrap_or_else(|_| panic!("{count} messages of {topic} within {LIMIT:?}"))
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap()).collect()
}

/// Where the message of a send lies in the log, as its reply says.
pub(crate) fn lies_at(sent: &Command) -> i64 {
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    let id = sent.ext.get("msgId").unwrap();
    i64::from_str_radix(&id[id.len() - 16..], 16).unwrap()
}

/// The pairs of a message's properties, in the order of their names, as `name=value`.
pub(crate) fn property_pairs(message: &Message) -> Vec<String> {
    let mut pairs: Vec<_> =
        properties::pairs(&message.properties).map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort();
    pairs
}
