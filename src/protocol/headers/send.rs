//! Sends: SEND_MESSAGE with long names, SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE with one letter per field; what they are
//! answered with, and messages that go back to where they came from.

use super::headers;
use crate::protocol::command::{ExtFieldsBuilder, ExtFieldsRef};
use crate::protocol::error::ProtocolError;
use crate::protocol::ext_fields::{FieldText, Letters};

/// The fields of a send, whichever names they came by. Borrows from the received header.
///
/// # Source
/// `SendMessageRequestHeader`, `SendMessageRequestHeaderV2` 4.9.7 (read); fixtures `frame_json_send_v1`, `_v2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendHeader<'a> {
    /// The producer's group.
    pub producer_group: FieldText<'a>,
    /// Where it goes. Empty when the sender left it out, which is answered like a blank name.
    pub topic: FieldText<'a>,
    /// The topic after whose pattern an unknown one is made.
    pub default_topic: FieldText<'a>,
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
    pub properties: Option<FieldText<'a>>,
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
    /// How many fields it has.
    pub const FIELDS: usize = Name::COUNT;

    /// Reads the fields by their long or their short names; no name is both, so the request's code need not be known.
    ///
    /// # Errors
    /// Names the first field that is missing or cannot be read, by its long name.
    #[inline]
    pub fn parse(ext: impl Into<ExtFieldsRef<'a>>) -> Result<Self, ProtocolError> {
        let fields = Fields::collect(ext.into());
        Ok(Self {
            producer_group: fields.optional(Name::ProducerGroup).unwrap_or_default(),
            topic: fields.optional(Name::Topic).unwrap_or_default(),
            default_topic: fields.optional(Name::DefaultTopic).unwrap_or_default(),
            default_topic_queue_nums: fields.int32(Name::DefaultTopicQueueNums)?,
            queue_id: fields.int32(Name::QueueId)?,
            sys_flag: fields.int32(Name::SysFlag)?,
            born_timestamp: fields.required(Name::BornTimestamp)?.int64(Name::BornTimestamp.long())?,
            flag: fields.int32(Name::Flag)?,
            properties: fields.optional(Name::Properties),
            reconsume_times: fields.optional_int32(Name::ReconsumeTimes)?,
            unit_mode: fields.bool(Name::UnitMode),
            max_reconsume_times: fields.optional_int32(Name::MaxReconsumeTimes)?,
            batch: fields.bool(Name::Batch),
        })
    }

    /// Appends the fields in the short form, for SEND_MESSAGE_V2, SEND_BATCH_MESSAGE and SEND_REPLY_MESSAGE_V2.
    pub fn write(&self, ext: &mut ExtFieldsBuilder) {
        self.write_named(Name::short, ext);
    }

    /// Appends the fields in the long form, for SEND_MESSAGE and SEND_REPLY_MESSAGE.
    pub fn write_long(&self, ext: &mut ExtFieldsBuilder) {
        self.write_named(Name::long, ext);
    }

    fn write_named(&self, name: impl Fn(Name) -> &'static str, ext: &mut ExtFieldsBuilder) {
        ext.push_text(name(Name::ProducerGroup), &self.producer_group.text());
        ext.push_text(name(Name::Topic), &self.topic.text());
        ext.push_text(name(Name::DefaultTopic), &self.default_topic.text());
        ext.push_number(name(Name::DefaultTopicQueueNums), self.default_topic_queue_nums);
        ext.push_number(name(Name::QueueId), self.queue_id);
        ext.push_number(name(Name::SysFlag), self.sys_flag);
        ext.push_number(name(Name::BornTimestamp), self.born_timestamp);
        ext.push_number(name(Name::Flag), self.flag);
        if let Some(properties) = self.properties {
            ext.push_text(name(Name::Properties), &properties.text());
        }
        ext.push_some(name(Name::ReconsumeTimes), self.reconsume_times);
        ext.push(name(Name::UnitMode), self.unit_mode);
        ext.push_some(name(Name::MaxReconsumeTimes), self.max_reconsume_times);
        ext.push(name(Name::Batch), self.batch);
    }
}

/// The fields, in the order of their letters.
#[derive(Clone, Copy)]
enum Name {
    ProducerGroup,
    Topic,
    DefaultTopic,
    DefaultTopicQueueNums,
    QueueId,
    SysFlag,
    BornTimestamp,
    Flag,
    Properties,
    ReconsumeTimes,
    UnitMode,
    MaxReconsumeTimes,
    Batch,
}

impl Name {
    const COUNT: usize = Self::Batch as usize + 1;

    const LONG: [&'static str; Self::COUNT] = [
        "producerGroup",
        "topic",
        "defaultTopic",
        "defaultTopicQueueNums",
        "queueId",
        "sysFlag",
        "bornTimestamp",
        "flag",
        "properties",
        "reconsumeTimes",
        "unitMode",
        "maxReconsumeTimes",
        "batch",
    ];

    const SHORT: [&'static str; Self::COUNT] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];

    fn long(self) -> &'static str {
        Self::LONG[self as usize]
    }

    fn short(self) -> &'static str {
        Self::SHORT[self as usize]
    }

    /// The place in [`Fields`] of a name in either form.
    fn place(name: &[u8]) -> Option<usize> {
        match name {
            [letter] => Some(usize::from(letter.wrapping_sub(b'a'))),
            _ => Self::LONG.iter().position(|long| long.as_bytes() == name),
        }
    }
}

/// Where each field was found.
///
/// The header is the busiest of all, so it is walked through once for all fields and not once for each: 13 searches took
/// longer than reading the JSON.
struct Fields<'a> {
    ext: ExtFieldsRef<'a>,
    places: [u16; Name::COUNT],
}

impl<'a> Fields<'a> {
    fn collect(ext: ExtFieldsRef<'a>) -> Self {
        let mut places = [Letters::NOWHERE; Name::COUNT];
        if let Some(places) = ext.letters().and_then(|letters| letters.0.first_chunk()) {
            return Self { ext, places: *places };
        }
        for (name, found) in ext.keys() {
            // Of a name that comes twice the later value counts, a null included.
            if let Some(place) = Name::place(name).and_then(|place| places.get_mut(place)) {
                *place = found;
            }
        }
        Self { ext, places }
    }

    fn optional(&self, name: Name) -> Option<FieldText<'a>> {
        self.ext.at(self.places[name as usize])
    }

    fn required(&self, name: Name) -> Result<FieldText<'a>, ProtocolError> {
        self.optional(name).ok_or_else(|| ProtocolError::FieldMissing { field: name.long() })
    }

    fn int32(&self, name: Name) -> Result<i32, ProtocolError> {
        self.required(name)?.int32(name.long())
    }

    fn optional_int32(&self, name: Name) -> Result<Option<i32>, ProtocolError> {
        self.optional(name).map(|value| value.int32(name.long())).transpose()
    }

    fn bool(&self, name: Name) -> bool {
        self.optional(name).is_some_and(FieldText::bool)
    }
}

headers! {
    /// What every send is answered with, as a client reads it. Brokers write it with
    /// [`SendAnswer`](crate::protocol::replies::SendAnswer).
    SendReply {
        /// The offset message id; of a batch, those of all its messages with commas between them.
        msg_id: text "msgId",
        /// The queue.
        queue_id: int32 "queueId",
        /// The number in its queue; of a batch, that of the first message.
        queue_offset: int64 "queueOffset",
        /// The transaction that a half message began.
        transaction_id: optional_text "transactionId",
        /// The broker's region, for traces.
        region: optional_text "MSG_REGION",
        /// Whether the broker wants traces.
        trace_on: optional_bool "TRACE_ON",
    }

    /// CONSUMER_SEND_MSG_BACK: a consumer could not handle a message.
    SendBack {
        /// Where the message lies in the log.
        offset: int64 "offset",
        /// The consumer's group.
        group: text "group",
        /// How long to wait: 0 leaves it to the broker, negative means never again.
        delay_level: int32 "delayLevel",
        /// The message's id as the consumer knows it.
        origin_msg_id: optional_text "originMsgId",
        /// The topic that it was consumed from.
        origin_topic: optional_text "originTopic",
        /// Ignored.
        unit_mode: bool_or_false "unitMode",
        /// After how many vain attempts it goes to the dead letters; honoured from version 121 on.
        max_reconsume_times: optional_int32 "maxReconsumeTimes",
    }

    /// PUSH_REPLY_MESSAGE_TO_CLIENT: the answer to a request message.
    PushReply {
        /// The replier's group.
        producer_group: text "producerGroup",
        /// The reply topic.
        topic: text "topic",
        /// As the replier sent it.
        default_topic: text "defaultTopic",
        /// As the replier sent it.
        default_topic_queue_nums: int32 "defaultTopicQueueNums",
        /// As the replier sent it.
        queue_id: int32 "queueId",
        /// Bits of the message.
        sys_flag: int32 "sysFlag",
        /// When the replier made it, in milliseconds since the epoch.
        born_timestamp: int64 "bornTimestamp",
        /// The application's number.
        flag: int32 "flag",
        /// Its properties, among which the requester finds its correlation id.
        properties: optional_text "properties",
        /// As the replier sent it.
        reconsume_times: optional_int32 "reconsumeTimes",
        /// Ignored.
        unit_mode: bool_or_false "unitMode",
        /// The replier's address, `ip:port`.
        born_host: text "bornHost",
        /// The broker's address, `ip:port`.
        store_host: text "storeHost",
        /// When the broker took it, in milliseconds since the epoch.
        store_timestamp: int64 "storeTimestamp",
    }
}
