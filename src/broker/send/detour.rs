//! Where a message goes before it reaches its topic: into the queue of a delay level, or among the half messages of
//! transactions.

use super::stored_text::{Delay, StoredText, Traits};
use super::{SendRules, Topic};
use crate::broker::topics::{half_topic, schedule_topic};
use crate::protocol::codes::response;
use crate::protocol::headers::send::SendHeader;
use crate::protocol::properties::keys;
use crate::protocol::refusal::Refusal;
use crate::protocol::sys_flag::{self, TRANSACTION_COMMIT, TRANSACTION_NONE};
use crate::protocol::units::QueueId;

/// The way of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// Straight to its topic.
    None,
    /// By the queue of a delay level, which counts from 1.
    Delayed(u32),
    /// By the half messages, from which its producer commits it.
    Half,
}

/// Where a message is stored, with which text.
pub(super) struct Aside<'a> {
    pub(super) topic: &'static Topic,
    pub(super) queue_id: QueueId,
    pub(super) properties: &'a [u8],
}

impl Detour {
    /// The way of a message with these traits, and its flag without what only the way there said.
    ///
    /// # Errors
    /// It has none: its transaction would never end, or nobody knows when it is due.
    ///
    /// # Source
    /// `SendMessageProcessor.asyncSendMessage`, `CommitLog.asyncPutMessage` 4.9.7 (measured).
    #[inline]
    pub(super) fn of(traits: &Traits, header: &SendHeader<'_>, rules: &SendRules) -> Result<(Self, i32), Refusal> {
        let plain_flag = sys_flag::with_transaction_type(header.sys_flag, TRANSACTION_NONE);
        let level = match traits.delay {
            Delay::None => 0,
            Delay::Level(level) => level.min(rules.delay_levels),
            Delay::Unreadable => return Err(illegal("the property DELAY is no number")),
        };
        let delayed = if level > 0 { Self::Delayed(level) } else { Self::None };
        if traits.transactional {
            // Consumers older than 4.6.1 send messages back with the mark that they had when they were prepared.
            if level > 0 && header.reconsume_times.unwrap_or(0) > 0 {
                return Ok((delayed, plain_flag));
            }
            if rules.reject_transactions {
                let host = rules.store_host.ip();
                let remark = format!("the broker[{host}] sending transaction message is forbidden");
                return Err(Refusal::new(response::NO_PERMISSION, remark));
            }
            return Ok((Self::Half, plain_flag));
        }
        match sys_flag::transaction_type(header.sys_flag) {
            TRANSACTION_NONE | TRANSACTION_COMMIT => Ok((delayed, header.sys_flag)),
            // Its record would be in no queue at all.
            _ => Err(illegal("sysFlag says half or rolled back, but there is no property TRAN_MSG")),
        }
    }

    /// What is stored where for a message to `topic`; `None` for one that goes straight there.
    #[inline]
    pub(super) fn aside<'a>(self, topic: &Topic, queue_id: QueueId, text: &'a mut StoredText) -> Option<Aside<'a>> {
        let (stored_in, own_queue, level) = match self {
            Self::None => return None,
            Self::Delayed(level) => (schedule_topic(), QueueId(level - 1), Some(level.to_string())),
            Self::Half => (half_topic(), QueueId(0), None),
        };
        let real_queue = queue_id.to_string();
        let real = [(keys::REAL_TOPIC, topic.as_str()), (keys::REAL_QID, real_queue.as_str())];
        let properties = match &level {
            Some(level) => text.aside(&[real[0], real[1], (keys::DELAY, level)]),
            None => text.aside(&real),
        };
        Some(Aside { topic: stored_in, queue_id: own_queue, properties })
    }
}

fn illegal(remark: &str) -> Refusal {
    Refusal::new(response::MESSAGE_ILLEGAL, remark)
}
