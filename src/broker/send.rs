//! Whether a send is taken, and what is then stored.
//!
//! # Source
//! Order of the checks, codes and texts: `AbstractSendMessageProcessor`, `SendMessageProcessor`, `DefaultMessageStore`
//! 4.9.7 (read; texts confirmed by the recorded probe).

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use super::topics::{SCHEDULE_TOPIC, TopicTable};
use crate::protocol::codes::response;
use crate::protocol::headers::send::SendHeader;
use crate::protocol::message::{BatchItem, PROPERTIES_LENGTH_MAX, decode_batch};
use crate::protocol::names::{TOPIC_LENGTH_MAX, Topic};
use crate::protocol::properties::{self, keys};
use crate::protocol::refusal::Refusal;
use crate::protocol::sys_flag;
use crate::protocol::units::{BornTime, QueueId};
use crate::store::NewMessage;

/// Topics that only the broker itself writes to.
const FORBIDDEN_TOPICS: [&str; 6] = [
    SCHEDULE_TOPIC,
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];

const NAME_END: u8 = properties::NAME_VALUE_SEPARATOR as u8;
const PAIR_END: u8 = properties::PAIR_SEPARATOR as u8;

/// What the configuration says about sends.
#[derive(Clone, Debug)]
pub struct SendRules {
    /// Name of the cluster: a property of every message.
    pub cluster: String,
    /// The address in message ids.
    pub store_host: SocketAddr,
    /// Largest body.
    pub message_bytes_max: usize,
    /// Sends are refused before this time, in milliseconds since the epoch.
    pub accept_from_ms: i64,
    /// Whether the broker's own permission lets it be written to.
    pub writable: bool,
}

/// One send as it was received.
pub struct Incoming<'a> {
    /// Its fields.
    pub header: SendHeader<'a>,
    /// Whether the body holds several messages.
    pub is_batch: bool,
    /// Its body.
    pub body: &'a Bytes,
    /// Who sent it.
    pub from: SocketAddr,
}

/// A send that is taken.
#[derive(Debug)]
pub struct Admitted {
    /// What to store.
    pub put: Put,
    /// The queue it goes to.
    pub queue_id: QueueId,
    /// Whether the producer waits until the flush policy is kept.
    pub waits: bool,
}

/// The messages of one send: stored together or not at all.
#[derive(Debug)]
pub enum Put {
    /// An ordinary send.
    One(NewMessage),
    /// A batch.
    Many(Vec<NewMessage>),
}

impl Put {
    /// The messages in order.
    #[must_use]
    pub fn as_slice(&self) -> &[NewMessage] {
        match self {
            Self::One(message) => std::slice::from_ref(message),
            Self::Many(messages) => messages,
        }
    }
}

/// Why a send is not taken, or not yet.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// The topic does not exist; whether it may be made is for the owner of the topics to say.
    UnknownTopic,
    /// It is not taken.
    Refused(Refusal),
}

impl<E: Into<Refusal>> From<E> for Denied {
    fn from(refusal: E) -> Self {
        Self::Refused(refusal.into())
    }
}

/// Decides about one send. `random` chooses the queue where the producer leaves that to the broker; `texts` takes the
/// property texts of all sends of one read, which are cut from it without copies of their own.
///
/// # Errors
/// See [`Denied`].
pub fn admit(
    rules: &SendRules,
    topics: &TopicTable,
    incoming: &Incoming<'_>,
    now_ms: i64,
    random: &mut fastrand::Rng,
    texts: &mut BytesMut,
) -> Result<Admitted, Denied> {
    let header = &incoming.header;
    if now_ms < rules.accept_from_ms {
        let remark = format!("broker unable to service, until {} ms since 1970", rules.accept_from_ms);
        return Err(Refusal::error(remark).into());
    }
    let Some((topic, config)) = topics.find(&header.topic) else {
        check_name(&header.topic)?;
        return Err(Denied::UnknownTopic);
    };
    check_forbidden(topic)?;
    if !rules.writable && config.order {
        let remark = "the broker sending message is forbidden";
        return Err(Refusal::new(response::NO_PERMISSION, remark).into());
    }
    let queues = config.write_queue_nums.max(config.read_queue_nums);
    let queue_id = match u32::try_from(header.queue_id) {
        Ok(queue_id) if queue_id < queues => queue_id,
        Ok(_) => return Err(illegal_queue(incoming, config).into()),
        Err(_) => random.u32(0..config.write_queue_nums.max(1)),
    };
    let text = header.properties.as_deref().unwrap_or_default();
    let traits = Traits::of(text);
    traits.check(header.sys_flag)?;
    check_body(rules, incoming.body)?;
    let base = NewMessage {
        topic: topic.clone(),
        queue_id: QueueId(queue_id),
        flag: header.flag,
        sys_flag: header.sys_flag | multi_tags(config),
        born_time: BornTime(header.born_timestamp),
        born_host: incoming.from,
        store_host: rules.store_host,
        reconsume_times: header.reconsume_times.unwrap_or(0),
        prepared_transaction_offset: 0,
        properties: Bytes::new(),
        body: Bytes::new(),
        body_crc: None,
    };
    let put = if incoming.is_batch {
        Put::Many(batch(rules, base, text, incoming.body, texts)?)
    } else {
        let properties = single_properties(rules, text, traits.names_wait, texts)?;
        Put::One(NewMessage { properties, body: incoming.body.clone(), ..base })
    };
    Ok(Admitted { put, queue_id: QueueId(queue_id), waits: traits.waits })
}

/// What a property text says that decides about the send, found in one pass.
struct Traits {
    names_wait: bool,
    waits: bool,
    delayed: bool,
    transactional: bool,
}

impl Traits {
    fn of(text: &str) -> Self {
        let mut traits = Self { names_wait: false, waits: true, delayed: false, transactional: false };
        for (name, value) in properties::pairs(text) {
            match name {
                keys::WAIT => (traits.names_wait, traits.waits) = (true, value != "false"),
                keys::DELAY => traits.delayed = value.parse::<i32>().is_ok_and(|level| level > 0),
                keys::TRAN_MSG => traits.transactional = value == "true",
                _ => {}
            }
        }
        traits
    }

    /// Storing these as ordinary messages would deliver them at once, which is worse than refusing them.
    fn check(&self, flags: i32) -> Result<(), Refusal> {
        if self.transactional || sys_flag::transaction_type(flags) != sys_flag::TRANSACTION_NONE {
            return Err(Refusal::new(response::NO_PERMISSION, "this broker does not take transactional messages yet"));
        }
        if self.delayed {
            return Err(Refusal::new(response::MESSAGE_ILLEGAL, "this broker does not take delayed messages yet"));
        }
        Ok(())
    }
}

fn check_name(topic: &str) -> Result<(), Refusal> {
    Ok(Topic::parse(topic).map(|_| ())?)
}

fn check_forbidden(topic: &Topic) -> Result<(), Refusal> {
    if FORBIDDEN_TOPICS.contains(&topic.as_str()) {
        let remark = format!("Sending message to topic[{topic}] is forbidden.");
        return Err(Refusal::new(response::NO_PERMISSION, remark));
    }
    Ok(())
}

fn check_body(rules: &SendRules, body: &Bytes) -> Result<(), Refusal> {
    if body.len() > rules.message_bytes_max {
        return Err(illegal_message(rules));
    }
    Ok(())
}

fn illegal_message(rules: &SendRules) -> Refusal {
    let remark = format!(
        "the message is illegal, maybe msg body or properties length not matched. \
         msg body length limit {}B, msg properties length limit 32KB, topic length limit {TOPIC_LENGTH_MAX}.",
        rules.message_bytes_max
    );
    Refusal::new(response::MESSAGE_ILLEGAL, remark)
}

fn illegal_queue(incoming: &Incoming<'_>, config: &crate::protocol::body::topic_config::TopicConfig) -> Refusal {
    Refusal::error(format!(
        "request queueId[{}] is illegal, TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}, \
         topicFilterType={}, topicSysFlag={}, order={}] Producer: {}",
        incoming.header.queue_id,
        config.topic_name,
        config.read_queue_nums,
        config.write_queue_nums,
        config.perm,
        config.topic_filter_type.as_str(),
        config.topic_sys_flag,
        config.order,
        incoming.from,
    ))
}

fn multi_tags(config: &crate::protocol::body::topic_config::TopicConfig) -> i32 {
    use crate::protocol::body::topic_config::TopicFilterType;
    match config.topic_filter_type {
        TopicFilterType::SingleTag => 0,
        TopicFilterType::MultiTag => sys_flag::MULTI_TAGS,
    }
}

/// The stored text of a single message: without WAIT, which is for the broker, and with the name of the cluster.
fn single_properties(rules: &SendRules, text: &str, names_wait: bool, texts: &mut BytesMut) -> Result<Bytes, Refusal> {
    if !names_wait {
        return put_properties(rules, [text], texts);
    }
    for (name, value) in properties::pairs(text).filter(|(name, _)| *name != keys::WAIT) {
        texts.put_slice(name.as_bytes());
        texts.put_u8(NAME_END);
        texts.put_slice(value.as_bytes());
        texts.put_u8(PAIR_END);
    }
    put_properties(rules, [], texts)
}

/// The stored texts of a batch: each item's own, then the batch's, then the name of the cluster.
fn batch(
    rules: &SendRules,
    base: NewMessage,
    shared: &str,
    body: &Bytes,
    texts: &mut BytesMut,
) -> Result<Vec<NewMessage>, Refusal> {
    let items = decode_batch(body.clone())
        .map_err(|error| Refusal::new(response::MESSAGE_ILLEGAL, format!("the batch cannot be read: {error}")))?;
    let mut messages = Vec::with_capacity(items.len());
    for BatchItem { flag, body, properties } in items {
        let properties = put_properties(rules, [&*properties, shared], texts)?;
        messages.push(NewMessage { flag, body, properties, ..base.clone() });
    }
    if messages.is_empty() {
        return Err(illegal_message(rules));
    }
    Ok(messages)
}

/// Cuts off a text: what was put already, `parts`, and the name of the cluster.
fn put_properties<const N: usize>(rules: &SendRules, parts: [&str; N], texts: &mut BytesMut) -> Result<Bytes, Refusal> {
    for part in parts {
        texts.put_slice(part.as_bytes());
        if !part.is_empty() && !part.ends_with(properties::PAIR_SEPARATOR) {
            texts.put_u8(PAIR_END);
        }
    }
    texts.put_slice(keys::CLUSTER.as_bytes());
    texts.put_u8(NAME_END);
    texts.put_slice(rules.cluster.as_bytes());
    let text = texts.split().freeze();
    if text.len() > PROPERTIES_LENGTH_MAX {
        return Err(illegal_message(rules));
    }
    Ok(text)
}
