//! The key index: finds the records of a topic by a key that their producers gave.
//!
//! A row of files, each a hash table with chains; the newest takes the puts. Format and worked example:
//! `docs/format/index.md`. Collisions of the hash are not filtered here: clients compare the keys.
//!
//! What is deliberately absent: the records themselves, and when the files are synced; the owner asks for handles.

mod file;
mod reader;
mod search;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::file::IndexFile;
pub(super) use self::file::{Header as IndexHeader, IndexEntry};
pub(super) use self::reader::IndexFileReader;
pub use self::search::{Found, IndexSnapshot};
use super::disk::{SharedDisk, SharedFile, create_lasting_dir};
use super::dispatch::Marks;
use super::error::StoreError;
use super::layout::StoreOptions;
use crate::protocol::ids::civil_date;
use crate::protocol::message::RecordHead;
use crate::protocol::properties::{java_hash, java_hash_on};
use crate::protocol::units::{PhysicalOffset, StoreTime};

/// Digits of a file's name: `yyyyMMddHHmmssSSS`.
const NAME_DIGITS: usize = 17;

/// The index of one store; it has one owner.
#[derive(Debug)]
pub struct Index {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    /// Oldest first.
    files: Vec<IndexFile>,
    /// Files that have become full and that nobody was told of since.
    sealed: Vec<IndexSync>,
    /// Whether files are gone since what they say cannot be, so that the log has records before the end which are not indexed.
    lost_files: bool,
}

/// How much of the index is known to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All of it: the store was closed in order.
    Whole,
    /// Files whose last entry is not younger than the checkpoint's index time, as Java's broker reckons.
    UpTo(StoreTime),
    /// The entries of records before this place, as our own state tells.
    Before(PhysicalOffset),
}

/// What a thread needs to make an index file last.
#[derive(Clone, Debug)]
pub struct IndexSync {
    file: SharedFile,
    path: PathBuf,
    /// Store time of its newest entry: once a *full* file is synced, the checkpoint's index time.
    pub newest_time: StoreTime,
    /// Where the record of that entry lies.
    pub newest: PhysicalOffset,
    /// Whether it takes no more entries.
    pub is_full: bool,
    /// Whether somebody was told that it is to be synced.
    told: Arc<AtomicBool>,
}

/// Files that point to nothing any more. Those that are not destroyed are part of the index again after the next start.
#[derive(Debug)]
#[must_use = "the files stay on the disk otherwise"]
pub struct DetachedFiles {
    disk: SharedDisk,
    paths: Vec<PathBuf>,
}

impl DetachedFiles {
    /// Removes the files. Tells how many.
    ///
    /// # Errors
    /// What the operating system says; what was removed before stays removed.
    pub fn destroy(self) -> Result<usize, StoreError> {
        for path in &self.paths {
            self.disk.remove_file(path).map_err(StoreError::io("remove", path))?;
        }
        Ok(self.paths.len())
    }
}

impl IndexSync {
    /// Syncs the file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&self) -> Result<(), StoreError> {
        // What is put from now on may not be covered, and is told of again.
        self.told.store(false, Ordering::Release);
        self.file.sync().map_err(StoreError::io("sync", &self.path))
    }
}

impl Index {
    /// No files yet.
    #[must_use]
    pub fn new(disk: SharedDisk, options: Arc<StoreOptions>) -> Self {
        Self { disk, options, files: Vec::new(), sealed: Vec::new(), lost_files: false }
    }

    /// Takes in the files under `index/`. After an unclean stop (`trust` says how much is known) what the checkpoint
    /// does not vouch for is cut off or removed: which of its pages have reached the disk is unknown. What is no index
    /// file is named in `warnings`.
    ///
    /// # Errors
    /// [`StoreError::WrongLength`], or what the operating system says.
    pub fn load(
        disk: SharedDisk,
        options: Arc<StoreOptions>,
        trust: Trust,
        warnings: &mut Vec<String>,
    ) -> Result<Self, StoreError> {
        let mut index = Self::new(disk, options);
        let directory = index.options.index_dir();
        let mut gap = false;
        for entry in index.disk.list(&directory).map_err(StoreError::io("list", &directory))? {
            let path = directory.join(&entry.name);
            let Some(name) = entry.name.parse().ok().filter(|_| entry.name.len() == NAME_DIGITS) else {
                warnings.push(format!("{}: not an index file, passed over", path.display()));
                continue;
            };
            if entry.is_dir {
                return Err(StoreError::StrayFile { path, problem: "it is a directory" });
            }
            let expected = index.options.index_file_bytes();
            if entry.len == 0 {
                // Made in the moment in which the last broker ended.
                index.disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
                gap = true;
                continue;
            }
            if entry.len != expected {
                let key = "maxHashSlotNum and maxIndexNum";
                return Err(StoreError::WrongLength { path, found: entry.len, expected, key });
            }
            let mut file = IndexFile::open(&index.disk, &index.options, path.clone(), name)?;
            let kept = file.keep(trust)?;
            if kept && !index.files.last().is_none_or(|previous| file.follows(previous)) {
                // One of the two has another one's name, so that what is missing may lie anywhere.
                warnings
                    .push(format!("{}: index files are out of order, all are made again from the log", path.display()));
                index.cut(PhysicalOffset(0))?;
                gap = true;
            }
            if kept && !gap && file.is_plausible() {
                index.files.push(file);
                continue;
            }
            // Files are filled one after the other: behind one that is missing nothing is known to be whole.
            if kept {
                warnings.push(format!("{}: not whole, what is missing is indexed again from the log", path.display()));
            }
            drop(file);
            index.disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
            gap = true;
        }
        index.lost_files = gap;
        Ok(index)
    }

    /// Where the newest indexed record lies; every record behind it is not indexed yet. `None` for an empty index.
    #[must_use]
    pub fn newest(&self) -> Option<PhysicalOffset> {
        self.files.last().map(|file| file.header().end).filter(|_| self.files.iter().any(|file| file.entries() > 0))
    }

    /// Whether there is no reason to index the record at [`Index::newest`] and those behind it again, when the index has
    /// had that of `indexed`. Of a record with several keys a part may stand in the next file, if the last one is full.
    #[must_use]
    pub(super) fn is_whole_up_to(&self, newest: PhysicalOffset, indexed: Option<PhysicalOffset>) -> bool {
        let goes_on = self.files.last().is_none_or(|last| !last.is_full());
        !self.lost_files && indexed.is_none_or(|indexed| indexed < newest || (indexed == newest && goes_on))
    }

    /// Indexes a record under each of its keys. Replaying a record changes nothing.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], or what the operating system says; some of its keys may be in then.
    pub fn put_record(&mut self, record: &RecordHead<'_>) -> Result<(), StoreError> {
        let newest = self.newest();
        if newest.is_some_and(|newest| record.physical_offset < newest) {
            return Ok(());
        }
        // The newest record may have been indexed in part before a crash; the reference indexes it twice then.
        let replayed = newest == Some(record.physical_offset);
        for key in Marks::of(record).index_keys(record) {
            let hash = key_hash(record.topic, key);
            if replayed && self.files.last().is_some_and(|file| file.holds(hash, record.physical_offset)) {
                continue;
            }
            self.put(hash, record.physical_offset, record.store_time)?;
        }
        Ok(())
    }

    /// Removes the leading files that point to before `log_min` only, never the last one. Tells how many.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn clean(&mut self, log_min: PhysicalOffset) -> Result<usize, StoreError> {
        self.detach_expired(log_min).destroy()
    }

    /// The same files, which are gone from the index from now on, to be destroyed by somebody who has time.
    pub fn detach_expired(&mut self, log_min: PhysicalOffset) -> DetachedFiles {
        let old = self.files.iter().take_while(|file| file.header().end < log_min).count();
        let removed = old.min(self.files.len().saturating_sub(1));
        let paths = self.files.drain(..removed).map(|file| file.path().to_path_buf()).collect();
        DetachedFiles { disk: Arc::clone(&self.disk), paths }
    }

    /// Removes the newest files that point to `log_end` or behind it: the log was cut, and what is appended there next
    /// would be taken for indexed. What they held from before is put again by the caller. Tells how many.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn cut(&mut self, log_end: PhysicalOffset) -> Result<usize, StoreError> {
        let mut removed = 0;
        while let Some(file) = self.files.pop_if(|file| file.header().end >= log_end) {
            self.disk.remove_file(file.path()).map_err(StoreError::io("remove", file.path()))?;
            removed += 1;
        }
        Ok(removed)
    }

    /// The files with entries that are not on the disk and that nobody was told of: those that have become full, and the
    /// newest. Asked after puts, for the one who syncs.
    #[must_use]
    pub fn take_untold(&mut self) -> Vec<IndexSync> {
        let newest = self.files.last().filter(|file| file.tell()).map(IndexFile::sync_handle);
        self.sealed.drain(..).chain(newest).collect()
    }

    /// The file that takes the puts, to be synced when the store closes.
    #[must_use]
    pub fn current(&self) -> Option<IndexSync> {
        self.files.last().map(IndexFile::sync_handle)
    }

    /// Syncs every file: which of them are on the disk is not known.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn sync_all(&self) -> Result<(), StoreError> {
        self.files.iter().try_for_each(|file| file.sync_handle().sync())
    }

    /// Indexes a record under the hash of one of its keys, see [`key_hash`]. What was indexed before must not come again.
    ///
    /// # Errors
    /// As [`Index::put_record`].
    pub fn put(&mut self, hash: i32, physical: PhysicalOffset, time: StoreTime) -> Result<(), StoreError> {
        if self.files.last().is_none_or(IndexFile::is_full) {
            self.begin_file(time)?;
        }
        let file = self.files.last_mut().expect("was begun above");
        file.put(hash, physical, time)
    }

    fn begin_file(&mut self, time: StoreTime) -> Result<(), StoreError> {
        let previous = self.files.last();
        // Files are searched in the order of their names. Java names them by local time, so the clock alone would not
        // keep ours behind its own.
        let name = name_at(time).max(previous.map_or(0, |file| file.name() + 1));
        let ends = previous.map(|file| file.header()).map(|header| (header.end_time, header.end));
        let directory = self.options.index_dir();
        create_lasting_dir(&*self.disk, &directory).map_err(StoreError::io("create", &directory))?;
        let path = directory.join(format!("{name:0NAME_DIGITS$}"));
        let file = IndexFile::create(&self.disk, &self.options, path, name, ends)?;
        self.disk.sync_dir(&directory).map_err(StoreError::io("sync", &directory))?;
        self.sealed.extend(previous.map(IndexFile::sync_handle));
        self.files.push(file);
        Ok(())
    }
}

/// The hash that stands for a key of a topic: that of `topic#key`.
#[must_use]
pub fn key_hash(topic: &str, key: &str) -> i32 {
    KeyHasher::of(topic).hash(key)
}

/// Hashes keys of one topic.
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher {
    topic: i32,
}

impl KeyHasher {
    /// For a topic.
    #[must_use]
    pub fn of(topic: &str) -> Self {
        Self { topic: java_hash_on(java_hash(topic), "#") }
    }

    /// See [`key_hash`].
    #[must_use]
    pub fn hash(self, key: &str) -> i32 {
        // The least number has no positive counterpart.
        java_hash_on(self.topic, key).checked_abs().unwrap_or(0)
    }
}

/// `yyyyMMddHHmmssSSS` of a time, as a number.
fn name_at(time: StoreTime) -> u64 {
    const DAY_MS: i64 = 86_400_000;
    let (year, month, day) = civil_date(time.0.div_euclid(DAY_MS));
    let of_day = time.0.rem_euclid(DAY_MS) as u64;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    let date = (year.clamp(0, 9999) as u64 * 100 + u64::from(month)) * 100 + u64::from(day);
    ((date * 100 + hour) * 100 + minute) * 100_000 + second * 1_000 + of_day % 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_the_time_of_their_first_entry() {
        assert_eq!(name_at(StoreTime(1_709_208_000_123)), 20_240_229_120_000_123);
    }

    #[test]
    fn the_least_hash_counts_as_zero() {
        // "polygenelubricants" is the known string with that hash.
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(key_hash("T", "k"), java_hash("T#k").abs());
    }
}
