//! Sends that come a second time: which topics ask for them to be stored once only, and which sends were seen lately.
//!
//! A send is known by its key: the property [`IDEMPOTENCE_KEY`], which its producer names, or else UNIQ_KEY, which clients
//! give every message and leave to it when they try again. What is kept of a key is a digest, so that long keys cost no more
//! than short ones, and nobody can make two keys that look alike.
//!
//! What is deliberately absent: storing. [`RecentSends`] belongs to the one writer of the log, which asks it before it
//! stores and tells it afterwards, so that there is no moment in between. Nothing of it is a file: [`replay`] makes it from
//! the log.

pub mod replay;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use smallvec::SmallVec;
use thiserror::Error;

use super::digest::Digest;
use crate::protocol::body::topic_config::TopicConfig;
use crate::protocol::names::{Topic, is_of_a_group};
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{QueueId, StoreTime};
use crate::store::Placed;

/// The attribute of a topic that asks for it: how long a key is remembered, in milliseconds.
pub const WINDOW_ATTRIBUTE: &str = "duplicate.window.ms";
/// The property by which a producer names the key of a send itself.
pub const IDEMPOTENCE_KEY: &str = "IDEMPOTENCE_KEY";
/// The longest window, a day: a start reads as much of the log.
pub const WINDOW_MS_MAX: i64 = 86_400_000;

/// Why the attribute of a topic is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// The value is no time, or too long.
    #[error("the topic attribute {WINDOW_ATTRIBUTE} is {0:?}, expected milliseconds from 1 to {WINDOW_MS_MAX}")]
    Value(String),
    /// The topic is made by the broker for a group.
    #[error("the topic {0} cannot have the attribute {WINDOW_ATTRIBUTE}: messages come there again by intention")]
    OfGroup(String),
}

/// The window of a topic in milliseconds; `None` if it does not ask for one.
///
/// # Errors
/// See [`WindowError`].
pub fn window_of(config: &TopicConfig) -> Result<Option<i64>, WindowError> {
    let Some(value) = config.attributes.get(WINDOW_ATTRIBUTE) else { return Ok(None) };
    let name = config.topic_name.as_str();
    if is_of_a_group(name) {
        return Err(WindowError::OfGroup(name.to_owned()));
    }
    let window = value.parse().ok().filter(|window| (1..=WINDOW_MS_MAX).contains(window));
    window.map(Some).ok_or_else(|| WindowError::Value(value.clone()))
}

/// What a send is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendKey(Digest);

impl SendKey {
    /// Of the text of a key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Digest::of(key))
    }

    /// Of the properties of a message; `None` if they name none. Of pairs with one name the first counts: in the text of a
    /// batch's message its own come before those of the batch.
    #[must_use]
    pub fn in_properties(text: &[u8]) -> Option<Self> {
        Self::named(text).or_else(|| value(text, keys::UNIQ_KEY).map(Self::of))
    }

    /// The same, only where the producer has named it.
    #[must_use]
    pub fn named(text: &[u8]) -> Option<Self> {
        value(text, IDEMPOTENCE_KEY).map(Self::of)
    }
}

/// The first value of a name that is not empty.
fn value<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut named = properties::places(text).filter(|pair| text.get(pair.name()) == Some(name.as_bytes()));
    named.find_map(|pair| text.get(pair.value()).filter(|value| !value.is_empty()))
}

/// The keys of one put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutKeys {
    /// Which put of its batch, counted from 0.
    pub put: usize,
    /// The topic that the producer has sent to, wherever the put is stored first,
    pub topic: Topic,
    /// and the queue of it that the answer names.
    pub queue_id: QueueId,
    /// How long the keys are remembered, in milliseconds.
    pub window_ms: i64,
    /// One for each message of the put, in order; a message without a key is stored as often as it comes.
    pub keys: SmallVec<[Option<SendKey>; 1]>,
}

/// The send that a key was seen with first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// The queue that its answer named.
    pub queue_id: QueueId,
    /// Where its message lies.
    pub placed: Placed,
}

/// With each send that is remembered so many are looked at that may have left their window: more than come, and few enough
/// for the writer of the log.
const SWEPT_WITH_EACH: usize = 8;

/// The sends of each window.
#[derive(Debug, Default)]
pub struct RecentSends {
    topics: HashMap<Topic, TopicWindow>,
    count: usize,
    count_max: usize,
    figures: Arc<DuplicateFigures>,
}

/// What administrators are shown of it while it belongs to somebody else.
#[derive(Debug, Default)]
pub struct DuplicateFigures {
    /// How many keys are remembered.
    pub remembered: AtomicUsize,
    /// How many messages were not stored since the start, because they had been sent before.
    pub suppressed: AtomicU64,
}

#[derive(Debug, Default)]
struct TopicWindow {
    window_ms: i64,
    by_key: HashMap<SendKey, Seen>,
    /// In the order in which they were stored, which is that in which they leave, each with its time: a key may have been
    /// stored again since.
    order: VecDeque<(SendKey, StoreTime)>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: First,
    at: StoreTime,
}

impl RecentSends {
    /// None yet, and never more than so many.
    #[must_use]
    pub fn new(count_max: usize) -> Self {
        Self { count_max, ..Self::default() }
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its figures, kept up to date.
    #[must_use]
    pub fn figures(&self) -> Arc<DuplicateFigures> {
        Arc::clone(&self.figures)
    }

    /// Counts messages that were not stored.
    pub fn suppressed(&self, messages: usize) {
        self.figures.suppressed.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Whether so many more can be remembered.
    #[must_use]
    pub fn has_room_for(&self, more: usize) -> bool {
        self.count + more <= self.count_max
    }

    /// How many can be remembered at most.
    #[must_use]
    pub fn count_max(&self) -> usize {
        self.count_max
    }

    /// The send with this key, if it was less than a window ago.
    #[must_use]
    pub fn find(&self, topic: &Topic, key: SendKey, window_ms: i64, now: StoreTime) -> Option<First> {
        let seen = self.topics.get(topic)?.by_key.get(&key)?;
        (now.0 - seen.at.0 < window_ms).then_some(seen.first)
    }

    /// Remembers the send that a key was seen with.
    pub fn note(&mut self, topic: &Topic, key: SendKey, window_ms: i64, first: First, at: StoreTime) {
        let window = match self.topics.get_mut(topic) {
            Some(window) => window,
            None => self.topics.entry(topic.clone()).or_default(),
        };
        window.window_ms = window_ms;
        let before = window.by_key.len();
        window.sweep(at, SWEPT_WITH_EACH);
        window.by_key.insert(key, Seen { first, at });
        window.order.push_back((key, at));
        self.count = self.count + window.by_key.len() - before;
        self.tell();
    }

    /// Forgets up to `max` that have left their window; whether there may be more.
    pub fn sweep(&mut self, now: StoreTime, max: usize) -> bool {
        let mut left = max;
        for window in self.topics.values_mut() {
            let before = window.by_key.len();
            left -= window.sweep(now, left);
            self.count -= before - window.by_key.len();
        }
        self.topics.retain(|_, window| !window.order.is_empty());
        self.tell();
        left == 0
    }

    /// Forgets the oldest send to a topic, though its window is not over.
    pub fn forget_oldest(&mut self, topic: &Topic) {
        let Some(window) = self.topics.get_mut(topic) else { return };
        let before = window.by_key.len();
        window.forget_first();
        self.count -= before - window.by_key.len();
        self.tell();
    }

    /// Forgets a topic: it is deleted.
    pub fn forget(&mut self, topic: &Topic) -> Option<Forgotten> {
        let window = self.topics.remove(topic)?;
        self.count -= window.by_key.len();
        self.tell();
        Some(Forgotten(window))
    }

    fn tell(&self) {
        self.figures.remembered.store(self.count, Ordering::Relaxed);
    }
}

/// What was remembered of a topic; to be dropped where nobody waits, since it may be a million keys.
#[derive(Debug)]
pub struct Forgotten(#[expect(dead_code, reason = "it is only dropped")] TopicWindow);

impl TopicWindow {
    /// Looks at up to `max` of the oldest and forgets what has left the window; how many it has looked at.
    fn sweep(&mut self, now: StoreTime, max: usize) -> usize {
        let is_over = |(_, at): &(SendKey, StoreTime)| now.0 - at.0 >= self.window_ms;
        let over = self.order.iter().take(max).take_while(|oldest| is_over(oldest)).count();
        (0..over).for_each(|_| self.forget_first());
        over
    }

    fn forget_first(&mut self) {
        let Some((key, at)) = self.order.pop_front() else { return };
        if self.by_key.get(&key).is_some_and(|seen| seen.at == at) {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
