//! Giving the records of the log to queues and index once more.
//!
//! What they have already falls out by their own rules, so the same record may be given any number of times. A queue
//! that lags behind the place where the walk began is noticed by its first record, and the walk is begun again from
//! the place up to which that queue is whole.

use std::collections::{BTreeMap, BTreeSet};

use super::consumequeue::{ConsumeQueue, Placement, QueueEntry};
use super::deleted_topics::DeletedTopics;
use super::dispatch::Marks;
use super::error::StoreError;
use super::index::Index;
use super::queue_ext::Extension;
use super::queues::Queues;
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};

/// A record without topic, body and properties.
const RECORD_BYTES_MIN: u64 = 91;

/// Computes the bit map of a record from its topic and properties; `None` if nobody of that topic filters by properties.
pub type BitMaps = dyn Fn(&str, &str) -> Option<Vec<u8>> + Send;

/// Queues and index while they are brought up to the log.
pub(super) struct Replay<'a> {
    pub(super) queues: &'a mut Queues,
    pub(super) index: Option<&'a mut Index>,
    pub(super) delay_levels_ms: &'a [i64],
    /// Makes the bit maps of extensions, if there are to be any.
    pub(super) bit_maps: Option<&'a BitMaps>,
    /// Topics whose older records have no queue any more.
    pub(super) deleted: &'a DeletedTopics,
    /// Where new queues are made of the whole log: the records from which a queue goes on though their numbers were given
    /// before. Others whose numbers go back have no place in it. `None` at a start, where records that a queue has already
    /// come again: there the earlier record stays, as in the reference.
    pub(super) given_again: Option<&'a BTreeSet<PhysicalOffset>>,
    /// Where the log begins.
    pub(super) log_min: PhysicalOffset,
    /// Where this walk began.
    pub(super) began: PhysicalOffset,
    /// Whether files that are there already may have come by an earlier start that was cut short.
    pub(super) unclean: bool,
    /// Entries that were added.
    pub(super) added: u64,
    /// Records from here on are counted,
    pub(super) counted_from: PhysicalOffset,
    /// and what the entries that they have weigh: see [`census`](super::census).
    pub(super) weight: u64,
    /// Where a lagging queue is whole up to: the walk must be done again from there.
    pub(super) again_from: Option<PhysicalOffset>,
    /// Queues with records whose numbers earlier ones have, so that the queue does not lead to them.
    pub(super) hidden: BTreeMap<(Topic, QueueId), Hidden>,
}

/// Records that their queue does not lead to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hidden {
    /// Where the first of them lies.
    first: PhysicalOffset,
    count: u64,
}

impl Replay<'_> {
    /// Gives a record. A damaged one gets a blank entry, so that the offsets behind it stay what they were, and no keys.
    /// Tells whether its queue can have so many entries before it: if not, it gets none.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn give(&mut self, record: &RecordHead<'_>, damaged: bool) -> Result<bool, StoreError> {
        let mut possible = true;
        let deleted = self.deleted.covers(record.topic, record.physical_offset);
        if let Some(entry) = Marks::of(record).queue_entry(record, self.delay_levels_ms).filter(|_| !deleted) {
            // A topic that no client could name has no queue.
            if let Ok(topic) = Topic::parse(record.topic) {
                possible = self.enqueue(topic, record, entry, damaged)?;
            }
        }
        if let Some(index) = self.index.as_mut().filter(|_| !damaged) {
            index.put_record(record)?;
        }
        Ok(possible)
    }

    fn enqueue(
        &mut self,
        topic: Topic,
        record: &RecordHead<'_>,
        entry: QueueEntry,
        damaged: bool,
    ) -> Result<bool, StoreError> {
        let queue = self.queues.queue_mut(&topic, record.queue_id)?;
        let offset = record.queue_offset;
        if queue.begins_behind(offset) {
            // Its first file has not reached the disk, and the walk began before it was made: all of it is made again.
            queue.destroy()?;
        }
        let weight = if record.physical_offset < self.counted_from { 0 } else { queue.weight() };
        let replaces = damaged && offset < queue.max_offset();
        if !replaces && entry.end() <= queue.max_physical() {
            self.weight = self.weight.wrapping_add(weight);
            return Ok(true);
        }
        if is_impossible(queue.max_offset().0, queue.max_physical(), offset.0, entry.physical) {
            return Ok(false);
        }
        let goes_back = offset < queue.max_offset() && entry.end() > queue.max_physical();
        if let Some(given_again) = self.given_again.filter(|_| goes_back) {
            if !given_again.contains(&entry.physical) {
                return Ok(true);
            }
            queue.cut_to(offset)?;
        } else if goes_back && !damaged {
            let first = Hidden { first: entry.physical, count: 0 };
            self.hidden.entry((topic.clone(), record.queue_id)).or_insert(first).count += 1;
        }
        let whole_from = whole_up_to(queue, self.log_min);
        if offset > queue.max_offset() && whole_from < self.began {
            let again = self.again_from.map_or(whole_from, |other| other.min(whole_from));
            self.again_from = Some(again);
            return Ok(true);
        }
        self.weight = self.weight.wrapping_add(weight);
        let was_open = queue.is_open();
        let extension = (queue.is_extended() && !damaged).then(|| Extension {
            store_time: record.store_time,
            bit_map: self.bit_maps.and_then(|of| of(record.topic, record.properties)).unwrap_or_default(),
        });
        if self.unclean {
            queue.mistrust_names();
        }
        self.added += u64::from(place(queue, offset, entry, extension.as_ref(), damaged)?);
        if !was_open {
            self.queues.note_opened(topic, record.queue_id);
        }
        Ok(true)
    }
}

/// What is said of records that their queue does not lead to.
pub(super) fn tell_hidden(((topic, queue_id), hidden): ((Topic, QueueId), Hidden)) -> String {
    let Hidden { first, count } = hidden;
    format!(
        "queue {queue_id} of {topic}: {count} records from {first} of the log on have numbers that earlier ones have, as after the \
        topic was deleted and made anew, and are not delivered; stop the broker and run `ferromq store repair`, by \
        which they are"
    )
}

/// Whether the log between the end of a queue's last record and another one of it has no room for the records that would come
/// between them: `next` is the number that comes next, `number` the one that this record has. A number is not covered by the
/// record's checksum, and filling up to a wrong one could take the whole disk.
pub(super) fn is_impossible(next: u64, end: PhysicalOffset, number: u64, at: PhysicalOffset) -> bool {
    number > next + at.0.saturating_sub(end.0) / RECORD_BYTES_MIN
}

/// Puts an entry where its record says. Tells whether the queue has an entry more that points to its record.
fn place(
    queue: &mut ConsumeQueue,
    offset: QueueOffset,
    entry: QueueEntry,
    extension: Option<&Extension>,
    damaged: bool,
) -> Result<bool, StoreError> {
    if damaged && offset < queue.max_offset() {
        return queue.blank(offset).map(|_| false);
    }
    if damaged {
        return queue.append_blank(offset).map(|()| false);
    }
    if queue.has_files() && offset > queue.max_offset() {
        // The records between are gone with the log: their places stay, so that this offset is the true one.
        queue.fill_to(offset)?;
    }
    Ok(queue.append_extended(entry, offset, extension)? != Placement::Duplicate)
}

/// The queue has an entry for each of its records before this place.
fn whole_up_to(queue: &ConsumeQueue, log_min: PhysicalOffset) -> PhysicalOffset {
    queue.max_physical().max(log_min)
}
