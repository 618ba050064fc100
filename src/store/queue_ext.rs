//! The extension of one consume queue (`enableConsumeQueueExt`): what an entry of 20 bytes has no room for.
//!
//! ```text
//!   consumequeue/T/0       ─┬─ entry: offset, size, address ─┬─ …
//!                           │                                │
//!   consumequeue_ext/T/0    └► unit: tag code, time, bit map └► unit … │ end mark │ the next file
//! ```
//!
//! # Layout
//! Units of [`Unit`]'s form one behind the other, in files of one fixed length, each named by its first byte's number. None
//! crosses the end of a file: where one does not fit, and four bytes more, stands the number -1 (i16), and the next file
//! goes on. Worked example: `docs/format/consumequeue.md`.
//!
//! # Invariant
//! A unit is there before the entry that names it, and no address is given out again while an entry may name it. Of a unit
//! that is missing all the same nothing is known, and its record passes every filter.
//!
//! Like its queue it has one owner, and opens files when they are needed; a [`UnitReader`] reads from any thread. What is
//! deliberately absent: how a bit map is made.
//!
//! # Source
//! `ConsumeQueueExt` 4.9.7 (measured: store fixture `e-queue-ext`; rolling and recovery read).

mod cleaning;
mod reader;
mod recovery;
mod unit;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) use cleaning::ExtensionFiles;
pub use reader::UnitReader;
pub(super) use recovery::Named;
pub use unit::{Extension, UNIT_BYTES_MAX, UNIT_HEAD_BYTES, Unit, UnitAddress};

use super::disk::SharedDisk;
use super::error::StoreError;
use super::layout::{StoreOptions, base_of};
use super::queue_file::QueueFile;
use super::queue_sync::QueueSync;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;

/// What a file keeps free behind its last unit.
const END_BYTES: u64 = 4;
/// Stands where the next unit would be, when that is in the next file.
const END_MARK: [u8; 2] = (-1_i16).to_be_bytes();

/// The extension of one queue.
#[derive(Debug)]
pub struct QueueExtension {
    disk: SharedDisk,
    directory: PathBuf,
    file_bytes: u64,
    /// Oldest first, without gaps.
    files: Vec<QueueFile>,
    /// Where the next unit goes.
    write: u64,
    sync: QueueSync,
}

impl QueueExtension {
    /// An extension without files; its directory appears with the first unit.
    #[must_use]
    pub fn new(disk: SharedDisk, options: &StoreOptions, topic: &Topic, queue_id: QueueId) -> Self {
        let directory = options.queue_ext_dir(topic, queue_id);
        let sync = QueueSync::new(Arc::clone(&disk), directory.clone());
        Self { disk, directory, file_bytes: options.queue_ext_file_bytes, files: Vec::new(), write: 0, sync }
    }

    /// Appends a unit; `None` if it is too long for a unit or for a file, or if no address is left for it.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], or what the operating system says; the unit is not there then.
    pub fn put(&mut self, unit: &Unit<'_>) -> Result<Option<UnitAddress>, StoreError> {
        let size = unit.size() as u64;
        let fits = unit.size() <= UNIT_BYTES_MAX && size + END_BYTES <= self.file_bytes;
        if !fits || UnitAddress::of_offset(self.write + self.file_bytes + size).is_none() {
            return Ok(None);
        }
        let left = self.file_bytes - self.write % self.file_bytes;
        if size + END_BYTES > left {
            self.end_file()?;
        }
        let at = self.write;
        self.fill(at..at + size, |room| unit.encode(room))?;
        self.write += size;
        Ok(UnitAddress::of_offset(at))
    }

    /// Takes back the unit that was put last: its entry could not be appended.
    pub(super) fn take_back(&mut self, address: UnitAddress) {
        debug_assert!(address.offset() < self.write, "the unit was put");
        self.write = address.offset();
    }

    /// The unit at an address; `None` if there is none, or what lies there is no unit.
    ///
    /// # Errors
    /// What the operating system says when the file has to be opened.
    pub fn unit(&mut self, address: UnitAddress) -> Result<Option<Unit<'_>>, StoreError> {
        let at = address.offset();
        let Some(index) = self.file_of(at).filter(|_| at < self.write) else { return Ok(None) };
        if !self.files.get(index).is_some_and(QueueFile::is_open) {
            // Of the files that are only read one is held open at a time.
            let written = self.files.len().saturating_sub(1);
            self.files.iter_mut().take(written).for_each(QueueFile::close);
        }
        let Self { files, disk, directory, file_bytes, .. } = self;
        let Some(file) = files.get_mut(index) else { return Ok(None) };
        Ok(Unit::decode(file.bytes(disk, directory, *file_bytes, at, UNIT_BYTES_MAX as u64)?))
    }

    /// What another thread needs to read units.
    #[must_use]
    pub fn reader(&self) -> UnitReader {
        UnitReader::new(Arc::clone(&self.disk), self.directory.clone(), self.file_bytes)
    }

    pub(super) fn sync(&self) -> &QueueSync {
        &self.sync
    }

    pub(super) fn close_idle(&mut self) {
        self.files.iter_mut().for_each(QueueFile::close);
    }

    pub(super) fn is_open(&self) -> bool {
        self.files.iter().any(QueueFile::is_open)
    }

    /// Removes all files and the directory.
    pub(super) fn destroy(&mut self) -> Result<(), StoreError> {
        self.remove_all()?;
        self.remove_strangers()?;
        self.write = 0;
        self.disk.remove_dir(&self.directory).map_err(StoreError::io("remove", &self.directory))
    }

    /// The file that holds a byte position.
    fn file_of(&self, at: u64) -> Option<usize> {
        let since_first = at.checked_sub(self.files.first()?.base)?;
        let index = (since_first / self.file_bytes) as usize;
        (index < self.files.len()).then_some(index)
    }

    /// Marks the end of the file that is written to, and goes on in the next one.
    fn end_file(&mut self) -> Result<(), StoreError> {
        let (at, mark_end) = (self.write, self.write + END_MARK.len() as u64);
        let next = at - at % self.file_bytes + self.file_bytes;
        // Only what nobody wrote as it should be ends so near to the end of a file.
        if mark_end <= next {
            self.fill(at..mark_end, |room| room.copy_from_slice(&END_MARK))?;
        }
        self.write = next;
        Ok(())
    }

    /// Writes something new, into a new file if it is the first there.
    fn fill(&mut self, range: Range<u64>, write: impl FnOnce(&mut [u8])) -> Result<(), StoreError> {
        let index = match self.file_of(range.start) {
            Some(index) => index,
            None => self.create_file(range.start - range.start % self.file_bytes)?,
        };
        let Self { files, disk, directory, file_bytes, sync, .. } = self;
        let file = files.get_mut(index).expect("found or made above");
        write(file.bytes_mut(disk, directory, *file_bytes, range, true)?);
        sync.mark(file);
        Ok(())
    }

    fn create_file(&mut self, base: u64) -> Result<usize, StoreError> {
        if self.files.is_empty() {
            self.disk.create_dir(&self.directory).map_err(StoreError::io("create", &self.directory))?;
            self.remove_strangers()?;
        }
        // From now on the files before it are only read.
        self.close_idle();
        let mut file = QueueFile::new(base);
        file.create(&self.disk, &self.directory, self.file_bytes)?;
        self.files.push(file);
        self.sync.note_names();
        Ok(self.files.len() - 1)
    }

    /// Removes files that were left behind when the queue was taken away: the next start would not know what they are.
    fn remove_strangers(&self) -> Result<(), StoreError> {
        let found = self.disk.list(&self.directory).map_err(StoreError::io("list", &self.directory))?;
        for entry in found.iter().filter(|entry| !entry.is_dir && base_of(&entry.name).is_some()) {
            let path = self.directory.join(&entry.name);
            self.disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }
}
