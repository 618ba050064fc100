//! A consumer that is online, and what is common to the questions of administrators.

use std::fmt::Display;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Language, Serialization};
use ferromq::protocol::frame;
use serde_json::{Value, json};

use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

/// What a client of RocketMQ 4.9.7 says of itself.
pub(crate) const VERSION: i32 = 407;

/// A consumer that has sent a heartbeat.
pub(crate) struct Consumer {
    client: Raw,
}

impl Consumer {
    /// Joins a group that wants every message of these topics.
    pub(crate) async fn join(broker: SocketAddr, id: &str, group: &str, topics: &[&str]) -> Self {
        Self::join_as(broker, id, group, topics, VERSION).await
    }

    /// The same as a client of this version.
    pub(crate) async fn join_as(broker: SocketAddr, id: &str, group: &str, topics: &[&str], version: i32) -> Self {
        let subscriptions: Vec<_> = topics.iter().map(|topic| subscription(topic, "*", "TAG")).collect();
        Self::join_with(broker, id, group, &subscriptions, version).await
    }

    pub(crate) async fn join_with(broker: SocketAddr, id: &str, group: &str, wants: &[Value], version: i32) -> Self {
        let consumer = json!({"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
            "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": wants, "unitMode": false});
        let body = json!({"clientID": id, "consumerDataSet": [consumer], "producerDataSet": []});
        let heartbeat = ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into());
        let mut client = Raw::connect(broker).await;
        let reply = client.ask(Command { version, ..heartbeat }).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        Self { client }
    }

    /// Its end of the connection.
    pub(crate) fn address(&self) -> SocketAddr {
        self.client.local_address()
    }

    /// What the broker asks it or tells it next, but for notices about the group.
    pub(crate) async fn hears(&mut self) -> Command {
        loop {
            let heard = self.client.next().await.expect("a request of the broker");
            if heard.code != request::NOTIFY_CONSUMER_IDS_CHANGED && !heard.is_reply() {
                return heard;
            }
        }
    }

    /// Whether nothing was said to it up to now: what it asks is answered behind that.
    pub(crate) async fn has_heard_nothing(&mut self) {
        let question = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
        self.client.send_as(question, Serialization::Json).await;
        loop {
            let heard = self.client.next().await.expect("an answer");
            if heard.is_reply() {
                return;
            }
            assert_eq!(heard.code, request::NOTIFY_CONSUMER_IDS_CHANGED, "{heard:?}");
        }
    }

    /// Answers what it was asked.
    pub(crate) async fn answers(&mut self, asked: &Command, code: i32, body: impl Into<Bytes>) {
        self.answers_with(asked, Command::reply(code, asked.opaque).with_body(body.into())).await;
    }

    pub(crate) async fn answers_with(&mut self, asked: &Command, reply: Command) {
        let mut out = BytesMut::new();
        frame::encode(&reply.with_opaque(asked.opaque), Serialization::Json, &mut out);
        assert!(self.client.write(&out).await, "the connection is open");
    }
}

pub(crate) fn subscription(topic: &str, expression: &str, kind: &str) -> Value {
    json!({"classFilterMode": false, "codeSet": [], "expressionType": kind, "subString": expression,
        "subVersion": 5, "tagsSet": [], "topic": topic})
}

/// Makes a topic.
pub(crate) async fn with_topic(tool: &mut Raw, topic: &str, read_queues: u32, write_queues: u32) {
    let fields: [(&str, &dyn Display); 6] = [
        ("topic", &topic),
        ("defaultTopic", &"TBW102"),
        ("readQueueNums", &read_queues),
        ("writeQueueNums", &write_queues),
        ("perm", &6),
        ("order", &false),
    ];
    succeeds(tool, ask_for(request::UPDATE_AND_CREATE_TOPIC, &fields)).await;
}

/// Sends messages to a queue and waits until they are in it; returns the id of the last.
pub(crate) async fn with_messages(tool: &mut Raw, topic: &str, queue_id: i32, count: i64) -> String {
    let max = ask_for(request::GET_MAX_OFFSET, &[("topic", &topic), ("queueId", &queue_id)]);
    let before = succeeds(tool, max.clone()).await.ext.int64("offset").unwrap();
    let mut id = String::new();
    for number in 0..count {
        let sent = tool.ask(send_to(topic, queue_id, "", format!("message {number}"))).await;
        assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
        id = sent.ext.get("msgId").unwrap().into_owned();
    }
    tool.ask_until(max, |reply| reply.ext.int64("offset").unwrap() == before + count).await;
    id
}

/// Has a group store an offset.
pub(crate) async fn commit(tool: &mut Raw, topic: &str, group: &str, queue_id: i32, offset: i64) {
    let fields: [(&str, &dyn Display); 4] =
        [("consumerGroup", &group), ("topic", &topic), ("queueId", &queue_id), ("commitOffset", &offset)];
    succeeds(tool, ask_for(request::UPDATE_CONSUMER_OFFSET, &fields)).await;
}

/// All offsets that are stored.
pub(crate) async fn offsets(tool: &mut Raw) -> Value {
    body(&succeeds(tool, ask_for(request::GET_ALL_CONSUMER_OFFSET, &[])).await)["offsetTable"].clone()
}

/// Asks for what must not fail.
pub(crate) async fn succeeds(tool: &mut Raw, command: Command) -> Command {
    let reply = tool.ask(command).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (response::SUCCESS, None), "{reply:?}");
    reply
}

/// Asks for what is refused with these words.
pub(crate) async fn is_refused(tool: &mut Raw, command: Command, code: i32, remark: &str) {
    let reply = tool.ask(command).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (code, Some(remark)), "{reply:?}");
    assert!(reply.body.is_empty(), "{reply:?}");
}

/// A body that is JSON.
pub(crate) fn body(reply: &Command) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

/// A body as it was written.
pub(crate) fn text(reply: &Command) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// A queue of the broker as the key of a table.
pub(crate) fn queue(topic: &str, queue_id: i32) -> String {
    format!(r#"{{"brokerName":"broker-a","queueId":{queue_id},"topic":"{topic}"}}"#)
}

/// Refuses a request without one of its fields, whichever it is.
pub(crate) async fn needs_its_fields(tool: &mut Raw, code: i32, fields: &[(&'static str, &dyn Display)]) {
    for (missing, _) in fields {
        let others: Vec<_> = fields.iter().filter(|(name, _)| name != missing).copied().collect();
        let remark = format!("the custom field <{missing}> is null");
        is_refused(tool, ask_for(code, &others), response::SYSTEM_ERROR, &remark).await;
    }
}

/// The same request by a client that is written in C++.
pub(crate) fn in_cpp(command: Command) -> Command {
    command.with_language(Language::Cpp)
}

/// Somebody who asks on a connection of its own.
pub(crate) async fn tool(cluster: &Cluster) -> Raw {
    Raw::connect(cluster.broker.address()).await
}
