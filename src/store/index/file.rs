//! One index file: a header, hash slots, and entries that are chained from newest to oldest.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::search::FileSnapshot;
use super::{IndexSync, Trust};
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::disk::{OpenMode, SharedDisk, SharedFile};
use crate::store::error::StoreError;
use crate::store::layout::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, INDEX_SLOT_BYTES, StoreOptions};
use crate::store::segment::OwnedMapping;

/// Room taken ahead of the entries. The slots, which are hit at random, get theirs when the file is made.
const STEP_BYTES: u64 = 1 << 20;

/// The header.
///
/// # Layout
/// 0 begin time i64, 8 end time i64, 16 begin offset i64, 24 end offset i64, 32 slots in use i32, 36 number of the next
/// entry i32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Header {
    pub(in crate::store) begin_time: StoreTime,
    pub(in crate::store) end_time: StoreTime,
    pub(in crate::store) begin: PhysicalOffset,
    pub(in crate::store) end: PhysicalOffset,
    pub(in crate::store) slots_in_use: i32,
    /// At least 1: entry 0 is never used.
    pub(in crate::store) next_entry: i32,
}

impl Header {
    pub(super) fn decode(bytes: &[u8; INDEX_HEADER_BYTES as usize]) -> Self {
        let long = |at: usize| {
            let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).expect("the header is longer");
            i64::from_be_bytes(*bytes)
        };
        let offset = |at| PhysicalOffset(long(at).max(0) as u64);
        // Two numbers of four bytes.
        let counts = long(32);
        Self {
            begin_time: StoreTime(long(0)),
            end_time: StoreTime(long(8)),
            begin: offset(16),
            end: offset(24),
            slots_in_use: (counts >> 32) as i32,
            next_entry: (counts as i32).max(1),
        }
    }
}

/// An entry.
///
/// # Layout
/// 0 hash of topic and key i32, 4 offset i64, 12 seconds since the file's begin i32, 16 next older entry i32.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct IndexEntry {
    pub(in crate::store) hash: i32,
    pub(in crate::store) physical: PhysicalOffset,
    pub(in crate::store) seconds: i32,
    /// Number of the next older entry of the chain, 0 for none.
    pub(in crate::store) previous: i32,
}

impl IndexEntry {
    pub(super) fn decode(bytes: &[u8; INDEX_ENTRY_BYTES as usize]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = *bytes;
        Self {
            hash: i32::from_be_bytes([a, b, c, d]),
            physical: PhysicalOffset(i64::from_be_bytes([e, f, g, h, i, j, k, l]).max(0) as u64),
            seconds: i32::from_be_bytes([m, n, o, p]),
            previous: i32::from_be_bytes([q, r, s, t]),
        }
    }
}

/// Where the slot of a hash lies in a file with so many.
pub(super) fn slot_at(hash: i32, slots: u32) -> u64 {
    INDEX_HEADER_BYTES + INDEX_SLOT_BYTES * u64::from(hash.unsigned_abs() % slots)
}

/// Where an entry lies in a file with so many slots.
pub(super) fn entry_at(number: i32, slots: u32) -> u64 {
    INDEX_HEADER_BYTES + INDEX_SLOT_BYTES * u64::from(slots) + INDEX_ENTRY_BYTES * u64::from(number as u32)
}

/// The entries that are chained from `first` on, newest first; `next_entry` has not been written yet. Damaged links end the
/// chain: numbers only ever go down.
pub(super) fn chain<E>(
    first: i32,
    next_entry: i32,
    mut read: impl FnMut(i32) -> Result<IndexEntry, E>,
) -> impl Iterator<Item = Result<IndexEntry, E>> {
    let (mut number, mut limit) = (first, next_entry);
    std::iter::from_fn(move || {
        if number <= 0 || number > limit {
            return None;
        }
        let entry = read(number);
        limit = number - 1;
        number = entry.as_ref().map_or(0, |entry| entry.previous);
        Some(entry)
    })
}

#[derive(Debug)]
pub(super) struct IndexFile {
    path: PathBuf,
    name: u64,
    file: SharedFile,
    map: OwnedMapping,
    slots: u32,
    entries_max: u32,
    /// Bytes below this have room on the disk.
    allocated: u64,
    /// See [`IndexSync`].
    told: Arc<AtomicBool>,
}

impl IndexFile {
    pub(super) fn open(
        disk: &SharedDisk,
        options: &StoreOptions,
        path: PathBuf,
        name: u64,
    ) -> Result<Self, StoreError> {
        let file = disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))?;
        let map = OwnedMapping::new(file.map(options.index_file_bytes()).map_err(StoreError::io("map", &path))?);
        let (slots, entries_max) = (options.index_slots, options.index_entries);
        Ok(Self { path, name, file, map, slots, entries_max, allocated: 0, told: Arc::default() })
    }

    /// Makes a file. What follows another one begins with that one's end, until its first put says better.
    pub(super) fn create(
        disk: &SharedDisk,
        options: &StoreOptions,
        path: PathBuf,
        name: u64,
        previous_end: Option<(StoreTime, PhysicalOffset)>,
    ) -> Result<Self, StoreError> {
        let made = (|| {
            let file = disk.open(&path, OpenMode::Create).map_err(StoreError::io("create", &path))?;
            file.set_len(options.index_file_bytes()).map_err(StoreError::io("extend", &path))?;
            let mut made = Self::open(disk, options, path.clone(), name)?;
            let head = made.entry_at(0);
            made.file.allocate(0..head).map_err(|source| StoreError::allocate(&path, head, source))?;
            made.allocated = head;
            Ok(made)
        })();
        let mut made = made.inspect_err(|_| {
            // The next start would take half a file for the newest one; the error that matters is the first.
            let _ = disk.remove_file(&path);
        })?;
        let (time, physical) = previous_end.unwrap_or_default();
        let header =
            Header { begin_time: time, end_time: time, begin: physical, end: physical, slots_in_use: 0, next_entry: 1 };
        made.set_header(header);
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> u64 {
        self.name
    }

    pub(super) fn entries(&self) -> u32 {
        self.header().next_entry as u32 - 1
    }

    pub(super) fn is_full(&self) -> bool {
        self.header().next_entry as u32 >= self.entries_max
    }

    pub(super) fn sync_handle(&self) -> IndexSync {
        IndexSync {
            file: self.file.clone(),
            path: self.path.clone(),
            newest_time: self.header().end_time,
            newest: self.header().end,
            is_full: self.is_full(),
            told: Arc::clone(&self.told),
        }
    }

    /// Notes that somebody is told of it; false if that is so already.
    pub(super) fn tell(&self) -> bool {
        !self.told.swap(true, Ordering::AcqRel)
    }

    pub(super) fn header(&self) -> Header {
        let offset = |at| PhysicalOffset(self.long(at).max(0) as u64);
        Header {
            begin_time: StoreTime(self.long(0)),
            end_time: StoreTime(self.long(8)),
            begin: offset(16),
            end: offset(24),
            slots_in_use: self.int(32),
            next_entry: self.int(36).max(1),
        }
    }

    pub(super) fn put(&mut self, hash: i32, physical: PhysicalOffset, time: StoreTime) -> Result<(), StoreError> {
        let mut header = self.header();
        debug_assert!((header.next_entry as u32) < self.entries_max, "the caller looks whether there is room");
        let at = self.entry_at(header.next_entry);
        self.take_room(at + INDEX_ENTRY_BYTES)?;
        let slot = self.slot_at(hash);
        let previous = Some(self.int(slot)).filter(|entry| *entry > 0 && *entry < header.next_entry).unwrap_or(0);
        let since_begin_s =
            if header.begin_time.0 > 0 { time.0.saturating_sub(header.begin_time.0) / 1_000 } else { 0 };
        let seconds = since_begin_s.clamp(0, i64::from(i32::MAX)) as i32;
        self.set_entry(at, IndexEntry { hash, physical, seconds, previous });
        self.write(slot, &header.next_entry.to_be_bytes());
        if header.next_entry <= 1 {
            (header.begin, header.begin_time) = (physical, time);
        }
        header.slots_in_use += i32::from(previous == 0);
        header.next_entry += 1;
        (header.end, header.end_time) = (physical, time);
        self.set_header(header);
        Ok(())
    }

    /// Whether it was begun when that one was full.
    pub(super) fn follows(&self, previous: &Self) -> bool {
        previous.entries() > 0 && self.header().begin >= previous.header().end
    }

    /// Whether header and entries agree.
    pub(super) fn is_plausible(&self) -> bool {
        let header = self.header();
        let entries = header.next_entry - 1;
        let counted = (header.next_entry as u32) <= self.entries_max && (0..=entries).contains(&header.slots_in_use);
        if !counted || header.begin > header.end {
            return false;
        }
        let entry = |number| self.entry(self.entry_at(number));
        entries == 0 || (entry(1).physical == header.begin && entry(entries).physical == header.end)
    }

    /// Keeps what is known to be on the disk; false if that is nothing.
    pub(super) fn keep(&mut self, trust: Trust) -> Result<bool, StoreError> {
        let end = self.header().end;
        let vouched = match trust {
            Trust::Whole => return Ok(true),
            Trust::UpTo(time) if self.header().end_time > time => return Ok(false),
            Trust::UpTo(_) => PhysicalOffset(end.0.saturating_add(1)),
            Trust::Before(vouched) => vouched,
        };
        // A full file is not written to any more. Of another one the pages of slots may have reached the disk later than
        // the header's, and name entries that it does not count.
        if self.is_full() && end < vouched {
            return Ok(true);
        }
        Ok(self.rewind(vouched)? > 0)
    }

    /// Keeps the entries of records before `vouched`, which are known to be on the disk, and builds the slots from them
    /// anew: which of the pages that were written later have reached the disk is unknown. Tells how many are kept.
    fn rewind(&mut self, vouched: PhysicalOffset) -> Result<u32, StoreError> {
        let mut header = self.header();
        let written = header.next_entry;
        self.take_room(self.entry_at(written))?;
        let slots_bytes = self.slots as usize * INDEX_SLOT_BYTES as usize;
        if let Some(slots) = self.map.bytes_mut(INDEX_HEADER_BYTES as usize, slots_bytes) {
            slots.fill(0);
        }
        (header.next_entry, header.slots_in_use) = (1, 0);
        let mut newest = header.begin;
        while header.next_entry < written {
            let at = self.entry_at(header.next_entry);
            let entry = self.entry(at);
            // An entry that never reached the disk reads as zeros, so it points to before the one in front of it.
            let unwritten = header.next_entry > 1 && entry.hash == 0 && entry.physical.0 == 0;
            if entry.physical >= vouched || entry.physical < newest || unwritten {
                break;
            }
            let slot = self.slot_at(entry.hash);
            let previous = self.int(slot);
            self.set_entry(at, IndexEntry { previous, ..entry });
            self.write(slot, &header.next_entry.to_be_bytes());
            header.slots_in_use += i32::from(previous == 0);
            header.next_entry += 1;
            newest = entry.physical;
            // Entries tell the second only; the end of it errs to the side of finding more.
            let until = header.begin_time.0.saturating_add(i64::from(entry.seconds) * 1_000 + 999);
            (header.end, header.end_time) = (newest, StoreTime(until.min(self.header().end_time.0)));
        }
        self.set_header(header);
        Ok(header.next_entry as u32 - 1)
    }

    /// Whether the newest entries of a chain hold that record.
    pub(super) fn holds(&self, hash: i32, physical: PhysicalOffset) -> bool {
        self.chain(hash).take_while(|entry| entry.physical >= physical).any(|entry| entry.hash == hash)
    }

    /// What another thread needs to look for entries, as they are now.
    pub(super) fn snapshot(&self) -> FileSnapshot {
        let (file, path, header) = (self.file.clone(), self.path.clone(), self.header());
        FileSnapshot { file, path, header, slots: self.slots, entries_max: self.entries_max }
    }

    /// The entries of a hash's slot, newest first.
    fn chain(&self, hash: i32) -> impl Iterator<Item = IndexEntry> + '_ {
        let next_entry = self.header().next_entry;
        let first = if next_entry <= 1 { 0 } else { self.int(self.slot_at(hash)) };
        let read = |number| Ok::<_, Infallible>(self.entry(self.entry_at(number)));
        chain(first, next_entry, read).map(|entry| entry.unwrap_or_else(|never| match never {}))
    }

    fn entry(&self, at: u64) -> IndexEntry {
        let bytes = self.map.bytes(at as usize, INDEX_ENTRY_BYTES as usize).and_then(<[u8]>::first_chunk);
        IndexEntry::decode(bytes.unwrap_or(&[0; INDEX_ENTRY_BYTES as usize]))
    }

    fn set_entry(&mut self, at: u64, entry: IndexEntry) {
        let mut bytes = [0; INDEX_ENTRY_BYTES as usize];
        bytes[..4].copy_from_slice(&entry.hash.to_be_bytes());
        bytes[4..12].copy_from_slice(&entry.physical.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&entry.seconds.to_be_bytes());
        bytes[16..].copy_from_slice(&entry.previous.to_be_bytes());
        self.write(at, &bytes);
    }

    fn set_header(&mut self, header: Header) {
        let mut bytes = [0; INDEX_HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&header.begin_time.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&header.end_time.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&header.begin.0.to_be_bytes());
        bytes[24..32].copy_from_slice(&header.end.0.to_be_bytes());
        bytes[32..36].copy_from_slice(&header.slots_in_use.to_be_bytes());
        bytes[36..].copy_from_slice(&header.next_entry.to_be_bytes());
        self.write(0, &bytes);
    }

    fn slot_at(&self, hash: i32) -> u64 {
        slot_at(hash, self.slots)
    }

    fn entry_at(&self, number: i32) -> u64 {
        entry_at(number, self.slots)
    }

    /// Takes room up to `end` and a step further; in a file of Java's, which has none, for header and slots too.
    fn take_room(&mut self, end: u64) -> Result<(), StoreError> {
        if self.allocated >= end {
            return Ok(());
        }
        let (start, until) = (self.allocated, (end + STEP_BYTES).min(self.map.len() as u64));
        self.file.allocate(start..until).map_err(|source| StoreError::allocate(&self.path, until - start, source))?;
        self.allocated = until;
        Ok(())
    }

    fn int(&self, at: u64) -> i32 {
        let bytes = self.map.bytes(at as usize, 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, i32::from_be_bytes)
    }

    fn long(&self, at: u64) -> i64 {
        let bytes = self.map.bytes(at as usize, 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, i64::from_be_bytes)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        let room = self.map.bytes_mut(at as usize, bytes.len()).expect("places come from the file's own numbers");
        room.copy_from_slice(bytes);
    }
}
