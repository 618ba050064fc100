//! A client in a consumer group: its heartbeats, and the notices that the broker sends it.

use std::fmt::Display;
use std::net::SocketAddr;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use serde_json::{Value, json};

use crate::raw::{Raw, ask_for};

/// The subscription version of whoever has never changed it.
const SUB_VERSION: i64 = 1_700_000_000_000;

pub(crate) struct Member {
    client: Raw,
    id: &'static str,
    group: &'static str,
    /// The groups that notices have named which came before a reply.
    heard: Vec<String>,
}

impl Member {
    /// Connects and sends the first heartbeat.
    pub(crate) async fn join(broker: SocketAddr, id: &'static str, group: &'static str) -> Self {
        let mut member = Self { client: Raw::connect(broker).await, id, group, heard: Vec::new() };
        member.beats(&["T"]).await;
        member
    }

    /// Sends a heartbeat with every message of these topics.
    pub(crate) async fn beats(&mut self, topics: &[&str]) {
        self.beats_with(consumes(self.group, topics)).await;
    }

    pub(crate) async fn beats_with(&mut self, consumer: Value) {
        let reply = self.asks(heartbeat(self.id, &[], &[consumer])).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    }

    pub(crate) async fn leaves(&mut self) {
        let fields: [(&str, &dyn Display); 2] = [("clientID", &self.id), ("consumerGroup", &self.group)];
        let reply = self.asks(ask_for(request::UNREGISTER_CLIENT, &fields)).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    }

    /// Waits until as many notices have come as are named here.
    pub(crate) async fn is_told_of(&mut self, groups: &[&str]) {
        while self.heard.len() < groups.len() {
            let notice = self.client.next().await.expect("a notice");
            self.heard.push(named_by(&notice));
        }
        assert_eq!(std::mem::take(&mut self.heard), groups, "{}", self.id);
    }

    /// What has come so far is this and no more: who sends the notices answers a question behind them.
    pub(crate) async fn has_heard(&mut self, groups: &[&str]) {
        self.asks(ask_for(request::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", &self.group)])).await;
        assert_eq!(std::mem::take(&mut self.heard), groups, "{}", self.id);
    }

    /// Whether the broker has ended the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.client.is_closed().await
    }

    async fn asks(&mut self, command: Command) -> Command {
        let opaque = self.client.send_as(command, Serialization::Json).await;
        loop {
            let received = self.client.next().await.expect("a notice or the reply");
            if received.is_reply() {
                assert_eq!(received.opaque, opaque, "{received:?}");
                return received;
            }
            self.heard.push(named_by(&received));
        }
    }
}

/// A notice has one field, wants no reply and carries nothing else.
fn named_by(notice: &Command) -> String {
    assert_eq!((notice.code, notice.is_oneway()), (request::NOTIFY_CONSUMER_IDS_CHANGED, true), "{notice:?}");
    assert!(notice.ext.iter().count() == 1 && notice.body.is_empty(), "{notice:?}");
    notice.ext.get("consumerGroup").unwrap().into_owned()
}

/// A heartbeat as Java writes it.
pub(crate) fn heartbeat(id: &str, produces: &[&str], consumes: &[Value]) -> Command {
    let produces: Vec<_> = produces.iter().map(|group| json!({"groupName": group})).collect();
    let body = json!({"clientID": id, "consumerDataSet": consumes, "producerDataSet": produces});
    ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())
}

/// A group that takes every message of these topics.
pub(crate) fn consumes(group: &str, topics: &[&str]) -> Value {
    let subscriptions: Vec<_> = topics.iter().map(|topic| subscription(topic, SUB_VERSION)).collect();
    json!({"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": subscriptions, "unitMode": false})
}

pub(crate) fn subscription(topic: &str, sub_version: i64) -> Value {
    json!({"classFilterMode": false, "codeSet": [], "expressionType": "TAG", "subString": "*",
        "subVersion": sub_version, "tagsSet": [], "topic": topic})
}

/// Asks for what must not fail.
pub(crate) async fn succeeds(client: &mut Raw, command: Command) -> Command {
    let reply = client.ask(command).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (response::SUCCESS, None), "{reply:?}");
    reply
}

/// Asks for what is refused with these words.
pub(crate) async fn is_refused(client: &mut Raw, command: Command, code: i32, remark: &str) {
    let reply = client.ask(command).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (code, Some(remark)), "{reply:?}");
    assert!(reply.body.is_empty(), "{reply:?}");
}

pub(crate) fn body(reply: &Command) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}
