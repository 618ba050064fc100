//! Walking the key index in step with the log: its entries lie in the order of the records.
//!
//! So each record finds its keys at the entries that come next, and nothing of the index need be held but one file's
//! slots, which are built again from the entries and compared.

use std::collections::HashSet;
use std::path::PathBuf;

use super::OfflineStore;
use super::finding::{Findings, Part, Place, Severity};
use super::log::{JUMP_BYTES, LogReader};
use super::walk::{LogWalk, Met};
use crate::protocol::message::RecordHead;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::disk::OpenMode;
use crate::store::dispatch::Marks;
use crate::store::error::StoreError;
use crate::store::index::{IndexEntry, IndexFileReader, IndexHeader, IndexSnapshot, KeyHasher};
use crate::store::layout::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, INDEX_SLOT_BYTES};

/// The index beside the log.
pub(super) struct IndexWalk<'a> {
    store: &'a OfflineStore,
    /// Those that were not begun yet, newest first.
    files: Vec<PathBuf>,
    open: Option<OpenFile>,
    /// Reads records that entries point to out of turn.
    jumps: LogReader,
    /// For keys that are not where they should be.
    snapshot: IndexSnapshot,
    /// The record before, with the hashes of its keys in order: a start after a crash may have indexed it twice.
    before: (PhysicalOffset, Vec<i32>),
    entries: u64,
    /// Records with keys that lie behind everything that is indexed, and where the first one is.
    behind: Option<(PhysicalOffset, u64)>,
    /// Those among them that were indexed for sure.
    behind_sure: u64,
    /// Entries that point behind the end of the log, and where the first one does.
    beyond: Option<(Place, u64)>,
    /// The log's end, once it is known.
    log_end: Option<PhysicalOffset>,
}

/// The keys that a record is found by.
pub(super) fn keys_of<'a>(head: &RecordHead<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    Marks::of(head).index_keys(head)
}

impl OfflineStore {
    /// Whether the index can be relied on for a look-up: every file fits, nothing in it contradicts itself, and it begins
    /// where the log does. Whether each record has its keys in it only a verification can tell.
    pub(super) fn index_is_whole(&self) -> Result<bool, StoreError> {
        let expected = self.options.index_file_bytes();
        let files = IndexFileReader::list(&*self.disk, &self.options)?;
        let mut findings = Findings::default();
        let mut first = None;
        for (path, len) in &files {
            if *len != expected {
                return Ok(false);
            }
            let mut file = OpenFile::begin(self, path.clone())?;
            if first.is_none() && file.header.next_entry > 1 {
                first = Some(file.reader.entry(1).map_err(StoreError::io("read", path))?.physical);
            }
            file.severity = Severity::Fault;
            file.finish(&mut findings)?;
        }
        let Some(first) = first else { return Ok(false) };
        Ok(findings.faults() == 0 && (first <= self.log_min() || self.has_no_keys_before(first)?))
    }

    /// Whether no record before a place has a key.
    fn has_no_keys_before(&self, place: PhysicalOffset) -> Result<bool, StoreError> {
        let mut walk = LogWalk::from(self, self.log_min());
        loop {
            match walk.next()? {
                Met::Record(head) if head.physical_offset >= place => return Ok(true),
                Met::Record(head) if keys_of(&head).next().is_some() => return Ok(false),
                Met::Record(_) => {}
                Met::Broken(_) | Met::End(_) => return Ok(false),
            }
        }
    }
}

/// The file that the walk is in.
struct OpenFile {
    path: PathBuf,
    reader: IndexFileReader,
    header: IndexHeader,
    /// Number of the entry that comes next.
    next: i32,
    /// The slots as the entries before it make them.
    slots: Vec<i32>,
    severity: Severity,
    begins: Option<PhysicalOffset>,
    last: PhysicalOffset,
}

impl<'a> IndexWalk<'a> {
    pub(super) fn begin(store: &'a OfflineStore, findings: &mut Findings) -> Result<Self, StoreError> {
        let mut files = Vec::new();
        for (path, len) in IndexFileReader::list(&*store.disk, &store.options)? {
            let expected = store.options.index_file_bytes();
            if len == expected {
                files.push(path);
                continue;
            }
            let problem = format!("has {len} bytes, maxHashSlotNum and maxIndexNum ask for {expected}");
            findings.fault(Part::Index, Place::file(path), problem);
        }
        files.reverse();
        Ok(Self {
            store,
            files,
            open: None,
            jumps: LogReader::new(store.disk.clone(), store.log.clone(), JUMP_BYTES),
            snapshot: IndexSnapshot::of_files(&*store.disk, &store.options)?,
            before: (PhysicalOffset(0), Vec::new()),
            entries: 0,
            behind: None,
            behind_sure: 0,
            beyond: None,
            log_end: None,
        })
    }

    /// Looks for the keys of the record that comes next in the log.
    pub(super) fn check(
        &mut self,
        head: &RecordHead<'_>,
        marks: Marks<'_>,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let hasher = KeyHasher::of(head.topic);
        let keys: Vec<(&str, i32)> = marks.index_keys(head).map(|key| (key, hasher.hash(key))).collect();
        // A record may have thousands of keys.
        let mut hashes: Vec<i32> = keys.iter().map(|(_, hash)| *hash).collect();
        hashes.sort_unstable();
        let mut seen = HashSet::with_capacity(keys.len());
        while let Some(entry) = self.peek(findings)? {
            if entry.physical > head.physical_offset {
                break;
            }
            if entry.physical < head.physical_offset {
                self.stray(&entry, findings)?;
            } else if hashes.binary_search(&entry.hash).is_ok() {
                seen.insert(entry.hash);
            } else {
                let problem = format!("the record at {} has no key of this hash", entry.physical);
                findings.fault(Part::Index, self.place_of_next(), problem);
            }
            self.pass();
        }
        let is_over = self.open.is_none() && self.files.is_empty();
        for (key, _) in keys.iter().filter(|(_, hash)| !seen.contains(hash)) {
            if is_over && seen.is_empty() {
                let (_, count) = self.behind.get_or_insert((head.physical_offset, 0));
                *count += 1;
                self.behind_sure += u64::from(self.store.is_dispatched(head.end(), head.store_time));
                break;
            }
            self.missing(head, key, findings)?;
        }
        self.before = (head.physical_offset, hashes);
        Ok(())
    }

    /// What is left when the log is at its end.
    pub(super) fn finish(mut self, log_end: PhysicalOffset, findings: &mut Findings) -> Result<u64, StoreError> {
        self.log_end = Some(log_end);
        while let Some(entry) = self.peek(findings)? {
            self.stray(&entry, findings)?;
            self.pass();
        }
        let severity = if self.store.unclean { Severity::Note } else { Severity::Fault };
        if let Some((place, count)) = self.beyond.take() {
            let problem = format!("from here on {count} entries point behind the end of the log at {log_end}");
            findings.add(severity, Part::Index, place, problem);
        }
        if let Some((first, count)) = self.behind {
            let severity = if self.behind_sure > 0 { Severity::Fault } else { severity };
            let problem = format!("from here on the keys of {count} records are in no index file");
            findings.add(severity, Part::Index, self.store.place(first), problem);
        }
        Ok(self.entries)
    }

    /// The entry that comes next; `None` behind the last one.
    fn peek(&mut self, findings: &mut Findings) -> Result<Option<IndexEntry>, StoreError> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.files.pop() else { return Ok(None) };
                self.open = Some(OpenFile::begin(self.store, path)?);
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            if open.next < open.header.next_entry {
                let entry = open.reader.entry(open.next).map_err(StoreError::io("read", &open.path))?;
                return Ok(Some(entry));
            }
            if let Some(open) = self.open.take() {
                open.finish(findings)?;
            }
        }
    }

    /// Goes on behind the entry that was looked at.
    fn pass(&mut self) {
        self.entries += 1;
        if let Some(open) = &mut self.open {
            open.next += 1;
        }
    }

    fn place_of_next(&self) -> Place {
        self.open.as_ref().map_or_else(Place::default, |open| open.place(open.next))
    }

    /// An entry that is not of the record at which the walk is.
    fn stray(&mut self, entry: &IndexEntry, findings: &mut Findings) -> Result<(), StoreError> {
        let (before, hashes) = &self.before;
        let is_old = entry.physical < self.store.log_min();
        if is_old || (entry.physical == *before && hashes.binary_search(&entry.hash).is_ok()) {
            return Ok(());
        }
        let place = self.place_of_next();
        if self.log_end.is_some_and(|end| entry.physical >= end) {
            self.beyond.get_or_insert((place, 0)).1 += 1;
            return Ok(());
        }
        let problem = match self.jumps.record(entry.physical)? {
            Ok(head) => {
                let hasher = KeyHasher::of(head.topic);
                let has_it = Marks::of(&head).index_keys(&head).any(|key| hasher.hash(key) == entry.hash);
                if has_it {
                    return Ok(());
                }
                format!("the record at {} has no key of this hash", entry.physical)
            }
            Err(_) => format!("points to {}, where no record begins", entry.physical),
        };
        findings.fault(Part::Index, place, problem);
        Ok(())
    }

    /// A key that is not at the entries of its record: it may stand elsewhere, if the index was written out of order.
    fn missing(&self, head: &RecordHead<'_>, key: &str, findings: &mut Findings) -> Result<(), StoreError> {
        if !findings.is_full() {
            let all = (StoreTime(i64::MIN), StoreTime(i64::MAX));
            let found = self.snapshot.lookup(head.topic, key, usize::MAX, all.0, all.1)?;
            if found.records.contains(&head.physical_offset) {
                return Ok(());
            }
        }
        let severity = match self.store.is_dispatched(head.end(), head.store_time) {
            true => Severity::Fault,
            false => Severity::Note,
        };
        let place = self.store.place(head.physical_offset).of(head);
        findings.add(severity, Part::Index, place, format!("its key {key} is in no index file"));
        Ok(())
    }
}

impl OpenFile {
    fn begin(store: &OfflineStore, path: PathBuf) -> Result<Self, StoreError> {
        let file = store.disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
        let (slots, entries_max) = (store.options.index_slots, store.options.index_entries);
        let mut reader = IndexFileReader::of(file, slots, entries_max);
        let mut header = reader.header().map_err(StoreError::io("read", &path))?;
        let is_full = reader.is_full().map_err(StoreError::io("read", &path))?;
        // After a crash a file that was written to is built again from what is known to be whole in it.
        let severity = if store.unclean && !is_full { Severity::Note } else { Severity::Fault };
        header.next_entry = header.next_entry.min(entries_max.cast_signed().max(1));
        let slots = vec![0; slots as usize];
        let last = PhysicalOffset(0);
        Ok(Self { path, reader, header, next: 1, slots, severity, begins: None, last })
    }

    fn place(&self, number: i32) -> Place {
        let entries_at = INDEX_HEADER_BYTES + INDEX_SLOT_BYTES * u64::from(self.reader.slots());
        Place::file(&self.path).at_byte(entries_at + INDEX_ENTRY_BYTES * u64::from(number.unsigned_abs()))
    }

    /// Compares links, slots and header with what the entries say: all of it is read once more, from memory as a rule.
    fn finish(mut self, findings: &mut Findings) -> Result<(), StoreError> {
        let path = self.path.clone();
        let read = StoreError::io("read", &path);
        let problems = self.compare().map_err(read)?;
        for (place, problem) in problems {
            findings.add(self.severity, Part::Index, place, problem);
        }
        Ok(())
    }

    fn compare(&mut self) -> std::io::Result<Vec<(Place, String)>> {
        /// One broken file needs no longer list than this.
        const PROBLEMS_MAX: usize = 20;
        let mut problems = Vec::new();
        for number in 1..self.header.next_entry {
            let entry = self.reader.entry(number)?;
            let slot = self.reader.slot_of(entry.hash) as usize;
            let place = self.place(number);
            self.begins.get_or_insert(entry.physical);
            self.last = entry.physical;
            let Some(newest) = self.slots.get_mut(slot) else { continue };
            if entry.previous != *newest && problems.len() < PROBLEMS_MAX {
                let problem = format!("its chain goes on at entry {}, but should at {newest}", entry.previous);
                problems.push((place, problem));
            }
            *newest = number;
        }
        let mut in_use = 0;
        for slot in 0..self.reader.slots() {
            let found = self.reader.slot(slot)?;
            let made = self.slots.get(slot as usize).copied().unwrap_or(0);
            in_use += i32::from(made != 0);
            if found != made && problems.len() < PROBLEMS_MAX {
                let place = Place::file(&self.path).at_byte(INDEX_HEADER_BYTES + INDEX_SLOT_BYTES * u64::from(slot));
                problems
                    .push((place, format!("the chain of slot {slot} begins at entry {found}, but should at {made}")));
            }
        }
        let Some(begins) = self.begins else { return Ok(problems) };
        let IndexHeader { begin, end, slots_in_use, .. } = self.header;
        if (begin, end, slots_in_use) != (begins, self.last, in_use) {
            let problem = format!(
                "the header tells of offsets {begin} to {end} in {slots_in_use} slots, the entries of {begins} to {} in {in_use}",
                self.last
            );
            problems.push((Place::file(&self.path).at_byte(0), problem));
        }
        Ok(problems)
    }
}
