//! Who is connected: the answers to questions about a group's members.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::heartbeat::{ConsumeFromWhere, ConsumeType, MessageModel};
use super::plain_body;
use super::subscription::SubscriptionData;

/// One connection of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Connection {
    /// `ip:port` of the client.
    pub client_addr: String,
    /// Its client id.
    pub client_id: String,
    /// The language it names in its frames: `JAVA`, `GO`. A text, since peers may know more languages than we do.
    pub language: String,
    /// The version number of its frames.
    pub version: i32,
}

/// Answer of GET_CONSUMER_CONNECTION_LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerConnection {
    /// The group's connections.
    pub connection_set: Vec<Connection>,
    /// Where a group that has stored no offset begins.
    pub consume_from_where: ConsumeFromWhere,
    /// Who drives the pulls.
    pub consume_type: ConsumeType,
    /// How members share messages.
    pub message_model: MessageModel,
    /// What the group wants, by topic.
    pub subscription_table: BTreeMap<Arc<str>, Arc<SubscriptionData>>,
}

/// Answer of GET_PRODUCER_CONNECTION_LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProducerConnection {
    /// The group's connections.
    pub connection_set: Vec<Connection>,
}

/// Answer of GET_ALL_PRODUCER_INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProducerTableInfo {
    /// Every producer, by group.
    pub data: BTreeMap<String, Vec<ProducerInfo>>,
}

/// One producer of a [`ProducerTableInfo`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProducerInfo {
    /// Its client id.
    pub client_id: String,
    /// The language it names in its frames.
    pub language: String,
    /// When it was last heard of, in milliseconds since the epoch.
    pub last_update_timestamp: i64,
    /// `/ip:port`, with the slash that Java puts before addresses.
    #[serde(rename = "remoteIP")]
    pub remote_ip: String,
    /// The version number of its frames.
    pub version: i32,
}

plain_body!(Connection, ConsumerConnection, ProducerConnection, ProducerTableInfo);
