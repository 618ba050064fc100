//! From a record to what is made of it: its queue entry and its index keys. Used live and in recovery, so that both
//! yield the same bytes.

use super::consumequeue::QueueEntry;
use crate::protocol::message::RecordHead;
use crate::protocol::properties::{self, keys};
use crate::protocol::sys_flag::{self, TRANSACTION_ROLLBACK};

/// The topic that holds delayed messages until they are due.
pub const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// What a delayed message of an unknown level waits.
const UNKNOWN_LEVEL_MS: i64 = 1_000;

/// The entry that a record gets in its queue; `None` for half and rollback records of the log itself.
///
/// # Source
/// `DefaultMessageStore.CommitLogDispatcherBuildConsumeQueue`, `CommitLog.checkMessageAndReturnSize` 4.9.7 (measured:
/// `tests/store`).
#[must_use]
pub fn queue_entry(record: &RecordHead<'_>, delay_levels_ms: &[i64]) -> Option<QueueEntry> {
    sys_flag::enters_queue(record.sys_flag).then(|| QueueEntry {
        physical: record.physical_offset,
        size: record.total_size as i32,
        tags_code: tags_code(record, delay_levels_ms),
    })
}

/// The keys that a record is found by in the index: the producer's id and each of its keys.
pub fn index_keys<'a>(record: &RecordHead<'a>) -> impl Iterator<Item = &'a str> {
    let indexed = sys_flag::transaction_type(record.sys_flag) != TRANSACTION_ROLLBACK;
    let properties = if indexed { record.properties } else { "" };
    let own = properties::find(properties, keys::UNIQ_KEY);
    let given = properties::find(properties, keys::KEYS).into_iter();
    own.into_iter().chain(given.flat_map(|keys| keys.split(' ')).filter(|key| !key.is_empty()))
}

/// What stands for the tag in the queue; in the queues of delayed messages it is when they are due.
fn tags_code(record: &RecordHead<'_>, delay_levels_ms: &[i64]) -> i64 {
    if record.topic == SCHEDULE_TOPIC {
        let level = properties::find(record.properties, keys::DELAY).and_then(|level| level.parse::<i64>().ok());
        if let Some(level) = level.filter(|level| *level > 0) {
            // The broker never stores a level beyond the last, but a record of a longer table may be met.
            let delay = usize::try_from(level - 1).ok().and_then(|index| delay_levels_ms.get(index));
            return record.store_time.0 + delay.copied().unwrap_or(UNKNOWN_LEVEL_MS);
        }
    }
    properties::find(record.properties, keys::TAGS).map_or(0, properties::tags_code)
}
