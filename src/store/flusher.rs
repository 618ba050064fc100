//! Everything that is synced while a store is open, in the order on which what is written down about it rests.
//!
//! ```text
//!   sync_log ─────────────────────────► the log is on the disk up to here
//!   begin_round(settled) ─ go_on … go_on ► queues and index are, for all records before `settled`
//!         what was dirty by then, file by file      └► checkpoint, then state
//! ```
//!
//! What is deliberately absent: when it is time, and who waits for it.

use super::durable::{CloseParts, Durable};
use super::error::StoreError;
use super::flush::{LogFlush, Synced};
use super::index::IndexSync;
use super::preparation::Preparation;
use super::queue_sync::{QueueSync, sync_all};
use crate::protocol::units::{PhysicalOffset, StoreTime};

/// How far queues and index have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// They have every record before here.
    pub up_to: PhysicalOffset,
    /// Store time of the newest of these, or of an older one.
    pub newest: StoreTime,
    /// What was dispatched since the start weighs in the [`census`](super::census).
    pub weight: u64,
}

/// Syncs; held by the one thread that does so.
#[derive(Debug)]
pub struct Flusher {
    log: LogFlush,
    durable: Durable,
    preparation: Preparation,
    dirty: Dirty,
    round: Option<Round>,
}

/// What is not on the disk.
#[derive(Debug, Default)]
struct Dirty {
    queues: Vec<QueueSync>,
    indexes: Vec<IndexSync>,
}

/// A round of syncs, after which queues and index are known to be on the disk up to a place.
#[derive(Debug)]
struct Round {
    settled: Settled,
    left: Dirty,
}

impl Flusher {
    /// For a store that was just opened.
    #[must_use]
    pub fn new(log: LogFlush, durable: Durable, preparation: Preparation) -> Self {
        Self { log, durable, preparation, dirty: Dirty::default(), round: None }
    }

    /// Syncs the log.
    ///
    /// # Errors
    /// As [`LogFlush::sync`]: nothing can be believed any more.
    pub fn sync_log(&mut self) -> Result<Synced, StoreError> {
        let synced = self.log.sync()?;
        self.durable.note_log(synced);
        Ok(synced)
    }

    /// Notes a queue with entries that are not on the disk.
    pub fn note_queue(&mut self, sync: QueueSync) {
        self.dirty.queues.push(sync);
    }

    /// Notes an index file with entries that are not on the disk.
    pub fn note_index(&mut self, sync: IndexSync) {
        self.dirty.indexes.push(sync);
    }

    /// Whether a round has begun and is not over.
    #[must_use]
    pub fn is_in_round(&self) -> bool {
        self.round.is_some()
    }

    /// Begins a round with all that was noted, unless one is under way. Whatever was changed for the records before
    /// `settled` must have been noted by now.
    pub fn begin_round(&mut self, settled: Settled) {
        if self.round.is_none() {
            self.round = Some(Round { settled, left: std::mem::take(&mut self.dirty) });
        }
    }

    /// Syncs up to so many queues of the round or one other file, and writes down where it has come to when none is left.
    /// Tells whether there is more to do.
    ///
    /// # Errors
    /// Of a [shortage](StoreError::is_shortage), when the round is given up and what is left of it belongs to the next one;
    /// or what the operating system says, when nothing can be believed any more.
    pub fn go_on(&mut self, queues: usize) -> Result<bool, StoreError> {
        let Some(round) = &mut self.round else { return Ok(false) };
        match round.left.sync_some(queues, &mut self.durable) {
            Ok(true) => Ok(true),
            Ok(false) => {
                let settled = round.settled;
                self.round = None;
                self.durable.note_queues(settled.up_to, settled.newest, settled.weight);
                self.durable.save().map(|()| false)
            }
            Err(error) => {
                let left = self.round.take().map(|round| round.left).unwrap_or_default();
                self.dirty.extend(left);
                Err(error)
            }
        }
    }

    /// Up to where queues and index are on the disk, and that is written down.
    #[must_use]
    pub fn queues_synced(&self) -> PhysicalOffset {
        self.durable.dispatched()
    }

    /// Syncs everything and writes down that the store was closed in order; see [`Durable::close`].
    ///
    /// # Errors
    /// What the operating system says; the next start looks closely then.
    pub fn close(&mut self, settled: Settled, index: Option<&IndexSync>) -> Result<(), StoreError> {
        let left = self.round.take().map(|round| round.left).unwrap_or_default();
        for mut dirty in [left, std::mem::take(&mut self.dirty)] {
            while dirty.sync_some(usize::MAX, &mut self.durable)? {}
        }
        self.durable.close(CloseParts {
            log: &mut self.log,
            queues: Vec::new(),
            index,
            preparation: &self.preparation,
            dispatched: settled.up_to,
            newest: settled.newest,
            weight: settled.weight,
        })
    }
}

impl Dirty {
    fn extend(&mut self, other: Self) {
        self.queues.extend(other.queues);
        self.indexes.extend(other.indexes);
    }

    /// Syncs up to so many queues, or when there is none left an index file; false when there is no such either.
    fn sync_some(&mut self, queues: usize, durable: &mut Durable) -> Result<bool, StoreError> {
        if !self.queues.is_empty() {
            let left = self.queues.len().saturating_sub(queues);
            sync_all(&self.queues[left..])?;
            self.queues.truncate(left);
            return Ok(true);
        }
        let Some(index) = self.indexes.last() else { return Ok(false) };
        index.sync()?;
        durable.note_indexed(index.newest);
        if let Some(index) = self.indexes.pop().filter(|index| index.is_full) {
            durable.note_index(index.newest_time);
        }
        Ok(true)
    }
}
