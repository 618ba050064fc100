//! Reading out the records of a store that some conditions choose, in the order of the log.

use bytes::Bytes;

use super::finding::{Findings, Part};
use super::index::keys_of;
use super::log::{JUMP_BYTES, LogReader};
use super::queues::EntryReader;
use super::survey;
use super::walk::{LogWalk, Met};
use super::{OfflineError, OfflineStore};
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use crate::store::error::StoreError;
use crate::store::index::IndexSnapshot;
use crate::store::recovery::Progress;

/// Which records are wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this topic.
    pub topic: Option<Topic>,
    /// With this key among `KEYS`, or as `UNIQ_KEY`.
    pub key: Option<String>,
    /// Stored at this time or later.
    pub from: Option<StoreTime>,
    /// Stored at this time or earlier.
    pub to: Option<StoreTime>,
    /// From the record on that lies here.
    pub offset: Option<PhysicalOffset>,
    /// In this queue of the topic.
    pub queue: Option<QueueId>,
    /// With this number in the queue, or a greater one.
    pub queue_offset: Option<QueueOffset>,
    /// No more than so many.
    pub limit: Option<u64>,
}

/// What the reading came to.
#[derive(Clone, Debug, Default)]
pub struct Dumped {
    /// Records that were given.
    pub records: u64,
    /// What of the log could not be read.
    pub findings: Findings,
}

impl Selection {
    /// Whether a record is of the topic and the queue.
    fn names(&self, head: &RecordHead<'_>) -> bool {
        self.topic.as_ref().is_none_or(|topic| topic.as_str() == head.topic)
            && self.queue.is_none_or(|queue| head.queue_id == queue)
    }

    fn chooses(&self, head: &RecordHead<'_>) -> bool {
        self.names(head)
            && self.from.is_none_or(|from| head.store_time >= from)
            && self.to.is_none_or(|to| head.store_time <= to)
            && self.offset.is_none_or(|offset| head.physical_offset >= offset)
            && self.queue_offset.is_none_or(|offset| head.queue_offset >= offset)
            && self.key.as_deref().is_none_or(|key| keys_of(head).any(|of_record| of_record == key))
    }
}

impl OfflineStore {
    /// Gives each chosen record, whole, to `take`. With a key and a topic the records are looked
    /// up in the index, if that has them all; otherwise the log is read from where they may begin.
    ///
    /// # Errors
    /// [`OfflineError::NotThere`] for a topic, a queue or a place that there is not, or what the operating system says.
    pub fn dump<E: From<OfflineError>>(
        &self,
        selection: &Selection,
        progress: &mut dyn FnMut(Progress),
        mut take: impl FnMut(&Bytes) -> Result<(), E>,
    ) -> Result<Dumped, E> {
        let mut walk_from = self.begin_of(selection)?;
        let mut dumped = Dumped::default();
        let is_enough = |dumped: &Dumped| selection.limit.is_some_and(|limit| dumped.records >= limit);
        // What the queues lack the log may have: only when that has none of it either there is no such topic.
        let mut is_there = self.is_listed(selection);
        if is_there && let Some((found, indexed)) = self.by_index(selection).map_err(OfflineError::from)? {
            let mut log = LogReader::new(self.disk.clone(), self.log.clone(), JUMP_BYTES);
            for at in found {
                if is_enough(&dumped) {
                    return Ok(dumped);
                }
                let Ok(head) = log.record(at).map_err(OfflineError::from)? else { continue };
                if selection.chooses(&head) {
                    let size = head.total_size as usize;
                    let record = Bytes::copy_from_slice(log.bytes(at.0, size).map_err(OfflineError::from)?);
                    take(&record)?;
                    dumped.records += 1;
                }
            }
            // Behind the newest key nothing is indexed yet.
            walk_from = walk_from.max(indexed);
        }
        let mut walk = LogWalk::from(self, walk_from);
        let total = self.log.room_end().saturating_sub(walk_from.0);
        while !is_enough(&dumped) {
            match walk.next().map_err(OfflineError::from)? {
                Met::Record(head) if selection.chooses(&head) => {
                    is_there = true;
                    let (at, size) = (head.physical_offset, head.total_size as usize);
                    let record = Bytes::copy_from_slice(walk.bytes(at, size).map_err(OfflineError::from)?);
                    take(&record)?;
                    dumped.records += 1;
                }
                Met::Record(head) => is_there |= selection.names(&head),
                Met::Broken(gap) => {
                    let problem = format!("no record: {}; records go on at {}", gap.problem, gap.until);
                    dumped.findings.fault(Part::Log, self.place(gap.at), problem);
                }
                Met::End(_) if !is_there => return Err(nothing_of(selection).into()),
                Met::End(end) => {
                    if let Some(problem) = end.tail {
                        let problem = format!("behind the last record lies what is none: {problem}");
                        dumped.findings.note(Part::Log, self.place(end.at), problem);
                    }
                    break;
                }
            }
            progress(Progress { done: walk.position().0.saturating_sub(walk_from.0), total });
        }
        Ok(dumped)
    }

    /// Whether the queues know what is asked for.
    fn is_listed(&self, selection: &Selection) -> bool {
        selection.topic.as_ref().is_none_or(|topic| match selection.queue {
            Some(queue_id) => self.queues.index_of(topic.as_str(), queue_id).is_some(),
            None => self.queues.holds_topic(topic.as_str()),
        })
    }

    /// Where the first record may lie that is wanted.
    fn begin_of(&self, selection: &Selection) -> Result<PhysicalOffset, OfflineError> {
        let (min, end) = (self.log_min(), PhysicalOffset(self.log.room_end()));
        let mut from = min;
        if let Some(offset) = selection.offset {
            if offset < min {
                return Err(not_there(format!("offset {offset} lies before the log, which begins at {min}")));
            }
            let mut log = LogReader::new(self.disk.clone(), self.log.clone(), JUMP_BYTES);
            if offset >= end || self.log.is_zero_from(&*self.disk, offset.0)? {
                return Err(not_there(format!("offset {offset} lies behind the end of the log")));
            }
            if let Err(problem) = log.record(offset)? {
                return Err(not_there(format!("no record begins at offset {offset}: {problem}")));
            }
            from = offset;
        }
        let (Some(topic), Some(queue_id)) = (&selection.topic, selection.queue) else { return Ok(from) };
        let found = self.queues.queue(topic.as_str(), queue_id);
        let (Some((index, queue)), Some(offset)) = (found, selection.queue_offset) else { return Ok(from) };
        let mut entries = EntryReader::new(self.disk.clone(), &self.options);
        let bounds = survey::bounds(self, &mut entries, index, queue)?;
        if offset >= bounds.max {
            let problem = format!("queue {queue_id} of {topic} ends before offset {}", bounds.max);
            return Err(not_there(format!("{problem}, {offset} lies behind it")));
        }
        let entry = entries.entry(index, queue, offset)?.filter(|entry| !entry.is_blank() && entry.physical >= min);
        let Some(entry) = entry else { return Ok(from) };
        // What a damaged queue says is not believed: the record must say the same.
        let mut log = LogReader::new(self.disk.clone(), self.log.clone(), JUMP_BYTES);
        let is_its = log
            .record(entry.physical)?
            .is_ok_and(|head| head.topic == topic.as_str() && head.queue_id == queue_id && head.queue_offset == offset);
        Ok(if is_its { from.max(entry.physical) } else { from })
    }

    /// The records with the key by the index, oldest first, and behind what place nothing is indexed; `None` where the index
    /// is not to be asked, or not to be trusted: it has to begin where the log does.
    fn by_index(&self, selection: &Selection) -> Result<Option<(Vec<PhysicalOffset>, PhysicalOffset)>, StoreError> {
        let (Some(topic), Some(key)) = (&selection.topic, &selection.key) else { return Ok(None) };
        if !self.index_is_whole()? {
            return Ok(None);
        }
        let index = IndexSnapshot::of_files(&*self.disk, &self.options)?;
        let (begin, end) = (StoreTime(i64::MIN), StoreTime(i64::MAX));
        let mut found = index.lookup(topic.as_str(), key, usize::MAX, begin, end)?;
        found.records.dedup();
        let Some(size) = self.size_at(found.newest)? else { return Ok(None) };
        let indexed = found.newest.plus(size);
        found.records.retain(|at| *at < indexed);
        Ok(Some((found.records, indexed)))
    }

    fn size_at(&self, at: PhysicalOffset) -> Result<Option<u64>, StoreError> {
        let mut log = LogReader::new(self.disk.clone(), self.log.clone(), JUMP_BYTES);
        Ok(log.record(at)?.ok().map(|head| u64::from(head.total_size)))
    }
}

fn nothing_of(selection: &Selection) -> OfflineError {
    let topic = selection.topic.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = match selection.queue {
        Some(queue_id) => format!("topic {topic} has no queue {queue_id}, and no record of one is in the log"),
        None => format!("there is no topic {topic} in this store, and no record of it in the log"),
    };
    let from = selection.offset.map(|offset| format!(" from {offset} on")).unwrap_or_default();
    not_there(what + &from)
}

fn not_there(what: String) -> OfflineError {
    OfflineError::NotThere(what)
}
