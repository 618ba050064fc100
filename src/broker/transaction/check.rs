//! What becomes of a half message whose producer has not said how its transaction ended.
//!
//! # Source
//! `TransactionalMessageServiceImpl.check` 4.9.7 (read; copies and properties measured).

use super::done::Done;
use crate::broker::schedule::real_queue;
use crate::broker::topics::{checked_too_often_topic, half_topic};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, Language};
use crate::protocol::headers::transaction::CheckTransaction;
use crate::protocol::ids;
use crate::protocol::message::{Message, RecordError, Text};
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{QueueId, QueueOffset};
use crate::store::{NewMessage, Placed, PutBatch, StoreError};

/// What the configuration says about checks.
#[derive(Clone, Copy, Debug)]
pub struct CheckRules {
    /// How long a half message is left to its producer, in milliseconds.
    pub timeout_ms: i64,
    /// How often a producer is asked.
    pub check_max: u32,
    /// How long messages are kept: what is older is not asked about any more.
    pub keep_ms: i64,
}

/// What is done with a half message in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: its transaction has ended.
    Ended,
    /// Nothing, and nothing with those behind it: they are too young.
    TooYoung,
    /// It is copied behind the others: its producer has asked for more time than others have.
    PutBack,
    /// It is copied behind the others, and its producer is asked.
    Ask,
    /// It is put aside: its producer was asked often enough, or it is about to expire.
    PutAside,
}

/// Decides about the half message at `offset` of its queue, in a round that began at `began_ms`. Every op message that
/// there is has been read into `done`.
#[must_use]
pub fn verdict(
    half: &Message,
    offset: QueueOffset,
    done: &Done,
    rules: &CheckRules,
    began_ms: i64,
    now_ms: i64,
) -> Verdict {
    // A copy that was put back stands for the message that its producer knows.
    let known_as = number(half, keys::TRANSACTION_PREPARED_QUEUE_OFFSET).and_then(|known| u64::try_from(known).ok());
    if done.contains(offset) || known_as.is_some_and(|known| done.contains(QueueOffset(known))) {
        return Verdict::Ended;
    }
    let age_ms = now_ms.saturating_sub(half.born_time.0);
    let checked = number(half, keys::TRANSACTION_CHECK_TIMES).unwrap_or(0);
    if checked >= i64::from(rules.check_max) || age_ms > rules.keep_ms {
        return Verdict::PutAside;
    }
    if half.store_time.0 >= began_ms {
        return Verdict::TooYoung;
    }
    let immune = number(half, keys::CHECK_IMMUNITY_TIME).map(|seconds| immunity_ms(seconds, rules));
    match immune {
        Some(immune_ms) if age_ms < immune_ms => Verdict::PutBack,
        // Of a producer whose clock is ahead nobody knows how old its messages are.
        None if (0..rules.timeout_ms).contains(&age_ms) => Verdict::TooYoung,
        _ => Verdict::Ask,
    }
}

fn immunity_ms(seconds: i64, rules: &CheckRules) -> i64 {
    if seconds < 0 { rules.timeout_ms } else { seconds.saturating_mul(1_000) }
}

fn number(message: &Message, key: &str) -> Option<i64> {
    message.property(key)?.parse().ok()
}

/// Adds the put that a verdict asks for, if it asks for one.
///
/// # Errors
/// The properties of the copy would be too long.
pub fn push(puts: &mut PutBatch, half: &Message, offset: QueueOffset, verdict: Verdict) -> Result<(), StoreError> {
    let text = half.properties.as_bytes();
    let (topic, properties) = match verdict {
        Verdict::Ended | Verdict::TooYoung => return Ok(()),
        Verdict::PutAside => (checked_too_often_topic(), text.to_vec()),
        Verdict::Ask => (half_topic(), asked_once_more(half)),
        Verdict::PutBack => {
            let offset = offset.to_string();
            let known_as = half.property(keys::TRANSACTION_PREPARED_QUEUE_OFFSET).unwrap_or(&offset);
            (half_topic(), properties::with(text, &[(keys::TRANSACTION_PREPARED_QUEUE_OFFSET, known_as)]))
        }
    };
    puts.push(&NewMessage { properties: &properties, ..NewMessage::again(half, topic, QueueId(0)) })
}

/// The text of a half message that its producer is asked about once more.
fn asked_once_more(half: &Message) -> Vec<u8> {
    let times = number(half, keys::TRANSACTION_CHECK_TIMES).unwrap_or(0).saturating_add(1).to_string();
    properties::with(half.properties.as_bytes(), &[(keys::TRANSACTION_CHECK_TIMES, &times)])
}

/// Adds the put that brings a half message back which was put aside, as if its producer had never been asked.
///
/// # Errors
/// Its properties would be too long.
pub fn push_resumed(puts: &mut PutBatch, aside: &Message) -> Result<(), StoreError> {
    let properties = properties::with(aside.properties.as_bytes(), &[(keys::TRANSACTION_CHECK_TIMES, "0")]);
    puts.push(&NewMessage { properties: &properties, ..NewMessage::again(aside, half_topic(), QueueId(0)) })
}

/// The question to the producer, about the copy that was just stored; `None` if it says neither group nor topic.
///
/// # Errors
/// The message is too long to be told again.
pub fn question(half: &Message, copy: &Placed) -> Result<Option<(String, Command)>, RecordError> {
    let (Some(group), Some((topic, queue_id))) = (half.property(keys::PGROUP), real_queue(half)) else {
        return Ok(None);
    };
    let id = half.unique_id().map(str::to_owned);
    let offset_id = ids::offset_id(half.store_host, copy.physical);
    let header = CheckTransaction {
        tran_state_table_offset: copy.queue_offset.0 as i64,
        commit_log_offset: copy.physical.0 as i64,
        msg_id: id.clone(),
        transaction_id: id,
        offset_msg_id: Some(offset_id),
    };
    let told = Message {
        topic: topic.as_str().into(),
        queue_id,
        queue_offset: copy.queue_offset,
        physical_offset: copy.physical,
        properties: Text::parse(asked_once_more(half).into(), "properties")?,
        ..half.clone()
    };
    let mut body = Vec::with_capacity(told.stored_size());
    told.encode(&mut body)?;
    let command = Command::request(request::CHECK_TRANSACTION_STATE).with_language(Language::Java);
    Ok(Some((group.to_owned(), command.with_ext(header.to_ext()).with_body(body.into()))))
}

#[cfg(test)]
mod tests;
