//! Letters that no broker could be reached for, on the disk until one takes them: the files, and what may be done when.
//!
//! ```text
//!   DIRECTORY/00000000000000000000   records of letters, appended to; the name is the position of the first byte
//!             00000000000004194304   the next such file, which begins where the one before it ends
//!             sent                   the position up to which letters are sent
//!             refused                letters that brokers refused, in the same records
//!             lock                   held by the one producer that has the directory
//! ```
//!
//! Positions count all bytes that were ever appended. What lies before the sent position is of no use any more, and its files
//! are removed; what lies behind it is never removed, nor skipped. The bytes are on the page `docs/format/spool.md`.
//!
//! [`Spool`] is the files alone, without threads and waiting; the `thread` calls it, the `drain` sends what is in it, with the
//! `patience` that says for how long, and the `producer` is what applications have.

mod drain;
mod error;
mod opening;
mod patience;
mod position;
pub mod producer;
mod record;
mod segment;
mod thread;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::SpoolError;
use opening::{open_refused, open_segments};
use position::PositionFile;
pub use record::RECORD_HEADER_BYTES;
use record::{encode_letter, size_of_record};
pub use segment::HEADER_BYTES;
use segment::Segment;

use crate::client::letter::Letter;
use crate::store::disk::{Disk, SharedDisk, parents_of, sync_readable_dir};
use crate::store::layout::{StoreOptions, file_name};
use crate::store::lock::StoreLock;
use crate::store::{FileDisk, StoreError};

/// A file is begun when the one before it has this share of what may be in the spool,
const SEGMENTS: u64 = 16;
/// but within these bounds, in bytes.
const SEGMENT_BYTES_MIN: u64 = 4 << 10;
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// A group is committed when it has come to so many bytes, whoever else waits.
const GROUP_BYTES: u64 = 1 << 20;
/// The file of what brokers refused.
const REFUSED: &str = "refused";

/// Where a spool lies and what it may take.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use ferromq::client::SpoolOptions;
/// # use ferromq::client::spool::Spool;
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path().join("billing");
/// // A quarter of an hour for whoever makes topics, and no more than the disk has to spare.
/// let options = SpoolOptions { bytes_max: 64 << 20, patience: Duration::from_secs(900), ..SpoolOptions::at(&directory) };
/// let spool = Spool::open(&options)?;
/// assert!(directory.is_dir());
/// assert_eq!(spool.waiting().messages, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// Its directory, which is made if need be. One producer has it at a time.
    pub directory: PathBuf,
    /// The most that may be in it, in bytes: what waits, and what brokers refused. Files take a sixteenth more at most, and one
    /// group of messages.
    pub bytes_max: u64,
    /// How long a message is tried again that is refused for a reason that may pass, such as a topic that is not there, before
    /// it is put aside and the next one has its turn.
    pub patience: Duration,
    /// Its disk.
    pub disk: SharedDisk,
}

impl SpoolOptions {
    /// A spool of 256 MiB in a directory, with a patience of five minutes.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        let (bytes_max, patience) = (256 << 20, Duration::from_secs(300));
        Self { directory: directory.into(), bytes_max, patience, disk: FileDisk::shared() }
    }
}

/// What is in a spool.
///
/// See the example of [`Spool`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Messages that wait to be sent.
    pub messages: u64,
    /// Bytes of the disk that they take.
    pub bytes: u64,
    /// Messages that brokers refused for good, and that lie in the file `refused`.
    pub refused: u64,
    /// Bytes of the disk that these take.
    pub refused_bytes: u64,
}

/// The letters of one directory, which it holds until it is dropped.
///
/// # Example
/// ```
/// use ferromq::client::letter::Letter;
/// use ferromq::client::spool::Spool;
/// use ferromq::client::{SpoolOptions, Waiting};
/// use ferromq::protocol::codes::request;
/// use ferromq::protocol::names::Topic;
///
/// # let folder = tempfile::tempdir()?;
/// # let options = SpoolOptions::at(folder.path());
/// let letter = Letter {
///     topic: Topic::parse("Invoices")?,
///     code: request::SEND_MESSAGE_V2,
///     unique_ids: "0A000009000718B4AAC20B5BB0B80000".into(),
///     properties: String::new(),
///     sys_flag: 0,
///     flag: 0,
///     body: "number 1".into(),
/// };
/// let mut spool = Spool::open(&options)?;
/// spool.put(&letter)?;
/// spool.commit()?;
/// drop(spool);
/// // Whoever opens it next, after a crash, say, has what was committed.
/// let mut spool = Spool::open(&options)?;
/// assert_eq!(spool.front()?, Some(letter));
/// spool.sent()?;
/// assert_eq!((spool.front()?, spool.waiting()), (None, Waiting::default()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Spool {
    disk: SharedDisk,
    directory: PathBuf,
    limit: u64,
    /// The files of what waits, oldest first; the last one is appended to.
    segments: VecDeque<Segment>,
    refused: Option<Segment>,
    position: PositionFile,
    /// Letters before here are sent.
    sent: u64,
    /// Bytes of the first letter's record, once that has been read.
    front_bytes: Option<u64>,
    /// What was put and is to be committed.
    group: Vec<Vec<u8>>,
    group_bytes: u64,
    waiting: Waiting,
    is_poisoned: bool,
    _lock: StoreLock,
}

impl Spool {
    /// Opens a spool, with what an earlier process has left in it. A group of letters that a crash has torn, none of which was
    /// acknowledged, is cut off.
    ///
    /// # Errors
    /// Another producer has it, letters that were acknowledged cannot be read any more, and what the operating system says.
    pub fn open(options: &SpoolOptions) -> Result<Self, SpoolError> {
        let (disk, directory) = (options.disk.clone(), options.directory.clone());
        let lock = StoreLock::take(&disk, &StoreOptions::at(&directory)).map_err(|error| of_lock(error, &directory))?;
        let (position, sent) = PositionFile::open(&*disk, &directory)?;
        let (position, opened) = open_segments(&disk, &directory, position, sent)?;
        let (refused, refused_messages) = open_refused(&disk, &directory)?;
        // A file, or the directory, that an earlier process has made and not lived to sync would lose its name otherwise, once
        // there is a power cut.
        disk.sync_dir(&directory).map_err(SpoolError::io("sync", &directory))?;
        for parent in parents_of(&directory) {
            sync_readable_dir(&*disk, parent).map_err(SpoolError::io("sync", parent))?;
        }
        let mut spool = Self {
            disk,
            directory,
            limit: options.bytes_max,
            segments: opened.segments,
            refused,
            position,
            sent: opened.sent,
            front_bytes: None,
            group: Vec::new(),
            group_bytes: 0,
            waiting: Waiting { messages: opened.messages, refused: refused_messages, ..Waiting::default() },
            is_poisoned: false,
            _lock: lock,
        };
        spool.count_bytes();
        Ok(spool)
    }

    /// What is in it.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Takes a letter into the group that is committed next.
    ///
    /// # Errors
    /// It does not fit, or nothing is taken any more.
    pub fn put(&mut self, letter: &Letter) -> Result<(), SpoolError> {
        self.check_sound()?;
        let letter = encode_letter(letter);
        let needed = size_of_record(letter.len());
        let refused = self.waiting.refused_bytes;
        let (bytes, limit) = (self.waiting.bytes + refused + self.group_bytes, self.limit);
        if bytes + needed > limit {
            return Err(SpoolError::Full { directory: self.directory.clone(), bytes, refused, needed, limit });
        }
        self.group_bytes += needed;
        self.group.push(letter);
        Ok(())
    }

    fn check_sound(&self) -> Result<(), SpoolError> {
        let directory = || self.directory.clone();
        if self.is_poisoned { Err(SpoolError::Poisoned { directory: directory() }) } else { Ok(()) }
    }

    /// Bytes of the group that is committed next.
    #[must_use]
    pub fn group_bytes(&self) -> u64 {
        self.group_bytes
    }

    /// Writes the group, and returns when it is on the disk. Only then may its letters be acknowledged.
    ///
    /// # Errors
    /// What the operating system says. After a write that could be taken back there may be room later; after anything else
    /// nothing is taken any more, and the letters of the group may be sent or not.
    pub fn commit(&mut self) -> Result<(), SpoolError> {
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        if group.is_empty() {
            return Ok(());
        }
        let last = self.segments.back().filter(|last| last.len() < self.segment_bytes());
        if last.is_none() {
            let base = self.segments.back().map_or(self.sent, Segment::end);
            let new = Segment::create(&*self.disk, self.directory.join(file_name(base)), base)?;
            self.segments.push_back(new);
        }
        let last = self.segments.back_mut().expect("one was there or has been made");
        let is_new = last.len() == 0;
        match write_group(&*self.disk, &self.directory, last, &group) {
            Ok(()) => {
                self.waiting.messages += group.len() as u64;
                self.count_bytes();
                Ok(())
            }
            Err((error, is_undone)) => {
                self.is_poisoned |= !is_undone;
                if is_new {
                    // Nothing in it is acknowledged; the next one is made at the same place.
                    self.segments.pop_back();
                }
                Err(error)
            }
        }
    }

    /// The first letter that is not sent; it stays the first until it is [sent](Self::sent).
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn front(&mut self) -> Result<Option<Letter>, SpoolError> {
        // A file that was torn may have no record yet.
        let holds_it = |segment: &&Segment| self.sent.max(segment.first()) < segment.base() + segment.len();
        let Some(segment) = self.segments.iter().find(holds_it) else { return Ok(None) };
        let position = self.sent.max(segment.first());
        let (letter, bytes) = segment.read(position)?;
        (self.sent, self.front_bytes) = (position, Some(bytes));
        Ok(Some(letter))
    }

    /// The letter that [`Spool::front`] gave is sent.
    ///
    /// # Errors
    /// What the operating system says: then it is not known on the disk that it is sent, or files of letters that are sent
    /// could not be removed.
    ///
    /// # Panics
    /// None was given.
    pub fn sent(&mut self) -> Result<(), SpoolError> {
        let bytes = self.front_bytes.take().expect("only the front is sent");
        self.sent += bytes;
        self.waiting.messages -= 1;
        self.count_bytes();
        self.position.note(self.sent)?;
        let is_through = self.segments.front().is_some_and(|first| first.end() <= self.sent);
        if is_through || self.waiting.messages == 0 {
            self.remove_sent()?;
        }
        Ok(())
    }

    /// Puts a letter aside that brokers refuse: it lasts in a file of its own. The [front](Self::front) stays what it is until it
    /// is said to be [sent](Self::sent).
    ///
    /// # Errors
    /// What the operating system says.
    pub fn put_aside(&mut self, letter: &Letter) -> Result<(), SpoolError> {
        let mut aside = match self.refused.take() {
            Some(aside) => aside,
            None => Segment::create(&*self.disk, self.directory.join(REFUSED), 0)?,
        };
        let written = write_group(&*self.disk, &self.directory, &mut aside, &[encode_letter(letter)]);
        self.refused = Some(aside);
        written.map_err(|(error, _)| error)?;
        self.waiting.refused += 1;
        self.count_bytes();
        Ok(())
    }

    /// Puts what was refused behind everything that waits, so that it is tried again; gives how many letters that are. For that
    /// time they take their room twice, and a crash may leave some of them in both places.
    ///
    /// # Errors
    /// They cannot be read, and as [`Spool::commit`]: what was refused is still there then.
    pub fn retry_refused(&mut self) -> Result<u64, SpoolError> {
        let Some(aside) = self.refused.take() else { return Ok(0) };
        let outcome = self.put_again(&aside);
        self.refused = Some(aside);
        outcome?;
        self.discard_refused()
    }

    fn put_again(&mut self, aside: &Segment) -> Result<(), SpoolError> {
        self.check_sound()?;
        let mut position = aside.first();
        while position < aside.len() {
            let (letter, bytes) = aside.read(position)?;
            position += bytes;
            self.group_bytes += bytes;
            self.group.push(encode_letter(&letter));
            if self.group_bytes >= GROUP_BYTES {
                self.commit()?;
            }
        }
        self.commit()
    }

    /// Removes what was refused; gives how many letters that were.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn discard_refused(&mut self) -> Result<u64, SpoolError> {
        let Some(aside) = self.refused.take() else { return Ok(0) };
        if let Err(error) = remove(&*self.disk, &self.directory, aside.path()) {
            self.refused = Some(aside);
            return Err(error);
        }
        let discarded = std::mem::take(&mut self.waiting.refused);
        self.count_bytes();
        Ok(discarded)
    }

    /// Removes files of which everything is sent; what says so is made to last before. The last one is kept while it has room.
    fn remove_sent(&mut self) -> Result<(), SpoolError> {
        self.position.settle()?;
        while let [first, _, ..] = &*self.segments.make_contiguous()
            && first.end() <= self.sent
        {
            remove(&*self.disk, &self.directory, first.path())?;
            self.segments.pop_front();
        }
        Ok(())
    }

    fn count_bytes(&mut self) {
        let end = self.segments.back().map_or(self.sent, |last| last.base() + last.len());
        self.waiting.bytes = if self.waiting.messages == 0 { 0 } else { end.saturating_sub(self.sent) };
        self.waiting.refused_bytes = self.refused.as_ref().map_or(0, Segment::len);
    }

    fn segment_bytes(&self) -> u64 {
        (self.limit / SEGMENTS).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
    }
}

/// Writes a group and makes it last; of an error it is told whether nothing of the group is left.
fn write_group(
    disk: &dyn Disk,
    directory: &Path,
    segment: &mut Segment,
    letters: &[Vec<u8>],
) -> Result<(), (SpoolError, bool)> {
    if segment.len() == 0 {
        let synced = disk.sync_dir(directory);
        synced.map_err(|source| (SpoolError::Sync { path: directory.into(), source }, false))?;
    }
    match segment.write(letters) {
        Ok(written) => segment.sync(written).map_err(|error| (error, false)),
        Err(error) => Err((error, segment.undo().is_ok())),
    }
}

/// Removes a file so that it does not come back after a power cut, after which a later one might be gone.
fn remove(disk: &dyn Disk, directory: &Path, path: &Path) -> Result<(), SpoolError> {
    disk.remove_file(path).map_err(SpoolError::io("remove", path))?;
    disk.sync_dir(directory).map_err(SpoolError::io("sync", directory))
}

fn of_lock(error: StoreError, directory: &Path) -> SpoolError {
    match error {
        StoreError::Io { action, path, source } => SpoolError::Io { action, path, source },
        _ => SpoolError::Taken { directory: directory.into() },
    }
}
