//! Transactions: how one ends, and what is then stored.
//!
//! A half message lies in [`HALF_TOPIC`] until its producer commits it, which stores it in the
//! topic it was meant for, or rolls it back. Either is noted by an *op* message in
//! [`OP_HALF_TOPIC`](super::topics::OP_HALF_TOPIC), whose body is the half message's queue offset. What has no op message
//! is asked about: [`check`].
//!
//! What is deliberately absent: reading, storing and asking, which actors do.

pub mod check;
pub mod done;

use std::net::SocketAddr;

use super::schedule::{push_delayed, real_queue};
use super::topics::{HALF_TOPIC, op_half_topic};
use crate::protocol::headers::transaction::EndTransaction;
use crate::protocol::message::Message;
use crate::protocol::properties::keys;
use crate::protocol::refusal::Refusal;
use crate::protocol::sys_flag::{self, TRANSACTION_COMMIT, TRANSACTION_NONE, TRANSACTION_ROLLBACK};
use crate::protocol::units::{BornTime, QueueId, QueueOffset};
use crate::store::{NewMessage, PutBatch, StoreError};

/// The group whose offsets say how far half and op messages have been looked through.
pub const CHECK_GROUP: &str = "CID_RMQ_SYS_TRANS";

/// Tag and properties of op messages.
const OP_PROPERTIES: &[u8] = b"TAGS\x01d\x02WAIT\x01true";

/// How a producer ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Consumers are to see the message.
    Commit,
    /// They are not.
    Rollback,
    /// It does not know (yet).
    Unknown,
}

impl Ending {
    /// The ending that END_TRANSACTION names; `None` for numbers that are none.
    #[must_use]
    pub fn of(commit_or_rollback: i32) -> Option<Self> {
        match commit_or_rollback {
            TRANSACTION_COMMIT => Some(Self::Commit),
            TRANSACTION_ROLLBACK => Some(Self::Rollback),
            TRANSACTION_NONE => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// Checks that a half message is the one that its producer means.
///
/// # Errors
/// In RocketMQ's words, which are the same for a commit and a rollback.
///
/// # Source
/// `EndTransactionProcessor.checkPrepareMessage` 4.9.7 (measured). A message that is no half message counts as missing.
pub fn verify<'a>(half: Option<&'a Message>, asked: &EndTransaction) -> Result<&'a Message, Refusal> {
    let half = half.filter(|half| half.topic == *HALF_TOPIC);
    let half = half.ok_or_else(|| Refusal::error("Find prepared transaction message failed"))?;
    if half.property(keys::PGROUP) != Some(asked.producer_group.as_str()) {
        return Err(Refusal::error("The producer group wrong"));
    }
    if half.queue_offset.0 as i64 != asked.tran_state_table_offset {
        return Err(Refusal::error("The transaction state table offset wrong"));
    }
    Ok(half)
}

/// Adds the put of what consumers see of a half message. `levels` is how many levels of delay there are: a committed
/// message that asks for one is delayed from then on.
///
/// # Errors
/// It does not say where it goes.
pub fn push_committed(puts: &mut PutBatch, half: &Message, levels: u32) -> Result<(), Refusal> {
    let (topic, queue_id) =
        real_queue(half).ok_or_else(|| Refusal::error("the half message does not say where it goes"))?;
    let level = half.property(keys::DELAY).and_then(|level| level.parse::<i32>().ok()).unwrap_or(0).max(0);
    let committed = NewMessage {
        sys_flag: sys_flag::with_transaction_type(half.sys_flag, TRANSACTION_COMMIT),
        prepared_transaction_offset: half.physical_offset.0,
        ..NewMessage::again(half, &topic, queue_id)
    };
    push_delayed(puts, &committed, level.unsigned_abs().min(levels))?;
    Ok(())
}

/// Adds the put of the op message that ends a half message. `host` is this broker.
///
/// # Errors
/// None in fact: its parts are short.
pub fn push_op(
    puts: &mut PutBatch,
    half_queue: QueueId,
    half: QueueOffset,
    host: SocketAddr,
    now: BornTime,
) -> Result<(), StoreError> {
    let body = half.to_string();
    let op = NewMessage::plain(op_half_topic(), half_queue, now, host, body.as_bytes());
    puts.push(&NewMessage { properties: OP_PROPERTIES, ..op })
}

/// The half messages that an op message ends: one, or of a 5.x broker several with commas between them.
pub fn ended_by(op_body: &[u8]) -> impl Iterator<Item = QueueOffset> {
    let numbers = std::str::from_utf8(op_body).unwrap_or_default().split(',');
    numbers.filter_map(|number| number.trim().parse().ok().map(QueueOffset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_messages_name_one_half_message_or_several() {
        let ended = |body: &[u8]| ended_by(body).map(|half| half.0).collect::<Vec<_>>();
        assert_eq!(ended(b"17"), [17]);
        assert_eq!(ended(b"1,2, 3,"), [1, 2, 3]);
        assert!(ended(b"\xff").is_empty() && ended(b"-1,x").is_empty());
    }

    #[test]
    fn endings_have_the_numbers_of_the_sys_flag() {
        assert_eq!(Ending::of(8), Some(Ending::Commit));
        assert_eq!(Ending::of(12), Some(Ending::Rollback));
        assert_eq!(Ending::of(0), Some(Ending::Unknown));
        assert_eq!(Ending::of(4), None);
    }
}
