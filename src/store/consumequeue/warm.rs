//! Getting entries into memory ahead of their reader, on a thread that may wait for the disk.

use std::io;
use std::ops::Range;

use super::ConsumeQueue;
use crate::protocol::units::QueueOffset;
use crate::store::disk::SharedFile;
use crate::store::error::StoreError;
use crate::store::layout::QUEUE_ENTRY_BYTES;

/// How much is read at once: 13,107 entries, so that a consumer of a long backlog seldom asks.
const WARM_BYTES: u64 = 256 * 1024;

/// Reads a part of a queue file, after which its pages are in memory.
#[derive(Debug)]
pub struct WarmUp {
    file: SharedFile,
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
    pub fn run(&self) -> io::Result<()> {
        let mut read = vec![0; (self.bytes.end - self.bytes.start) as usize];
        self.file.read_at(&mut read, self.bytes.start).map(|_| ())
    }
}

impl ConsumeQueue {
    /// What gets the entries from `offset` on into memory; `None` if there is no such entry.
    ///
    /// # Errors
    /// What the operating system says when the file has to be opened.
    pub fn warm_up(&self, offset: QueueOffset) -> Result<Option<WarmUp>, StoreError> {
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let Some(index) = self.file_of(at).filter(|_| (self.min..self.write).contains(&at)) else { return Ok(None) };
        let file_bytes = self.file_bytes();
        let until = (at + WARM_BYTES).min(self.write);
        let Some(file) = self.files.get(index) else { return Ok(None) };
        let until = until.min(file.base + file_bytes);
        let bytes = at - file.base..until - file.base;
        let entries = offset.0..until / QUEUE_ENTRY_BYTES;
        let file = file.unmapped(&self.disk, &self.directory)?;
        Ok(Some(WarmUp { file, bytes, entries }))
    }
}
