//! Bodies that are lists of names.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::plain_body;

/// Answer of the requests for topic names, on name servers and brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicList {
    /// One broker that is known, in the answers about system topics: the tool asks it for its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_addr: Option<String>,
    /// The names.
    pub topic_list: BTreeSet<String>,
}

/// Answer of QUERY_TOPIC_CONSUME_BY_WHO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupList {
    /// The names.
    pub group_list: BTreeSet<String>,
}

/// Answer of GET_CONSUMER_LIST_BY_GROUP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerList {
    /// Client ids, one per connection: a client with two connections is there twice.
    pub consumer_id_list: Vec<String>,
}

plain_body!(TopicList, GroupList, ConsumerList);
