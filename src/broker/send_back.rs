//! A message that a consumer could not handle: when it is tried again, or that it was tried often enough.
//!
//! # Source
//! `AbstractSendMessageProcessor.consumerSendMsgBack` 4.9.7 (read; texts, properties and codes measured).

use super::schedule::push_delayed;
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::headers::send::SendBack;
use crate::protocol::ids;
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::properties::{self, keys};
use crate::protocol::units::QueueId;
use crate::protocol::versions;
use crate::store::{NewMessage, PutBatch, StoreError};

/// The level of the first attempt after the one that failed, unless the consumer names one: 10 seconds of RocketMQ's.
const FIRST_LEVEL: i32 = 3;

/// What becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again after the time of this level.
    Retry(u32),
    /// It was tried often enough, or is never to be tried again.
    DeadLetters,
}

impl Fate {
    /// What becomes of a message that was consumed `consumed` times before. `version` is the consumer's.
    #[must_use]
    pub fn of(consumed: i32, asked: &SendBack, version: i32, group: &SubscriptionGroupConfig, levels: u32) -> Self {
        let own_limit = asked.max_reconsume_times.filter(|_| version >= versions::OWN_LIMIT_SINCE);
        if consumed >= own_limit.unwrap_or(group.retry_max_times) || asked.delay_level < 0 {
            return Self::DeadLetters;
        }
        let level = if asked.delay_level == 0 { consumed.saturating_add(FIRST_LEVEL) } else { asked.delay_level };
        Self::Retry(level.unsigned_abs().min(levels))
    }
}

/// The topic that a message was first sent to, under which it is counted that it could not be handled.
#[must_use]
pub fn first_topic(message: &Message) -> &str {
    message.property(keys::RETRY_TOPIC).unwrap_or(&message.topic)
}

/// Adds the put that brings a message back, to a queue of the retry topic or of the dead letters.
///
/// # Errors
/// Its properties would be too long.
pub fn push(
    puts: &mut PutBatch,
    message: &Message,
    fate: Fate,
    topic: &Topic,
    queue_id: QueueId,
) -> Result<(), StoreError> {
    let level = match fate {
        Fate::Retry(level) => level,
        Fate::DeadLetters => 0,
    };
    let id = ids::offset_id(message.store_host, message.physical_offset);
    let origin = message.property(keys::ORIGIN_MESSAGE_ID).unwrap_or(&id);
    let properties = properties::with(
        message.properties.as_bytes(),
        &[
            (keys::RETRY_TOPIC, first_topic(message)),
            (keys::ORIGIN_MESSAGE_ID, origin),
            (keys::WAIT, "false"),
            (keys::DELAY, &level.to_string()),
        ],
    );
    let reconsume_times = message.reconsume_times.saturating_add(1);
    let again = NewMessage { reconsume_times, properties: &properties, ..NewMessage::again(message, topic, queue_id) };
    push_delayed(puts, &again, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(consumed: i32, delay_level: i32, limit: Option<i32>, version: i32) -> Fate {
        let asked = SendBack {
            offset: 0,
            group: "G".into(),
            delay_level,
            origin_msg_id: None,
            origin_topic: None,
            unit_mode: false,
            max_reconsume_times: limit,
        };
        Fate::of(consumed, &asked, version, &SubscriptionGroupConfig::new("G"), 18)
    }

    #[test]
    fn attempts_are_further_and_further_apart_and_end() {
        assert_eq!(fate(0, 0, Some(16), 407), Fate::Retry(3));
        assert_eq!(fate(14, 0, Some(16), 407), Fate::Retry(17));
        assert_eq!(fate(15, 0, Some(16), 407), Fate::Retry(18));
        assert_eq!(fate(16, 0, Some(16), 407), Fate::DeadLetters);
        assert_eq!(fate(17, 0, Some(30), 407), Fate::Retry(18), "there is no level 20");
        assert_eq!(fate(0, 5, Some(16), 407), Fate::Retry(5));
        assert_eq!(fate(0, 99, Some(16), 407), Fate::Retry(18));
        assert_eq!(fate(0, -1, Some(16), 407), Fate::DeadLetters);
        assert_eq!(fate(i32::MAX - 1, 0, Some(i32::MAX), 407), Fate::Retry(18));
    }

    #[test]
    fn old_consumers_have_the_limit_of_their_group() {
        assert_eq!(fate(2, 0, Some(2), 121), Fate::DeadLetters);
        assert_eq!(fate(2, 0, Some(2), 120), Fate::Retry(5));
        assert_eq!(fate(16, 0, Some(99), 120), Fate::DeadLetters);
        assert_eq!(fate(16, 0, None, 407), Fate::DeadLetters);
    }
}
