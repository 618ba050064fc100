//! What is in a store, without reading all of it: the ends of its queues, the end of its log, the headers of its index.

use serde::Serialize;

use super::finding::Finding;
use super::log::{JUMP_BYTES, LogReader};
use super::queues::{EntryReader, QueueFiles};
use super::walk::{LogWalk, Met};
use super::{OfflineError, OfflineStore};
use crate::protocol::units::{PhysicalOffset, QueueOffset, StoreTime};
use crate::store::consumequeue::QueueEntry;
use crate::store::disk::OpenMode;
use crate::store::error::StoreError;
use crate::store::index::IndexFileReader;
use crate::store::layout::QUEUE_ENTRY_BYTES;
use crate::store::recovery::Progress;

/// What a store holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    /// The log.
    pub log: LogSurvey,
    /// Each queue, by topic and number.
    pub queues: Vec<QueueSurvey>,
    /// Each index file, oldest first.
    pub index: Vec<IndexSurvey>,
    /// `checkpoint`.
    pub checkpoint: CheckpointSurvey,
    /// `ferromq.state`, if it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateSurvey>,
    /// Whether it was closed in order.
    pub closed_in_order: bool,
    /// What lies in the directories and does not belong there.
    pub findings: Vec<Finding>,
}

/// The log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogSurvey {
    /// Where it begins.
    pub min: u64,
    /// Behind the last record.
    pub end: u64,
    /// How many files there are.
    pub files: usize,
    /// Bytes of each.
    pub file_bytes: u64,
    /// Store time of the first record in ms since the epoch; 0 for none.
    pub first_stored: i64,
    /// The greatest store time among the last records; 0 for none.
    pub last_stored: i64,
    /// What lies behind the end, if it is not zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueSurvey {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub queue: u32,
    /// The first offset whose record is still there.
    pub min_offset: u64,
    /// The next offset to be given out.
    pub max_offset: u64,
    /// How many files it has.
    pub files: usize,
    /// Store time of the first record that is still there in ms since the epoch; 0 where it cannot be read.
    pub first_stored: i64,
    /// Store time of the last record.
    pub last_stored: i64,
}

/// An index file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexSurvey {
    /// Its name.
    pub file: String,
    /// How many entries it has.
    pub entries: u32,
    /// Where its first record lies.
    pub begin: u64,
    /// Where its last record lies.
    pub end: u64,
    /// Store time of the first.
    pub first_stored: i64,
    /// Store time of the last.
    pub last_stored: i64,
}

/// The three times of `checkpoint`, in ms since the epoch.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointSurvey {
    /// Of the log.
    pub log: i64,
    /// Of the queues.
    pub queues: i64,
    /// Of the index.
    pub index: i64,
}

/// What `ferromq.state` says.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateSurvey {
    /// The log is on the disk up to here.
    pub durable: u64,
    /// Queues and index have every record before here.
    pub dispatched: u64,
}

impl OfflineStore {
    /// Looks what is there.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn survey(&self, progress: &mut dyn FnMut(Progress)) -> Result<Survey, OfflineError> {
        let mut eyes = Eyes {
            store: self,
            entries: EntryReader::new(self.disk.clone(), &self.options),
            log: LogReader::new(self.disk.clone(), self.log.clone(), JUMP_BYTES),
        };
        let (mut queues, mut queued_up_to, mut newest) = (Vec::new(), self.log_min(), 0);
        for (index, queue) in self.queues.all().iter().enumerate() {
            let (survey, end) = eyes.queue(index, queue)?;
            newest = newest.max(survey.last_stored);
            queues.push(survey);
            queued_up_to = queued_up_to.max(end);
        }
        let checkpoint = self.checkpoint;
        Ok(Survey {
            log: eyes.log(queued_up_to, newest, progress)?,
            queues,
            index: self.survey_index()?,
            checkpoint: CheckpointSurvey {
                log: checkpoint.log.0,
                queues: checkpoint.queues.0,
                index: checkpoint.index.0,
            },
            state: self.state.map(|state| StateSurvey { durable: state.durable().0, dispatched: state.dispatched().0 }),
            closed_in_order: !self.unclean,
            findings: self.strange.listed().to_vec(),
        })
    }

    fn survey_index(&self) -> Result<Vec<IndexSurvey>, StoreError> {
        let mut surveys = Vec::new();
        for (path, _) in IndexFileReader::list(&*self.disk, &self.options)? {
            let file = self.disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
            let mut reader = IndexFileReader::of(file, self.options.index_slots, self.options.index_entries);
            let header = reader.header().map_err(StoreError::io("read", &path))?;
            surveys.push(IndexSurvey {
                file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                entries: header.next_entry.unsigned_abs() - 1,
                begin: header.begin.0,
                end: header.end.0,
                first_stored: header.begin_time.0,
                last_stored: header.end_time.0,
            });
        }
        Ok(surveys)
    }
}

/// What the survey reads with.
struct Eyes<'a> {
    store: &'a OfflineStore,
    entries: EntryReader<'a>,
    log: LogReader,
}

impl Eyes<'_> {
    /// A queue, and where the last of its records in the log ends.
    fn queue(&mut self, index: usize, queue: &QueueFiles) -> Result<(QueueSurvey, PhysicalOffset), StoreError> {
        let bounds = bounds(self.store, &mut self.entries, index, queue)?;
        let last = match bounds.max.0.checked_sub(1).filter(|last| *last >= bounds.min.0) {
            Some(last) => self.entries.entry(index, queue, QueueOffset(last))?,
            None => None,
        };
        let first = self.entries.entry(index, queue, bounds.min)?;
        let (first_stored, last_stored) = (self.stored(first)?, self.stored(last)?);
        let survey = QueueSurvey {
            topic: queue.topic.as_str().into(),
            queue: queue.queue_id.0,
            min_offset: bounds.min.0,
            max_offset: bounds.max.0,
            files: queue.bases.len(),
            first_stored: first_stored.map_or(0, |(time, _)| time.0),
            last_stored: last_stored.map_or(0, |(time, _)| time.0),
        };
        Ok((survey, last_stored.map_or(PhysicalOffset(0), |(_, end)| end)))
    }

    /// When the record of an entry was stored, and where it ends.
    fn stored(&mut self, entry: Option<QueueEntry>) -> Result<Option<(StoreTime, PhysicalOffset)>, StoreError> {
        let Some(entry) = entry.filter(|entry| !entry.is_blank()) else { return Ok(None) };
        Ok(self.log.record(entry.physical)?.ok().map(|head| (head.store_time, head.end())))
    }

    /// The log. Its end is looked for from the last record on that a queue has, of which the newest was stored at `newest`.
    fn log(
        &mut self,
        queued_up_to: PhysicalOffset,
        newest: i64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<LogSurvey, StoreError> {
        let files = &self.store.log;
        let min = self.store.log_min();
        let from = if queued_up_to > min { queued_up_to } else { min };
        let first_stored = match LogWalk::from(self.store, min).next()? {
            Met::Record(head) => head.store_time.0,
            _ => 0,
        };
        let mut walk = LogWalk::from(self.store, from);
        let (mut last_stored, total) = (newest, files.room_end().saturating_sub(from.0));
        let end = loop {
            match walk.next()? {
                Met::Record(head) => last_stored = last_stored.max(head.store_time.0),
                Met::Broken(_) => {}
                Met::End(end) => break end,
            }
            progress(Progress { done: walk.position().0 - from.0, total });
        };
        Ok(LogSurvey {
            min: min.0,
            end: end.at.0,
            files: files.all().len(),
            file_bytes: files.segment_bytes(),
            first_stored,
            last_stored,
            tail: end.tail.map(|problem| problem.to_string()),
        })
    }
}

/// The offsets of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The first whose record is still there.
    pub(super) min: QueueOffset,
    /// Behind the last entry.
    pub(super) max: QueueOffset,
}

/// Finds the offsets of a queue by bisection, as far as it is dense.
pub(super) fn bounds(
    store: &OfflineStore,
    entries: &mut EntryReader<'_>,
    index: usize,
    queue: &QueueFiles,
) -> Result<Bounds, StoreError> {
    let file_entries = store.options.queue_file_bytes() / QUEUE_ENTRY_BYTES;
    let Some((first, last)) = queue.bases.first().zip(queue.bases.last()) else {
        return Ok(Bounds { min: QueueOffset(0), max: QueueOffset(0) });
    };
    let (begin, last) = (first / QUEUE_ENTRY_BYTES, last / QUEUE_ENTRY_BYTES);
    let mut entry = |number: u64| entries.entry(index, queue, QueueOffset(number));
    let max = first_without(last, last + file_entries, |number| {
        entry(number).map(|entry| entry.is_some_and(|entry| entry.is_valid()))
    })?;
    let log_min = store.log_min();
    if log_min.0 == 0 {
        return Ok(Bounds { min: QueueOffset(begin), max: QueueOffset(max) });
    }
    // A blank entry says nothing of the log: the first one behind it does that is none.
    let mut behind_blanks = |number: u64, end: u64| -> Result<(u64, Option<QueueEntry>), StoreError> {
        for number in number..end {
            if let Some(entry) = entry(number)?.filter(|entry| !entry.is_blank()) {
                return Ok((number, Some(entry)));
            }
        }
        Ok((end, None))
    };
    let (mut low, mut high) = (begin, max);
    while low < high {
        let middle = low + (high - low) / 2;
        match behind_blanks(middle, high)? {
            (number, Some(entry)) if entry.physical < log_min => low = number + 1,
            _ => high = middle,
        }
    }
    let (min, _) = behind_blanks(low, max)?;
    Ok(Bounds { min: QueueOffset(min), max: QueueOffset(max) })
}

/// The first number for which something does not hold that holds for all before it.
fn first_without(
    mut low: u64,
    mut high: u64,
    mut holds: impl FnMut(u64) -> Result<bool, StoreError>,
) -> Result<u64, StoreError> {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
