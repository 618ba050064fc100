//! Finding the end of a queue, cutting it, and moving its beginning.
//!
//! Entries that are cut off are cleared on the disk at once. The reference cuts in memory only: once the log has grown
//! past the places they point to, its next start takes them as valid and serves pieces out of other records.

use super::{ConsumeQueue, QueueEntry, QueueFile};
use crate::protocol::units::{PhysicalOffset, QueueOffset};
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
        self.recover_entries()?;
        self.recover_extension()
    }

    /// The same without the extension, of which it is known what is named when it is known which entries stay.
    pub(crate) fn recover_entries(&mut self) -> Result<(), StoreError> {
        let found = self.disk.list(&self.directory).map_err(StoreError::io("list", &self.directory))?;
        self.files.clear();
        for entry in &found {
            self.take_in(entry)?;
        }
        (self.write, self.min, self.max_physical) = (0, 0, 0);
        if self.has_gap() {
            return self.begin_anew();
        }
        let first = self.files.len().saturating_sub(FILES_LOOKED_THROUGH);
        let Some(mut previous_end) = self.end_before(first)? else { return self.begin_anew() };
        for index in first..self.files.len() {
            let base = self.files.get(index).map_or(0, |file| file.base);
            let passed = self.scan(index, base, |entry| {
                let follows = entry.is_blank() || entry.physical.0 >= previous_end;
                if entry.is_valid() && follows && !entry.is_blank() {
                    previous_end = entry.end().0;
                }
                entry.is_valid() && follows
            })?;
            (self.write, self.max_physical) = (base + passed, previous_end);
            if passed < self.file_bytes() {
                break;
            }
        }
        if self.is_followed_by_older()? {
            return self.begin_anew();
        }
        self.min = self.files.first().map_or(0, |file| file.base);
        self.clear_behind_end()
    }

    /// Takes in the files of the extension and finds its end.
    pub(crate) fn recover_extension(&mut self) -> Result<(), StoreError> {
        if self.extension.is_none() {
            return Ok(());
        }
        let named = self.last_named()?;
        self.extension.as_mut().map_or(Ok(()), |extension| extension.recover(named))
    }

    /// Where the records of the files before `first` end. Those are full, and of each only the first and the last entry are
    /// looked at; `None` if one of these is not valid, or points to before the one in front of it.
    fn end_before(&self, first: usize) -> Result<Option<u64>, StoreError> {
        let mut end = 0;
        for (index, base) in self.files.iter().take(first).map(|file| file.base).enumerate() {
            for at in [base, base + self.file_bytes() - QUEUE_ENTRY_BYTES] {
                let (mut looked_at, mut follows) = (false, false);
                self.scan(index, at, |entry| {
                    let goes_on = !std::mem::replace(&mut looked_at, true);
                    if goes_on && entry.is_valid() {
                        follows = entry.is_blank() || entry.physical.0 >= end;
                        end = if entry.is_blank() { end } else { entry.end().0 };
                    }
                    goes_on && follows
                })?;
                if !follows {
                    return Ok(None);
                }
            }
        }
        Ok(Some(end))
    }

    /// Gives up all entries, of which some are not what was put here: they are to be made again from the log.
    fn begin_anew(&mut self) -> Result<(), StoreError> {
        self.remove_files()?;
        self.lost_entries = true;
        Ok(())
    }

    /// Whether a file behind the end begins with an entry that points to before it: such a file has another one's name.
    fn is_followed_by_older(&self) -> Result<bool, StoreError> {
        let (write, end) = (self.write, self.max_physical);
        for (index, base) in self.files.iter().map(|file| file.base).enumerate().filter(|(_, base)| *base >= write) {
            let mut is_older = false;
            self.scan(index, base, |entry| {
                is_older |= !entry.is_blank() && entry.physical.0 < end;
                false
            })?;
            if is_older {
                return Ok(true);
            }
        }
        Ok(false)
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
        self.settle_end()?;
        Ok(true)
    }

    /// Cuts entries off the end until one is blank or passes the test.
    ///
    /// # Errors
    /// What the operating system, or the test, says. The queue must not be appended to then.
    pub(crate) fn cut_tail_unless(
        &mut self,
        holds: impl Fn(&Self, &QueueEntry) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let before = self.write;
        let first = self.files.first().map_or(self.write, |file| file.base);
        while self.write > first {
            let entry = self.entry_at(self.write - QUEUE_ENTRY_BYTES)?;
            if entry.is_blank() || holds(self, &entry)? {
                break;
            }
            self.write -= QUEUE_ENTRY_BYTES;
        }
        if self.write == before {
            return Ok(());
        }
        self.settle_end()
    }

    /// Cuts off the entries from a number on, of which other records have been given the numbers. A queue that begins behind
    /// it is left without files, and so will begin with what is appended next.
    ///
    /// # Errors
    /// What the operating system says. The queue must not be appended to then.
    pub(crate) fn cut_to(&mut self, offset: QueueOffset) -> Result<(), StoreError> {
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        if at >= self.write {
            return Ok(());
        }
        if self.files.first().is_none_or(|first| at < first.base) {
            return self.destroy();
        }
        (self.write, self.min) = (at, self.min.min(at));
        self.settle_end()
    }

    /// Brings everything else to where the entries end now.
    fn settle_end(&mut self) -> Result<(), StoreError> {
        self.max_physical = self.last_physical_end()?;
        self.clear_behind_end()?;
        self.cut_extension()
    }

    /// Cuts off the units of entries that were cut off.
    fn cut_extension(&mut self) -> Result<(), StoreError> {
        if self.extension.is_none() {
            return Ok(());
        }
        let named = self.last_named()?;
        self.extension.as_mut().map_or(Ok(()), |extension| extension.cut(named))
    }

    /// What the last entries name of the extension.
    fn last_named(&self) -> Result<Named, StoreError> {
        if self.files.first().is_none_or(|first| self.write == first.base) {
            return Ok(Named::NoEntries);
        }
        let mut last = None;
        for index in self.files.len().saturating_sub(FILES_LOOKED_THROUGH)..self.files.len() {
            let base = self.files.get(index).map_or(0, |file| file.base);
            let mut left = self.write.saturating_sub(base) / QUEUE_ENTRY_BYTES;
            self.scan(index, base, |entry| {
                let is_there = left > 0;
                left = left.saturating_sub(1);
                last = last.max(entry.unit_address().filter(|_| is_there));
                is_there
            })?;
        }
        Ok(last.map_or(Named::Nothing, Named::UpTo))
    }

    pub(super) fn entry_at(&mut self, at: u64) -> Result<QueueEntry, StoreError> {
        let Some(index) = self.file_of(at) else { return Ok(QueueEntry::decode(&[])) };
        self.bytes(index, at, QUEUE_ENTRY_BYTES).map(QueueEntry::decode)
    }

    fn take_in(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let path = self.directory.join(&entry.name);
        let Some(base) = base_of(&entry.name) else {
            // Directories of other names are left alone, as by Java's broker.
            let stray = StoreError::StrayFile { path, problem: "its name is not an offset" };
            return if entry.is_dir { Ok(()) } else { Err(stray) };
        };
        if entry.is_dir {
            return Err(StoreError::StrayFile { path, problem: "it is a directory" });
        }
        let expected = self.file_bytes();
        if entry.len == 0 {
            // Made in the moment in which the last broker ended. It stays: its name may be what keeps the offsets.
            let file = self.disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))?;
            file.set_len(expected).map_err(StoreError::io("extend", &path))?;
        } else if entry.len != expected {
            let key = "mappedFileSizeConsumeQueue";
            return Err(StoreError::WrongLength { path, found: entry.len, expected, key });
        }
        if base % expected != 0 {
            return Err(StoreError::StrayFile { path, problem: "no file of this length begins there" });
        }
        self.hold(QueueFile::new(base));
        Ok(())
    }

    /// Whether a file between others is missing: after a power cut, whose name was not on the disk yet.
    fn has_gap(&self) -> bool {
        let expected = self.file_bytes();
        self.files.windows(2).any(|pair| matches!(pair, [a, b] if a.base + expected != b.base))
    }

    /// Whether it has files but no entries, and the files begin behind an offset.
    pub(crate) fn begins_behind(&self, offset: QueueOffset) -> bool {
        let begins_behind = |first: &QueueFile| self.write == first.base && offset < self.max_offset();
        self.files.first().is_some_and(begins_behind)
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
            file.remove(&self.disk, &self.directory, &self.sync)?;
        }
        // The first file stays even when it is empty: its name keeps the offsets that were given out.
        let Some(index) = self.file_of(self.write) else { return Ok(()) };
        let (write, file_bytes) = (self.write, self.file_bytes());
        let cleared = |file: &QueueFile| file.clear_from(&self.disk, &self.directory, file_bytes, write);
        self.files.get(index).map_or(Ok(()), cleared)
    }
}
