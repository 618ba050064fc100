//! A table of texts: key-value namespaces of the name server, runtime information of the broker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plain_body;

/// Answer of GET_KVLIST_BY_NAMESPACE, REGISTER_BROKER and GET_BROKER_RUNTIME_INFO.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.body.KVTable` 4.9.7 (read).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KvTable {
    /// The pairs.
    pub table: BTreeMap<String, String>,
}

plain_body!(KvTable);
