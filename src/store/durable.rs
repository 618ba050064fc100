//! What is known to be on the disk, written down: `checkpoint` for Java's broker and `ferromq.state` for ours.
//!
//! The checkpoint is always written first: a state that names a checkpoint which is not there counts for nothing.

use std::sync::Arc;

use super::census::Census;
use super::checkpoint::Checkpoint;
use super::disk::{OpenMode, SharedDisk};
use super::error::StoreError;
use super::flush::{LogFlush, Synced};
use super::index::IndexSync;
use super::layout::StoreOptions;
use super::preparation::Preparation;
use super::queue_sync::{QueueSync, sync_all};
use super::state::{State, StateFile};
use crate::protocol::units::{PhysicalOffset, StoreTime};

const ABORT: &str = "abort";

/// The two files and what they say; held by the one who syncs.
#[derive(Debug)]
pub struct Durable {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    file: StateFile,
    checkpoint: Checkpoint,
    /// The checkpoint that is known to be on the disk.
    saved: Option<Checkpoint>,
    log: Synced,
    dispatched: PhysicalOffset,
    /// The index is known to be on the disk up to this record.
    indexed: Option<PhysicalOffset>,
    /// What was dispatched from the start up to there weighs so much.
    weight: u64,
    census: Arc<Census>,
}

impl Durable {
    pub(super) fn new(
        disk: SharedDisk,
        options: Arc<StoreOptions>,
        file: StateFile,
        checkpoint: Checkpoint,
        log: Synced,
        census: Arc<Census>,
    ) -> Self {
        let (saved, dispatched) = (Some(checkpoint), log.up_to);
        Self { disk, options, file, checkpoint, saved, log, dispatched, indexed: None, weight: 0, census }
    }

    /// Notes that the checkpoint that was found may be in memory only: with a state that names another one than there is after
    /// a power cut, all that is known would be lost.
    pub(super) fn mistrust_checkpoint(&mut self) {
        self.saved = None;
    }

    /// What the checkpoint will say.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// The log is known to be on the disk up to here.
    #[must_use]
    pub fn log(&self) -> Synced {
        self.log
    }

    /// Queues and index are known to be on the disk for every record before here.
    #[must_use]
    pub fn dispatched(&self) -> PhysicalOffset {
        self.dispatched
    }

    /// The log was synced.
    pub fn note_log(&mut self, synced: Synced) {
        self.log = synced;
        self.checkpoint.log = self.checkpoint.log.max(synced.newest);
    }

    /// All queues and the index were synced; before that sync every record before `dispatched`, the last one of them
    /// stored at `newest`, had been given to them; what was given since the start weighs so much in the
    /// [`census`](super::census).
    pub fn note_queues(&mut self, dispatched: PhysicalOffset, newest: StoreTime, weight: u64) {
        if dispatched >= self.dispatched {
            (self.dispatched, self.weight) = (dispatched, weight);
        }
        self.checkpoint.queues = self.checkpoint.queues.max(newest);
    }

    /// A full index file, or the last one that there will be, was synced; `newest` is the time of its last entry.
    pub fn note_index(&mut self, newest: StoreTime) {
        self.checkpoint.index = self.checkpoint.index.max(newest);
    }

    /// The index was synced up to a record.
    pub fn note_indexed(&mut self, newest: PhysicalOffset) {
        self.indexed = self.indexed.max(Some(newest));
    }

    /// Writes both files, the checkpoint only if it has changed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save(&mut self) -> Result<(), StoreError> {
        if self.saved != Some(self.checkpoint) {
            self.checkpoint.save(&*self.disk, &self.options)?;
            self.saved = Some(self.checkpoint);
        }
        let state = State::new(self.log.up_to, self.dispatched, self.log.newest, &self.checkpoint);
        self.file.save(state.with_queues(self.census.after(self.weight)).with_indexed(self.indexed))
    }

    /// Ends a store in order: log, queues, index, then what is known of them, then `abort` goes. It stays, so that the
    /// next start looks closely, when something was not dispatched yet.
    ///
    /// # Errors
    /// What the operating system says; `abort` stays then.
    pub fn close(&mut self, parts: CloseParts<'_>) -> Result<(), StoreError> {
        let synced = parts.log.sync()?;
        self.note_log(synced);
        sync_all(&parts.queues)?;
        if let Some(index) = parts.index {
            index.sync()?;
            self.note_indexed(index.newest);
            // The open file counts too: it is on the disk, and the next start need not build it again.
            self.note_index(index.newest_time);
        }
        self.note_queues(parts.dispatched, parts.newest, parts.weight);
        self.save()?;
        parts.preparation.discard()?;
        if parts.dispatched >= synced.up_to {
            let abort = self.options.file(ABORT);
            self.disk.remove_file(&abort).map_err(StoreError::io("remove", &abort))?;
            self.disk.sync_dir(self.options.root()).map_err(StoreError::io("sync", self.options.root()))?;
        }
        Ok(())
    }
}

/// What is to be put on the disk at the end.
#[derive(Debug)]
pub struct CloseParts<'a> {
    /// The log.
    pub log: &'a mut LogFlush,
    /// Every queue that was written to.
    pub queues: Vec<QueueSync>,
    /// The index file that takes the puts.
    pub index: Option<&'a IndexSync>,
    /// The segment made ahead, which is removed.
    pub preparation: &'a Preparation,
    /// Queues and index have every record before here.
    pub dispatched: PhysicalOffset,
    /// Store time of the last of these.
    pub newest: StoreTime,
    /// What those since the start weigh in the [`census`](super::census).
    pub weight: u64,
}

/// Whether the store was not closed in order; then makes the file that says so while it is open.
pub(super) fn mark_open(disk: &SharedDisk, options: &StoreOptions) -> Result<bool, StoreError> {
    let path = options.file(ABORT);
    let unclean = disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_some();
    disk.open(&path, OpenMode::Create).map_err(StoreError::io("create", &path))?;
    disk.sync_dir(options.root()).map_err(StoreError::io("sync", options.root()))?;
    Ok(unclean)
}

/// Takes the mark back when a store that was in order could not be opened.
pub(super) fn unmark(disk: &SharedDisk, options: &StoreOptions) {
    // The error that is being reported matters more than one here, after which the next start just looks more closely.
    let _ = disk.remove_file(&options.file(ABORT));
}
