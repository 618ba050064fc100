//! Traces: records of what became of messages, which clients send to a topic of their own for whoever looks for a message there.
//!
//! This file is the records as text and back; [`messages`] puts them into messages, [`tracer`] sends those, and `hooks` hears of
//! what is to be recorded.
//!
//! # Layout
//! Fields are separated by the byte 1, and behind the last one of a record is the byte 2. What is not there is the text `null`.
//!
//! | kind | fields |
//! |---|---|
//! | `Pub` | time, region, group, topic, id, tag, keys, broker, bytes of the body, cost, kind of message, offset id, is stored |
//! | `SubBefore` | time, region, group, call, id, how often it was tried before, keys |
//! | `SubAfter` | call, id, cost, is consumed, keys, outcome, time, group |
//! | `EndTransaction` | time, region, group, topic, id, tag, keys, broker, kind of message, transaction id, state, is an answer |
//!
//! # Source
//! `TraceDataEncoder` 4.9.7 (read); fixtures `trace_*`, which it wrote.

mod error;
pub(super) mod hooks;
pub mod messages;
pub mod tracer;

use std::fmt::{Display, Write};

pub use self::error::TraceError;
use super::transactions::TransactionState;

const FIELD_END: char = '\u{1}';
const RECORD_END: char = '\u{2}';
const ABSENT: &str = "null";

/// One thing that happened to one message.
///
/// # Example
/// ```
/// use ferromq::client::TraceRecord;
/// use ferromq::client::trace::ConsumeOutcome;
///
/// let body = "SubAfter\u{1}C1\u{1}0A01\u{1}5\u{1}false\u{1}k\u{1}4\u{1}1700000000000\u{1}bookkeeping\u{2}";
/// let [record] = &TraceRecord::decode_all(body)?[..] else { panic!("it is one record") };
/// let TraceRecord::Consumed { message_id, cost_ms, outcome, .. } = record else { panic!("{record:?}") };
/// assert_eq!((message_id.as_str(), *cost_ms, *outcome), ("0A01", 5, ConsumeOutcome::Failed));
/// let mut written = String::new();
/// record.encode(&mut written);
/// assert_eq!(written, body);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceRecord {
    /// `Pub`: it was sent.
    Sent {
        /// When its sending began, in milliseconds since the epoch.
        time_ms: i64,
        /// The broker's region.
        region: String,
        /// The producer's group.
        group: String,
        /// The topic.
        topic: String,
        /// The id that the producer gave it.
        message_id: String,
        /// Its tag.
        tag: Option<String>,
        /// Its keys, separated by blanks.
        keys: Option<String>,
        /// `host:port` of the broker.
        broker: String,
        /// Length of its body as the application wrote it, in bytes.
        body_bytes: usize,
        /// How long sending took, in milliseconds.
        cost_ms: u64,
        /// What kind of message it is.
        kind: MessageKind,
        /// The id that tells where it lies.
        offset_id: Option<String>,
        /// Whether it is stored as safely as the broker promises.
        is_stored: bool,
    },
    /// `SubBefore`: a listener is about to be called with it.
    Consuming {
        /// When, in milliseconds since the epoch.
        time_ms: i64,
        /// The broker's region.
        region: String,
        /// The consumer's group.
        group: String,
        /// What the records before and after one call have in common.
        call_id: String,
        /// The message's id.
        message_id: String,
        /// How often it was brought in vain before.
        retries: i32,
        /// Its keys, separated by blanks.
        keys: Option<String>,
    },
    /// `SubAfter`: that call is over.
    Consumed {
        /// What the records before and after one call have in common.
        call_id: String,
        /// The message's id.
        message_id: String,
        /// How long the call took, shared out among its messages, in milliseconds.
        cost_ms: u64,
        /// Whether it is consumed.
        is_consumed: bool,
        /// Its keys, separated by blanks.
        keys: Option<String>,
        /// How the call ended.
        outcome: ConsumeOutcome,
        /// When it was over, in milliseconds since the epoch; old clients do not say.
        time_ms: Option<i64>,
        /// The consumer's group; old clients do not say.
        group: Option<String>,
    },
    /// `EndTransaction`: its transaction has ended, or nobody knows yet how.
    TransactionEnded {
        /// When, in milliseconds since the epoch.
        time_ms: i64,
        /// The broker's region.
        region: String,
        /// The producer's group.
        group: String,
        /// The topic.
        topic: String,
        /// The id that the producer gave the message.
        message_id: String,
        /// Its tag.
        tag: Option<String>,
        /// Its keys, separated by blanks.
        keys: Option<String>,
        /// `host:port` of the broker.
        broker: String,
        /// What kind of message it is.
        kind: MessageKind,
        /// The transaction's id.
        transaction_id: Option<String>,
        /// How it ended.
        state: TransactionState,
        /// Whether the broker had asked.
        is_answer: bool,
    },
}

/// Kinds of messages, numbered as in records.
///
/// See the example of [`Traced`](messages::Traced).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Any other.
    Normal = 0,
    /// One that waits for the end of its transaction.
    Half = 1,
    /// One whose transaction has ended.
    Ended = 2,
    /// One that consumers get later.
    Delayed = 3,
}

/// How calls of listeners end, numbered as in records.
///
/// See the example of [`TraceRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeOutcome {
    /// The message is consumed.
    Success = 0,
    /// The call took too long.
    Timeout = 1,
    /// The listener panicked; in Java, it threw an exception.
    Exception = 2,
    /// It said nothing, which Java's may.
    Nothing = 3,
    /// It said that the message is to come again.
    Failed = 4,
}

impl TraceRecord {
    /// Writes it behind what is there.
    pub fn encode(&self, out: &mut String) {
        match self {
            Self::Sent {
                time_ms,
                region,
                group,
                topic,
                message_id,
                tag,
                keys,
                broker,
                body_bytes,
                cost_ms,
                kind,
                offset_id,
                is_stored,
            } => {
                let (kind, offset_id) = (*kind as u8, or_absent(offset_id));
                let (tag, keys) = (or_absent(tag), or_absent(keys));
                write(out, &[&"Pub", time_ms, region, group, topic, message_id, &tag, &keys, broker, body_bytes]);
                write_more(out, &[cost_ms, &kind, &offset_id, is_stored]);
            }
            Self::Consuming { time_ms, region, group, call_id, message_id, retries, keys } => {
                let keys = or_absent(keys);
                write(out, &[&"SubBefore", time_ms, region, group, call_id, message_id, retries, &keys]);
            }
            Self::Consumed { call_id, message_id, cost_ms, is_consumed, keys, outcome, time_ms, group } => {
                let (keys, outcome) = (or_absent(keys), *outcome as u8);
                write(out, &[&"SubAfter", call_id, message_id, cost_ms, is_consumed, &keys, &outcome]);
                if let (Some(time_ms), Some(group)) = (time_ms, group) {
                    write_more(out, &[time_ms, group]);
                }
            }
            Self::TransactionEnded {
                time_ms,
                region,
                group,
                topic,
                message_id,
                tag,
                keys,
                broker,
                kind,
                transaction_id,
                state,
                is_answer,
            } => {
                let (kind, transaction_id, state) = (*kind as u8, or_absent(transaction_id), state_name(*state));
                let (tag, keys) = (or_absent(tag), or_absent(keys));
                write(out, &[&"EndTransaction", time_ms, region, group, topic, message_id, &tag, &keys, broker, &kind]);
                write_more(out, &[&transaction_id, &state, is_answer]);
            }
        }
        out.push(RECORD_END);
    }

    /// Reads all records of a message's body.
    ///
    /// # Errors
    /// One of them is none. What newer clients write behind the fields of today is passed over.
    pub fn decode_all(text: &str) -> Result<Vec<Self>, TraceError> {
        Self::decode_each(text).collect()
    }

    /// Reads the records of a message's body one by one: what one client cannot read of another hides none beside it.
    pub fn decode_each(text: &str) -> impl Iterator<Item = Result<Self, TraceError>> {
        text.split(RECORD_END).filter(|record| !record.is_empty()).map(Self::decode)
    }

    fn decode(text: &str) -> Result<Self, TraceError> {
        let fields: Vec<&str> = text.split(FIELD_END).collect();
        let expect = |expected: usize| match fields.len() {
            found if found < expected => Err(TraceError::Fields { kind: fields[0].into(), found, expected }),
            _ => Ok(()),
        };
        match fields[0] {
            // Old clients write no offset id.
            "Pub" if fields.len() == 13 => sent(&fields, None, fields[12]),
            "Pub" => expect(14).and_then(|()| sent(&fields, present(fields[12]), fields[13])),
            "SubBefore" => expect(8).and_then(|()| consuming(&fields)),
            "SubAfter" => expect(6).and_then(|()| consumed(&fields)),
            "EndTransaction" => expect(13).and_then(|()| transaction_ended(&fields)),
            other => Err(TraceError::Kind(other.into())),
        }
    }

    /// The id of the message that it is about; of a batch, those of all its messages with commas between them.
    #[must_use]
    pub fn message_id(&self) -> &str {
        match self {
            Self::Sent { message_id, .. }
            | Self::Consuming { message_id, .. }
            | Self::Consumed { message_id, .. }
            | Self::TransactionEnded { message_id, .. } => message_id,
        }
    }

    /// The keys of that message.
    #[must_use]
    pub fn keys(&self) -> Option<&str> {
        match self {
            Self::Sent { keys, .. }
            | Self::Consuming { keys, .. }
            | Self::Consumed { keys, .. }
            | Self::TransactionEnded { keys, .. } => keys.as_deref(),
        }
    }
}

fn write(out: &mut String, fields: &[&dyn Display]) {
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            out.push(FIELD_END);
        }
        // Writing to a text does not fail.
        let _ = write!(out, "{field}");
    }
}

/// The same behind fields that are there.
fn write_more(out: &mut String, fields: &[&dyn Display]) {
    out.push(FIELD_END);
    write(out, fields);
}

fn or_absent(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or(ABSENT)
}

fn present(field: &str) -> Option<String> {
    (field != ABSENT).then(|| field.into())
}

fn sent(fields: &[&str], offset_id: Option<String>, is_stored: &str) -> Result<TraceRecord, TraceError> {
    Ok(TraceRecord::Sent {
        time_ms: number(fields[1])?,
        region: fields[2].into(),
        group: fields[3].into(),
        topic: fields[4].into(),
        message_id: fields[5].into(),
        tag: present(fields[6]),
        keys: present(fields[7]),
        broker: fields[8].into(),
        body_bytes: number(fields[9])?,
        cost_ms: cost(fields[10])?,
        kind: kind(fields[11])?,
        offset_id,
        is_stored: truth(is_stored)?,
    })
}

fn consuming(fields: &[&str]) -> Result<TraceRecord, TraceError> {
    Ok(TraceRecord::Consuming {
        time_ms: number(fields[1])?,
        region: fields[2].into(),
        group: fields[3].into(),
        call_id: fields[4].into(),
        message_id: fields[5].into(),
        retries: number(fields[6])?,
        keys: present(fields[7]),
    })
}

fn consumed(fields: &[&str]) -> Result<TraceRecord, TraceError> {
    use ConsumeOutcome::{Exception, Failed, Nothing, Success, Timeout};
    let is_consumed = truth(fields[4])?;
    // Old clients say less: 4.9 says how the call ended first, and later whose it was.
    let outcome = match fields.get(6) {
        Some(outcome) => numbered(outcome, &[Success, Timeout, Exception, Nothing, Failed], "outcome of a call")?,
        None if is_consumed => Success,
        None => Failed,
    };
    let (time_ms, group) = match fields.get(7..9) {
        Some([time_ms, group]) => (Some(number(time_ms)?), Some((*group).to_owned())),
        _ => (None, None),
    };
    Ok(TraceRecord::Consumed {
        call_id: fields[1].into(),
        message_id: fields[2].into(),
        cost_ms: cost(fields[3])?,
        is_consumed,
        keys: present(fields[5]),
        outcome,
        time_ms,
        group,
    })
}

fn transaction_ended(fields: &[&str]) -> Result<TraceRecord, TraceError> {
    use TransactionState::{Commit, Rollback, Unknown};
    let state = [Commit, Rollback, Unknown].into_iter().find(|state| state_name(*state) == fields[11]);
    Ok(TraceRecord::TransactionEnded {
        time_ms: number(fields[1])?,
        region: fields[2].into(),
        group: fields[3].into(),
        topic: fields[4].into(),
        message_id: fields[5].into(),
        tag: present(fields[6]),
        keys: present(fields[7]),
        broker: fields[8].into(),
        kind: kind(fields[9])?,
        transaction_id: present(fields[10]),
        state: state.ok_or_else(|| no_value(fields[11], "state of a transaction"))?,
        is_answer: truth(fields[12])?,
    })
}

fn state_name(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Commit => "COMMIT_MESSAGE",
        TransactionState::Rollback => "ROLLBACK_MESSAGE",
        TransactionState::Unknown => "UNKNOW",
    }
}

fn kind(text: &str) -> Result<MessageKind, TraceError> {
    use MessageKind::{Delayed, Ended, Half, Normal};
    numbered(text, &[Normal, Half, Ended, Delayed], "kind of message")
}

fn numbered<T: Copy>(text: &str, all: &[T], wanted: &'static str) -> Result<T, TraceError> {
    let place = text.parse::<usize>().ok();
    place.and_then(|place| all.get(place).copied()).ok_or_else(|| no_value(text, wanted))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, TraceError> {
    text.parse().map_err(|_| no_value(text, "number"))
}

/// A time that something took. It is less than nothing where the clock was set back meanwhile.
fn cost(text: &str) -> Result<u64, TraceError> {
    number::<i64>(text).map(|cost_ms| cost_ms.max(0).unsigned_abs())
}

fn truth(text: &str) -> Result<bool, TraceError> {
    text.parse().map_err(|_| no_value(text, "truth value"))
}

fn no_value(text: &str, wanted: &'static str) -> TraceError {
    TraceError::Value { text: text.into(), wanted }
}
