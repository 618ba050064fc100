//! A store that no broker has open, looked at from outside: what is in it, what is wrong with it, and how it is mended.
//!
//! ```text
//!   OfflineStore ─► survey: topics, queues, sizes, times
//!        │       ─► verify: every record, entry, key and unit, against each other
//!        │       ─► dump:   records, one after the other
//!        └──────── ► repair: queues and index from the log, beside the old ones, then in their place
//! ```
//!
//! # Invariant
//! But for [`repair`], nothing here makes a file or changes a byte: files are opened to be read, and read in blocks, never
//! mapped, so that an unreadable sector is an error and not the end of the process. Memory does not grow with the log.
//!
//! What is deliberately absent: what is printed, and the meaning of the files under `config/`, which the caller brings.

pub mod dump;
mod finding;
mod index;
mod index_sizes;
mod log;
mod queues;
pub mod repair;
mod sizes;
pub mod survey;
pub mod verify;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

pub use self::finding::{Finding, Findings, Part, Place, Severity};
use self::log::LogFiles;
use self::queues::QueueTree;
pub use self::sizes::{KnownBy, Sizes};
use super::checkpoint::Checkpoint;
use super::config_files::Loaded;
use super::deleted_topics::DeletedTopics;
use super::disk::SharedDisk;
use super::error::StoreError;
use super::layout::StoreOptions;
use super::lock::StoreLock;
use super::open;
use super::recovery;
use super::state::State;
use crate::protocol::message::{MAGIC_V1, RecordError, RecordHead};
use crate::protocol::units::{PhysicalOffset, StoreTime};

/// Names the queues that get an entry of a record besides its own (`enableMultiDispatch`).
const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";

/// Why something cannot be told or done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// What the store itself says: it is in use, or a file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory holds no store.
    #[error("{} is no store: {problem}", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What shows it.
        problem: &'static str,
    },
    /// Something was asked for that is not there.
    #[error("{0}")]
    NotThere(String),
    /// The log has a gap that only its owner can decide about.
    #[error("{0}")]
    Undecided(String),
}

/// A store whose lock is held, so that no broker changes it meanwhile.
#[derive(Debug)]
pub struct OfflineStore {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    sizes: Sizes,
    log: LogFiles,
    queues: QueueTree,
    deleted: Loaded<DeletedTopics>,
    checkpoint: Checkpoint,
    /// `None` where there is none, or another broker has written since.
    state: Option<State>,
    unclean: bool,
    /// What was met in the directories that does not belong there.
    strange: Findings,
    _lock: StoreLock,
}

impl OfflineStore {
    /// Looks at a store. The sizes of its files are taken from the files; `configured` says where they lie, and what no file
    /// tells.
    ///
    /// # Errors
    /// There is no store, it is in use, or the operating system refuses something.
    pub fn open(disk: SharedDisk, configured: &StoreOptions) -> Result<Self, OfflineError> {
        Self::open_locked(disk, configured, StoreLock::look)
    }

    /// As [`OfflineStore::open`], for who is going to change it: nobody else can even look meanwhile.
    fn open_to_change(disk: SharedDisk, configured: &StoreOptions) -> Result<Self, OfflineError> {
        Self::open_locked(disk, configured, StoreLock::take)
    }

    fn open_locked(
        disk: SharedDisk,
        configured: &StoreOptions,
        lock: impl FnOnce(&SharedDisk, &StoreOptions) -> Result<StoreLock, StoreError>,
    ) -> Result<Self, OfflineError> {
        refuse_what_is_none(&disk, configured)?;
        open::refuse_foreign(&disk, configured)?;
        let ours = open::is_ours(&disk, configured)?;
        let lock = lock(&disk, configured)?;
        let mut strange = Findings::default();
        let log = LogFiles::find(&disk, configured, &mut strange)?;
        let queues = QueueTree::find(&disk, configured, &mut strange)?;
        let (options, sizes) = sizes::found(&disk, configured, &log, &queues)?;
        let checkpoint = Checkpoint::load(&*disk, &options)?;
        let state = State::load(&*disk, &options)?.filter(|state| ours && state.matches(&checkpoint));
        let abort = options.file("abort");
        let unclean = disk.entry(&abort).map_err(StoreError::io("stat", &abort))?.is_some();
        let deleted = DeletedTopics::look(&*disk, &options)?;
        deleted_topics_are_damaged(&options, &deleted, &mut strange);
        let options = Arc::new(options);
        Ok(Self { disk, options, sizes, log, queues, deleted, checkpoint, state, unclean, strange, _lock: lock })
    }

    /// How the store is laid out, by its files.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Which of the sizes are known, and by what.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Whether it was not closed in order: the next start looks closely, and mends what a crash leaves behind.
    #[must_use]
    pub fn is_unclean(&self) -> bool {
        self.unclean
    }

    /// Where the log begins.
    #[must_use]
    pub fn log_min(&self) -> PhysicalOffset {
        self.log.min()
    }

    /// The file and the byte of a place in the log.
    fn place(&self, at: PhysicalOffset) -> Place {
        match self.log.file_of(at.0) {
            Some(file) => Place { path: Some(file.path.clone()), byte: Some(at.0 - file.base), ..Place::in_log(at) },
            None => Place::in_log(at),
        }
    }

    /// Whether a record was deleted with its topic, as far as that can be read.
    fn is_deleted(&self, topic: &str, at: PhysicalOffset) -> bool {
        self.deleted.value.as_ref().is_some_and(|deleted| deleted.covers(topic, at))
    }

    /// Whether a record was on the disk for sure: damage there is the medium's, not a torn tail.
    fn is_durable(&self, end: PhysicalOffset, stored: StoreTime) -> bool {
        match self.state {
            Some(state) => end <= state.durable(),
            None => stored <= self.checkpoint.durable_time(),
        }
    }

    /// Whether a record was promised to anybody: a store that was closed in order has no torn tail.
    fn is_promised(&self, head: &RecordHead<'_>) -> bool {
        !self.unclean || self.is_durable(head.end(), head.store_time)
    }

    /// What is wrong with a record, as a start sees it: its body, or that a sector of it has never reached the disk.
    fn damage(&self, head: &RecordHead<'_>) -> Option<RecordError> {
        head.check_body().err().or_else(|| {
            let lacks_sector = !self.is_promised(head) && self.lacks_sector(head);
            lacks_sector.then_some(RecordError::LostSector)
        })
    }

    fn lacks_sector(&self, head: &RecordHead<'_>) -> bool {
        let Some(file) = self.log.file_of(head.physical_offset.0) else { return false };
        // What was parsed is what stands there.
        let mut text = Vec::with_capacity(4 + head.topic.len() + head.properties.len());
        match head.magic {
            MAGIC_V1 => text.push(head.topic.len() as u8),
            _ => text.extend((head.topic.len() as u16).to_be_bytes()),
        }
        text.extend(head.topic.as_bytes());
        text.extend((head.properties.len() as u16).to_be_bytes());
        text.extend(head.properties.as_bytes());
        recovery::lacks_sector(head, (head.physical_offset.0 - file.base) as usize, &text)
    }

    /// Whether queues and index have a record for sure. After a crash what they lack of others is made at the next start.
    fn is_dispatched(&self, end: PhysicalOffset, stored: StoreTime) -> bool {
        !self.unclean
            || match self.state {
                Some(state) => end <= state.dispatched(),
                None => stored <= self.checkpoint.durable_time(),
            }
    }
}

/// The directory that is meant: itself, or the `store` in it, as servers make it under their data directory.
#[must_use]
pub fn root_at(disk: &SharedDisk, directory: &Path) -> PathBuf {
    let is_there = |path: &Path| matches!(disk.entry(path), Ok(Some(_)));
    let is_store = |root: &Path| is_there(&root.join("commitlog")) || is_there(&root.join("lock"));
    let inner = directory.join("store");
    if !is_store(directory) && is_store(&inner) { inner } else { directory.into() }
}

/// Tells what a start would put right, or refuse.
fn deleted_topics_are_damaged(options: &StoreOptions, deleted: &Loaded<DeletedTopics>, strange: &mut Findings) {
    let copy = if deleted.is_of_copy() { "; the copy beside it can" } else { "" };
    for warning in &deleted.warnings {
        strange.fault(Part::Config, Place::file(DeletedTopics::path(options)), format!("{warning}{copy}"));
    }
}

fn refuse_what_is_none(disk: &SharedDisk, options: &StoreOptions) -> Result<(), OfflineError> {
    let is = |path: PathBuf, problem| OfflineError::NotAStore { path, problem };
    let root = options.root().to_path_buf();
    match disk.entry(&root).map_err(StoreError::io("stat", &root))? {
        None => return Err(is(root, "there is no such directory")),
        Some(entry) if !entry.is_dir => return Err(is(root, "it is a file")),
        Some(_) => {}
    }
    let inner = [options.queues_dir(), options.queue_exts_dir(), options.index_dir(), options.config_dir()];
    for path in options.log_dirs().into_iter().chain(inner) {
        if disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_some_and(|entry| !entry.is_dir) {
            return Err(is(path, "it is a file where a directory belongs"));
        }
    }
    // The log of a store appears with its first message, the lock file with its first broker.
    for path in options.log_dirs().into_iter().chain([options.file("lock")]) {
        if disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_some() {
            return Ok(());
        }
    }
    Err(is(root, "it has no directory commitlog"))
}
