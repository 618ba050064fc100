//! What a pull is answered with: which entries it passes over, which records it gets, where it goes on.

pub mod admission;
pub mod moved;

use std::cmp::Ordering;

use crate::protocol::codes::response;
use crate::protocol::units::{ConsumedOffset, PhysicalOffset, QueueOffset};
use crate::store::QueueEntry;

/// Most bytes of queue entries that one pull looks at, whatever it asks for.
const SCAN_BYTES_MIN: u64 = 16_000;
/// However many messages are wanted, no more entries are looked at in one go: others wait meanwhile.
const SCAN_ENTRIES_MAX: u64 = 65_536;
const ENTRY_BYTES: u64 = 20;

/// The bounds of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullLimits {
    /// Records of an answer read from memory.
    pub count_in_memory: u32,
    /// Bytes of an answer read from memory.
    pub bytes_in_memory: u64,
    /// Records of an answer that may have to be read from disk.
    pub count_on_disk: u32,
    /// Bytes of an answer that may have to be read from disk.
    pub bytes_on_disk: u64,
    /// A record further than this behind the end of the log counts as on disk.
    pub memory_bytes: u64,
}

/// A queue and the log under it, as one pull sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// The first entry whose record is still there.
    pub min: QueueOffset,
    /// The entry that will be written next.
    pub max: QueueOffset,
    /// The first byte of the log that is still there.
    pub log_min: PhysicalOffset,
    /// The end of what consumers may see.
    pub log_end: PhysicalOffset,
}

/// How a pull went; the names are RocketMQ's and travel as the remark of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStatus {
    /// There are records.
    Found,
    /// Entries were looked at and none passed the filter.
    NoMatchedMessage,
    /// Entries were looked at and their records have been deleted.
    MessageWasRemoving,
    /// The queue has never held anything.
    NoMessageInQueue,
    /// The entry asked for lies in no file.
    OffsetFoundNull,
    /// Everything has been read.
    OffsetOverflowOne,
    /// The queue does not reach that far.
    OffsetOverflowBadly,
    /// The entry has been deleted.
    OffsetTooSmall,
}

impl PullStatus {
    /// The text that clients and tools see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::MessageWasRemoving => "MESSAGE_WAS_REMOVING",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
            Self::OffsetFoundNull => "OFFSET_FOUND_NULL",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
        }
    }

    /// The response code for a pull that asked for `asked`.
    ///
    /// # Source
    /// `PullMessageProcessor` 4.9.7 (read), confirmed by the recorded probe.
    #[must_use]
    pub fn code(self, asked: ConsumedOffset) -> i32 {
        match self {
            Self::Found => response::SUCCESS,
            Self::NoMatchedMessage | Self::MessageWasRemoving => response::PULL_RETRY_IMMEDIATELY,
            Self::NoMessageInQueue if asked.0 == 0 => response::PULL_NOT_FOUND,
            Self::OffsetFoundNull | Self::OffsetOverflowOne => response::PULL_NOT_FOUND,
            Self::NoMessageInQueue | Self::OffsetOverflowBadly | Self::OffsetTooSmall => response::PULL_OFFSET_MOVED,
        }
    }
}

/// What a pull gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// How it went.
    pub status: PullStatus,
    /// Where the next pull goes on.
    pub next: QueueOffset,
    /// The records, by place and size.
    pub records: Vec<(PhysicalOffset, u32)>,
    /// Their bytes in all.
    pub bytes: u64,
    /// Where the record lies whose entry was looked at last.
    pub looked_at: Option<PhysicalOffset>,
}

impl Selection {
    /// Whether the group is so far behind that a slave should serve it.
    ///
    /// # Source
    /// `DefaultMessageStore.getMessage` 4.9.7 (read).
    #[must_use]
    pub fn is_behind(&self, bounds: &QueueBounds, limits: &PullLimits) -> bool {
        self.looked_at.is_some_and(|at| bounds.log_end.0.saturating_sub(at.0) > limits.memory_bytes)
    }

    /// Nothing but how it went and where to go on.
    #[must_use]
    pub fn empty(status: PullStatus, next: QueueOffset) -> Self {
        Self { status, next, records: Vec::new(), bytes: 0, looked_at: None }
    }
}

/// How many entries a pull for `wanted` messages may look at.
#[must_use]
pub fn entries_max(wanted: u32) -> usize {
    (SCAN_BYTES_MIN.max(ENTRY_BYTES * u64::from(wanted)) / ENTRY_BYTES).min(SCAN_ENTRIES_MAX) as usize
}

/// The entry that a pull begins at, or what it gets without looking at any.
///
/// # Errors
/// What it gets: the queue is empty, or has no such entry.
pub fn begin(asked: ConsumedOffset, bounds: &QueueBounds) -> Result<QueueOffset, Selection> {
    if bounds.max.0 == 0 {
        return Err(Selection::empty(PullStatus::NoMessageInQueue, QueueOffset(0)));
    }
    // Clients may ask for anything; what is negative lies before every entry.
    let offset = u64::try_from(asked.0).map(QueueOffset).ok().filter(|offset| *offset >= bounds.min);
    let Some(offset) = offset else { return Err(Selection::empty(PullStatus::OffsetTooSmall, bounds.min)) };
    match offset.cmp(&bounds.max) {
        Ordering::Less => Ok(offset),
        Ordering::Equal => Err(Selection::empty(PullStatus::OffsetOverflowOne, offset)),
        Ordering::Greater => Err(Selection::empty(PullStatus::OffsetOverflowBadly, bounds.max)),
    }
}

/// Chooses among `entries`, the first of which stands at `offset`, those that `passes`.
///
/// The first record that passes is given whatever its size; from then on the limits hold.
#[must_use]
pub fn select(
    offset: QueueOffset,
    wanted: u32,
    mut passes: impl FnMut(&QueueEntry) -> bool,
    entries: &[QueueEntry],
    bounds: &QueueBounds,
    limits: &PullLimits,
) -> Selection {
    let mut selection = Selection::empty(PullStatus::NoMatchedMessage, offset);
    for entry in entries {
        if selection.is_full(entry, wanted, bounds, limits) {
            break;
        }
        selection.next = selection.next.plus(1);
        if entry.is_blank() || entry.end() > bounds.log_end {
            // A blank: a record that was quarantined, or filler in front of a queue that was begun late.
            continue;
        }
        selection.looked_at = Some(entry.physical);
        if entry.physical < bounds.log_min {
            if selection.records.is_empty() {
                selection.status = PullStatus::MessageWasRemoving;
            }
            continue;
        }
        if passes(entry) {
            selection.status = PullStatus::Found;
            selection.bytes += u64::from(entry.size.unsigned_abs());
            selection.records.push((entry.physical, entry.size.unsigned_abs()));
        }
    }
    selection
}

impl Selection {
    fn is_full(&self, entry: &QueueEntry, wanted: u32, bounds: &QueueBounds, limits: &PullLimits) -> bool {
        if self.records.is_empty() {
            return false;
        }
        let on_disk = bounds.log_end.0.saturating_sub(entry.physical.0) > limits.memory_bytes;
        let (count_max, bytes_max) = match on_disk {
            true => (limits.count_on_disk, limits.bytes_on_disk),
            false => (limits.count_in_memory, limits.bytes_in_memory),
        };
        let count = self.records.len() as u32;
        count >= wanted || count >= count_max || self.bytes + u64::from(entry.size.unsigned_abs()) > bytes_max
    }
}

#[cfg(test)]
mod tests;
