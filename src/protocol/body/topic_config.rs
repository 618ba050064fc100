//! What a broker knows about a topic, and the table of it that goes to name servers, slaves and `topics.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::data_version::DataVersion;
use super::plain_body;

/// What may be done with a topic on a broker, as the bits of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permission(pub u32);

impl Permission {
    /// Topics may be made after the pattern of this one.
    pub const INHERIT: Self = Self(1);
    /// Messages may be sent.
    pub const WRITE: Self = Self(2);
    /// Messages may be pulled.
    pub const READ: Self = Self(4);
    /// Sent and pulled: what a topic has unless told otherwise.
    pub const READ_WRITE: Self = Self(6);
    /// All three.
    pub const READ_WRITE_INHERIT: Self = Self(7);

    /// Whether messages may be pulled.
    #[must_use]
    pub fn readable(self) -> bool {
        self.0 & Self::READ.0 != 0
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn writable(self) -> bool {
        self.0 & Self::WRITE.0 != 0
    }

    /// Whether topics may be made after the pattern of this one.
    #[must_use]
    pub fn inherited(self) -> bool {
        self.0 & Self::INHERIT.0 != 0
    }

    /// These bits without those of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl Default for Permission {
    fn default() -> Self {
        Self::READ_WRITE
    }
}

/// Written as the reference prints it: `RW-`, with `X` for inherit.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |set: bool, letter: char| if set { letter } else { '-' };
        write!(f, "{}{}{}", letter(self.readable(), 'R'), letter(self.writable(), 'W'), letter(self.inherited(), 'X'))
    }
}

/// How many tags a message of a topic may have; nothing depends on it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TopicFilterType {
    /// One.
    #[default]
    SingleTag,
    /// Several.
    MultiTag,
}

impl TopicFilterType {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleTag => "SINGLE_TAG",
            Self::MultiTag => "MULTI_TAG",
        }
    }

    /// The member with this name on the wire.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "SINGLE_TAG" => Some(Self::SingleTag),
            "MULTI_TAG" => Some(Self::MultiTag),
            _ => None,
        }
    }
}

/// The bits of a topic's `topicSysFlag`, which only cross-unit deployments use.
pub mod topic_sys_flag {
    /// The topic belongs to one unit.
    pub const UNIT: i32 = 1;
    /// Consumers of another unit subscribe to it.
    pub const UNIT_SUBSCRIPTION: i32 = 2;
}

/// One topic on one broker.
///
/// # Source
/// `org.apache.rocketmq.common.TopicConfig` 4.9.7 (read); `attributes` are of 5.x and kept as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicConfig {
    /// Settings of 5.x, which mean nothing here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Whether the name servers' ORDER_TOPIC_CONFIG lists the topic.
    pub order: bool,
    /// What may be done with it.
    pub perm: Permission,
    /// How many queues consumers see.
    pub read_queue_nums: u32,
    /// Carried, not used.
    pub topic_filter_type: TopicFilterType,
    /// Its name.
    pub topic_name: String,
    /// Bits of [`topic_sys_flag`].
    pub topic_sys_flag: i32,
    /// How many queues producers see.
    pub write_queue_nums: u32,
}

impl TopicConfig {
    /// A topic with as many queues to read as to write.
    #[must_use]
    pub fn new(name: impl Into<String>, queues: u32, perm: Permission) -> Self {
        Self { topic_name: name.into(), read_queue_nums: queues, write_queue_nums: queues, perm, ..Self::default() }
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            order: false,
            perm: Permission::READ_WRITE,
            read_queue_nums: 16,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

/// As remarks of the reference show it: `TopicConfig [topicName=T, readQueueNums=4, …]`.
impl fmt::Display for TopicConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}, topicFilterType={}, \
             topicSysFlag={}, order={}]",
            self.topic_name,
            self.read_queue_nums,
            self.write_queue_nums,
            self.perm,
            self.topic_filter_type.as_str(),
            self.topic_sys_flag,
            self.order
        )
    }
}

/// All topics of a broker: answer of GET_ALL_TOPIC_CONFIG, part of a registration, and `topics.json`.
///
/// # Source
/// `TopicConfigSerializeWrapper` 4.9.7 (read).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicConfigTable {
    /// The version of the table.
    pub data_version: DataVersion,
    /// By name. Shared with the broker's own table, so that 100,000 topics are not copied for every registration.
    pub topic_config_table: BTreeMap<Arc<str>, Arc<TopicConfig>>,
}

plain_body!(TopicConfig, TopicConfigTable);
