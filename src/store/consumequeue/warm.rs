//! Getting entries into memory ahead of their reader, on a thread that may wait for the disk.

use std::ops::Range;
use std::path::PathBuf;

use super::ConsumeQueue;
use crate::protocol::units::QueueOffset;
use crate::store::disk::{OpenMode, SharedDisk};
use crate::store::error::StoreError;
use crate::store::layout::QUEUE_ENTRY_BYTES;

/// How much is read at once: 13,107 entries, so that a consumer of a long backlog seldom asks.
const WARM_BYTES: u64 = 256 * 1024;

/// Reads a part of a queue file, after which its pages are in memory, and what is needed to open it as well.
#[derive(Debug)]
pub struct WarmUp {
    disk: SharedDisk,
    path: PathBuf,
    bytes: Range<u64>,
    entries: Range<u64>,
}

impl WarmUp {
    /// The entries that are in memory afterwards.
    #[must_use]
    pub fn entries(&self) -> Range<u64> {
        self.entries.clone()
    }

    /// Reads them.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn run(&self) -> Result<(), StoreError> {
        let file = self.disk.open(&self.path, OpenMode::Existing).map_err(StoreError::io("open", &self.path))?;
        let mut read = vec![0; (self.bytes.end - self.bytes.start) as usize];
        file.read_at(&mut read, self.bytes.start).map(drop).map_err(StoreError::io("read", &self.path))
    }
}

impl ConsumeQueue {
    /// What gets the entries from `offset` on into memory; `None` if there is no such entry. Nothing is opened yet: where a
    /// file lies may have to be read from the disk as well.
    #[must_use]
    pub fn warm_up(&self, offset: QueueOffset) -> Option<WarmUp> {
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let index = self.file_of(at).filter(|_| (self.min..self.write).contains(&at))?;
        let file = self.files.get(index)?;
        let until = (at + WARM_BYTES).min(self.write).min(file.base + self.file_bytes());
        Some(WarmUp {
            disk: SharedDisk::clone(&self.disk),
            path: file.path(&self.directory),
            bytes: at - file.base..until - file.base,
            entries: offset.0..until / QUEUE_ENTRY_BYTES,
        })
    }
}
