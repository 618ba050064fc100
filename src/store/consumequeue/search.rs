//! Looking for entries from a thread that may wait for the disk, while the queue's owner goes on.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::{ConsumeQueue, QueueEntry};
use crate::protocol::units::{PhysicalOffset, QueueOffset, StoreTime};
use crate::store::disk::{OpenMode, SharedDisk, SharedFile};
use crate::store::error::StoreError;
use crate::store::layout::{QUEUE_ENTRY_BYTES, file_name};
use crate::store::queue_ext::UnitReader;

/// A queue as it was at one moment: later entries are not in it, and files that were removed since are missed.
#[derive(Clone, Debug)]
pub struct QueueSnapshot {
    disk: SharedDisk,
    directory: PathBuf,
    file_bytes: u64,
    /// The first bytes of its files, counted over the queue.
    bases: Vec<u64>,
    write: u64,
    min: u64,
    units: Option<UnitReader>,
}

impl ConsumeQueue {
    /// What another thread needs to look for entries.
    #[must_use]
    pub fn snapshot(&self) -> QueueSnapshot {
        QueueSnapshot {
            disk: SharedDisk::clone(&self.disk),
            directory: self.directory.clone(),
            file_bytes: self.file_bytes(),
            bases: self.files.iter().map(|file| file.base).collect(),
            write: self.write,
            min: self.min,
            units: self.unit_reader(),
        }
    }
}

impl QueueSnapshot {
    /// See [`ConsumeQueue::min_offset`].
    #[must_use]
    pub fn min_offset(&self) -> QueueOffset {
        QueueOffset(self.min / QUEUE_ENTRY_BYTES)
    }

    /// See [`ConsumeQueue::max_offset`].
    #[must_use]
    pub fn max_offset(&self) -> QueueOffset {
        QueueOffset(self.write / QUEUE_ENTRY_BYTES)
    }

    /// Reads the units that its entries name; `None` if the queue has no extension.
    #[must_use]
    pub fn unit_reader(&self) -> Option<UnitReader> {
        self.units.clone()
    }

    /// One entry; `None` if there is no such offset.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn entry(&self, offset: QueueOffset) -> Result<Option<QueueEntry>, StoreError> {
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let holds = |base: &&u64| (**base..**base + self.file_bytes).contains(&at);
        let Some(base) = self.bases.iter().find(holds).filter(|_| at < self.write) else { return Ok(None) };
        self.open(*base)?.map_or(Ok(None), |file| file.entry_at(at - base).map(Some))
    }

    /// Up to `count` entries from `from` on; none if there is no such offset. They come from one file, so there may be more
    /// behind them.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn entries(&self, from: QueueOffset, count: usize) -> Result<Vec<QueueEntry>, StoreError> {
        let at = from.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let holds = |base: &&u64| (**base..**base + self.file_bytes).contains(&at);
        let Some(base) = self.bases.iter().find(holds).filter(|_| at < self.write) else { return Ok(Vec::new()) };
        let until = (base + self.file_bytes).min(self.write).min(at + count as u64 * QUEUE_ENTRY_BYTES);
        let mut bytes = vec![0; (until - at) as usize];
        let Some(EntryFile { file, path }) = self.open(*base)? else { return Ok(Vec::new()) };
        let read = file.read_at(&mut bytes, at - base).map_err(StoreError::io("read", &path))?;
        bytes.truncate(read);
        Ok(bytes.chunks_exact(QUEUE_ENTRY_BYTES as usize).map(QueueEntry::decode).collect())
    }

    /// The offset whose record was stored nearest to `time`, in the file that the reference would look into: the
    /// first one that was changed at or after that time, else the last.
    ///
    /// `store_time_of` reads a record's store time by where it lies and how long it is. Before all records the first
    /// offset is the answer, behind all the last existing one.
    ///
    /// # Errors
    /// What the operating system says.
    ///
    /// # Source
    /// `ConsumeQueue.getOffsetInQueueByTime` 4.9.7 (measured: `offsetByTimestamp` of the store fixtures). There the
    /// search is bounded by the end of the last file's entries, as here.
    pub fn offset_by_time(
        &self,
        time: StoreTime,
        log_min: PhysicalOffset,
        mut store_time_of: impl FnMut(PhysicalOffset, i32) -> Option<StoreTime>,
    ) -> Result<QueueOffset, StoreError> {
        let Some(base) = self.file_by_time(time)? else { return Ok(QueueOffset(0)) };
        let Some(file) = self.open(base)? else { return Ok(self.min_offset()) };
        let entry_bytes = QUEUE_ENTRY_BYTES as i64;
        let mut low = (self.min as i64 - base as i64).max(0);
        let mut high = (self.write.min(base + self.file_bytes) as i64 - base as i64) - entry_bytes;
        let (mut left, mut right) = (None, None);
        let (mut left_time, mut right_time) = (None, None);
        while high >= low {
            let middle = (low + high) / (2 * entry_bytes) * entry_bytes;
            let entry = file.entry_at(middle as u64)?;
            if entry.physical < log_min || entry.is_blank() {
                low = middle + entry_bytes;
                left = Some(middle);
                continue;
            }
            let Some(stored) = store_time_of(entry.physical, entry.size) else { return Ok(QueueOffset(0)) };
            if stored == time {
                return Ok(offset_at(base, middle));
            }
            if stored > time {
                high = middle - entry_bytes;
                (right, right_time) = (Some(middle), Some(stored));
            } else {
                low = middle + entry_bytes;
                (left, left_time) = (Some(middle), Some(stored));
            }
        }
        let chosen = match (left_time, right_time) {
            (None, _) => right,
            (_, None) => left,
            (Some(before), Some(after)) if time.0.abs_diff(before.0) <= after.0.abs_diff(time.0) => left,
            _ => right,
        };
        Ok(offset_at(base, chosen.unwrap_or(-1)))
    }

    fn file_by_time(&self, time: StoreTime) -> Result<Option<u64>, StoreError> {
        for base in &self.bases {
            let path = self.directory.join(file_name(*base));
            let entry = self.disk.entry(&path).map_err(StoreError::io("stat", &path))?;
            if entry.is_some_and(|entry| entry.modified_ms >= time.0) {
                return Ok(Some(*base));
            }
        }
        Ok(self.bases.last().copied())
    }

    /// One of its files; `None` if that was removed since, with the log that it points to.
    fn open(&self, base: u64) -> Result<Option<EntryFile>, StoreError> {
        let path = self.directory.join(file_name(base));
        match self.disk.open(&path, OpenMode::ReadOnly) {
            Ok(file) => Ok(Some(EntryFile { file, path })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("open", &path)(error)),
        }
    }
}

/// An open file of a snapshot.
struct EntryFile {
    file: SharedFile,
    path: PathBuf,
}

impl EntryFile {
    /// The entry at byte `at` of the file; one that is cut short counts as invalid.
    fn entry_at(&self, at: u64) -> Result<QueueEntry, StoreError> {
        let mut bytes = [0; QUEUE_ENTRY_BYTES as usize];
        let read = self.file.read_at(&mut bytes, at).map_err(StoreError::io("read", &self.path))?;
        Ok(QueueEntry::decode(bytes.get(..read).unwrap_or_default()))
    }
}

fn offset_at(base: u64, position: i64) -> QueueOffset {
    // Division towards zero, as in the reference: nothing chosen in the first file is offset 0.
    QueueOffset(((base as i64 + position) / QUEUE_ENTRY_BYTES as i64).max(0) as u64)
}
