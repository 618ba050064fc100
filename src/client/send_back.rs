//! What becomes of a message that could not be consumed: its broker is asked to bring it again, and where that cannot be had, it
//! is sent to its group once more, as a new message to whichever broker takes it.

use super::error::ClientError;
use super::letter::Letter;
use super::producer_options::ProducerOptions;
use crate::protocol::headers::send::SendBack;
use crate::protocol::message::Message;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::properties::{self, keys};

/// The group that consumers send in the name of: they have none of producers.
///
/// # Source
/// `MixAll.CLIENT_INNER_PRODUCER_GROUP` 4.9.7 (read).
pub(super) const SENDING_GROUP: &str = "CLIENT_INNER_PRODUCER";
/// The level of the first attempt after the one that failed, as brokers have it.
const FIRST_LEVEL: i32 = 3;
/// What the new message says otherwise than the one that it is made of.
const CHANGED: [&str; 6] = [
    keys::TRAN_MSG,
    keys::RETRY_TOPIC,
    keys::ORIGIN_MESSAGE_ID,
    keys::DELAY,
    keys::RECONSUME_TIME,
    keys::MAX_RECONSUME_TIMES,
];

/// A message that could not be consumed.
pub(super) struct Failed<'a> {
    pub(super) message: &'a Message,
    /// The topic that it was first sent to, as the cluster calls it.
    pub(super) first_topic: &'a str,
    /// The delay level before it is brought again; 0 leaves that to the broker, less moves it to the dead letters.
    pub(super) level: i32,
    /// How often it is brought back before it goes to the dead letters.
    pub(super) retries_max: i32,
}

impl Failed<'_> {
    fn id(&self) -> String {
        self.message.unique_id().map_or_else(|| self.message.offset_id(), Into::into)
    }

    /// What its broker is asked.
    pub(super) fn request(&self, group: &GroupName) -> SendBack {
        SendBack {
            offset: self.message.physical_offset.0 as i64,
            group: group.to_string(),
            delay_level: self.level,
            origin_msg_id: Some(self.id()),
            origin_topic: Some(self.first_topic.to_owned()),
            unit_mode: false,
            max_reconsume_times: Some(self.retries_max),
        }
    }

    /// The message that is sent when its broker does not do so. What is never to be tried again says that it was tried as often
    /// as it may, so that brokers move it to the dead letters.
    ///
    /// # Errors
    /// Its body is none, or too long for `options`.
    ///
    /// # Source
    /// `DefaultMQPushConsumerImpl.sendMessageBack` 4.9.7 (read), which tries again what is never to be.
    pub(super) fn letter(&self, retry_topic: Topic, options: &ProducerOptions) -> Result<Letter, ClientError> {
        let Self { message, first_topic, level, retries_max } = *self;
        let once_more = message.reconsume_times.saturating_add(1);
        let (times, level) = match level {
            ..0 => (once_more.max(retries_max), None),
            0 => (once_more, Some(message.reconsume_times.saturating_add(FIRST_LEVEL))),
            level => (once_more, Some(level)),
        };
        let id = self.id();
        let origin = message.property(keys::ORIGIN_MESSAGE_ID).unwrap_or(&id);
        let (times, max, level) = (times.to_string(), retries_max.to_string(), level.map(|level| level.to_string()));
        let kept = properties::pairs(&message.properties).filter(|(name, _)| !CHANGED.contains(name));
        let changed = [
            (keys::RETRY_TOPIC, first_topic),
            (keys::ORIGIN_MESSAGE_ID, origin),
            (keys::RECONSUME_TIME, &times),
            (keys::MAX_RECONSUME_TIMES, &max),
        ];
        let delay = level.iter().map(|level| (keys::DELAY, level.as_str()));
        let text = properties::encode(kept.chain(changed).chain(delay));
        Letter::plain(retry_topic, id.clone(), text, &message.body, message.flag, options)
    }
}
