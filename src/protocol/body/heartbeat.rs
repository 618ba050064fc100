//! What a client tells every broker each 30 seconds: who it is, and in which groups it produces and consumes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plain_body;
use super::subscription::SubscriptionData;

/// Request of HEART_BEAT.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HeartbeatData {
    /// The client's id, the same on all its connections.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// The groups it consumes in.
    pub consumer_data_set: Vec<ConsumerData>,
    /// The groups it produces in.
    pub producer_data_set: Vec<ProducerData>,
}

/// A group that a client produces in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProducerData {
    /// The group's name.
    pub group_name: String,
}

/// A group that a client consumes in, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerData {
    /// Where a group that has stored no offset begins.
    pub consume_from_where: ConsumeFromWhere,
    /// Who drives the pulls.
    pub consume_type: ConsumeType,
    /// The group's name.
    pub group_name: String,
    /// Whether members share the messages or each get all.
    pub message_model: MessageModel,
    /// What the group wants, by topic.
    pub subscription_data_set: Vec<Arc<SubscriptionData>>,
    /// Whether the group belongs to one unit of a cross-unit deployment.
    pub unit_mode: bool,
}

/// Who drives the pulls of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumeType {
    /// The application pulls.
    #[serde(rename = "CONSUME_ACTIVELY")]
    Actively,
    /// The client library pulls and calls the application.
    #[default]
    #[serde(rename = "CONSUME_PASSIVELY")]
    Passively,
}

/// How a group's members share messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageModel {
    /// Each member gets all.
    Broadcasting,
    /// Each message goes to one member.
    #[default]
    Clustering,
}

/// Where a group that has stored no offset begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeFromWhere {
    /// With what comes from now on.
    #[default]
    ConsumeFromLastOffset,
    /// Deprecated by the reference, which treats it as `ConsumeFromLastOffset`.
    ConsumeFromLastOffsetAndFromMinWhenBootFirst,
    /// Deprecated by the reference, which treats it as `ConsumeFromLastOffset`.
    ConsumeFromMinOffset,
    /// Deprecated by the reference, which treats it as `ConsumeFromLastOffset`.
    ConsumeFromMaxOffset,
    /// With the oldest message.
    ConsumeFromFirstOffset,
    /// With the first message after a time the consumer keeps to itself.
    ConsumeFromTimestamp,
}

plain_body!(HeartbeatData);
