//! What a producer sends, whichever queue it goes to and however often it is tried.

use std::borrow::Cow;

use bytes::Bytes;

use super::error::ClientError;
use super::outgoing::OutgoingMessage;
use super::producer_options::{Compression, ProducerOptions};
use super::route::{TEMPLATE_QUEUES_MAX, TEMPLATE_TOPIC};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::headers::send::SendHeader;
use crate::protocol::message;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::properties::{self, keys};
use crate::protocol::sys_flag;
use crate::protocol::units::QueueId;

/// Room for the fields of a send besides its properties.
const FIELDS_BYTES_USUAL: usize = 256;

/// A message, or several as one, ready to be sent.
///
/// See the example of [`Spool`](super::spool::Spool).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Where to, as the cluster calls it.
    pub topic: Topic,
    /// The request's code.
    pub code: i32,
    /// The ids of its messages, joined by commas.
    pub unique_ids: String,
    /// The properties, as they travel.
    pub properties: String,
    /// Bits of the message.
    pub sys_flag: i32,
    /// The application's number.
    pub flag: i32,
    /// The body, as it travels.
    pub body: Bytes,
}

impl Letter {
    /// One message, with whatever else its producer has to say.
    ///
    /// # Errors
    /// Its body is none, or too long.
    pub(super) fn of(
        message: &OutgoingMessage,
        topic: Topic,
        unique_id: String,
        more: &[(&str, &str)],
        options: &ProducerOptions,
    ) -> Result<Self, ClientError> {
        let properties = message.properties_text(&unique_id, more);
        let given = message.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let is_half = more.iter().copied().chain(given).any(|pair| pair == (keys::TRAN_MSG, "true"));
        let mut letter = Self::plain(topic, unique_id, properties, &message.body, message.flag, options)?;
        if is_half {
            letter.sys_flag = sys_flag::with_transaction_type(letter.sys_flag, sys_flag::TRANSACTION_PREPARED);
        }
        Ok(letter)
    }

    /// One message whose properties are given as they travel.
    ///
    /// # Errors
    /// As [`Letter::of`].
    pub(super) fn plain(
        topic: Topic,
        unique_ids: String,
        properties: String,
        body: &Bytes,
        flag: i32,
        options: &ProducerOptions,
    ) -> Result<Self, ClientError> {
        check_body(body.len(), options)?;
        let (body, sys_flag) = compressed(body, options.compression);
        Ok(Self { topic, code: request::SEND_MESSAGE_V2, unique_ids, properties, sys_flag, flag, body })
    }

    /// Several messages as one request, with an id each.
    ///
    /// # Errors
    /// They cannot be one batch.
    pub(super) fn of_batch<'a>(
        messages: impl IntoIterator<Item = &'a OutgoingMessage>,
        topic: Topic,
        mut unique_id: impl FnMut() -> String,
        options: &ProducerOptions,
    ) -> Result<Self, ClientError> {
        let (mut body, mut unique_ids) = (Vec::new(), Vec::new());
        for message in messages {
            check_body(message.body.len(), options)?;
            let unique_id = unique_id();
            let text = message.properties_text(&unique_id, &[]);
            message::encode_batch_item(message.flag, &message.body, &text, &mut body)?;
            unique_ids.push(unique_id);
        }
        check_body(body.len(), options)?;
        let properties = properties::encode([(keys::WAIT, "true")]);
        let (code, unique_ids) = (request::SEND_BATCH_MESSAGE, unique_ids.join(","));
        Ok(Self { topic, code, unique_ids, properties, sys_flag: 0, flag: 0, body: body.into() })
    }

    /// The request that sends it to a queue.
    pub(super) fn to(&self, queue: QueueId, group: &GroupName, now_ms: i64) -> Command {
        let attempts =
            if self.topic.is_retry() { Attempts::of(&self.properties) } else { Attempts::none(&self.properties) };
        let header = SendHeader {
            producer_group: group.as_str().into(),
            topic: self.topic.as_str().into(),
            default_topic: TEMPLATE_TOPIC.into(),
            default_topic_queue_nums: TEMPLATE_QUEUES_MAX as i32,
            queue_id: queue.0 as i32,
            sys_flag: self.sys_flag,
            born_timestamp: now_ms,
            flag: self.flag,
            properties: Some(attempts.properties.as_ref().into()),
            reconsume_times: Some(attempts.so_far),
            unit_mode: false,
            batch: self.code == request::SEND_BATCH_MESSAGE,
            max_reconsume_times: attempts.max,
        };
        let mut ext = ExtFields::builder_with_room(SendHeader::FIELDS, FIELDS_BYTES_USUAL + self.properties.len());
        header.write(&mut ext);
        Command::request(self.code).with_ext(ext.build()).with_body(self.body.clone())
    }
}

/// How often it was tried to consume a message, which the header of its request says and its properties do no more.
///
/// # Source
/// `DefaultMQProducerImpl.sendKernelImpl` 4.9.7 (read).
struct Attempts<'a> {
    so_far: i32,
    max: Option<i32>,
    properties: Cow<'a, str>,
}

impl<'a> Attempts<'a> {
    fn none(properties: &'a str) -> Self {
        Self { so_far: 0, max: None, properties: properties.into() }
    }

    fn of(properties: &'a str) -> Self {
        let number = |name| properties::find(properties, name).and_then(|value| value.parse().ok());
        let (so_far, max) = (number(keys::RECONSUME_TIME), number(keys::MAX_RECONSUME_TIMES));
        let is_kept = |name| ![keys::RECONSUME_TIME, keys::MAX_RECONSUME_TIMES].contains(&name);
        let kept = properties::pairs(properties).filter(|(name, _)| is_kept(name));
        Self { so_far: so_far.unwrap_or(0), max, properties: properties::encode(kept).into() }
    }
}

/// The topic of messages that are to be one batch.
///
/// # Errors
/// They cannot be.
pub(super) fn topic_of_batch(messages: &[OutgoingMessage]) -> Result<&Topic, ClientError> {
    let Some(first) = messages.first() else { return Err(ClientError::Batch("it is empty".into())) };
    for message in messages {
        if message.topic != first.topic {
            return Err(ClientError::Batch(format!("{} and {}", first.topic, message.topic)));
        }
    }
    Ok(&first.topic)
}

fn check_body(length: usize, options: &ProducerOptions) -> Result<(), ClientError> {
    let limit = options.body_bytes_max;
    if (1..=limit).contains(&length) { Ok(()) } else { Err(ClientError::BodyLength { length, limit }) }
}

/// The body as it travels, and the flags that say how.
fn compressed(body: &Bytes, compression: Option<Compression>) -> (Bytes, i32) {
    match compression.filter(|compression| body.len() >= compression.from_bytes) {
        Some(Compression { algorithm, level, .. }) => {
            let (compressed, sys_flag) = algorithm.compress(body, level);
            (compressed.into(), sys_flag)
        }
        None => (body.clone(), 0),
    }
}
