//! What tells a log that has lost something from one that just ends: cutting the one at its end makes the loss final.

use std::sync::Arc;

use super::consumequeue::{ConsumeQueue, QueueEntry};
use super::error::StoreError;
use super::queues::Queues;
use super::segment::Segment;
use super::segments::segment_at;
use crate::protocol::message::{RecordError, RecordHead};
use crate::protocol::units::{PhysicalOffset, QueueOffset};

/// Refuses a segment whose first record says that it lies elsewhere in the log: the file has got another one's name.
///
/// # Errors
/// [`StoreError::StrayFile`].
pub(super) fn refuse_misplaced(segment: &Segment) -> Result<(), StoreError> {
    let head = segment.bytes(0, segment.len()).and_then(|bytes| RecordHead::parse(bytes).ok());
    let elsewhere = |head: &RecordHead<'_>| head.physical_offset.0 != segment.base() && head.check_body().is_ok();
    match head.filter(elsewhere) {
        Some(_) => Err(StoreError::StrayFile {
            path: segment.path().into(),
            problem: "by its first record it is another part of the log",
        }),
        None => Ok(()),
    }
}

/// Refuses a log in which there is nothing like a record where the entry of a queue says so, below the durable position.
///
/// # Errors
/// [`StoreError::BrokenFrame`].
pub(super) fn refuse_hole(
    segments: &[Arc<Segment>],
    entry: &QueueEntry,
    durable: PhysicalOffset,
) -> Result<(), StoreError> {
    let at = entry.physical;
    let Some(segment) = segment_at(segments, at).filter(|_| entry.end() <= durable) else { return Ok(()) };
    let from = (at.0 - segment.base()) as usize;
    let problem = match RecordHead::parse(segment.bytes(from, segment.len() - from).unwrap_or_default()) {
        Ok(head) if head.physical_offset == at => return Ok(()),
        Ok(head) => RecordError::Number { field: "physical offset", value: head.physical_offset.0 as i64 },
        Err(problem) => problem,
    };
    let path = segment.path().into();
    Err(StoreError::BrokenFrame { path, at: from as u64, offset: at.0, durable: durable.0, problem })
}

/// Looks at the one record that a start which walks nothing can find: the last that any queue points to.
///
/// # Errors
/// As [`refuse_hole`].
pub(super) fn refuse_lost_end(
    segments: &[Arc<Segment>],
    queues: &mut Queues,
    durable: PhysicalOffset,
) -> Result<(), StoreError> {
    let Some(furthest) = queues.idle_mut().max_by_key(|queue| queue.max_physical()) else { return Ok(()) };
    let last = last_entry(furthest)?;
    furthest.close_idle();
    last.map_or(Ok(()), |last| refuse_hole(segments, &last, durable))
}

fn last_entry(queue: &mut ConsumeQueue) -> Result<Option<QueueEntry>, StoreError> {
    let Some(offset) = queue.max_offset().0.checked_sub(1) else { return Ok(None) };
    Ok(queue.entry(QueueOffset(offset))?.filter(|entry| !entry.is_blank()))
}

/// Whether there is anything but zeros behind a place where no record begins.
///
/// # Errors
/// What the operating system says.
pub(super) fn is_followed(segments: &[Arc<Segment>], end: PhysicalOffset) -> Result<bool, StoreError> {
    for segment in segments.iter().filter(|segment| segment.base() + segment.len() as u64 > end.0) {
        let from = end.0.saturating_sub(segment.base());
        let rest = segment.bytes(from as usize, segment.len() - from as usize).unwrap_or_default();
        // A blank ends its segment in order.
        if RecordHead::parse(rest).is_err_and(|problem| problem.is_blank()) {
            continue;
        }
        let zero = segment.file().is_zero(from..segment.len() as u64);
        if !zero.map_err(StoreError::io("read", segment.path()))? {
            return Ok(true);
        }
    }
    Ok(false)
}
