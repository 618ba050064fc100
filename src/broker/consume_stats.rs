//! How far consumer groups have come, as administrators ask for it.
//!
//! Everything here is told what was read: offsets, settings, bounds of queues, store times.
//!
//! # Source
//! `AdminBrokerProcessor` 4.9.7 (read; answers measured).

use std::collections::{BTreeMap, HashSet};

use super::clients::GroupSubscription;
use super::offsets::{ConsumerOffsets, QueueOffsets};
use super::topics::TopicTable;
use crate::protocol::body::consume_queue::ConsumeQueueLine;
use crate::protocol::body::lists::GroupList;
use crate::protocol::body::offsets::CorrectionOffsets;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::stats::{QueueProgress, QueueTimeSpan};
use crate::protocol::codes::response;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConsumedOffset, QueueId, QueueOffset, StoreTime};
use crate::store::QueueEntry;

/// One answer tells of so many queues at most: what it costs to look at them is bounded, and lines of usual length fit a
/// frame.
const QUEUES_MAX: u32 = 65_536;
/// One answer shows so many entries of a queue at most: some two megabytes.
const ENTRIES_MAX: usize = 16_384;
/// What stands for a time that there is not.
const NO_TIME: i64 = -1;

/// The queues that one answer tells of.
#[derive(Debug)]
pub struct QueueCount(u32);

impl QueueCount {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds those of a topic.
    ///
    /// # Errors
    /// They are too many.
    pub fn add(&mut self, topic: &str, queues: u32) -> Result<(), Refusal> {
        self.0 = self.0.saturating_add(queues);
        if self.0 <= QUEUES_MAX {
            return Ok(());
        }
        Err(Refusal::error(format!("with {queues} queues of topic[{topic}] the answer has more than {QUEUES_MAX}")))
    }
}

impl Default for QueueCount {
    fn default() -> Self {
        Self::new()
    }
}

/// What a topic that is not there is answered with.
#[must_use]
pub fn no_topic(topic: &str) -> Refusal {
    Refusal::new(response::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist"))
}

/// A topic that was named; blank is as good as missing.
#[must_use]
pub fn named(topic: Option<&str>) -> Option<&str> {
    topic.filter(|topic| !topic.trim().is_empty())
}

/// The topics that a group's progress is told of, or given away with: the one that was named, or all that it has stored
/// offsets in. Left out are those that are gone, and those that the group does not want any more if it is online.
#[must_use]
pub fn topics_of(
    group: &str,
    named: Option<&str>,
    offsets: &ConsumerOffsets,
    topics: &TopicTable,
    online: Option<&GroupSubscription>,
) -> Vec<String> {
    let wants = |topic: &str| online.is_none_or(|online| online.topics.is_empty() || online.topics.contains_key(topic));
    let asked: Vec<&str> = match named {
        Some(topic) => vec![topic],
        None => offsets.topics_of(group).collect(),
    };
    let told = asked.into_iter().filter(|topic| topics.config(topic).is_some() && wants(topic));
    told.map(ToOwned::to_owned).collect()
}

/// How far a group has come in a queue that ends at `max`. `stored_at` tells when an entry's record was stored.
///
/// # Errors
/// As `stored_at`.
pub fn progress<E>(
    max: QueueOffset,
    consumed: Option<ConsumedOffset>,
    stored_at: impl FnOnce(QueueOffset) -> Result<Option<StoreTime>, E>,
) -> Result<QueueProgress, E> {
    let consumed = consumed.map_or(0, |consumed| consumed.0.max(0));
    let last = before(consumed).map_or(Ok(None), stored_at)?;
    Ok(QueueProgress {
        broker_offset: max.0 as i64,
        consumer_offset: consumed,
        last_timestamp: last.map_or(0, |time| time.0),
    })
}

/// How old a queue is, and the place in it of a group that wants `consumed` next. Who has consumed nothing is at the oldest
/// message, and so is who wants one that was removed.
///
/// # Errors
/// As `stored_at`.
pub fn time_span<E>(
    queue: MessageQueue,
    (min, max): (QueueOffset, QueueOffset),
    consumed: Option<ConsumedOffset>,
    now_ms: i64,
    stored_at: impl Fn(QueueOffset) -> Result<Option<StoreTime>, E>,
) -> Result<QueueTimeSpan, E> {
    let consumed = consumed.map_or(0, |consumed| consumed.0.max(0));
    let time = |offset: Option<QueueOffset>| -> Result<i64, E> {
        Ok(offset.map_or(Ok(None), &stored_at)?.map_or(NO_TIME, |time| time.0))
    };
    let oldest = time(Some(min))?;
    let next = QueueOffset(consumed as u64).max(min);
    let waits_since = if next < max { time(Some(next))? } else { NO_TIME };
    Ok(QueueTimeSpan {
        consume_time_stamp: if consumed > 0 { time(before(consumed))? } else { oldest },
        delay_time: if waits_since == NO_TIME { 0 } else { now_ms.saturating_sub(waits_since).max(0) },
        max_time_stamp: time(max.0.checked_sub(1).map(QueueOffset))?,
        message_queue: queue,
        min_time_stamp: oldest,
    })
}

fn before(consumed: i64) -> Option<QueueOffset> {
    u64::try_from(consumed).ok()?.checked_sub(1).map(QueueOffset)
}

/// The groups that consume a topic: those that are online and want it, and those that have stored offsets.
#[must_use]
pub fn groups_of<'a>(topic: &str, online: impl Iterator<Item = &'a str>, offsets: &'a ConsumerOffsets) -> GroupList {
    GroupList { group_list: online.chain(offsets.groups_of(topic)).map(ToOwned::to_owned).collect() }
}

/// The queues of a topic in which groups have stored offsets, but for those of `filtered` groups; and the smallest of them
/// that lies not before the queue's beginning, which `min_of` tells.
#[must_use]
pub fn corrections(counted: &[&QueueOffsets], min_of: impl Fn(QueueId) -> QueueOffset) -> CorrectionOffsets {
    let mut smallest = BTreeMap::new();
    for (queue, offset) in counted.iter().copied().flatten() {
        if offset.0 < min_of(*queue).0 as i64 {
            continue;
        }
        let known = smallest.entry(queue.0.cast_signed()).or_insert(offset.0);
        *known = offset.0.min(*known);
    }
    CorrectionOffsets { correction_offsets: smallest }
}

/// The offsets in a topic that [`corrections`] counts: of all groups but those in a list with commas.
#[must_use]
pub fn counted<'a>(topic: &str, offsets: &'a ConsumerOffsets, filtered: Option<&str>) -> Vec<&'a QueueOffsets> {
    let filtered: HashSet<&str> = filtered.unwrap_or_default().split(',').collect();
    let groups = offsets.groups_of(topic).filter(|group| !filtered.contains(group));
    groups.filter_map(|group| offsets.queues(topic, group)).collect()
}

/// How many entries of a queue are shown to who wants `count`.
#[must_use]
pub fn shown(count: Option<i32>) -> usize {
    usize::try_from(count.unwrap_or(0)).unwrap_or(0).min(ENTRIES_MAX)
}

/// An entry as it is shown.
#[must_use]
pub fn line(entry: &QueueEntry) -> ConsumeQueueLine {
    ConsumeQueueLine {
        eval: false,
        physic_offset: entry.physical.0.cast_signed(),
        physic_size: entry.size,
        tags_code: entry.tags_code,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;
