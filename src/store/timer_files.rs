//! Files of messages that wait for their time, made of the queues and thrown away with each start.
//!
//! # Layout
//! `{root}/ferromq.timer/{name}`: rows of 20 bytes, big-endian: when to fire in milliseconds i64, physical offset i64 of the
//! record, kind i32 (0 a message, 1 a cancellation). Java's broker does not look at the directory.

use std::path::PathBuf;

use super::disk::{OpenMode, SharedDisk};
use super::error::StoreError;
use crate::protocol::units::PhysicalOffset;

/// Bytes of a row.
pub const TIMER_ROW_BYTES: u64 = 20;
/// The directory under the root.
const DIRECTORY: &str = "ferromq.timer";

/// One row of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerRow {
    /// When something is to be done, in milliseconds since the epoch.
    pub fire_ms: i64,
    /// Where the record lies.
    pub physical: PhysicalOffset,
    /// Whether it takes a message back.
    pub cancels: bool,
}

/// The files, for the one who owns them.
#[derive(Debug)]
pub struct TimerFiles {
    disk: SharedDisk,
    directory: PathBuf,
}

impl TimerFiles {
    /// No files: those of an earlier start are removed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn fresh(disk: SharedDisk, root: &std::path::Path) -> Result<Self, StoreError> {
        let directory = root.join(DIRECTORY);
        for entry in disk.list(&directory).map_err(StoreError::io("list", &directory))? {
            let path = directory.join(&entry.name);
            disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        disk.create_dir(&directory).map_err(StoreError::io("create", &directory))?;
        Ok(Self { disk, directory })
    }

    /// Appends rows to a file, which is made if need be.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn append(&self, name: &str, rows: &[TimerRow]) -> Result<(), StoreError> {
        let path = self.directory.join(name);
        let file = self.disk.open(&path, OpenMode::Create).map_err(StoreError::io("open", &path))?;
        let at = file.len().map_err(StoreError::io("measure", &path))?;
        let bytes: Vec<u8> = rows.iter().flat_map(TimerRow::encode).collect();
        file.write_all_at(&bytes, at - at % TIMER_ROW_BYTES).map_err(StoreError::io("write", &path))
    }

    /// Up to `count` rows from row `from` on; none behind the end of the file, or if there is no file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(&self, name: &str, from: u64, count: usize) -> Result<Vec<TimerRow>, StoreError> {
        let path = self.directory.join(name);
        if self.disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_none() {
            return Ok(Vec::new());
        }
        let file = self.disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
        let mut bytes = vec![0; count * TIMER_ROW_BYTES as usize];
        let read = file.read_at(&mut bytes, from * TIMER_ROW_BYTES).map_err(StoreError::io("read", &path))?;
        bytes.truncate(read);
        Ok(bytes.as_chunks().0.iter().map(TimerRow::decode).collect())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.directory.join(name);
        self.disk.remove_file(&path).map_err(StoreError::io("remove", &path))
    }
}

impl TimerRow {
    fn encode(&self) -> [u8; TIMER_ROW_BYTES as usize] {
        let mut bytes = [0; TIMER_ROW_BYTES as usize];
        bytes[..8].copy_from_slice(&self.fire_ms.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.physical.0.to_be_bytes());
        bytes[16..].copy_from_slice(&i32::from(self.cancels).to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8; TIMER_ROW_BYTES as usize]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = *bytes;
        Self {
            fire_ms: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            physical: PhysicalOffset(u64::from_be_bytes([i, j, k, l, m, n, o, p])),
            cancels: i32::from_be_bytes([q, r, s, t]) != 0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::store::disk::FileDisk;

    #[test]
    fn rows_come_back_in_pieces_and_a_start_forgets_them() {
        let directory = tempfile::tempdir().unwrap();
        let files = TimerFiles::fresh(FileDisk::shared(), directory.path()).unwrap();
        let row = |number: i64| TimerRow { fire_ms: number, physical: PhysicalOffset(7), cancels: number % 2 == 1 };
        let rows: Vec<TimerRow> = (0..10).map(row).collect();
        files.append("hour-1", &rows[..4]).unwrap();
        files.append("hour-1", &rows[4..]).unwrap();
        assert_eq!(files.read("hour-1", 0, 4).unwrap(), rows[..4]);
        assert_eq!(files.read("hour-1", 4, 100).unwrap(), rows[4..]);
        assert_eq!(files.read("hour-1", 10, 100).unwrap(), []);
        assert_eq!(files.read("hour-2", 0, 100).unwrap(), []);
        files.append("hour-3", &rows).unwrap();
        files.remove("hour-3").unwrap();
        assert_eq!(files.read("hour-3", 0, 100).unwrap(), []);
        let files = TimerFiles::fresh(FileDisk::shared(), directory.path()).unwrap();
        assert_eq!(files.read("hour-1", 0, 100).unwrap(), []);
    }
}
