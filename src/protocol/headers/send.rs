//! Sends: SEND_MESSAGE with long names, SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE with one letter per field.

use std::borrow::Cow;

use crate::protocol::command::{ExtFields, ExtFieldsBuilder};
use crate::protocol::error::ProtocolError;

/// The fields of a send, whichever names they came by. Borrows from the received header: nothing is copied for a send.
///
/// # Source
/// `SendMessageRequestHeader`, `SendMessageRequestHeaderV2` 4.9.7 (read); fixtures `frame_json_send_v1`, `_v2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendHeader<'a> {
    /// The producer's group.
    pub producer_group: Cow<'a, str>,
    /// Where it goes. Empty when the sender left it out, which is answered like a blank name.
    pub topic: Cow<'a, str>,
    /// The topic after whose pattern an unknown one is made.
    pub default_topic: Cow<'a, str>,
    /// How many queues an unknown topic is to have.
    pub default_topic_queue_nums: i32,
    /// The queue; negative leaves the choice to the broker.
    pub queue_id: i32,
    /// Bits of the message.
    pub sys_flag: i32,
    /// When the producer made it, in milliseconds since the epoch.
    pub born_timestamp: i64,
    /// The application's number.
    pub flag: i32,
    /// Its properties as one text.
    pub properties: Option<Cow<'a, str>>,
    /// How often it was consumed in vain.
    pub reconsume_times: Option<i32>,
    /// Whether an unknown topic belongs to one unit.
    pub unit_mode: bool,
    /// Whether the body holds several messages.
    pub batch: bool,
    /// After how many vain attempts it goes to the dead letters.
    pub max_reconsume_times: Option<i32>,
}

impl<'a> SendHeader<'a> {
    /// Reads the fields by the names that are there: `b` is the topic of the short form.
    ///
    /// # Errors
    /// Names the first field that is missing or cannot be read.
    pub fn parse(ext: &'a ExtFields) -> Result<Self, ProtocolError> {
        match ext.get("b") {
            Some(topic) => Self::parse_short(ext, topic),
            None => Self::parse_long(ext),
        }
    }

    fn parse_short(ext: &'a ExtFields, topic: Cow<'a, str>) -> Result<Self, ProtocolError> {
        Ok(Self {
            producer_group: ext.get("a").unwrap_or_default(),
            topic,
            default_topic: ext.get("c").unwrap_or_default(),
            default_topic_queue_nums: ext.int32("d")?,
            queue_id: ext.int32("e")?,
            sys_flag: ext.int32("f")?,
            born_timestamp: ext.int64("g")?,
            flag: ext.int32("h")?,
            properties: ext.get("i"),
            reconsume_times: ext.optional_int32("j")?,
            unit_mode: ext.optional_bool("k").unwrap_or(false),
            max_reconsume_times: ext.optional_int32("l")?,
            batch: ext.optional_bool("m").unwrap_or(false),
        })
    }

    fn parse_long(ext: &'a ExtFields) -> Result<Self, ProtocolError> {
        // A short form without its topic is a send to a blank one.
        if ext.get("e").is_some() {
            return Self::parse_short(ext, Cow::Borrowed(""));
        }
        Ok(Self {
            producer_group: ext.get("producerGroup").unwrap_or_default(),
            topic: ext.get("topic").unwrap_or_default(),
            default_topic: ext.get("defaultTopic").unwrap_or_default(),
            default_topic_queue_nums: ext.int32("defaultTopicQueueNums")?,
            queue_id: ext.int32("queueId")?,
            sys_flag: ext.int32("sysFlag")?,
            born_timestamp: ext.int64("bornTimestamp")?,
            flag: ext.int32("flag")?,
            properties: ext.get("properties"),
            reconsume_times: ext.optional_int32("reconsumeTimes")?,
            unit_mode: ext.optional_bool("unitMode").unwrap_or(false),
            max_reconsume_times: ext.optional_int32("maxReconsumeTimes")?,
            batch: ext.optional_bool("batch").unwrap_or(false),
        })
    }

    /// Appends the fields in the short form.
    pub fn write(&self, ext: &mut ExtFieldsBuilder) {
        ext.push("a", &self.producer_group).push("b", &self.topic).push("c", &self.default_topic);
        ext.push("d", self.default_topic_queue_nums).push("e", self.queue_id).push("f", self.sys_flag);
        ext.push("g", self.born_timestamp).push("h", self.flag).push_some("i", self.properties.as_ref());
        ext.push_some("j", self.reconsume_times).push("k", self.unit_mode);
        ext.push_some("l", self.max_reconsume_times).push("m", self.batch);
    }
}
