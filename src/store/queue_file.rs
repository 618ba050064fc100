//! One file of a consume queue or of its extension: on the disk always, open and mapped only while it is in use.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::disk::{OpenMode, SharedDisk, SharedFile};
use super::error::StoreError;
use super::layout::file_name;
use super::queue_sync::QueueSync;
use super::segment::OwnedMapping;

/// Least and most room that is taken ahead of the writer. It doubles from one to the other, so that a queue with a few
/// entries takes one block and a busy one seldom asks.
const STEP_BYTES_MIN: u64 = 4 * 1024;
const STEP_BYTES_MAX: u64 = 256 * 1024;

/// A file that begins at byte `base` of its queue.
#[derive(Debug)]
pub(super) struct QueueFile {
    pub(super) base: u64,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: SharedFile,
    map: OwnedMapping,
    /// Bytes below this have room on the disk, as far as this opening knows.
    allocated: u64,
    /// How much is taken next.
    step: u64,
}

impl QueueFile {
    pub(super) fn new(base: u64) -> Self {
        Self { base, open: None }
    }

    pub(super) fn path(&self, directory: &Path) -> PathBuf {
        directory.join(file_name(self.base))
    }

    /// Makes the file: full length, no room yet.
    pub(super) fn create(&mut self, disk: &SharedDisk, directory: &Path, len: u64) -> Result<(), StoreError> {
        let path = self.path(directory);
        let file = disk.open(&path, OpenMode::Create).map_err(StoreError::io("create", &path))?;
        file.set_len(0).map_err(StoreError::io("truncate", &path))?;
        file.set_len(len).map_err(StoreError::io("extend", &path))?;
        self.map(file, &path, len)?;
        Ok(())
    }

    /// Removes the file from the end of its queue, and notes that: were it to come back after a power cut, its entries would be
    /// taken for those of the records that come to lie where theirs have lain.
    pub(super) fn remove(self, disk: &SharedDisk, directory: &Path, sync: &QueueSync) -> Result<(), StoreError> {
        let path = self.path(directory);
        disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
        sync.note_names();
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// `len` bytes from position `at` of the queue; fewer if the file ends before.
    pub(super) fn bytes(
        &mut self,
        disk: &SharedDisk,
        directory: &Path,
        file_bytes: u64,
        at: u64,
        len: u64,
    ) -> Result<&[u8], StoreError> {
        let from = at - self.base;
        let len = len.min(file_bytes - from);
        let open = self.opened(disk, directory, file_bytes)?;
        Ok(open.map.bytes(from as usize, len as usize).unwrap_or_default())
    }

    /// The bytes at `range` of the queue, none of which is in another file. For what is new, behind which nothing of value
    /// lies, room on the disk is taken first.
    #[inline]
    pub(super) fn bytes_mut(
        &mut self,
        disk: &SharedDisk,
        directory: &Path,
        file_bytes: u64,
        range: Range<u64>,
        new: bool,
    ) -> Result<&mut [u8], StoreError> {
        let (base, from, end) = (self.base, range.start - self.base, range.end - self.base);
        let open = self.opened(disk, directory, file_bytes)?;
        if new && open.allocated < end {
            // From the bytes themselves on: before them lies what must not be touched.
            let start = open.allocated.max(from);
            let until = (start + open.step).max(end).min(file_bytes);
            let taken = open.file.allocate(start..until);
            taken.map_err(|source| StoreError::allocate(&directory.join(file_name(base)), until - start, source))?;
            open.allocated = until;
            open.step = (open.step * 2).min(STEP_BYTES_MAX);
        }
        let bytes = open.map.bytes_mut(from as usize, (end - from) as usize);
        Ok(bytes.expect("neither entries nor units cross the end of a file"))
    }

    /// Clears everything from position `at` of the queue to the end of the file, for good.
    pub(super) fn clear_from(
        &self,
        disk: &SharedDisk,
        directory: &Path,
        file_bytes: u64,
        at: u64,
    ) -> Result<(), StoreError> {
        let rest = at - self.base..file_bytes;
        let path = self.path(directory);
        let file = self.unmapped(disk, directory)?;
        if file.is_zero(rest.clone()).map_err(StoreError::io("read", &path))? {
            return Ok(());
        }
        file.zero(rest).map_err(StoreError::io("clear", &path))?;
        file.sync().map_err(StoreError::io("sync", &path))
    }

    /// The file for calls that need no mapping; opened for them alone unless it is open.
    pub(super) fn unmapped(&self, disk: &SharedDisk, directory: &Path) -> Result<SharedFile, StoreError> {
        match &self.open {
            Some(open) => Ok(SharedFile::clone(&open.file)),
            None => {
                let path = self.path(directory);
                disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))
            }
        }
    }

    fn opened(&mut self, disk: &SharedDisk, directory: &Path, len: u64) -> Result<&mut OpenFile, StoreError> {
        if self.open.is_none() {
            let path = self.path(directory);
            let file = disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))?;
            self.map(file, &path, len)?;
        }
        Ok(self.open.as_mut().expect("was opened above"))
    }

    fn map(&mut self, file: SharedFile, path: &Path, len: u64) -> Result<(), StoreError> {
        let map = OwnedMapping::new(file.map(len).map_err(StoreError::io("map", path))?);
        self.open = Some(OpenFile { file, map, allocated: 0, step: STEP_BYTES_MIN });
        Ok(())
    }
}
