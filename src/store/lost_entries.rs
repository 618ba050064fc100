//! Queues that have lost entries which were on the disk: the [`census`](super::census) tells that there are some, and the log
//! has what they pointed to. Which queues they are is not known, so all are looked at.

use std::path::Path;
use std::sync::Arc;

use super::consumequeue::{ConsumeQueue, QueueEntry};
use super::error::StoreError;
use super::layout::QUEUE_ENTRY_BYTES;
use super::log_damage;
use super::queues::Queues;
use super::recovery;
use super::segment::Segment;
use crate::protocol::units::{PhysicalOffset, QueueOffset};

/// What is said of queues that do not add up.
pub(super) fn tell(queues_dir: &Path) -> String {
    format!(
        "{}: entries are missing that were there, or files stand in the wrong place; what the queues lack is made again \
        from the log",
        queues_dir.display()
    )
}

/// Destroys the queues whose entries do not stand where their records say, as when a file has got another's name. The others
/// are filled behind their ends by a walk from the log's beginning, which also makes these anew.
///
/// # Errors
/// What the operating system says.
pub(super) fn make_room(
    queues: &mut Queues,
    segments: &[Arc<Segment>],
    log_min: PhysicalOffset,
) -> Result<(), StoreError> {
    for queue in queues.idle_mut() {
        if !stands_right(queue, segments, log_min)? {
            queue.destroy()?;
        }
        queue.close_idle();
    }
    Ok(())
}

/// Cuts entries off the ends of queues that do not point to a record of theirs: left over from a cut that was made in memory
/// only. One that points to before `durable` is no such rest.
///
/// # Errors
/// [`StoreError::BrokenFrame`] where the log has a hole, or what the operating system says.
pub(super) fn cut_foreign_tails(
    queues: &mut Queues,
    segments: &[Arc<Segment>],
    log_min: PhysicalOffset,
    durable: PhysicalOffset,
) -> Result<(), StoreError> {
    let mut queues: Vec<_> = queues.idle_mut().collect();
    // Of several places that are damaged the same one is told of each time.
    queues.sort_by(|a, b| (a.topic(), a.queue_id()).cmp(&(b.topic(), b.queue_id())));
    for queue in queues {
        queue.cut_tail_unless(|queue, entry| {
            let holds = entry.physical < log_min || recovery::holds_record_of(segments, queue, entry);
            if !holds {
                log_damage::refuse_hole(segments, entry, durable)?;
            }
            Ok(holds)
        })?;
        queue.close_idle();
    }
    Ok(())
}

/// Destroys the queues that begin behind their first entry although the log has lost nothing, to be made again from it.
///
/// # Errors
/// What the operating system says.
pub(super) fn destroy_beheaded(
    queues: &mut Queues,
    log_min: PhysicalOffset,
    warnings: &mut Vec<String>,
) -> Result<(), StoreError> {
    if log_min.0 > 0 {
        return Ok(());
    }
    destroy_where(queues, warnings, |queue| {
        let is_beheaded = queue.first_base().is_some_and(|base| base > 0);
        Ok(is_beheaded.then(|| "its first files are gone".to_owned()))
    })
}

/// Of a store of which nothing is known to add up: destroys the queues whose first file has another one's name, to be made
/// again from the log.
///
/// # Errors
/// What the operating system says.
pub(super) fn destroy_misnamed(
    queues: &mut Queues,
    segments: &[Arc<Segment>],
    log_min: PhysicalOffset,
    warnings: &mut Vec<String>,
) -> Result<(), StoreError> {
    destroy_where(queues, warnings, |queue| {
        let Some(number) = queue.first_base().map(|base| base / QUEUE_ENTRY_BYTES) else { return Ok(None) };
        let first = queue.entry(QueueOffset(number))?.filter(|entry| points_into(entry, log_min));
        let said = first.and_then(|entry| recovery::number_of_record(segments, queue, &entry));
        queue.close_idle();
        // Java's broker gives numbers twice when a queue lagged behind; files are off by whole files.
        let per_file = queue.entries_per_file();
        let said = said.filter(|said| said.0 != number && said.0 % per_file == number % per_file);
        Ok(said.map(|said| format!("its first file is not of entry {number} but of {}", said.0)))
    })
}

/// Destroys the queues of which `why` says why, and notes that the log has what they held.
fn destroy_where(
    queues: &mut Queues,
    warnings: &mut Vec<String>,
    why: impl Fn(&mut ConsumeQueue) -> Result<Option<String>, StoreError>,
) -> Result<(), StoreError> {
    let mut destroyed = false;
    for queue in queues.idle_mut() {
        let Some(why) = why(queue)? else { continue };
        let (topic, queue_id) = (queue.topic(), queue.queue_id());
        warnings.push(format!("queue {queue_id} of {topic}: {why}; it is made again from the log"));
        queue.destroy()?;
        destroyed = true;
    }
    if destroyed {
        queues.note_lost_entries();
    }
    Ok(())
}

/// Whether the first entry of each file, and the last one of all, is that of its record: a file can only be moved whole.
fn stands_right(
    queue: &mut ConsumeQueue,
    segments: &[Arc<Segment>],
    log_min: PhysicalOffset,
) -> Result<bool, StoreError> {
    let firsts = queue.file_bases().into_iter().map(|base| base / QUEUE_ENTRY_BYTES);
    for offset in firsts.chain(queue.max_offset().0.checked_sub(1)) {
        let Some(entry) = queue.entry(QueueOffset(offset))? else { continue };
        if points_into(&entry, log_min) && !recovery::is_entry_of(segments, queue, QueueOffset(offset), &entry) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn points_into(entry: &QueueEntry, log_min: PhysicalOffset) -> bool {
    !entry.is_blank() && entry.physical >= log_min
}
