//! Reading one index file that nobody writes to, in blocks.

use std::io;
use std::path::PathBuf;

use super::NAME_DIGITS;
use super::file::{Header, IndexEntry, entry_at, slot_at};
use super::search::{FileSnapshot, IndexSnapshot};
use crate::store::disk::{Disk, OpenMode, SharedFile};
use crate::store::error::StoreError;
use crate::store::layout::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, INDEX_SLOT_BYTES, StoreOptions};

/// How much is read at once.
const BLOCK_BYTES: usize = 64 << 10;

/// One index file.
#[derive(Debug)]
pub(in crate::store) struct IndexFileReader {
    file: SharedFile,
    slots: u32,
    entries_max: u32,
    block: Vec<u8>,
    block_at: u64,
}

impl IndexFileReader {
    /// The index files of a store that have any bytes, oldest first, with their lengths.
    pub(in crate::store) fn list(disk: &dyn Disk, options: &StoreOptions) -> Result<Vec<(PathBuf, u64)>, StoreError> {
        let directory = options.index_dir();
        let entries = disk.list(&directory).map_err(StoreError::io("list", &directory))?;
        let is_index = |name: &str| name.len() == NAME_DIGITS && name.bytes().all(|digit| digit.is_ascii_digit());
        let files = entries.into_iter().filter(|entry| !entry.is_dir && entry.len > 0 && is_index(&entry.name));
        Ok(files.map(|entry| (directory.join(&entry.name), entry.len)).collect())
    }

    /// Of a file with so many slots and entries.
    pub(in crate::store) fn of(file: SharedFile, slots: u32, entries_max: u32) -> Self {
        Self { file, slots, entries_max, block: Vec::new(), block_at: 0 }
    }

    pub(in crate::store) fn header(&mut self) -> io::Result<Header> {
        Ok(Header::decode(&self.read(0)?))
    }

    pub(in crate::store) fn entry(&mut self, number: i32) -> io::Result<IndexEntry> {
        Ok(IndexEntry::decode(&self.read(entry_at(number, self.slots))?))
    }

    /// Number of the newest entry in the chain that a hash belongs to.
    pub(in crate::store) fn newest_of(&mut self, hash: i32) -> io::Result<i32> {
        self.read(slot_at(hash, self.slots)).map(i32::from_be_bytes)
    }

    /// Number of the newest entry in the chain of a slot.
    pub(in crate::store) fn slot(&mut self, slot: u32) -> io::Result<i32> {
        self.read(INDEX_HEADER_BYTES + INDEX_SLOT_BYTES * u64::from(slot)).map(i32::from_be_bytes)
    }

    /// Which slot a hash belongs to.
    pub(in crate::store) fn slot_of(&self, hash: i32) -> u32 {
        hash.unsigned_abs() % self.slots
    }

    pub(in crate::store) fn slots(&self) -> u32 {
        self.slots
    }

    pub(in crate::store) fn is_full(&mut self) -> io::Result<bool> {
        Ok(self.header()?.next_entry as u32 >= self.entries_max)
    }

    /// Whether entries and slots stand where they would with these numbers of them; not told of a file without entries.
    pub(in crate::store) fn makes_sense(&mut self) -> io::Result<bool> {
        let header = self.header()?;
        if header.next_entry <= 1 || header.next_entry as u32 > self.entries_max {
            return Ok(false);
        }
        let (first, last) = (self.entry(1)?, self.entry(header.next_entry - 1)?);
        if first.physical != header.begin || first.previous != 0 || first.hash < 0 || last.physical != header.end {
            return Ok(false);
        }
        let mut number = self.newest_of(first.hash)?;
        let mut limit = header.next_entry - 1;
        while number > 1 && number <= limit {
            let entry = self.entry(number)?;
            if self.slot_of(entry.hash) != self.slot_of(first.hash) {
                return Ok(false);
            }
            limit = number - 1;
            number = entry.previous;
        }
        Ok(number == 1)
    }

    fn read<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        debug_assert!(N <= INDEX_HEADER_BYTES.max(INDEX_ENTRY_BYTES) as usize);
        let is_held = at >= self.block_at && at + N as u64 <= self.block_at + self.block.len() as u64;
        if !is_held {
            self.block.resize(BLOCK_BYTES, 0);
            let read = self.file.read_at(&mut self.block, at)?;
            self.block.truncate(read);
            self.block_at = at;
        }
        let from = (at - self.block_at) as usize;
        // Behind the end of a file that is too short stand zeros.
        Ok(self.block.get(from..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N]))
    }
}

impl IndexSnapshot {
    /// The index of a store that nobody has open; files of another length are left out.
    ///
    /// # Errors
    /// What the operating system says.
    pub(in crate::store) fn of_files(disk: &dyn Disk, options: &StoreOptions) -> Result<Self, StoreError> {
        let (slots, entries_max) = (options.index_slots, options.index_entries);
        let mut files = Vec::new();
        for (path, len) in IndexFileReader::list(disk, options)? {
            if len != options.index_file_bytes() {
                continue;
            }
            let file = disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
            let mut bytes = [0; INDEX_HEADER_BYTES as usize];
            file.read_at(&mut bytes, 0).map_err(StoreError::io("read", &path))?;
            files.push(FileSnapshot { file, path, header: Header::decode(&bytes), slots, entries_max });
        }
        Ok(Self { files })
    }
}
