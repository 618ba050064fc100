//! A consume queue entry by entry: the answer of QUERY_CONSUME_QUEUE.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plain_body;
use super::subscription::SubscriptionData;

/// Answer of QUERY_CONSUME_QUEUE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeQueuePage {
    /// The filter of the group that was asked for as JSON of its own, `null` without one; or that the group is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_data: Option<String>,
    /// The entry that will be written next.
    pub max_queue_index: i64,
    /// The first entry whose record is still there.
    pub min_queue_index: i64,
    /// The entries.
    pub queue_data: Vec<ConsumeQueueLine>,
    /// What the group that was asked for wants, if it is online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<Arc<SubscriptionData>>,
}

/// One entry of a [`ConsumeQueuePage`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeQueueLine {
    /// Whether the group's filter lets it pass, where a queue extension says so.
    pub eval: bool,
    /// Where the record lies.
    pub physic_offset: i64,
    /// Its length.
    pub physic_size: i32,
    /// Hash of its tag, or when it is due.
    pub tags_code: i64,
}

plain_body!(ConsumeQueuePage);
