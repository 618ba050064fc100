//! Replies to request messages: whom one goes to, what it tells, and what is stored of it.
//!
//! # Source
//! `ReplyMessageProcessor` 4.9.7 (read; texts measured).

use std::net::SocketAddr;

use super::send::{SendRules, check_forbidden, check_inner_batch, check_time, illegal_message, queue_of};
use super::topics::{TopicError, TopicTable};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, Language};
use crate::protocol::headers::send::{PushReply, SendHeader};
use crate::protocol::message::PROPERTIES_LENGTH_MAX;
use crate::protocol::names::Topic;
use crate::protocol::properties::{self, keys};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{BornTime, QueueId};
use crate::store::{NewMessage, PutBatch, StoreError};

/// A reply that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The reply topic,
    pub topic: Topic,
    /// and its queue.
    pub queue_id: QueueId,
    /// The client that asked.
    pub requester: Option<String>,
}

/// Decides about a reply, as about a send.
///
/// # Errors
/// Why it is not taken.
pub fn take(
    rules: &SendRules,
    topics: &TopicTable,
    (header, body): (&SendHeader<'_>, &[u8]),
    random: &mut fastrand::Rng,
    from: SocketAddr,
    now_ms: i64,
) -> Result<Taken, Refusal> {
    check_time(rules, now_ms)?;
    let name = header.topic.text();
    let topic = Topic::parse(&name)?;
    check_forbidden(&topic)?;
    let Some(config) = topics.config(&name) else {
        return Err(TopicError::Unknown(topic).into());
    };
    let queue_id = queue_of(rules, config, header.queue_id, random, from)?;
    let text = header.properties.map(|text| text.text().into_owned()).unwrap_or_default();
    check_inner_batch(header.sys_flag)?;
    if body.len() > rules.message_bytes_max || text.len() > PROPERTIES_LENGTH_MAX {
        return Err(illegal_message(rules));
    }
    let requester = properties::find(&text, keys::MESSAGE_REPLY_TO_CLIENT).map(str::to_owned);
    Ok(Taken { topic, queue_id, requester })
}

/// What the requester is sent.
#[must_use]
pub fn push(header: &SendHeader<'_>, from: SocketAddr, host: SocketAddr, now_ms: i64) -> Command {
    let own = header.properties.map(|text| text.text().into_owned()).unwrap_or_default();
    let text = properties::with(own.as_bytes(), &[(keys::PUSH_REPLY_TIME, &now_ms.to_string())]);
    let push = PushReply {
        producer_group: header.producer_group.text().into_owned(),
        topic: header.topic.text().into_owned(),
        default_topic: header.default_topic.text().into_owned(),
        default_topic_queue_nums: header.default_topic_queue_nums,
        queue_id: header.queue_id,
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        flag: header.flag,
        properties: Some(String::from_utf8_lossy(&text).into_owned()),
        reconsume_times: header.reconsume_times,
        unit_mode: header.unit_mode,
        born_host: from.to_string(),
        store_host: host.to_string(),
        store_timestamp: now_ms,
    };
    Command::request(request::PUSH_REPLY_MESSAGE_TO_CLIENT).with_language(Language::Java).with_ext(push.to_ext())
}

/// Adds the put of a reply: its text is stored as it came.
///
/// # Errors
/// Its properties are too long.
pub fn store(
    puts: &mut PutBatch,
    taken: &Taken,
    header: &SendHeader<'_>,
    body: &[u8],
    from: SocketAddr,
    host: SocketAddr,
) -> Result<(), StoreError> {
    let text = header.properties.map(|text| text.text().into_owned()).unwrap_or_default();
    puts.push(&NewMessage {
        topic: &taken.topic,
        queue_id: taken.queue_id,
        flag: header.flag,
        sys_flag: header.sys_flag,
        born_time: BornTime(header.born_timestamp),
        born_host: from,
        store_host: host,
        reconsume_times: header.reconsume_times.unwrap_or(0),
        prepared_transaction_offset: 0,
        properties: text.as_bytes(),
        body,
    })
}

/// Why a reply did not reach who asked.
#[must_use]
pub fn not_pushed(requester: Option<&str>) -> Refusal {
    Refusal::error(match requester {
        None => "REPLY_TO_CLIENT is null, can not reply message".to_owned(),
        Some(requester) => format!("push reply message fail, channel of <{requester}> not found."),
    })
}
