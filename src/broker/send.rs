//! Whether a send is taken, and what is then stored.
//!
//! # Source
//! Order of the checks, codes and texts: `AbstractSendMessageProcessor`, `SendMessageProcessor`, `DefaultMessageStore`
//! 4.9.7 (read; texts confirmed by the recorded probe).

pub(crate) mod dead_letter;
mod detour;
mod once;
mod stored_text;

use std::net::SocketAddr;
use std::sync::Arc;

use self::detour::Detour;
use self::stored_text::{Delay, StoredText, Traits};
use super::duplicates::{PutKeys, window_of};
use super::groups::GroupTable;
use super::timer::{TIMER_TOPIC, TimerRules};
use super::topics::{
    CHECKED_TOO_OFTEN_TOPIC, HALF_TOPIC, OFFSET_MOVED_EVENT, OP_HALF_TOPIC, SCHEDULE_TOPIC, TopicTable,
};
use crate::protocol::body::topic_config::{TopicConfig, TopicFilterType};
use crate::protocol::codes::{request, response};
use crate::protocol::command::{CommandRef, ExtFieldsRef};
use crate::protocol::error::ProtocolError;
use crate::protocol::ext_fields::FieldText;
use crate::protocol::headers::send::SendHeader;
use crate::protocol::message::{BatchItems, PROPERTIES_LENGTH_MAX};
use crate::protocol::names::{self, TOPIC_LENGTH_MAX, Topic};
use crate::protocol::refusal::Refusal;
use crate::protocol::sys_flag;
use crate::protocol::units::{BornTime, QueueId};
use crate::store::{NewMessage, PutBatch};

/// Topics that only the broker itself writes to.
const FORBIDDEN_TOPICS: [&str; 7] = [
    SCHEDULE_TOPIC,
    TIMER_TOPIC,
    HALF_TOPIC,
    OP_HALF_TOPIC,
    CHECKED_TOO_OFTEN_TOPIC,
    "SELF_TEST_TOPIC",
    OFFSET_MOVED_EVENT,
];

/// The answer to a batch names each of its messages, with 57 bytes where addresses are long, and is to fit a frame.
const BATCH_MESSAGES_MAX: usize = 250_000;

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
    /// How many levels of delay there are.
    pub delay_levels: u32,
    /// `rejectTransactionMessage`.
    pub reject_transactions: bool,
    /// What is asked of delivery times; `None`: their properties mean nothing.
    pub timer: Option<TimerRules>,
}

/// A send that is taken: its messages stand in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The queue it goes to.
    pub queue_id: QueueId,
    /// Whether the producer waits until the flush policy is kept.
    pub waits: bool,
}

/// Why a send is not taken, or not yet.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// The topic does not exist; whether it may be made is for the owner of the topics to say.
    UnknownTopic,
    /// The group whose retry topic it goes to does not exist; whether it may be made is for the owner of the groups to say.
    UnknownGroup(Box<str>),
    /// It takes a message back and does not say when that is due; whoever can look it up may know.
    UnknownTime,
    /// It belongs to the dead letters of a group that has none yet.
    NoDeadLetters(Topic),
    /// It is not taken.
    Refused(Refusal),
}

impl<E: Into<Refusal>> From<E> for Denied {
    fn from(refusal: E) -> Self {
        Self::Refused(refusal.into())
    }
}

/// What is to be stored for the sends of one read.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The puts,
    pub puts: PutBatch,
    /// and the keys of those that are to be stored once only, in the order of the puts.
    pub keys: Vec<PutKeys>,
}

/// Decides about the sends of one connection, and gathers what is to be stored.
#[derive(Debug)]
pub struct Admission {
    rules: Arc<SendRules>,
    topics: KnownTopics,
    groups: Arc<GroupTable>,
    /// Chooses the queue where the producer leaves that to the broker.
    random: fastrand::Rng,
    text: StoredText,
    puts: PutBatch,
    keys: Vec<PutKeys>,
    /// Puts and bytes of the batch before: the next one is mostly as large.
    usual: (usize, usize),
}

impl Admission {
    /// Knows no topic yet, see [`Admission::begin`].
    #[must_use]
    pub fn new(rules: Arc<SendRules>, random: fastrand::Rng) -> Self {
        let text = StoredText::new(&rules.cluster);
        let (topics, groups) = (KnownTopics::default(), Arc::default());
        Self { rules, topics, groups, random, text, puts: PutBatch::default(), keys: Vec::new(), usual: (0, 0) }
    }

    /// Goes by other rules from now on.
    pub fn follow(&mut self, rules: Arc<SendRules>) {
        self.rules = rules;
    }

    /// Begins a batch, with topics and groups as they are now.
    pub fn begin(&mut self, topics: Arc<TopicTable>, groups: Arc<GroupTable>) {
        self.topics.replace(topics);
        self.groups = groups;
        self.puts = PutBatch::with_capacity(self.usual.0, self.usual.1);
    }

    /// Whether sends are taken by time, so that the time must be known.
    #[must_use]
    pub fn looks_at_time(&self) -> bool {
        self.rules.accept_from_ms > 0 || self.rules.timer.is_some()
    }

    /// Ends the batch and gives what was gathered.
    #[must_use]
    pub fn end(&mut self) -> Gathered {
        self.usual = (self.puts.len(), self.puts.bytes());
        self.text.trim();
        Gathered { puts: std::mem::take(&mut self.puts), keys: std::mem::take(&mut self.keys) }
    }

    /// Decides about one send.
    ///
    /// # Errors
    /// See [`Denied`]; nothing is gathered then.
    pub fn admit(&mut self, request: &CommandRef<'_>, from: SocketAddr, now_ms: i64) -> Result<Admitted, Denied> {
        let Self { rules, topics, groups, random, text, puts, keys, .. } = self;
        let header = SendHeader::parse(request.ext).or_else(|error| named(request.ext, error))?;
        check_time(rules, now_ms)?;
        let known = topics.recall(header.topic);
        let Some((mut topic, mut config)) = topics.last().filter(|_| known) else {
            check_unknown(&header.topic.text())?;
            return Err(Denied::UnknownTopic);
        };
        if topics.last_is_forbidden {
            check_forbidden(topic)?;
        }
        let queue_id = queue_of(rules, config, header.queue_id, random, from)?;
        let traits = text.read(header.properties.unwrap_or_default());
        let mut stored_in = queue_id;
        if topic.is_retry()
            && let Some(dead_letters) = dead_letter::instead_of(topic, &header, request.version, groups)?
        {
            // It keeps its delay, as in the reference.
            stored_in = QueueId(0);
            (topic, config) = topics.table.find(dead_letters.as_str()).ok_or(Denied::NoDeadLetters(dead_letters))?;
        }
        let (detour, sys_flag) = Detour::of(&traits, &header, rules, now_ms)?;
        check_inner_batch(sys_flag)?;
        if request.body.len() > rules.message_bytes_max {
            return Err(illegal_message(rules).into());
        }
        let is_batch = header.batch || request.code == request::SEND_BATCH_MESSAGE;
        let named = match topics.window_ms {
            Some(window_ms) => {
                Some(once::keys_of((topic, queue_id, window_ms), puts.len(), text, is_batch.then_some(request.body))?)
            }
            None => None,
        };
        let message = NewMessage {
            topic,
            queue_id: stored_in,
            flag: header.flag,
            sys_flag: sys_flag | multi_tags(config),
            born_time: BornTime(header.born_timestamp),
            born_host: from,
            store_host: rules.store_host,
            reconsume_times: header.reconsume_times.unwrap_or(0),
            prepared_transaction_offset: 0,
            properties: &[],
            body: request.body,
        };
        if is_batch {
            check_batch(rules, &traits, sys_flag)?;
            put_items(rules, message, text, puts)?;
        } else if let Some(detour) = detour {
            let aside = detour.aside(topic, stored_in, text);
            let properties = fitting(rules, aside.properties, detour.room_for_later())?;
            puts.push(&NewMessage { topic: aside.topic, queue_id: aside.queue_id, properties, ..message })?;
        } else {
            let properties = fitting(rules, text.finish(&traits), 0)?;
            puts.push(&NewMessage { properties, ..message })?;
        }
        if let Some(named) = named {
            keys.push(named);
        }
        Ok(Admitted { queue_id, waits: traits.waits })
    }
}

/// The topics as one batch sees them. The one asked for last is kept at hand: sends of a connection mostly go to one.
#[derive(Debug, Default)]
struct KnownTopics {
    table: Arc<TopicTable>,
    last: Option<(Topic, Arc<TopicConfig>)>,
    /// How long the keys of sends to the last one are remembered, if it asks for that.
    window_ms: Option<i64>,
    /// Whether only the broker writes to the last one.
    last_is_forbidden: bool,
}

impl KnownTopics {
    fn replace(&mut self, table: Arc<TopicTable>) {
        if !Arc::ptr_eq(&self.table, &table) {
            *self = Self { table, ..Self::default() };
        }
    }

    /// Looks a topic up, unless it is the last one; whether there is one.
    fn recall(&mut self, name: FieldText<'_>) -> bool {
        let is_last = |(last, _): &(Topic, _)| name.plain() == Some(last.as_str().as_bytes());
        if self.last.as_ref().is_some_and(is_last) {
            return true;
        }
        let Some((topic, config)) = self.table.entry(&name.text()) else { return false };
        // What is no window asks for nothing; whoever read it has said so.
        self.window_ms = window_of(config).ok().flatten();
        self.last_is_forbidden = is_forbidden(topic);
        self.last = Some((topic.clone(), Arc::clone(config)));
        true
    }

    /// The topic that was looked up last.
    fn last(&self) -> Option<(&Topic, &TopicConfig)> {
        self.last.as_ref().map(|(topic, config)| (topic, &**config))
    }
}

/// Stored, it would look like a record of RocketMQ 5 that no start may pass over.
pub(crate) fn check_inner_batch(flags: i32) -> Result<(), Refusal> {
    if flags & sys_flag::INNER_BATCH != 0 {
        return Err(Refusal::new(response::MESSAGE_ILLEGAL, "this broker does not take inner batches (sysFlag 0x80)"));
    }
    Ok(())
}

/// The messages of a batch go to one queue at once: one that is to go somewhere else first cannot be among them.
fn check_batch(rules: &SendRules, traits: &Traits, flags: i32) -> Result<(), Refusal> {
    let straight = traits.delay == Delay::None
        && !traits.transactional
        && !(rules.timer.is_some() && traits.timer.is_there())
        && sys_flag::transaction_type(flags) == sys_flag::TRANSACTION_NONE;
    if !straight {
        let remark = "the message is illegal: neither a batch nor a message in it can be delayed or transactional";
        return Err(Refusal::new(response::MESSAGE_ILLEGAL, remark));
    }
    Ok(())
}

/// What is wrong with a header that cannot be read. RocketMQ looks at the topic before anything else.
#[cold]
fn named<T>(ext: ExtFieldsRef<'_>, error: ProtocolError) -> Result<T, Refusal> {
    let topic = ext.get("b").or_else(|| ext.get("topic")).unwrap_or_default();
    names::check_topic(&topic)?;
    Err(error.into())
}

/// # Errors
/// Sends are not taken yet.
#[inline]
pub(crate) fn check_time(rules: &SendRules, now_ms: i64) -> Result<(), Refusal> {
    if now_ms < rules.accept_from_ms {
        let remark = format!("broker unable to service, until {} ms since 1970", rules.accept_from_ms);
        return Err(Refusal::error(remark));
    }
    Ok(())
}

/// Whether a topic that there is not may be made for a send. The broker makes its own ones itself, as they have to be.
#[cold]
fn check_unknown(name: &str) -> Result<(), Refusal> {
    check_forbidden(&Topic::parse(name)?)
}

/// The queue of a topic that a send goes to: the one that it names, or any.
///
/// # Errors
/// Nobody may send there.
#[inline]
pub(crate) fn queue_of(
    rules: &SendRules,
    config: &TopicConfig,
    asked: i32,
    random: &mut fastrand::Rng,
    from: SocketAddr,
) -> Result<QueueId, Refusal> {
    if !rules.writable && config.order {
        return Err(Refusal::new(response::NO_PERMISSION, "the broker sending message is forbidden"));
    }
    let queues = config.write_queue_nums.max(config.read_queue_nums);
    match u32::try_from(asked) {
        Ok(queue_id) if queue_id < queues => Ok(QueueId(queue_id)),
        Ok(_) => Err(illegal_queue(asked, config, from)),
        Err(_) if config.write_queue_nums == 0 => Err(illegal_queue(asked, config, from)),
        Err(_) => Ok(QueueId(random.u32(0..config.write_queue_nums))),
    }
}

/// # Errors
/// Only the broker itself writes to this topic.
pub(crate) fn check_forbidden(topic: &Topic) -> Result<(), Refusal> {
    if is_forbidden(topic) {
        let remark = format!("Sending message to topic[{topic}] is forbidden.");
        return Err(Refusal::new(response::NO_PERMISSION, remark));
    }
    Ok(())
}

pub(crate) fn illegal_message(rules: &SendRules) -> Refusal {
    let remark = format!(
        "the message is illegal, maybe msg body or properties length not matched. \
         msg body length limit {}B, msg properties length limit 32KB, topic length limit {TOPIC_LENGTH_MAX}.",
        rules.message_bytes_max
    );
    Refusal::new(response::MESSAGE_ILLEGAL, remark)
}

fn is_forbidden(topic: &Topic) -> bool {
    FORBIDDEN_TOPICS.contains(&topic.as_str())
}

fn illegal_queue(queue_id: i32, config: &TopicConfig, from: SocketAddr) -> Refusal {
    Refusal::error(format!(
        "request queueId[{queue_id}] is illegal, TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, \
         perm={}, topicFilterType={}, topicSysFlag={}, order={}] Producer: {from}",
        config.topic_name,
        config.read_queue_nums,
        config.write_queue_nums,
        config.perm,
        config.topic_filter_type.as_str(),
        config.topic_sys_flag,
        config.order,
    ))
}

fn multi_tags(config: &TopicConfig) -> i32 {
    match config.topic_filter_type {
        TopicFilterType::SingleTag => 0,
        TopicFilterType::MultiTag => sys_flag::MULTI_TAGS,
    }
}

/// Gathers the messages of a batch as one put. `message` is what they have in common; its body holds them all.
fn put_items(
    rules: &SendRules,
    message: NewMessage<'_>,
    text: &mut StoredText,
    puts: &mut PutBatch,
) -> Result<(), Denied> {
    let mut put = puts.begin(message.topic, message.queue_id);
    for (number, item) in BatchItems::of(message.body).enumerate() {
        if number == BATCH_MESSAGES_MAX {
            let remark = format!("a batch has {BATCH_MESSAGES_MAX} messages at most");
            return Err(Refusal::new(response::MESSAGE_ILLEGAL, remark).into());
        }
        let item = item
            .map_err(|error| Refusal::new(response::MESSAGE_ILLEGAL, format!("the batch cannot be read: {error}")))?;
        check_batch(rules, &Traits::of(item.properties.as_bytes()), message.sys_flag)?;
        let properties = fitting(rules, text.of_item(item.properties), 0)?;
        put.add(&NewMessage { flag: item.flag, body: item.body, properties, ..message })?;
    }
    if put.bytes() == 0 {
        return Err(illegal_message(rules).into());
    }
    put.finish();
    Ok(())
}

/// The text, if it can be stored and be given `more` bytes later.
fn fitting<'a>(rules: &SendRules, properties: &'a [u8], more: usize) -> Result<&'a [u8], Refusal> {
    if properties.len() > PROPERTIES_LENGTH_MAX - more {
        return Err(illegal_message(rules));
    }
    Ok(properties)
}
