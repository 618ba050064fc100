//! The name server's table of texts by namespace and key: the one thing it keeps.
//!
//! Tools put the order of topics and other small settings there. A change is a new table with the text of its file, which
//! takes effect when `kvConfig.json` is written; nothing here touches a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::protocol::body::kv::KvTable;
use crate::protocol::body::{BodyError, json, lenient};
use crate::protocol::frame::FRAME_BYTES_MAX;

/// The namespace that says which topics are ordered, and how many queues each broker has for them.
pub const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

/// What the file of the table may have in bytes: half a frame.
///
/// A namespace is answered whole, and that of ordered topics to every broker that registers: an answer that fits no frame
/// would keep all brokers away.
pub const TABLE_BYTES_MAX: usize = FRAME_BYTES_MAX / 2;
/// When to log the table for the first time after the start.
pub const LOG_DELAY_MS: u64 = 60_000;
/// How often to log it then.
pub const LOG_INTERVAL_MS: u64 = 600_000;

/// Why a value is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KvError {
    /// There is no room for it.
    #[error(
        "the key-value table would have {bytes} bytes, {TABLE_BYTES_MAX} at most are kept: delete some of it first"
    )]
    TooLarge {
        /// What the file would have.
        bytes: usize,
    },
}

/// A table that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table once `text` is written.
    pub table: KvConfig,
    /// The content of `kvConfig.json`.
    pub text: String,
}

impl Change {
    fn to(table: KvConfig) -> Self {
        let text = table.to_json();
        Self { table, text }
    }
}

/// All namespaces.
///
/// # Layout
/// `kvConfig.json`: `{"configTable":{"namespace":{"key":"value"}}}`.
///
/// # Source
/// `org.apache.rocketmq.namesrv.kvconfig.KVConfigManager` 4.9.7 (read; answers recorded).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KvConfig {
    config_table: BTreeMap<String, BTreeMap<String, String>>,
}

impl KvConfig {
    /// Reads the content of `kvConfig.json`.
    ///
    /// # Errors
    /// Text that is no such file.
    pub fn load(text: &str) -> Result<Self, BodyError> {
        lenient::read(text.as_bytes())
    }

    /// The text of `kvConfig.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        String::from_utf8(json(self)).expect("serde_json writes UTF-8")
    }

    /// The table with a value set: PUT_KV_CONFIG.
    ///
    /// A value that is there already is a change too: what the file says after a write that failed is not known.
    ///
    /// # Errors
    /// The table would be larger than [`TABLE_BYTES_MAX`].
    pub fn put(&self, namespace: &str, key: &str, value: &str) -> Result<Change, KvError> {
        let mut table = self.clone();
        table.config_table.entry(namespace.into()).or_default().insert(key.into(), value.into());
        let change = Change::to(table);
        let bytes = change.text.len();
        if bytes > TABLE_BYTES_MAX { Err(KvError::TooLarge { bytes }) } else { Ok(change) }
    }

    /// The table without a value: DELETE_KV_CONFIG. The namespace stays, as in the reference.
    #[must_use]
    pub fn delete(&self, namespace: &str, key: &str) -> Change {
        let mut table = self.clone();
        if let Some(values) = table.config_table.get_mut(namespace) {
            values.remove(key);
        }
        Change::to(table)
    }

    /// A value.
    #[must_use]
    pub fn value(&self, namespace: &str, key: &str) -> Option<&str> {
        self.config_table.get(namespace)?.get(key).map(String::as_str)
    }

    /// Every value with its namespace and key, in the order of both.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.config_table.iter().flat_map(|(namespace, values)| {
            values.iter().map(|(key, value)| (namespace.as_str(), key.as_str(), value.as_str()))
        })
    }

    /// All of a namespace; `None` when there never was anything in it.
    #[must_use]
    pub fn list(&self, namespace: &str) -> Option<KvTable> {
        self.config_table.get(namespace).map(|table| KvTable { table: table.clone() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn with(values: &[(&str, &str, &str)]) -> KvConfig {
        let put = |config: KvConfig, (namespace, key, value): &(&str, &str, &str)| {
            config.put(namespace, key, value).unwrap().table
        };
        values.iter().fold(KvConfig::default(), put)
    }

    #[test]
    fn values_are_put_listed_and_deleted() {
        let config = with(&[("ns", "k", "v"), ("a", "", "x"), ("ns", "k", "w")]);
        assert_eq!(config.value("ns", "k"), Some("w"));
        assert_eq!(config.entries().collect::<Vec<_>>(), [("a", "", "x"), ("ns", "k", "w")]);
        assert_eq!(config.list("other"), None);
        assert_eq!(config.delete("other", "k").table, config);
        assert_eq!(config.delete("ns", "other").table, config);
        let without = config.delete("ns", "k").table;
        assert_eq!((without.value("ns", "k"), without.list("ns")), (None, Some(KvTable::default())));
    }

    #[test]
    fn the_file_is_the_references() {
        let change = KvConfig::default().put("ns", "k", "v").unwrap();
        assert_eq!(change.text, r#"{"configTable":{"ns":{"k":"v"}}}"#);
        assert_eq!(KvConfig::load(&change.text).unwrap(), change.table);
        assert_eq!(change.table.delete("ns", "k").text, r#"{"configTable":{"ns":{}}}"#);
        assert_eq!(KvConfig::load(r#"{configTable:{"ns":{"k":5}}}"#).unwrap().value("ns", "k"), Some("5"));
        assert!(KvConfig::load("{").is_err());
    }

    #[test]
    fn a_table_that_fits_no_answer_is_refused_and_can_be_made_smaller() {
        let empty = with(&[("ns", "k", "")]).to_json().len();
        let full = with(&[("ns", "k", &"x".repeat(TABLE_BYTES_MAX - empty))]);
        assert_eq!(full.to_json().len(), TABLE_BYTES_MAX);
        let bytes = TABLE_BYTES_MAX + r#","l":"""#.len();
        assert_eq!(full.put("ns", "l", ""), Err(KvError::TooLarge { bytes }));
        assert!(full.put("ns", "k", "shorter").is_ok());
        assert_eq!(full.delete("ns", "k").text.len(), r#"{"configTable":{"ns":{}}}"#.len());
    }
}
