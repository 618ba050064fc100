//! Walking the log at the start: where it ends, what of it is damaged, and what queues and index lack.
//!
//! ```text
//!   min          began                  durable                    end
//!    │─── trusted ──│──── each record checked, given to queues ──────│ zeros, or a torn tail that is cut
//!                              damage here is reported │ damage here is a torn tail
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use super::consumequeue::{ConsumeQueue, QueueEntry};
use super::error::StoreError;
use super::layout::file_name;
use super::log_damage;
use super::replay::Replay;
use super::segment::Segment;
use super::segments::segment_at;
use crate::protocol::message::{MAGIC_BLANK, MAGIC_V1, RecordError, RecordHead};
use crate::protocol::properties::{self, keys};
use crate::protocol::sys_flag;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// How often progress is told.
const PROGRESS_BYTES: u64 = 16 << 20;

/// What is known to have been on the disk: below it, damage is the medium's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DurableUpTo {
    /// A place in the log, from `ferromq.state`.
    Position(PhysicalOffset),
    /// Records stored up to this time, from Java's checkpoint.
    Time(StoreTime),
}

/// A damaged record that was kept, without its body being delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The segment.
    pub path: PathBuf,
    /// Where in the log.
    pub at: PhysicalOffset,
    /// Its topic.
    pub topic: String,
    /// Its queue.
    pub queue_id: QueueId,
    /// Its number there.
    pub queue_offset: QueueOffset,
    /// What is wrong.
    pub problem: RecordError,
}

/// How far a walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes walked.
    pub done: u64,
    /// Bytes to be walked at most: the rest of the last segment may be empty.
    pub total: u64,
}

/// The log as it lies on the disk, whole segments readable.
pub(super) struct Walk<'a> {
    pub(super) segments: &'a [Arc<Segment>],
    pub(super) durable: DurableUpTo,
    /// Records before this place were checked by an earlier start; their bodies are not read again.
    pub(super) trusted: PhysicalOffset,
    pub(super) check_crc: bool,
    pub(super) progress: &'a mut dyn FnMut(Progress),
}

impl Damaged {
    fn of(head: &RecordHead<'_>, segment: &Segment, problem: RecordError) -> Self {
        Self {
            path: segment.path().into(),
            at: head.physical_offset,
            topic: head.topic.into(),
            queue_id: head.queue_id,
            queue_offset: head.queue_offset,
            problem,
        }
    }
}

/// What a walk found.
#[derive(Clone, Debug, Default)]
pub(super) struct Walked {
    /// The end of the log.
    pub(super) end: PhysicalOffset,
    /// The greatest store time seen.
    pub(super) newest: StoreTime,
    /// Bytes from the end on are not zeros: a torn or damaged record.
    pub(super) torn: Option<RecordError>,
    pub(super) damaged: Vec<Damaged>,
}

impl Walk<'_> {
    /// Walks from `from` to the end, giving each record to `replay`.
    ///
    /// # Errors
    /// [`StoreError::BrokenFrame`] for damage below the durable position, or what queues and index say.
    pub(super) fn run(&mut self, from: PhysicalOffset, replay: &mut Replay<'_>) -> Result<Walked, StoreError> {
        let mut walked = Walked { end: from, ..Walked::default() };
        let total = self.segments.last().map_or(0, |last| last.base() + last.len() as u64 - from.0);
        let mut told = 0;
        let segments = self.segments;
        for segment in segments.iter().filter(|segment| segment.base() + segment.len() as u64 > from.0) {
            walked.end = walked.end.max(PhysicalOffset(segment.base()));
            loop {
                let done = walked.end.0 - from.0;
                if done >= told + PROGRESS_BYTES {
                    told = done;
                    (self.progress)(Progress { done, total });
                }
                match self.step(segment, &mut walked, replay)? {
                    Step::Record => {}
                    Step::SegmentEnd => break,
                    Step::LogEnd => return self.ended(segment, walked.end, walked),
                }
            }
        }
        match segments.last() {
            // A blank that ends the last segment is written again with the next record.
            Some(last) => self.ended(last, PhysicalOffset(last.base() + last.len() as u64), walked),
            None => Ok(walked),
        }
    }

    fn step(&self, segment: &Segment, walked: &mut Walked, replay: &mut Replay<'_>) -> Result<Step, StoreError> {
        let at = (walked.end.0 - segment.base()) as usize;
        let rest = segment.bytes(at, segment.len() - at).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Step::SegmentEnd);
        }
        let head = match RecordHead::parse(rest) {
            Ok(head) if head.physical_offset == walked.end => head,
            Ok(head) => {
                if at == 0 {
                    log_damage::refuse_misplaced(segment)?;
                }
                let value = head.physical_offset.0 as i64;
                walked.torn = Some(RecordError::Number { field: "physical offset", value });
                return Ok(Step::LogEnd);
            }
            Err(problem) if problem.is_blank() => return Ok(Step::SegmentEnd),
            Err(problem) => {
                let empty = rest.iter().take(8).all(|byte| *byte == 0);
                walked.torn = (!empty).then_some(problem);
                return Ok(Step::LogEnd);
            }
        };
        let check = self.check_crc && walked.end >= self.trusted;
        let problem = if check { head.check_body().err() } else { None };
        let durable = self.is_durable(head.end(), head.store_time);
        let problem = problem
            .or_else(|| (!durable && lacks_sector(&head, at, text_of(&head, rest))).then_some(RecordError::LostSector));
        if let Some(problem) = &problem {
            if !durable {
                walked.torn = Some(problem.clone());
                return Ok(Step::LogEnd);
            }
            walked.damaged.push(Damaged::of(&head, segment, problem.clone()));
        } else if is_inner_batch(&head) {
            return Err(StoreError::InnerBatch { path: segment.path().into(), at, topic: head.topic.into() });
        }
        if let Some(more) = give(head.queue_offset, problem.is_some(), |damaged| replay.give(&head, damaged))? {
            walked.damaged.extend(problem.is_none().then(|| Damaged::of(&head, segment, more)));
        }
        walked.newest = walked.newest.max(head.store_time);
        walked.end = head.end();
        Ok(Step::Record)
    }

    /// The log ends here, and nothing is found at `missing`, unless it is known to have been longer.
    fn ended(&self, segment: &Segment, missing: PhysicalOffset, walked: Walked) -> Result<Walked, StoreError> {
        let durable = match self.durable {
            DurableUpTo::Position(position) if walked.end < position => position.0,
            // The record that the checkpoint's time was taken from lies behind this place. A log that just ends is left
            // alone: who takes away the last segment of a store knows what he does, and Java's broker opens it too.
            DurableUpTo::Time(time)
                if walked.newest <= time && time.0 > 0 && log_damage::is_followed(self.segments, walked.end)? =>
            {
                walked.end.0 + 1
            }
            _ => return Ok(walked),
        };
        let at = missing.0 - segment.base();
        // Behind the last byte of a segment there is another file, which is missing.
        let (path, at) = match at == segment.len() as u64 {
            true => (segment.path().with_file_name(file_name(missing.0)), 0),
            false => (segment.path().into(), at),
        };
        let nothing = RecordError::Cut { needed: 1, left: 0 };
        Err(StoreError::BrokenFrame { path, at, offset: missing.0, durable, problem: walked.torn.unwrap_or(nothing) })
    }

    fn is_durable(&self, end: PhysicalOffset, stored: StoreTime) -> bool {
        match self.durable {
            DurableUpTo::Position(position) => end <= position,
            DurableUpTo::Time(time) => stored <= time,
        }
    }
}

/// Whether a sector of the file has not reached the disk that holds a part of what no checksum covers: topic and properties
/// of a record that lies `at` a place of its segment, with their lengths, which are `text`. Such a part reads as zeros, which are
/// in neither of them.
pub(super) fn lacks_sector(head: &RecordHead<'_>, at: usize, text: &[u8]) -> bool {
    let behind = at + head.total_size as usize;
    let begin = behind - text.len();
    // Where there are no properties the last two bytes are their length, zeros by right.
    let end = if head.properties.is_empty() { behind - 2 } else { behind };
    let inside = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
    (inside..end).step_by(SECTOR_BYTES).any(|sector| {
        let share = sector.max(begin)..(sector + SECTOR_BYTES).min(end);
        let bytes = text.get(share.start.saturating_sub(begin)..share.end.saturating_sub(begin)).unwrap_or_default();
        !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0)
    })
}

/// The bytes of a record behind its body: topic and properties, each behind its length.
fn text_of<'a>(head: &RecordHead<'_>, record: &'a [u8]) -> &'a [u8] {
    let topic_length_bytes = if head.magic == MAGIC_V1 { 1 } else { 2 };
    let size = head.total_size as usize;
    let behind_body = topic_length_bytes + head.topic.len() + 2 + head.properties.len();
    record.get(size - behind_body..size).unwrap_or_default()
}

/// Whether a record is a whole batch. The flag alone may be a flipped bit, for which no store should stay closed.
pub(super) fn is_inner_batch(head: &RecordHead<'_>) -> bool {
    head.sys_flag & sys_flag::INNER_BATCH != 0 && properties::find(head.properties, keys::INNER_NUM).is_some()
}

/// Gives a record to queues and index; what is found to be wrong with it then.
///
/// A record at which our own code panics gets a blank entry, as a damaged one does: otherwise no start would ever succeed.
pub(super) fn give(
    offset: QueueOffset,
    damaged: bool,
    mut take: impl FnMut(bool) -> Result<bool, StoreError>,
) -> Result<Option<RecordError>, StoreError> {
    match catch_unwind(AssertUnwindSafe(|| take(damaged))) {
        Ok(Ok(true)) => Ok(None),
        Ok(Err(error)) => Err(error),
        Ok(Ok(false)) => Ok(Some(RecordError::Number { field: "queue offset", value: offset.0 as i64 })),
        Err(_) => {
            // When that panics too, its place in the queue stays empty.
            catch_unwind(AssertUnwindSafe(|| take(true))).unwrap_or(Ok(false))?;
            Ok(Some(RecordError::Deadly))
        }
    }
}

/// What stands at a place of the log.
enum Step {
    Record,
    SegmentEnd,
    LogEnd,
}

/// Where a walk begins when only Java's files tell: after a clean stop at the third segment from the end, after an
/// unclean one at the last segment whose first record was surely on the disk.
///
/// # Source
/// `CommitLog.recoverNormally` and `recoverAbnormally` 4.9.7 (measured: store fixtures).
pub(super) fn java_start(segments: &[Arc<Segment>], unclean: bool, durable: StoreTime) -> PhysicalOffset {
    let first = segments.first().map_or(0, |first| first.base());
    if !unclean {
        return PhysicalOffset(segments.iter().rev().nth(2).map_or(first, |segment| segment.base()));
    }
    let sure = segments.iter().rev().find(|segment| {
        let record = segment.bytes(0, segment.len()).and_then(|bytes| RecordHead::parse(bytes).ok());
        record.is_some_and(|head| head.magic == MAGIC_V1 && head.store_time.0 != 0 && head.store_time <= durable)
    });
    PhysicalOffset(sure.map_or(first, |segment| segment.base()))
}

/// Whether a place is where a record or a blank begins, or the end of what is there.
pub(super) fn is_border(segments: &[Arc<Segment>], at: PhysicalOffset) -> bool {
    let Some(segment) = segment_at(segments, at) else { return false };
    let from = (at.0 - segment.base()) as usize;
    let rest = segment.bytes(from, segment.len() - from).unwrap_or_default();
    match RecordHead::parse(rest) {
        Ok(head) => head.physical_offset == at,
        Err(RecordError::Magic { found }) => found == MAGIC_BLANK || found == 0,
        Err(_) => false,
    }
}

/// Whether a queue's entry points to a record of that very queue.
pub(super) fn holds_record_of(segments: &[Arc<Segment>], queue: &ConsumeQueue, entry: &QueueEntry) -> bool {
    number_of_record(segments, queue, entry).is_some()
}

/// The same, of the one that has this number there.
pub(super) fn is_entry_of(
    segments: &[Arc<Segment>],
    queue: &ConsumeQueue,
    offset: QueueOffset,
    entry: &QueueEntry,
) -> bool {
    number_of_record(segments, queue, entry) == Some(offset)
}

/// The number that the record of an entry has in its queue; `None` if the entry points to no record of that queue.
pub(super) fn number_of_record(
    segments: &[Arc<Segment>],
    queue: &ConsumeQueue,
    entry: &QueueEntry,
) -> Option<QueueOffset> {
    let at = entry.physical;
    let record = segment_at(segments, at).and_then(|segment| {
        let from = (at.0 - segment.base()) as usize;
        RecordHead::parse(segment.bytes(from, segment.len() - from)?).ok()
    });
    let head = record.filter(|head| {
        head.physical_offset == at
            && i64::from(head.total_size) == i64::from(entry.size)
            && head.queue_id == queue.queue_id()
            && head.topic == queue.topic().as_str()
    });
    head.map(|head| head.queue_offset)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_record_at_which_a_start_panics_is_given_as_a_damaged_one() {
        let offset = QueueOffset(7);
        let mut given = Vec::new();
        let problem = give(offset, false, |damaged| {
            given.push(damaged);
            assert!(damaged, "a record that nobody survives");
            Ok(true)
        });
        assert_eq!((problem.unwrap(), given), (Some(RecordError::Deadly), vec![false, true]));
        let problem = give(offset, false, |_| panic!("not even as a damaged one"));
        assert_eq!(problem.unwrap(), Some(RecordError::Deadly));
        assert_eq!(give(offset, true, |_| Ok(true)).unwrap(), None);
    }
}
