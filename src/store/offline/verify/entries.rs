//! The pass through the queues: is each one dense, and does it point to nothing but what the log confirms?

use super::Verified;
use super::records::Tallies;
use crate::protocol::message::RecordHead;
use crate::protocol::properties;
use crate::protocol::units::{PhysicalOffset, QueueOffset};
use crate::store::error::StoreError;
use crate::store::layout::QUEUE_ENTRY_BYTES;
use crate::store::offline::finding::{Findings, Part, Severity};
use crate::store::offline::log::{JUMP_BYTES, LogReader};
use crate::store::offline::queues::QueueFiles;
use crate::store::offline::{INNER_MULTI_DISPATCH, OfflineStore};

/// What one queue holds.
#[derive(Debug, Default)]
struct Counted {
    next: Option<QueueOffset>,
    pointing: u64,
    blank: u64,
    /// The first entry that points behind the log's end, and how many do.
    beyond: Option<(QueueOffset, u64)>,
}

/// Reads every queue.
pub(super) fn check(store: &OfflineStore, tallies: Tallies, verified: &mut Verified) -> Result<(), StoreError> {
    for (queue, tally) in store.queues.all().iter().zip(&tallies.queues) {
        let counted = count(store, queue, tallies.log_end, &mut verified.findings)?;
        verified.checked.queue_entries += counted.pointing;
        verified.checked.blank_entries += counted.blank;
        if counted.pointing != tally.led_to {
            astray(store, queue, tallies.log_end, &mut verified.findings)?;
        }
    }
    Ok(())
}

fn count(
    store: &OfflineStore,
    queue: &QueueFiles,
    log_end: PhysicalOffset,
    findings: &mut Findings,
) -> Result<Counted, StoreError> {
    let file_bytes = store.options.queue_file_bytes();
    let begin = queue.bases.first().map_or(0, |base| base / QUEUE_ENTRY_BYTES);
    let mut counted = Counted { next: Some(QueueOffset(begin)), ..Counted::default() };
    queue.visit(&*store.disk, file_bytes, |offset, entry| {
        if let Some(expected) = counted.next.filter(|expected| *expected != offset) {
            let problem = format!("nothing from {expected} up to here, but entries behind it");
            findings.fault(Part::Queue, queue.place(offset, file_bytes), problem);
        }
        counted.next = Some(offset.plus(1));
        if !entry.is_valid() {
            let problem = format!("no entry: offset {}, {} bytes", entry.physical.0 as i64, entry.size);
            findings.fault(Part::Queue, queue.place(offset, file_bytes), problem);
        } else if entry.is_blank() {
            counted.blank += 1;
        } else if entry.physical >= log_end {
            counted.beyond.get_or_insert((offset, 0)).1 += 1;
        } else if entry.physical >= store.log_min() {
            counted.pointing += 1;
        }
        Ok(())
    })?;
    if let Some((first, count)) = counted.beyond {
        let severity = if store.unclean { Severity::Note } else { Severity::Fault };
        let problem = format!("from here on {count} entries point behind the end of the log at {log_end}");
        findings.add(severity, Part::Queue, queue.place(first, file_bytes), problem);
    }
    Ok(counted)
}

/// Looks at the record of every entry of a queue that has more of them than records led to.
fn astray(
    store: &OfflineStore,
    queue: &QueueFiles,
    log_end: PhysicalOffset,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut log = LogReader::new(store.disk.clone(), store.log.clone(), JUMP_BYTES);
    let file_bytes = store.options.queue_file_bytes();
    queue.visit(&*store.disk, file_bytes, |offset, entry| {
        let points_into_log =
            entry.is_valid() && !entry.is_blank() && (store.log_min()..log_end).contains(&entry.physical);
        if !points_into_log || findings.is_full() {
            return Ok(());
        }
        let problem = match log.record(entry.physical)? {
            Ok(head) => mismatch(&head, queue, offset),
            Err(problem) => Some(format!("no record begins there: {problem}")),
        };
        if let Some(problem) = problem {
            let problem = format!("points to {}: {problem}", entry.physical);
            findings.fault(Part::Queue, queue.place(offset, file_bytes), problem);
        }
        Ok(())
    })
}

/// Why a record is not the one that an entry should point to.
fn mismatch(head: &RecordHead<'_>, queue: &QueueFiles, offset: QueueOffset) -> Option<String> {
    let is_its_queue = head.topic == queue.topic.as_str() && head.queue_id == queue.queue_id;
    if is_its_queue {
        return (head.queue_offset != offset).then(|| format!("the record there has number {}", head.queue_offset));
    }
    let others = properties::find(head.properties, INNER_MULTI_DISPATCH).unwrap_or_default();
    let is_dispatched_here = others.split(',').any(|name| name == queue.topic.as_str());
    (!is_dispatched_here).then(|| format!("the record there is of topic {} queue {}", head.topic, head.queue_id))
}
