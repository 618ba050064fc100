//! A message queue's name, and tables keyed by it.
//!
//! # Layout
//! Such a table has JSON *objects* as keys, compact, their fields in the order brokerName, queueId, topic:
//! `{{"brokerName":"broker-a","queueId":0,"topic":"T"}:5}`. That is not JSON, but what the reference writes, and Go
//! clients crash on the strict form. Reading takes objects and objects in a text as keys.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Body, json, lenient, write_list};

/// Names one queue in the whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MessageQueue {
    /// The broker that holds the queue.
    pub broker_name: String,
    /// Its number within the topic; -1 where a client means none.
    pub queue_id: i32,
    /// Its topic.
    pub topic: String,
}

/// One value per message queue, in the order of broker, queue and topic.
///
/// Not serializable by serde, whose keys are texts: it is written by `QueueTable::write`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueTable<V>(pub BTreeMap<MessageQueue, V>);

impl<V: Serialize> QueueTable<V> {
    /// Appends the table with objects as keys.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_with(out, |out, value| out.extend(json(value)));
    }
}

impl<V> QueueTable<V> {
    /// Appends the table with objects as keys and values as `write_value` writes them.
    pub(crate) fn write_with(&self, out: &mut Vec<u8>, write_value: impl Fn(&mut Vec<u8>, &V)) {
        write_list(out, b'{', &self.0, b'}', |out, (queue, value)| {
            out.extend(json(queue));
            out.push(b':');
            write_value(out, value);
        });
    }
}

impl<V> Default for QueueTable<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> Deref for QueueTable<V> {
    type Target = BTreeMap<MessageQueue, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> DerefMut for QueueTable<V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<V> FromIterator<(MessageQueue, V)> for QueueTable<V> {
    fn from_iter<I: IntoIterator<Item = (MessageQueue, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for QueueTable<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<V>(std::marker::PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Table<V> {
            type Value = QueueTable<V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a table keyed by message queues")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut table = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "$ref" {
                        map.next_value::<serde::de::IgnoredAny>()?;
                        continue;
                    }
                    let queue = lenient::read(key.as_bytes()).map_err(A::Error::custom)?;
                    table.insert(queue, map.next_value()?);
                }
                Ok(QueueTable(table))
            }
        }

        deserializer.deserialize_map(Table(std::marker::PhantomData))
    }
}

/// A table of numbers on its own is the value of several bodies; as a body it is what a consumer keeps on disk.
impl Body for QueueTable<i64> {
    fn encode(&self) -> bytes::Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }
}
