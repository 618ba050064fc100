//! Finding an offset by time.

use super::ConsumeQueue;
use crate::protocol::units::{PhysicalOffset, QueueOffset, StoreTime};
use crate::store::error::StoreError;
use crate::store::layout::QUEUE_ENTRY_BYTES;

impl ConsumeQueue {
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
        &mut self,
        time: StoreTime,
        log_min: PhysicalOffset,
        mut store_time_of: impl FnMut(PhysicalOffset, i32) -> Option<StoreTime>,
    ) -> Result<QueueOffset, StoreError> {
        let Some(base) = self.file_by_time(time)? else { return Ok(QueueOffset(0)) };
        let entry_bytes = QUEUE_ENTRY_BYTES as i64;
        let mut low = (self.min as i64 - base as i64).max(0);
        let mut high = (self.write.min(base + self.file_bytes()) as i64 - base as i64) - entry_bytes;
        let (mut left, mut right) = (None, None);
        let (mut left_time, mut right_time) = (None, None);
        while high >= low {
            let middle = (low + high) / (2 * entry_bytes) * entry_bytes;
            let entry = self.entry_at(base + middle as u64)?;
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
            (Some(before), Some(after)) if (time.0 - before.0).abs() <= (after.0 - time.0).abs() => left,
            _ => right,
        };
        Ok(offset_at(base, chosen.unwrap_or(-1)))
    }

    fn file_by_time(&mut self, time: StoreTime) -> Result<Option<u64>, StoreError> {
        for file in &self.files {
            let path = file.path(&self.directory);
            let entry = self.disk.entry(&path).map_err(StoreError::io("stat", &path))?;
            if entry.is_some_and(|entry| entry.modified_ms >= time.0) {
                return Ok(Some(file.base));
            }
        }
        Ok(self.files.last().map(|file| file.base))
    }
}

fn offset_at(base: u64, position: i64) -> QueueOffset {
    // Division towards zero, as in the reference: nothing chosen in the first file is offset 0.
    QueueOffset(((base as i64 + position) / QUEUE_ENTRY_BYTES as i64).max(0) as u64)
}
