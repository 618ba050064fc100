//! Where a message goes before it reaches its topic: into the queue of a delay level, among the messages with a delivery
//! time, or among the half messages of transactions.

use super::stored_text::{Delay, StoredText, Traits};
use super::{Denied, SendRules, Topic};
use crate::broker::timer::wheel::{SECOND_MS, start_of};
use crate::broker::timer::{CANCELLATIONS, MESSAGES, Timed, timer_topic};
use crate::broker::topics::{half_topic, schedule_topic};
use crate::protocol::codes::response;
use crate::protocol::headers::send::SendHeader;
use crate::protocol::properties::keys;
use crate::protocol::refusal::Refusal;
use crate::protocol::sys_flag::{self, TRANSACTION_COMMIT, TRANSACTION_NONE};
use crate::protocol::units::QueueId;

const HALF_WITH_TIME: &str = "a half message has no delivery time, and takes no message back";
/// Room for what [`Detour::room_for_later`] names: two numbers of 64 bits with their names and separators.
const ROOM_FOR_LATER: usize = 100;

/// The way of a message that does not go straight to its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// By the queue of a delay level, which counts from 1.
    Delayed(u32),
    /// By the messages with a delivery time, which is in milliseconds since the epoch.
    Timed(i64),
    /// Among what takes such messages back, the beginning of whose second this is.
    Cancels(i64),
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
    /// The way of a message with these traits, `None` for straight to its topic, and its flag without what only the way
    /// there said.
    ///
    /// # Errors
    /// It has none: its transaction would never end, or nobody knows when it is due.
    ///
    /// # Source
    /// `SendMessageProcessor.asyncSendMessage`, `CommitLog.asyncPutMessage` 4.9.7 (measured).
    #[inline]
    pub(super) fn of(
        traits: &Traits,
        header: &SendHeader<'_>,
        rules: &SendRules,
        now_ms: i64,
    ) -> Result<(Option<Self>, i32), Denied> {
        let plain_flag = sys_flag::with_transaction_type(header.sys_flag, TRANSACTION_NONE);
        let level = match traits.delay {
            Delay::None => 0,
            Delay::Level(level) => level.min(rules.delay_levels),
            Delay::Unreadable => return Err(illegal("the property DELAY is no number").into()),
        };
        let delayed = if level > 0 { Some(Self::Delayed(level)) } else { Self::timed(traits, rules, now_ms)? };
        if traits.transactional {
            // Consumers older than 4.6.1 send messages back with the mark that they had when they were prepared.
            if level > 0 && header.reconsume_times.unwrap_or(0) > 0 {
                return Ok((delayed, plain_flag));
            }
            if matches!(delayed, Some(Self::Timed(_) | Self::Cancels(_))) {
                return Err(illegal(HALF_WITH_TIME).into());
            }
            if rules.reject_transactions {
                let host = rules.store_host.ip();
                let remark = format!("the broker[{host}] sending transaction message is forbidden");
                return Err(Refusal::new(response::NO_PERMISSION, remark).into());
            }
            return Ok((Some(Self::Half), plain_flag));
        }
        match sys_flag::transaction_type(header.sys_flag) {
            TRANSACTION_NONE | TRANSACTION_COMMIT => Ok((delayed, header.sys_flag)),
            // Its record would be in no queue at all.
            _ => Err(illegal("sysFlag says half or rolled back, but there is no property TRAN_MSG").into()),
        }
    }

    #[inline]
    fn timed(traits: &Traits, rules: &SendRules, now_ms: i64) -> Result<Option<Self>, Denied> {
        let Some(rules) = rules.timer.as_ref().filter(|_| traits.timer.is_there()) else { return Ok(None) };
        let timed = traits.timer.decide(rules, now_ms).map_err(|error| illegal(&error.to_string()))?;
        Ok(match timed {
            Timed::Now => None,
            Timed::At(due_ms) => Some(Self::Timed(due_ms)),
            Timed::CancelsByKey if traits.transactional => return Err(illegal(HALF_WITH_TIME).into()),
            Timed::CancelsByKey => return Err(Denied::UnknownTime),
            Timed::Cancels(due_ms) => Some(Self::Cancels(start_of(due_ms, SECOND_MS))),
        })
    }

    /// Bytes that properties get when the message is stored there once more: how often its producer was asked, or how often
    /// its segment was about to be removed.
    pub(super) fn room_for_later(self) -> usize {
        match self {
            Self::Delayed(_) => 0,
            Self::Timed(_) | Self::Cancels(_) | Self::Half => ROOM_FOR_LATER,
        }
    }

    /// What is stored where for a message to `topic`.
    pub(super) fn aside<'a>(self, topic: &Topic, queue_id: QueueId, text: &'a mut StoredText) -> Aside<'a> {
        let (stored_in, own_queue, more) = match self {
            Self::Delayed(level) => (schedule_topic(), QueueId(level - 1), Some((keys::DELAY, level.to_string()))),
            Self::Timed(due_ms) => (timer_topic(), MESSAGES, Some((keys::TIMER_OUT_MS, due_ms.to_string()))),
            Self::Cancels(due_ms) => (timer_topic(), CANCELLATIONS, Some((keys::TIMER_OUT_MS, due_ms.to_string()))),
            Self::Half => (half_topic(), QueueId(0), None),
        };
        let real_queue = queue_id.to_string();
        let real = [(keys::REAL_TOPIC, topic.as_str()), (keys::REAL_QID, real_queue.as_str())];
        let properties = match &more {
            Some((name, value)) => text.aside(&[real[0], real[1], (name, value)]),
            None => text.aside(&real),
        };
        Aside { topic: stored_in, queue_id: own_queue, properties }
    }
}

fn illegal(remark: &str) -> Refusal {
    Refusal::new(response::MESSAGE_ILLEGAL, remark)
}
