//! From a record to what is made of it: its queue entry and its index keys. Used live and in recovery, so that both
//! yield the same bytes.

use super::consumequeue::QueueEntry;
use crate::protocol::message::RecordHead;
use crate::protocol::properties::{self, keys};
use crate::protocol::sys_flag::{self, TRANSACTION_ROLLBACK};
use crate::protocol::units::StoreTime;

/// The topic that holds delayed messages until they are due.
pub const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// The topic that holds messages with a delivery time of their own.
pub const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// A message that waits for longer than this is appended again in between: its segment would expire under it, which by
/// default it does after 72 hours.
pub const TIMER_ROLL_MS: i64 = 24 * 3_600_000;
/// What a delayed message of an unknown level waits.
const UNKNOWN_LEVEL_MS: i64 = 1_000;

/// When something is to be done with a message of [`TIMER_TOPIC`] that is due at `out_ms`: it is, or is to be stored again.
/// Milliseconds since the epoch.
#[must_use]
pub fn timer_fire_ms(stored: StoreTime, out_ms: i64) -> i64 {
    stored.0.saturating_add(TIMER_ROLL_MS).min(out_ms)
}

/// What a record's properties say that matters here, found in one pass over them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks<'a> {
    unique_key: Option<&'a str>,
    keys: Option<&'a str>,
    tags: Option<&'a str>,
    delay: Option<&'a str>,
    timer_out: Option<&'a str>,
}

impl<'a> Marks<'a> {
    /// Reads a record's properties; of duplicates the last one counts.
    #[must_use]
    pub fn of(record: &RecordHead<'a>) -> Self {
        let mut marks = Self::default();
        for (name, value) in properties::pairs(record.properties) {
            match name {
                keys::UNIQ_KEY => marks.unique_key = Some(value),
                keys::KEYS => marks.keys = Some(value),
                keys::TAGS => marks.tags = Some(value),
                keys::DELAY => marks.delay = Some(value),
                keys::TIMER_OUT_MS => marks.timer_out = Some(value),
                _ => {}
            }
        }
        marks
    }

    /// The entry that the record gets in its queue; `None` for half and rollback records of the log itself.
    ///
    /// # Source
    /// `DefaultMessageStore.CommitLogDispatcherBuildConsumeQueue`, `CommitLog.checkMessageAndReturnSize` 4.9.7
    /// (measured: `tests/store`).
    #[must_use]
    pub fn queue_entry(&self, record: &RecordHead<'_>, delay_levels_ms: &[i64]) -> Option<QueueEntry> {
        sys_flag::enters_queue(record.sys_flag).then(|| QueueEntry {
            physical: record.physical_offset,
            size: record.total_size as i32,
            tags_code: self.tags_code(record, delay_levels_ms),
        })
    }

    /// The keys that the record is found by in the index: the producer's id and each of its keys.
    pub fn index_keys(self, record: &RecordHead<'_>) -> impl Iterator<Item = &'a str> + use<'a> {
        let indexed = sys_flag::transaction_type(record.sys_flag) != TRANSACTION_ROLLBACK;
        let given = self.keys.into_iter().flat_map(|keys| keys.split(' ')).filter(|key| !key.is_empty());
        self.unique_key.into_iter().chain(given).filter(move |_| indexed)
    }

    /// The code of the tag, 0 without one: what stands in the queues of topics whose messages do not wait.
    #[must_use]
    pub fn tag(&self) -> i64 {
        self.tags.map_or(0, properties::tags_code)
    }

    /// What stands for the tag in the queue; in the queues of delayed messages it is when something is to be done with them.
    fn tags_code(&self, record: &RecordHead<'_>, delay_levels_ms: &[i64]) -> i64 {
        if record.topic == SCHEDULE_TOPIC {
            let level = self.delay.and_then(|level| level.parse::<i64>().ok());
            if let Some(level) = level.filter(|level| *level > 0) {
                // The broker never stores a level beyond the last, but a record of a longer table may be met.
                let delay = usize::try_from(level - 1).ok().and_then(|index| delay_levels_ms.get(index));
                return record.store_time.0.saturating_add(delay.copied().unwrap_or(UNKNOWN_LEVEL_MS));
            }
        }
        if record.topic == TIMER_TOPIC {
            let out = self.timer_out.and_then(|out| out.parse().ok()).unwrap_or(0);
            return timer_fire_ms(record.store_time, out);
        }
        self.tag()
    }
}
