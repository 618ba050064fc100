//! Records as messages: those of one topic and region together, as many as one message takes.

use std::collections::{BTreeMap, BTreeSet};

use super::TraceRecord;

/// Longest body of a message of records, in bytes. One record that is longer by itself goes alone.
pub const BODY_BYTES_MAX: usize = 128_000;
/// Longest text of a message's keys, in bytes: with the other properties it has to stay below what a message takes.
pub const KEYS_BYTES_MAX: usize = 30_000;

/// A record, and with what others it may travel.
///
/// # Example
/// ```
/// use ferromq::client::TraceRecord;
/// use ferromq::client::trace::MessageKind;
/// use ferromq::client::trace::messages::{TraceMessage, Traced, messages};
///
/// let sent = |id: &str| Traced {
///     topic: "Invoices".into(),
///     region: "DefaultRegion".into(),
///     record: TraceRecord::Sent {
///         time_ms: 1_700_000_000_000,
///         region: "DefaultRegion".into(),
///         group: "billing".into(),
///         topic: "Invoices".into(),
///         message_id: id.into(),
///         tag: None,
///         keys: Some("Ada".into()),
///         broker: "10.0.0.1:10911".into(),
///         body_bytes: 8,
///         cost_ms: 3,
///         kind: MessageKind::Normal,
///         offset_id: None,
///         is_stored: true,
///     },
/// };
/// // Both travel in one message, which is found by either id and by the key.
/// let [message]: [TraceMessage; 1] = messages(&[sent("0A01"), sent("0A02")]).try_into().expect("they fit");
/// assert_eq!((message.records, message.keys_text().as_str()), (2, "0A01 0A02 Ada"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The topic of the message that it is about.
    pub topic: String,
    /// The region that its broker is in.
    pub region: String,
    /// The record.
    pub record: TraceRecord,
}

/// A message of records.
///
/// See the example of [`Traced`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceMessage {
    /// The ids and keys of all messages that it is about.
    pub keys: BTreeSet<String>,
    /// The records one behind the other.
    pub body: String,
    /// How many there are.
    pub records: usize,
    keys_bytes: usize,
}

impl TraceMessage {
    /// The keys as a property.
    #[must_use]
    pub fn keys_text(&self) -> String {
        self.keys.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether it has no room for so much.
    fn is_full_for(&self, body: &str, keys: &[&str]) -> bool {
        let more: usize = keys.iter().map(|key| key.len() + 1).sum();
        let is_too_long = self.body.len() + body.len() > BODY_BYTES_MAX || self.keys_bytes + more > KEYS_BYTES_MAX;
        self.records > 0 && is_too_long
    }

    /// Takes a record. Keys for which there is no room are left out: then it is found by the others.
    fn take(&mut self, body: &str, keys: &[&str]) {
        self.body.push_str(body);
        self.records += 1;
        for key in keys {
            if self.keys_bytes + key.len() < KEYS_BYTES_MAX && self.keys.insert((*key).into()) {
                self.keys_bytes += key.len() + 1;
            }
        }
    }
}

/// Puts records into messages, in their order within a topic and region.
#[must_use]
pub fn messages(traced: &[Traced]) -> Vec<TraceMessage> {
    let mut by_origin: BTreeMap<(&str, &str), Vec<TraceMessage>> = BTreeMap::new();
    let mut body = String::new();
    for Traced { topic, region, record } in traced {
        body.clear();
        record.encode(&mut body);
        let ids = record.message_id().split(',');
        let keys: Vec<&str> =
            ids.chain(record.keys().unwrap_or_default().split(' ')).filter(|key| !key.is_empty()).collect();
        let own = by_origin.entry((topic, region)).or_default();
        if own.last().is_none_or(|last| last.is_full_for(&body, &keys)) {
            own.push(TraceMessage::default());
        }
        if let Some(last) = own.last_mut() {
            last.take(&body, &keys);
        }
    }
    by_origin.into_values().flatten().collect()
}
