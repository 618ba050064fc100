//! Finding the end of a queue, cutting it, and moving its beginning.
//!
//! Entries that are cut off are cleared on the disk at once. The reference cuts in memory only: once the log has grown
//! past the places they point to, its next start takes them as valid and serves pieces out of other records.

use super::{ConsumeQueue, QueueEntry, QueueFile};
use crate::protocol::units::PhysicalOffset;
use crate::store::disk::{Entry, OpenMode};
use crate::store::error::StoreError;
use crate::store::layout::{QUEUE_ENTRY_BYTES, base_of};
use crate::store::queue_ext::Named;

/// How much is read of a queue at once: little at first, since most queues hold little.
const SCAN_BYTES_FIRST: usize = 200 * QUEUE_ENTRY_BYTES as usize;
const SCAN_BYTES: usize = 10_000 * QUEUE_ENTRY_BYTES as usize;
/// How many files from the end are looked through; those before are trusted.
const FILES_LOOKED_THROUGH: usize = 3;

impl ConsumeQueue {
    /// Takes in the files of the queue's directory and finds the end: behind the last entry that is valid and does
    /// not point to before the one in front of it. What lies behind the end is cleared.
    ///
    /// # Errors
    /// [`StoreError::WrongLength`], [`StoreError::StrayFile`], or what the operating system says.
    pub fn recover(&mut self) -> Result<(), StoreError> {
        let found = self.disk.list(&self.directory).map_err(StoreError::io("list", &self.directory))?;
        self.files.clear();
        for entry in &found {
            self.take_in(entry)?;
        }
        (self.write, self.min, self.max_physical) = (0, 0, 0);
        let first = self.files.len().saturating_sub(FILES_LOOKED_THROUGH);
        let (mut previous_end, mut unit) = (0, None);
        for index in first..self.files.len() {
            let base = self.files.get(index).map_or(0, |file| file.base);
            let passed = self.scan(index, base, |entry| {
                let follows = entry.is_blank() || entry.physical.0 >= previous_end;
                if entry.is_valid() && follows && !entry.is_blank() {
                    previous_end = entry.end().0;
                    unit = unit.max(entry.unit_address());
                }
                entry.is_valid() && follows
            })?;
            (self.write, self.max_physical) = (base + passed, previous_end);
            if passed < self.file_bytes() {
                break;
            }
        }
        self.min = self.files.first().map_or(0, |file| file.base);
        self.clear_behind_end()?;
        let named = match unit {
            _ if self.write == self.min => Named::NoEntries,
            Some(unit) => Named::UpTo(unit),
            None => Named::Nothing,
        };
        self.extension.as_mut().map_or(Ok(()), |extension| extension.recover(named))
    }

    /// Cuts off every entry from the first one on whose record does not end by `log_end`.
    ///
    /// # Errors
    /// What the operating system says. The queue must not be appended to then.
    pub fn truncate(&mut self, log_end: PhysicalOffset) -> Result<bool, StoreError> {
        // Most queues end with the log: they need not be opened for this.
        if self.max_physical <= log_end.0 {
            return Ok(false);
        }
        let before = self.write;
        while self.write > self.files.first().map_or(self.write, |file| file.base) {
            let at = self.write - QUEUE_ENTRY_BYTES;
            let entry = self.entry_at(at)?;
            if !entry.is_blank() && entry.end() <= log_end {
                break;
            }
            // A blank one stays if a real one stands before it; that is known only when the walk has come there.
            self.write = at;
        }
        if self.write == before {
            return Ok(false);
        }
        self.restore_blanks(before, log_end)?;
        if self.write == before {
            return Ok(false);
        }
        self.max_physical = self.last_physical_end()?;
        self.clear_behind_end()?;
        self.cut_extension()?;
        Ok(true)
    }

    /// Cuts entries off the end until one is blank or passes the test.
    ///
    /// # Errors
    /// What the operating system says. The queue must not be appended to then.
    pub(crate) fn cut_tail_unless(&mut self, holds: impl Fn(&Self, &QueueEntry) -> bool) -> Result<(), StoreError> {
        let before = self.write;
        let first = self.files.first().map_or(self.write, |file| file.base);
        while self.write > first {
            let entry = self.entry_at(self.write - QUEUE_ENTRY_BYTES)?;
            if entry.is_blank() || holds(self, &entry) {
                break;
            }
            self.write -= QUEUE_ENTRY_BYTES;
        }
        if self.write == before {
            return Ok(());
        }
        self.max_physical = self.last_physical_end()?;
        self.clear_behind_end()?;
        self.cut_extension()
    }

    /// Cuts off the units of entries that were cut off.
    fn cut_extension(&mut self) -> Result<(), StoreError> {
        if self.extension.is_none() {
            return Ok(());
        }
        let first = self.files.first().map_or(self.write, |file| file.base);
        let looked_through = FILES_LOOKED_THROUGH as u64 * self.file_bytes();
        let least = self.write.saturating_sub(looked_through).max(first);
        let mut named = if self.write == first { Named::NoEntries } else { Named::Nothing };
        let mut at = self.write;
        while at > least && !matches!(named, Named::UpTo(_)) {
            at -= QUEUE_ENTRY_BYTES;
            named = self.entry_at(at)?.unit_address().map_or(named, Named::UpTo);
        }
        self.extension.as_mut().map_or(Ok(()), |extension| extension.cut(named))
    }

    pub(super) fn entry_at(&mut self, at: u64) -> Result<QueueEntry, StoreError> {
        let Some(index) = self.file_of(at) else { return Ok(QueueEntry::decode(&[])) };
        self.bytes(index, at, QUEUE_ENTRY_BYTES).map(QueueEntry::decode)
    }

    fn take_in(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let path = self.directory.join(&entry.name);
        if entry.is_dir {
            return Ok(());
        }
        let Some(base) = base_of(&entry.name) else {
            return Err(StoreError::StrayFile { path, problem: "its name is not an offset" });
        };
        let expected = self.file_bytes();
        if entry.len == 0 {
            // Made in the moment in which the last broker ended. It stays: its name may be what keeps the offsets.
            let file = self.disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))?;
            file.set_len(expected).map_err(StoreError::io("extend", &path))?;
        } else if entry.len != expected {
            let key = "mappedFileSizeConsumeQueue";
            return Err(StoreError::WrongLength { path, found: entry.len, expected, key });
        }
        let follows = self.files.last().is_none_or(|last| last.base + expected == base);
        if base % expected != 0 || !follows {
            return Err(StoreError::StrayFile { path, problem: "the file before it is missing" });
        }
        self.files.push(QueueFile::new(base));
        Ok(())
    }

    /// Reads the entries of a file one after the other, from position `at` on, for as long as `passes` says so. Tells how
    /// many bytes were passed. A start looks at every queue, so nothing is mapped for it.
    fn scan(&self, index: usize, at: u64, mut passes: impl FnMut(&QueueEntry) -> bool) -> Result<u64, StoreError> {
        let Some(file) = self.files.get(index) else { return Ok(0) };
        let path = file.path(&self.directory);
        let handle = file.unmapped(&self.disk, &self.directory)?;
        let (mut passed, limit) = (0, file.base + self.file_bytes() - at);
        let mut block = vec![0; SCAN_BYTES_FIRST];
        while passed < limit {
            let from = at - file.base + passed;
            let room = block.len().min((limit - passed) as usize);
            let room = block.get_mut(..room).unwrap_or_default();
            let read = handle.read_at(room, from).map_err(StoreError::io("read", &path))?;
            for entry in room.get(..read).unwrap_or_default().chunks_exact(QUEUE_ENTRY_BYTES as usize) {
                if !passes(&QueueEntry::decode(entry)) {
                    return Ok(passed);
                }
                passed += QUEUE_ENTRY_BYTES;
            }
            if read < room.len() {
                break;
            }
            block.resize(SCAN_BYTES, 0);
        }
        Ok(passed)
    }

    /// Gives back the blank entries that stand before the first cut one: they were passed over while walking back.
    fn restore_blanks(&mut self, before: u64, log_end: PhysicalOffset) -> Result<(), StoreError> {
        while self.write < before {
            let entry = self.entry_at(self.write)?;
            if !entry.is_valid() || (!entry.is_blank() && entry.end() > log_end) {
                break;
            }
            self.write += QUEUE_ENTRY_BYTES;
        }
        Ok(())
    }

    fn last_physical_end(&mut self) -> Result<u64, StoreError> {
        let first = self.files.first().map_or(0, |file| file.base);
        let mut at = self.write;
        while at > first {
            at -= QUEUE_ENTRY_BYTES;
            let entry = self.entry_at(at)?;
            if !entry.is_blank() {
                return Ok(entry.end().0);
            }
        }
        Ok(0)
    }

    /// Removes the files behind the end and clears the rest of the one it lies in.
    fn clear_behind_end(&mut self) -> Result<(), StoreError> {
        while self.files.len() > 1 && self.files.last().is_some_and(|last| last.base >= self.write) {
            let Some(file) = self.files.pop() else { break };
            let path = file.path(&self.directory);
            self.disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        // The first file stays even when it is empty: its name keeps the offsets that were given out.
        let Some(index) = self.file_of(self.write) else { return Ok(()) };
        let (write, file_bytes) = (self.write, self.file_bytes());
        let cleared = |file: &QueueFile| file.clear_from(&self.disk, &self.directory, file_bytes, write);
        self.files.get(index).map_or(Ok(()), cleared)
    }
}
