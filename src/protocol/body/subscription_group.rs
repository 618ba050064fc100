//! What a broker knows about a consumer group, and the table of it that goes to slaves and `subscriptionGroup.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::data_version::DataVersion;
use super::plain_body;

/// One consumer group on one broker.
///
/// # Source
/// `org.apache.rocketmq.common.subscription.SubscriptionGroupConfig` 4.9.7 (read).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionGroupConfig {
    /// The broker to pull from when all is well: 0 the master.
    pub broker_id: i64,
    /// Whether members may consume by broadcast.
    pub consume_broadcast_enable: bool,
    /// Whether the group may consume at all.
    pub consume_enable: bool,
    /// Carried, not used.
    pub consume_from_min_enable: bool,
    /// The group's name.
    pub group_name: String,
    /// Whether members are told when others come and go.
    pub notify_consumer_ids_changed_enable: bool,
    /// How often a message is tried again before it goes to the dead-letter topic.
    pub retry_max_times: i32,
    /// How many queues the retry topic has; with none, what comes back is dropped.
    pub retry_queue_nums: u32,
    /// The broker to pull from when the group is far behind.
    pub which_broker_when_consume_slowly: i64,
}

impl SubscriptionGroupConfig {
    /// The settings a group has unless told otherwise.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { group_name: name.into(), ..Self::default() }
    }
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            group_name: String::new(),
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// All groups of a broker: answer of GET_ALL_SUBSCRIPTIONGROUP_CONFIG, and `subscriptionGroup.json`.
///
/// # Source
/// `SubscriptionGroupWrapper` 4.9.7 (read).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionGroupTable {
    /// The version of the table.
    pub data_version: DataVersion,
    /// By name.
    pub subscription_group_table: BTreeMap<Arc<str>, Arc<SubscriptionGroupConfig>>,
}

plain_body!(SubscriptionGroupConfig, SubscriptionGroupTable);
