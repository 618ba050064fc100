//! Sends messages: one at a time or several as one batch.
//!
//! Queues are taken in turn. A send that failed for a reason that another broker may not share is tried again
//! elsewhere; SYSTEM_BUSY is not such a reason, since trying again is what keeps a busy broker busy.
//!
//! Routes are kept for [`ROUTE_AGE_MAX`] and asked for again after a failure. Transactions and request-reply are not here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::connection::Limits;
use super::error::ClientError;
use super::pool::Connections;
use super::route::{Queue, Routes, TEMPLATE_QUEUES_MAX, TEMPLATE_TOPIC, publish_queues};
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::compression;
use crate::protocol::headers::send::SendHeader;
use crate::protocol::ids::UniqueIds;
use crate::protocol::message;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::properties::{self, keys};
use crate::protocol::sys_flag;
use crate::protocol::units::{QueueId, QueueOffset};
use crate::time::SharedClock;

/// How long a route is believed.
pub const ROUTE_AGE_MAX: Duration = Duration::from_secs(30);
/// When the name servers are asked again after none of them could be reached.
const ROUTE_RETRY: Duration = Duration::from_secs(5);
/// How often a message is sent at most, the first time included.
const TRIES: usize = 3;
/// Time for all tries together.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest body before compression, in bytes; brokers refuse larger ones unless they are told otherwise.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bodies from this length on travel compressed, at this level of zlib.
const COMPRESS_FROM_BYTES: usize = 4096;
const COMPRESS_LEVEL: u32 = 5;

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub struct OutgoingMessage {
    /// Where to.
    pub topic: Topic,
    /// What it says.
    pub body: Bytes,
    /// Chooses among consumers' subscriptions.
    pub tag: Option<String>,
    /// Finds the message again; several are separated by blanks.
    pub keys: Option<String>,
    /// Whatever else consumers should know, by name.
    pub properties: Vec<(String, String)>,
}

impl OutgoingMessage {
    /// A message of a body alone.
    #[must_use]
    pub fn new(topic: Topic, body: impl Into<Bytes>) -> Self {
        Self { topic, body: body.into(), tag: None, keys: None, properties: Vec::new() }
    }

    fn properties_text(&self, unique_id: &str) -> String {
        let named = [(keys::UNIQ_KEY, Some(unique_id)), (keys::WAIT, Some("true"))];
        let optional = [(keys::TAGS, self.tag.as_deref()), (keys::KEYS, self.keys.as_deref())];
        let given = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        properties::encode(named.into_iter().chain(optional).filter_map(|(n, v)| Some((n, v?))).chain(given))
    }
}

/// How safe a stored message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// As safe as the broker promises.
    Stored,
    /// Stored, but the disk did not confirm it in time.
    FlushTimeout,
    /// Stored, but no replica confirmed it in time.
    ReplicaTimeout,
    /// Stored, but there is no replica that could confirm it.
    NoReplica,
}

impl SendStatus {
    fn of_code(code: i32) -> Option<Self> {
        match code {
            response::SUCCESS => Some(Self::Stored),
            response::FLUSH_DISK_TIMEOUT => Some(Self::FlushTimeout),
            response::FLUSH_SLAVE_TIMEOUT => Some(Self::ReplicaTimeout),
            response::SLAVE_NOT_AVAILABLE => Some(Self::NoReplica),
            _ => None,
        }
    }
}

/// What became of a message, or of a batch: then the ids are joined by commas and the offset is the first one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendReceipt {
    /// How safe it is.
    pub status: SendStatus,
    /// The id that the producer gave it.
    pub unique_id: String,
    /// The id that tells where the broker stored it.
    pub offset_id: String,
    /// The broker that has it.
    pub broker_name: Arc<str>,
    /// The queue it is in.
    pub queue_id: QueueId,
    /// Its place there.
    pub queue_offset: QueueOffset,
}

/// Sends messages of one producer group.
pub struct Producer {
    group: GroupName,
    connections: Connections,
    routes: Routes,
    clock: SharedClock,
    unique_ids: Mutex<UniqueIds>,
    topics: Mutex<HashMap<Topic, Arc<TopicQueues>>>,
}

/// The queues of one topic, whose turn it is, and until when to believe it.
struct TopicQueues {
    queues: Vec<Queue>,
    turn: AtomicUsize,
    stale_at: Duration,
}

impl TopicQueues {
    /// The next queue in turn, not of the broker that has just failed if there is another one.
    fn next(&self, failed_broker: Option<&str>) -> Option<&Queue> {
        let count = self.queues.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = |step: usize| self.queues.get(first.wrapping_add(step) % count.max(1));
        (0..count).filter_map(in_turn).find(|queue| Some(&*queue.broker_name) != failed_broker).or_else(|| in_turn(0))
    }
}

impl Producer {
    /// A producer that finds its brokers through a list of name servers as `host:port;host:port`.
    ///
    /// `seed` tells this producer's message ids from those of others in the same process, and where it begins with its
    /// queues.
    ///
    /// # Errors
    /// There is no address in the list.
    pub fn new(name_servers: &str, group: GroupName, clock: SharedClock, seed: u32) -> Result<Self, ClientError> {
        let connections = Connections::new(Limits::default());
        let routes = Routes::new(connections.clone(), name_servers)?;
        // The id needs an address that tells hosts apart, which only the seed can do before anything is connected.
        let address = IpAddr::V4(Ipv4Addr::from(seed));
        let unique_ids = Mutex::new(UniqueIds::new(address, std::process::id(), seed));
        Ok(Self { group, connections, routes, clock, unique_ids, topics: Mutex::default() })
    }

    /// Sends one message and waits until the broker has it.
    ///
    /// # Errors
    /// The last try's error. After [`ClientError::Timeout`] and [`ClientError::Closed`] the message may be stored.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<SendReceipt, ClientError> {
        check_body(message.body.len())?;
        let unique_id = self.unique_id();
        let text = message.properties_text(&unique_id);
        self.deliver(Letter::of(message, &text), unique_id).await
    }

    /// Sends one message to one queue, once: wherever else it might go it is not wanted.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn send_to(&self, message: &OutgoingMessage, queue: &Queue) -> Result<SendReceipt, ClientError> {
        check_body(message.body.len())?;
        let unique_id = self.unique_id();
        let text = message.properties_text(&unique_id);
        self.attempt(&Letter::of(message, &text), queue, SEND_TIMEOUT, &unique_id).await
    }

    /// Sends several messages of one topic as one request: all are stored, next to each other, or none is.
    ///
    /// # Errors
    /// As [`Producer::send`], and for messages that cannot be one batch.
    pub async fn send_batch(&self, messages: &[OutgoingMessage]) -> Result<SendReceipt, ClientError> {
        let Some(first) = messages.first() else { return Err(ClientError::Batch("it is empty".into())) };
        let topic = &first.topic;
        if let Some(other) = messages.iter().find(|message| message.topic != *topic) {
            return Err(ClientError::Batch(format!("{topic} and {}", other.topic)));
        }
        let mut body = Vec::new();
        let mut unique_ids = Vec::with_capacity(messages.len());
        for message in messages {
            check_body(message.body.len())?;
            let unique_id = self.unique_id();
            message::encode_batch_item(0, &message.body, &message.properties_text(&unique_id), &mut body)?;
            unique_ids.push(unique_id);
        }
        check_body(body.len())?;
        let shared = properties::encode([(keys::WAIT, "true")]);
        let code = request::SEND_BATCH_MESSAGE;
        let letter = Letter { topic, code, properties: &shared, flags: 0, body: body.into() };
        self.deliver(letter, unique_ids.join(",")).await
    }

    /// Tries until a broker takes it, the tries are used up, or the time is.
    async fn deliver(&self, letter: Letter<'_>, unique_id: String) -> Result<SendReceipt, ClientError> {
        let deadline = self.clock.elapsed() + SEND_TIMEOUT;
        let mut failed: Option<(Queue, ClientError)> = None;
        for _ in 0..TRIES {
            let left = deadline.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                break;
            }
            let topic = self.queues_of(letter.topic, failed.is_some()).await?;
            let failed_broker = failed.as_ref().map(|(queue, _)| &*queue.broker_name);
            let Some(queue) = topic.next(failed_broker) else {
                let reason = "no broker takes messages for it".into();
                return Err(ClientError::NoRoute { topic: letter.topic.as_str().into(), reason });
            };
            match self.attempt(&letter, queue, left, &unique_id).await {
                Err(error) if may_try_again(&error) => failed = Some((queue.clone(), error)),
                outcome => return outcome,
            }
        }
        let after = SEND_TIMEOUT;
        Err(failed.map_or_else(
            || ClientError::Timeout { address: letter.topic.as_str().into(), code: letter.code, after },
            |(_, error)| error,
        ))
    }

    async fn attempt(
        &self,
        letter: &Letter<'_>,
        queue: &Queue,
        left: Duration,
        unique_id: &str,
    ) -> Result<SendReceipt, ClientError> {
        let connection = self.connections.to(&queue.address).await?;
        let command = letter.to(queue, &self.group, self.clock.now_ms());
        let reply = connection.request(command, left).await?;
        let Some(status) = SendStatus::of_code(reply.code) else { return Err(connection.refused(&reply)) };
        let unreadable = |source| connection.unreadable(source);
        Ok(SendReceipt {
            status,
            unique_id: unique_id.into(),
            offset_id: reply.ext.required("msgId").map_err(unreadable)?.into_owned(),
            broker_name: queue.broker_name.clone(),
            queue_id: QueueId(reply.ext.int32("queueId").map_err(unreadable)?.unsigned_abs()),
            queue_offset: QueueOffset(reply.ext.int64("queueOffset").map_err(unreadable)?.unsigned_abs()),
        })
    }

    /// The topic's queues; asked for anew when they are old, or `refresh` says that they have just proved wrong.
    async fn queues_of(&self, topic: &Topic, refresh: bool) -> Result<Arc<TopicQueues>, ClientError> {
        let now = self.clock.elapsed();
        let known = self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned();
        if let Some(known) = known.as_ref().filter(|known| !refresh && known.stale_at > now) {
            return Ok(Arc::clone(known));
        }
        let (queues, age) = match (self.routes.of_publishing(topic).await, known) {
            // Brokers serve without name servers, and where they were is where they most likely are.
            (Err(error), Some(known)) if error.is_of_transport() => (known.queues.clone(), ROUTE_RETRY),
            (route, _) => (publish_queues(&route?), ROUTE_AGE_MAX),
        };
        let turn = AtomicUsize::new(fastrand::usize(..=queues.len()));
        let fresh = Arc::new(TopicQueues { queues, turn, stale_at: now + age });
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.clone(), fresh.clone());
        Ok(fresh)
    }

    fn unique_id(&self) -> String {
        self.unique_ids.lock().unwrap_or_else(PoisonError::into_inner).next_id(self.clock.now_ms())
    }
}

/// What is sent, whichever queue it goes to.
struct Letter<'a> {
    topic: &'a Topic,
    code: i32,
    properties: &'a str,
    flags: i32,
    body: Bytes,
}

impl<'a> Letter<'a> {
    /// A single message, which has these properties.
    fn of(message: &'a OutgoingMessage, properties: &'a str) -> Self {
        let (body, flags) = compressed(&message.body);
        Self { topic: &message.topic, code: request::SEND_MESSAGE_V2, properties, flags, body }
    }

    fn to(&self, queue: &Queue, group: &GroupName, now_ms: i64) -> Command {
        let header = SendHeader {
            producer_group: group.as_str().into(),
            topic: self.topic.as_str().into(),
            default_topic: TEMPLATE_TOPIC.into(),
            default_topic_queue_nums: TEMPLATE_QUEUES_MAX as i32,
            queue_id: queue.id.0 as i32,
            sys_flag: self.flags,
            born_timestamp: now_ms,
            flag: 0,
            properties: Some(self.properties.into()),
            reconsume_times: Some(0),
            unit_mode: false,
            batch: self.code == request::SEND_BATCH_MESSAGE,
            max_reconsume_times: None,
        };
        let mut ext = ExtFields::builder();
        header.write(&mut ext);
        Command::request(self.code).with_ext(ext.build()).with_body(self.body.clone())
    }
}

fn check_body(length: usize) -> Result<(), ClientError> {
    match length {
        1..=BODY_BYTES_MAX => Ok(()),
        _ => Err(ClientError::BodyLength { length, limit: BODY_BYTES_MAX }),
    }
}

/// The body as it travels, and the flags that say how.
fn compressed(body: &Bytes) -> (Bytes, i32) {
    if body.len() < COMPRESS_FROM_BYTES {
        return (body.clone(), 0);
    }
    (compression::zlib(body, COMPRESS_LEVEL).into(), sys_flag::COMPRESSED)
}

/// Whether another try may go better.
///
/// # Source
/// `DefaultMQProducerImpl.sendDefaultImpl` 4.9.7 (read): its `retryResponseCodes`.
fn may_try_again(error: &ClientError) -> bool {
    const WORTH_IT: [i32; 6] = [
        response::TOPIC_NOT_EXIST,
        response::SERVICE_NOT_AVAILABLE,
        response::SYSTEM_ERROR,
        response::NO_PERMISSION,
        response::NO_BUYER_ID,
        response::NOT_IN_CURRENT_UNIT,
    ];
    error.is_of_transport() || error.refusal().is_some_and(|code| WORTH_IT.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32) -> ClientError {
        ClientError::Refused { address: "b:1".into(), code, remark: String::new() }
    }

    #[test]
    fn a_busy_broker_is_not_asked_again() {
        assert!(!may_try_again(&refused(response::SYSTEM_BUSY)));
        assert!(!may_try_again(&refused(response::MESSAGE_ILLEGAL)));
        assert!(may_try_again(&refused(response::SERVICE_NOT_AVAILABLE)));
        assert!(may_try_again(&ClientError::Closed { address: "b:1".into() }));
    }

    #[test]
    fn queues_take_turns_and_a_failed_broker_is_passed_over_if_there_is_another() {
        let queue = |broker: &str, id| Queue { broker_name: broker.into(), address: "h:1".into(), id: QueueId(id) };
        let queues = vec![queue("a", 0), queue("a", 1), queue("b", 0)];
        let topic = TopicQueues { queues, turn: AtomicUsize::new(0), stale_at: Duration::ZERO };
        let next = |failed| topic.next(failed).map(|queue| format!("{}{}", queue.broker_name, queue.id));
        let turns: Vec<_> = (0..4).filter_map(|_| next(None)).collect();
        assert_eq!(turns, ["a0", "a1", "b0", "a0"]);
        assert_eq!(next(Some("a")).as_deref(), Some("b0"));
        let only = TopicQueues { queues: vec![queue("a", 0)], turn: AtomicUsize::new(9), stale_at: Duration::ZERO };
        assert!(only.next(Some("a")).is_some(), "better the same broker than none");
        let none = TopicQueues { queues: vec![], turn: AtomicUsize::new(0), stale_at: Duration::ZERO };
        assert!(none.next(None).is_none());
    }

    #[test]
    fn large_bodies_travel_compressed_and_come_back() {
        let body = Bytes::from(vec![b'x'; COMPRESS_FROM_BYTES]);
        let (sent, flags) = compressed(&body);
        assert!(sent.len() < 100 && flags == sys_flag::COMPRESSED);
        assert_eq!(compression::plain_body(flags, &sent, body.len()).ok(), Some(body));
        assert_eq!(compressed(&Bytes::from_static(b"small")), (Bytes::from_static(b"small"), 0));
    }
}
