//! Looking for records by key from a thread that may wait for the disk, while the index's owner goes on.

use std::path::PathBuf;

use super::file::{Header, IndexEntry, chain, entry_at, slot_at};
use super::{Index, key_hash};
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::disk::SharedFile;
use crate::store::error::StoreError;
use crate::store::layout::INDEX_ENTRY_BYTES;

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where the records lie, oldest first.
    pub records: Vec<PhysicalOffset>,
    /// Store time of the newest indexed record.
    pub newest_time: StoreTime,
    /// Where the newest indexed record lies.
    pub newest: PhysicalOffset,
}

/// The index as it was at one moment: keys that came later are not in it.
#[derive(Clone, Debug)]
pub struct IndexSnapshot {
    /// Oldest first.
    pub(super) files: Vec<FileSnapshot>,
}

/// One file of it.
#[derive(Clone, Debug)]
pub(super) struct FileSnapshot {
    pub(super) file: SharedFile,
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) slots: u32,
    pub(super) entries_max: u32,
}

impl Index {
    /// What another thread needs to look for records.
    #[must_use]
    pub fn snapshot(&self) -> IndexSnapshot {
        IndexSnapshot { files: self.files.iter().map(super::file::IndexFile::snapshot).collect() }
    }

    /// See [`IndexSnapshot::lookup`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn lookup(
        &self,
        topic: &str,
        key: &str,
        max: usize,
        begin: StoreTime,
        end: StoreTime,
    ) -> Result<Found, StoreError> {
        self.snapshot().lookup(topic, key, max, begin, end)
    }
}

impl IndexSnapshot {
    /// The records of a topic with a key, stored between `begin` and `end`, the newest ones up to `max`.
    ///
    /// # Errors
    /// What the operating system says.
    ///
    /// # Source
    /// `IndexService.queryOffset` 4.9.7 (measured: `queryByKey` of the store fixtures).
    pub fn lookup(
        &self,
        topic: &str,
        key: &str,
        max: usize,
        begin: StoreTime,
        end: StoreTime,
    ) -> Result<Found, StoreError> {
        let hash = key_hash(topic, key);
        let mut found = Found::default();
        if let Some(newest) = self.files.last() {
            (found.newest_time, found.newest) = (newest.header.end_time, newest.header.end);
        }
        for file in self.files.iter().rev() {
            if begin <= file.header.end_time && end >= file.header.begin_time {
                file.lookup(hash, max, begin, end, &mut found.records)?;
            }
            if file.header.begin_time < begin || found.records.len() >= max {
                break;
            }
        }
        found.records.sort_unstable();
        Ok(found)
    }
}

impl FileSnapshot {
    /// Adds the records of a hash, newest first, until `found` has `max`.
    fn lookup(
        &self,
        hash: i32,
        max: usize,
        begin: StoreTime,
        end: StoreTime,
        found: &mut Vec<PhysicalOffset>,
    ) -> Result<(), StoreError> {
        let next_entry = self.header.next_entry;
        if next_entry <= 1 {
            return Ok(());
        }
        let first = i32::from_be_bytes(self.read(slot_at(hash, self.slots))?);
        // What was put since the snapshot stands ahead of what was there.
        let newest = self.entries_max as i32;
        let read = |number| self.read(entry_at(number, self.slots)).map(|bytes| IndexEntry::decode(&bytes));
        for entry in chain(first, newest, read) {
            let entry = entry?;
            if found.len() >= max || entry.seconds < 0 {
                break;
            }
            // Exact to the second only: that is how it is stored.
            let time = StoreTime(self.header.begin_time.0.saturating_add(i64::from(entry.seconds) * 1_000));
            if entry.hash == hash && (begin..=end).contains(&time) {
                found.push(entry.physical);
            }
            if time < begin {
                break;
            }
        }
        Ok(())
    }

    /// Bytes at a place of the file; zeros behind its end.
    fn read<const N: usize>(&self, at: u64) -> Result<[u8; N], StoreError> {
        debug_assert!(N <= INDEX_ENTRY_BYTES as usize);
        let mut bytes = [0; N];
        self.file.read_at(&mut bytes, at).map_err(StoreError::io("read", &self.path))?;
        Ok(bytes)
    }
}
