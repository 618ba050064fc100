//! The name server's table of texts by namespace and key: the one thing it keeps.
//!
//! Tools put the order of topics and other small settings there. Who changes the table writes the text of
//! [`KvConfig::to_json`] to `kvConfig.json` afterwards; nothing here touches a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::protocol::body::kv::KvTable;
use crate::protocol::body::{BodyError, json, lenient};

/// The namespace that says which topics are ordered, and how many queues each broker has for them.
pub const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

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

    /// Sets a value; returns whether the file has to be written.
    pub fn put(&mut self, namespace: &str, key: &str, value: &str) -> bool {
        let namespace = self.config_table.entry(namespace.into()).or_default();
        namespace.insert(key.into(), value.into()).as_deref() != Some(value)
    }

    /// Removes a value; returns whether the file has to be written. The namespace stays, as in the reference.
    pub fn delete(&mut self, namespace: &str, key: &str) -> bool {
        self.config_table.get_mut(namespace).is_some_and(|namespace| namespace.remove(key).is_some())
    }

    /// A value.
    #[must_use]
    pub fn value(&self, namespace: &str, key: &str) -> Option<&str> {
        self.config_table.get(namespace)?.get(key).map(String::as_str)
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

    #[test]
    fn values_are_put_listed_and_deleted() {
        let mut config = KvConfig::default();
        assert_eq!(config.list("ns"), None);
        assert!(config.put("ns", "k", "v"));
        assert!(!config.put("ns", "k", "v"));
        assert!(config.put("ns", "k", "w"));
        assert_eq!(config.value("ns", "k"), Some("w"));
        assert!(!config.delete("other", "k"));
        assert!(config.delete("ns", "k"));
        assert!(!config.delete("ns", "k"));
        assert_eq!(config.list("ns"), Some(KvTable::default()));
    }

    #[test]
    fn the_file_is_the_references() {
        let mut config = KvConfig::default();
        config.put("ns", "k", "v");
        let text = config.to_json();
        assert_eq!(text, r#"{"configTable":{"ns":{"k":"v"}}}"#);
        assert_eq!(KvConfig::load(&text).unwrap(), config);
        assert_eq!(KvConfig::load(r#"{configTable:{"ns":{"k":5}}}"#).unwrap().value("ns", "k"), Some("5"));
        assert!(KvConfig::load("{").is_err());
    }
}
