//! One turn through the messages with a delivery time: what is read and which files are written, in which order. Where a
//! message waits is decided in `broker/timer/wheel.rs`.
//!
//! Runs in the read pool. Whatever fails in it leaves the files half written, and all of it is made anew from the queues.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;

use crate::broker::digest::Digest;
use crate::broker::schedule::real_queue;
use crate::broker::timer::progress::TimerProgress;
use crate::broker::timer::wheel::{Bucket, Place, SECOND_MS, Wheel, start_of};
use crate::broker::timer::{CANCELLATIONS, MESSAGES, timer_topic};
use crate::protocol::message::{Message, PROPERTIES_LENGTH_MAX};
use crate::protocol::properties::{self, keys};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueOffset};
use crate::store::dispatch::timer_fire_ms;
use crate::store::{
    LogView, NewMessage, PutBatch, QueueEntry, QueueSnapshot, SharedDisk, StoreError, TimerFiles, TimerRow, UnitReader,
};

/// Entries that one turn takes in of each queue, and rows that are read from a file at once.
const ENTRIES_AT_ONCE: usize = 16_384;
/// Messages that wait in memory; more of one minute wait in files.
const WINDOW_MAX: usize = 65_536;
/// Most messages that are delivered at once,
const MESSAGES_AT_ONCE: usize = 256;
/// and most bytes of them, unless one alone is larger.
const BYTES_AT_ONCE: usize = 1 << 20;

/// What waits, and where.
pub(super) struct Work {
    wheel: Wheel,
    files: TimerFiles,
    /// The entries that are taken in next, and what of them is done with already.
    taken_in: TimerProgress,
    done: TimerProgress,
    /// What is due and was not delivered yet, or could not be.
    ready: VecDeque<TimerRow>,
    /// The file whose messages are delivered from where they lie, and how many of them were read.
    reading: Option<(Bucket, u64)>,
    /// Keys of messages that were taken back, by the second that they were to be delivered in.
    taken_back: BTreeMap<i64, HashSet<Digest>>,
}

/// What a turn looks at.
pub(super) struct Look {
    pub(super) messages: QueueSnapshot,
    pub(super) cancellations: QueueSnapshot,
    pub(super) now_ms: i64,
}

/// What is due.
#[derive(Default)]
pub(super) struct Due {
    pub(super) puts: PutBatch,
    /// What each put came from.
    pub(super) rows: Vec<TimerRow>,
    /// Whether there may be more.
    pub(super) more: bool,
    /// How many are gone from the log.
    gone: usize,
}

impl Work {
    /// Nothing yet: the queues are taken in by the next turns, without what is done with.
    pub(super) fn fresh(disk: &SharedDisk, root: &Path, done: TimerProgress, now_ms: i64) -> Result<Self, StoreError> {
        Ok(Self {
            wheel: Wheel::new(now_ms, WINDOW_MAX),
            files: TimerFiles::fresh(SharedDisk::clone(disk), root)?,
            taken_in: TimerProgress::default(),
            done,
            ready: VecDeque::new(),
            reading: None,
            taken_back: BTreeMap::new(),
        })
    }

    pub(super) fn turn(&mut self, log: &LogView, look: &Look) -> Result<Due, StoreError> {
        let now_ms = look.now_ms;
        self.take_in(log, look)?;
        self.bring_nearer(now_ms)?;
        let mut due = Due { more: !self.has_all(look), ..Due::default() };
        // A message is delivered when all cancellations are known.
        if !due.more {
            self.due(log, now_ms, &mut due)?;
            if due.gone > 0 {
                tracing::warn!(messages = due.gone, "messages with a delivery time are in the log no more");
            }
            self.forget(now_ms);
        }
        Ok(due)
    }

    /// What is done with now, for the file; `None` while entries are not taken in again that were before. Holds between
    /// turns.
    pub(super) fn progress(&self, now_ms: i64) -> Option<TimerProgress> {
        if self.taken_in.messages < self.done.messages || self.taken_in.cancellations < self.done.cancellations {
            return None;
        }
        Some(TimerProgress { done_until_ms: (self.clear_before() - 1).min(now_ms), ..self.taken_in })
    }

    /// Before this time nothing waits.
    fn clear_before(&self) -> i64 {
        self.ready.iter().map(|row| row.fire_ms).fold(self.wheel.clear_before(), i64::min)
    }

    /// When there is something to do next.
    pub(super) fn next_ms(&self) -> i64 {
        if self.ready.is_empty() { self.wheel.next_ms() } else { 0 }
    }

    /// Whether there is nothing to do now.
    pub(super) fn is_idle(&self, look: &Look) -> bool {
        self.has_all(look) && self.next_ms() > look.now_ms
    }

    /// Whether there is nothing new in the queues.
    fn has_all(&self, look: &Look) -> bool {
        self.taken_in.messages >= look.messages.max_offset().0
            && self.taken_in.cancellations >= look.cancellations.max_offset().0
    }

    /// Takes back what could not be stored.
    pub(super) fn give_back(&mut self, row: TimerRow) {
        self.ready.push_back(row);
    }

    fn take_in(&mut self, log: &LogView, look: &Look) -> Result<(), StoreError> {
        // Entries that a crash has cut off are not done with: others come at their offsets.
        self.done.messages = self.done.messages.min(look.messages.max_offset().0);
        self.done.cancellations = self.done.cancellations.min(look.cancellations.max_offset().0);
        let mut rows = Vec::new();
        for (queue, next, cancels) in [
            (&look.cancellations, &mut self.taken_in.cancellations, true),
            (&look.messages, &mut self.taken_in.messages, false),
        ] {
            let from = QueueOffset(*next).clamp(queue.min_offset(), queue.max_offset());
            let entries = queue.entries(from, ENTRIES_AT_ONCE)?;
            let mut units = queue.unit_reader();
            *next = from.plus(entries.len() as u64).0;
            for (number, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.is_blank()) {
                let offset = from.plus(number as u64);
                let Some(fire_ms) = fire_ms(log, &mut units, entry)? else { continue };
                let is_done =
                    if cancels { self.done.is_over(offset, fire_ms) } else { self.done.is_done(offset, fire_ms) };
                if !is_done {
                    rows.push(TimerRow { fire_ms, physical: entry.physical, cancels });
                }
            }
        }
        self.put(rows, look.now_ms)
    }

    /// Puts rows where they wait.
    fn put(&mut self, rows: Vec<TimerRow>, now_ms: i64) -> Result<(), StoreError> {
        let mut by_file: BTreeMap<Bucket, Vec<TimerRow>> = BTreeMap::new();
        for row in rows {
            if let Place::File(bucket) = self.wheel.put(row, now_ms) {
                by_file.entry(bucket).or_default().push(row);
            }
        }
        by_file.iter().try_for_each(|(bucket, rows)| self.files.append(&bucket.file_name(), rows))
    }

    /// Opens the files whose time has come nearer.
    fn bring_nearer(&mut self, now_ms: i64) -> Result<(), StoreError> {
        while let Some(bucket) = self.wheel.open_next(now_ms) {
            let name = bucket.file_name();
            let mut from = 0;
            loop {
                let rows = self.files.read(&name, from, ENTRIES_AT_ONCE)?;
                if rows.is_empty() {
                    break;
                }
                from += rows.len() as u64;
                self.put(rows, now_ms)?;
            }
            self.files.remove(&name)?;
        }
        Ok(())
    }

    fn due(&mut self, log: &LogView, now_ms: i64, due: &mut Due) -> Result<(), StoreError> {
        while due.rows.len() < MESSAGES_AT_ONCE && due.puts.bytes() < BYTES_AT_ONCE {
            if self.ready.is_empty() {
                self.ready.extend(self.wheel.take_due(now_ms, MESSAGES_AT_ONCE));
            }
            if self.ready.is_empty() {
                let rows = self.due_in_file(now_ms)?;
                self.ready.extend(rows);
            }
            let Some(row) = self.ready.pop_front() else { return Ok(()) };
            self.add(log, row, now_ms, due)?;
        }
        due.more = true;
        Ok(())
    }

    /// The next rows of a file all of which is due.
    fn due_in_file(&mut self, now_ms: i64) -> Result<Vec<TimerRow>, StoreError> {
        loop {
            let Some(bucket) = self.wheel.due_file(now_ms) else { return Ok(Vec::new()) };
            let from = self.reading.filter(|(read, _)| *read == bucket).map_or(0, |(_, from)| from);
            let rows = self.files.read(&bucket.file_name(), from, MESSAGES_AT_ONCE)?;
            if !rows.is_empty() {
                self.reading = Some((bucket, from + rows.len() as u64));
                return Ok(rows);
            }
            self.files.remove(&bucket.file_name())?;
            self.wheel.removed(bucket);
            self.reading = None;
        }
    }

    fn add(&mut self, log: &LogView, row: TimerRow, now_ms: i64, due: &mut Due) -> Result<(), StoreError> {
        let Some(message) = log.message(row.physical)? else {
            due.gone += 1;
            return Ok(());
        };
        let out_ms = out_ms(&message);
        let second = start_of(out_ms, SECOND_MS);
        if out_ms > now_ms {
            // It waits for longer than its record would be kept.
            let queue = if row.cancels { CANCELLATIONS } else { MESSAGES };
            let rolled = rolled(&message);
            let properties = if rolled.len() > PROPERTIES_LENGTH_MAX { message.properties.as_bytes() } else { &rolled };
            due.push(&NewMessage { properties, ..NewMessage::again(&message, timer_topic(), queue) }, row)?;
        } else if row.cancels {
            let key = message.property(keys::TIMER_DEL_UNIQKEY).unwrap_or_default();
            self.taken_back.entry(second).or_default().insert(Digest::of(key.as_bytes()));
        } else if !self.is_taken_back(&message, second) {
            let Some((topic, queue_id)) = real_queue(&message) else {
                tracing::error!(at = %row.physical, "a message does not say where it is to be delivered; it stays here");
                return Ok(());
            };
            due.push(&NewMessage::again(&message, &topic, queue_id), row)?;
        }
        Ok(())
    }

    fn is_taken_back(&self, message: &Message, second: i64) -> bool {
        let taken_back = |key: &str| self.taken_back.get(&second)?.get(&Digest::of(key.as_bytes()));
        message.property(keys::UNIQ_KEY).and_then(taken_back).is_some()
    }

    /// Forgets the cancellations of seconds all of whose messages are delivered.
    fn forget(&mut self, now_ms: i64) {
        let over = self.clear_before().min(now_ms);
        self.taken_back.retain(|second, _| second + SECOND_MS > over);
    }
}

/// The text of a message that is stored once more, with how often it has been.
fn rolled(message: &Message) -> Vec<u8> {
    let times = message.property(keys::TIMER_ROLL_TIMES).and_then(|times| times.parse().ok()).unwrap_or(0_u32);
    let times = times.saturating_add(1).to_string();
    properties::with(message.properties.bytes(), &[(keys::TIMER_ROLL_TIMES, &times)])
}

/// When something is to be done with an entry, as it says, or its unit in the queue's extension; `None` if its record is
/// gone.
///
/// An entry that RocketMQ has made anew from the log has the hash code of the message's tags in that place, which is no time
/// of this century; then, and when the unit is missing, the record says when.
fn fire_ms(log: &LogView, units: &mut Option<UnitReader>, entry: &QueueEntry) -> Result<Option<i64>, StoreError> {
    if let Some(says) = entry.tags_code_by(units)?.filter(|says| i32::try_from(*says).is_err()) {
        return Ok(Some(says));
    }
    let message = log.message(entry.physical)?;
    Ok(message.map(|message| timer_fire_ms(message.store_time, out_ms(&message))))
}

/// When a message is to be delivered.
fn out_ms(message: &Message) -> i64 {
    message.property(keys::TIMER_OUT_MS).and_then(|out| out.parse().ok()).unwrap_or(0)
}

impl Due {
    fn push(&mut self, message: &NewMessage<'_>, row: TimerRow) -> Result<(), StoreError> {
        self.puts.push(message)?;
        self.rows.push(row);
        Ok(())
    }
}

/// Of each put that was due: the end of its record, or why it was not stored.
pub(super) type Outcomes = Vec<Result<PhysicalOffset, Refusal>>;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::units::{BornTime, StoreTime};
    use crate::store::{FileDisk, StoreOptions, open};

    const NOW: i64 = 1_795_000_000_000;

    fn row(fire_ms: i64) -> TimerRow {
        TimerRow { fire_ms, physical: PhysicalOffset(0), cancels: false }
    }

    /// What one turn hands to the writer is bounded, however large the messages are that are due together.
    #[test]
    fn a_turn_delivers_no_more_than_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { log_segment_bytes: 8 << 20, ..StoreOptions::at(directory.path().join("store")) };
        let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
        let mut work = Work::fresh(&FileDisk::shared(), directory.path(), TimerProgress::default(), NOW).unwrap();
        let (body, host) = (vec![0; BYTES_AT_ONCE / 2], "127.0.0.1:1".parse().unwrap());
        let properties = properties::with(b"", &[(keys::REAL_TOPIC, "T"), (keys::REAL_QID, "0")]);
        let message = NewMessage::plain(timer_topic(), MESSAGES, BornTime(NOW), host, &body);
        let batch = PutBatch::of(&NewMessage { properties: &properties, ..message }).unwrap();
        let mut placed = Vec::new();
        for _ in 0..5 {
            batch.iter().for_each(|put| store.log.append(put, StoreTime(NOW), &mut placed).unwrap());
        }
        let written = store.log.publish().unwrap();
        store.log.positions().advance_visible(written);
        let rows = placed.iter().map(|placed| TimerRow { physical: placed.physical, ..row(NOW) });
        work.put(rows.collect(), NOW).unwrap();
        let log = store.log.view();
        let mut turn = || {
            let mut due = Due::default();
            work.due(&log, NOW, &mut due).unwrap();
            (due.rows.len(), due.more, work.progress(NOW).unwrap().done_until_ms)
        };
        assert_eq!([turn(), turn(), turn()], [(2, true, NOW - 1), (2, true, NOW - 1), (1, false, NOW)]);
    }

    /// It would not be delivered after the next start otherwise.
    #[test]
    fn what_waits_is_not_done_with() {
        let directory = tempfile::tempdir().unwrap();
        let fresh = |done| Work::fresh(&FileDisk::shared(), directory.path(), done, NOW).unwrap();
        let mut work = fresh(TimerProgress::default());
        assert_eq!(work.progress(NOW).unwrap().done_until_ms, NOW);
        work.put(vec![row(NOW - 5)], NOW).unwrap();
        assert_eq!(work.progress(NOW).unwrap().done_until_ms, NOW - 6);
        work.give_back(row(NOW - 9));
        assert_eq!(work.progress(NOW).unwrap().done_until_ms, NOW - 10);
        // While entries are taken in again nobody can say.
        let work = fresh(TimerProgress { messages: 1, ..TimerProgress::default() });
        assert_eq!(work.progress(NOW), None);
    }
}
