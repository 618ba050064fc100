//! Delayed messages: when one is due, where it goes then, and how far each level has come.
//!
//! A level's messages lie in one queue of [`SCHEDULE_TOPIC`](super::topics::SCHEDULE_TOPIC) in the order in which they
//! fall due, since all of them wait equally long. What is due is stored again, in the topic it was meant for.
//!
//! What is deliberately absent: reading, storing and waiting, which a ScheduleActor does for each level.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::topics::schedule_topic;
use crate::protocol::body::offsets::DelayOffsetTable;
use crate::protocol::body::{BodyError, lenient, pretty};
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};
use crate::store::{NewMessage, PutBatch, StoreError};

/// When an entry is due that gives `says_ms`, in milliseconds since the epoch.
///
/// A time further ahead than its level waits comes of a clock that was put back, or of a level that was made shorter: it is due
/// now.
///
/// # Source
/// `ScheduleMessageService.DeliverDelayedMessageTimerTask.correctDeliverTimestamp` 4.9.7 (read).
#[must_use]
pub fn due_ms(says_ms: i64, delay_ms: i64, now_ms: i64) -> i64 {
    if says_ms > now_ms.saturating_add(delay_ms) { now_ms } else { says_ms }
}

/// Where a message that was stored aside is meant to go; `None` if it does not say, or not so that it can be followed.
#[must_use]
pub fn real_queue(message: &Message) -> Option<(Topic, QueueId)> {
    let topic = Topic::parse(message.property(keys::REAL_TOPIC)?).ok()?;
    let queue_id: i32 = message.property(keys::REAL_QID)?.parse().ok()?;
    Some((topic, QueueId(u32::try_from(queue_id).ok()?)))
}

/// Adds a put of a message that is delivered after the time of `level`, or at once where that is 0.
///
/// # Errors
/// As [`PutBatch::push`].
pub fn push_delayed(puts: &mut PutBatch, message: &NewMessage<'_>, level: u32) -> Result<(), StoreError> {
    if level == 0 {
        return puts.push(message);
    }
    let (real_queue, delay) = (message.queue_id.to_string(), level.to_string());
    let pairs = [(keys::REAL_TOPIC, message.topic.as_str()), (keys::REAL_QID, &real_queue), (keys::DELAY, &delay)];
    let properties = properties::with(message.properties, &pairs);
    puts.push(&NewMessage {
        topic: schedule_topic(),
        queue_id: QueueId(level - 1),
        properties: &properties,
        ..*message
    })
}

/// What is done with in one level, some of it out of turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelProgress {
    next: QueueOffset,
    /// Entries behind `next` that are done with already: one before them was refused.
    early: BTreeSet<QueueOffset>,
}

impl LevelProgress {
    /// Goes on with `next`.
    #[must_use]
    pub fn from(next: QueueOffset) -> Self {
        Self { next, early: BTreeSet::new() }
    }

    /// The first entry that is not done with.
    #[must_use]
    pub fn next(&self) -> QueueOffset {
        self.next
    }

    /// Whether an entry is done with.
    #[must_use]
    pub fn is_done(&self, entry: QueueOffset) -> bool {
        entry < self.next || self.early.contains(&entry)
    }

    /// Notes that an entry is done with.
    pub fn done(&mut self, entry: QueueOffset) {
        if entry >= self.next {
            self.early.insert(entry);
        }
        self.move_on();
    }

    /// Goes on with `to`, whatever was done: there is nothing before it any more.
    pub fn jump(&mut self, to: QueueOffset) {
        self.early = self.early.split_off(&to);
        self.next = to;
        self.move_on();
    }

    fn move_on(&mut self) {
        while self.early.remove(&self.next) {
            self.next = self.next.plus(1);
        }
    }
}

/// How far each level has come, and how much of that may be written down.
///
/// What was delivered is written down only once the delivered messages are on the disk: after a power cut a level would
/// otherwise go on behind messages that are lost.
///
/// # Layout
/// `delayOffset.json`: `{"offsetTable":{"1":5,"2":1}}`, from the level to the offset that is delivered next.
#[derive(Clone, Debug, Default)]
pub struct DelayOffsets {
    levels: BTreeMap<u32, LevelOffset>,
    changed: bool,
}

#[derive(Clone, Debug, Default)]
struct LevelOffset {
    /// Delivered next.
    next: QueueOffset,
    /// The same as far as it would outlive a power cut.
    lasting: QueueOffset,
    /// Offsets on their way to be lasting, each with the end of the log that has to be synced for it.
    unsynced: VecDeque<(PhysicalOffset, QueueOffset)>,
}

impl DelayOffsets {
    /// Reads the content of `delayOffset.json`. What is negative is left out, and so is the data version that a 5.x broker adds.
    ///
    /// # Errors
    /// Text that is no such file.
    pub fn load(text: &str) -> Result<Self, BodyError> {
        let file: DelayOffsetTable = lenient::read(text.as_bytes())?;
        let level = |(level, offset): (i32, i64)| {
            let next = QueueOffset(u64::try_from(offset).ok()?);
            Some((u32::try_from(level).ok()?, LevelOffset { next, lasting: next, unsynced: VecDeque::new() }))
        };
        Ok(Self { levels: file.offset_table.into_iter().filter_map(level).collect(), changed: false })
    }

    /// What a level delivers next.
    #[must_use]
    pub fn next(&self, level: u32) -> QueueOffset {
        self.levels.get(&level).map(|level| level.next).unwrap_or_default()
    }

    /// What each level delivers next that ever delivered anything.
    pub fn iter(&self) -> impl Iterator<Item = (u32, QueueOffset)> {
        self.levels.iter().map(|(level, offset)| (*level, offset.next))
    }

    /// Notes that a level delivers `next` next, and that everything before it was delivered into the log up to `end`.
    pub fn delivered(&mut self, level: u32, next: QueueOffset, end: PhysicalOffset) {
        let level = self.levels.entry(level).or_default();
        level.next = next;
        // One that waits for the same sync is overtaken by this one.
        match level.unsynced.back_mut() {
            Some(last) if last.0 == end => last.1 = next,
            _ => level.unsynced.push_back((end, next)),
        }
    }

    /// The text to be written, if it is another than before; `synced` is how far the log is on the disk.
    pub fn changed_json(&mut self, synced: PhysicalOffset) -> Option<String> {
        for level in self.levels.values_mut() {
            while let Some((_, lasting)) = level.unsynced.front().copied().filter(|(end, _)| *end <= synced) {
                level.unsynced.pop_front();
                self.changed |= level.lasting != lasting;
                level.lasting = lasting;
            }
        }
        std::mem::take(&mut self.changed).then(|| self.to_json())
    }

    /// It was not written after all.
    pub fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// The text of `delayOffset.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let lasting = |(level, offset): (&u32, &LevelOffset)| (*level as i32, offset.lasting.0 as i64);
        pretty(&DelayOffsetTable { offset_table: self.levels.iter().map(lasting).collect() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_due_when_it_says_unless_that_is_further_ahead_than_its_level_waits() {
        for (says, delay, now, expected) in [(5_000, 1_000, 4_000, 5_000), (3_000, 1_000, 4_000, 3_000)] {
            assert_eq!(due_ms(says, delay, now), expected);
        }
        assert_eq!(due_ms(5_001, 1_000, 4_000), 4_000, "a clock that was put back");
        assert_eq!(due_ms(i64::MAX, i64::MAX, 4_000), i64::MAX);
    }

    #[test]
    fn what_is_done_out_of_turn_is_not_done_again() {
        let mut progress = LevelProgress::from(QueueOffset(5));
        progress.done(QueueOffset(6));
        progress.done(QueueOffset(8));
        assert_eq!(progress.next(), QueueOffset(5));
        assert!(
            progress.is_done(QueueOffset(6)) && !progress.is_done(QueueOffset(7)) && progress.is_done(QueueOffset(4))
        );
        progress.done(QueueOffset(5));
        assert_eq!(progress.next(), QueueOffset(7));
        progress.done(QueueOffset(7));
        assert_eq!(progress, LevelProgress::from(QueueOffset(9)));
        progress.done(QueueOffset(3));
        assert_eq!(progress, LevelProgress::from(QueueOffset(9)));
        // Nor when what was before it expires.
        progress.done(QueueOffset(11));
        progress.done(QueueOffset(13));
        progress.jump(QueueOffset(11));
        assert_eq!(progress.next(), QueueOffset(12));
        assert!(progress.is_done(QueueOffset(13)) && !progress.is_done(QueueOffset(12)));
    }

    #[test]
    fn only_what_is_synced_is_written() {
        let mut offsets = DelayOffsets::load(r#"{"offsetTable":{1:5,"2":1,3:-4}}"#).unwrap();
        assert_eq!(offsets.changed_json(PhysicalOffset(0)), None);
        offsets.delivered(1, QueueOffset(6), PhysicalOffset(100));
        offsets.delivered(1, QueueOffset(7), PhysicalOffset(200));
        assert_eq!(
            (offsets.next(1), offsets.next(2), offsets.next(9)),
            (QueueOffset(7), QueueOffset(1), QueueOffset(0))
        );
        assert_eq!(offsets.changed_json(PhysicalOffset(99)), None);
        let text = offsets.changed_json(PhysicalOffset(199)).unwrap();
        assert_eq!(DelayOffsets::load(&text).unwrap().next(1), QueueOffset(6));
        let text = offsets.changed_json(PhysicalOffset(200)).unwrap();
        assert_eq!(DelayOffsets::load(&text).unwrap().next(1), QueueOffset(7));
        assert_eq!(offsets.changed_json(PhysicalOffset(300)), None);
        offsets.mark_changed();
        assert!(offsets.changed_json(PhysicalOffset(300)).is_some());
    }
}
