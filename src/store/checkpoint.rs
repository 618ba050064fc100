//! The file `checkpoint`: up to which store times log, queues and index are on the disk.
//!
//! # Layout
//! 4096 bytes, three i64 in use: 0 log, 8 queues, 16 index; the rest is left as it is, 5.x uses some of it.

use super::disk::{Disk, OpenMode};
use super::error::StoreError;
use super::layout::{CHECKPOINT_BYTES, StoreOptions};
use crate::protocol::units::StoreTime;

/// The reference's safety margin: records of one moment may be flushed apart.
const MARGIN_MS: i64 = 3_000;

/// Three times, each that of the newest record known to be on the disk there; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// In the log.
    pub log: StoreTime,
    /// In the queues.
    pub queues: StoreTime,
    /// In the index.
    pub index: StoreTime,
}

impl Checkpoint {
    /// Reads the file; all zero if there is none.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn load(disk: &dyn Disk, options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.file("checkpoint");
        if disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_none() {
            return Ok(Self::default());
        }
        let file = disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
        let mut bytes = [0; 24];
        file.read_at(&mut bytes, 0).map_err(StoreError::io("read", &path))?;
        let mut times = bytes.chunks_exact(8).map(|time| {
            StoreTime(time.try_into().map(i64::from_be_bytes).expect("chunks of eight are eight bytes long"))
        });
        let mut next = || times.next().unwrap_or_default();
        Ok(Self { log: next(), queues: next(), index: next() })
    }

    /// Writes the three times, synced; the other bytes stay.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save(&self, disk: &dyn Disk, options: &StoreOptions) -> Result<(), StoreError> {
        let path = options.file("checkpoint");
        let is_new = disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_none();
        let file = disk.open(&path, OpenMode::Create).map_err(StoreError::io("open", &path))?;
        if file.len().map_err(StoreError::io("stat", &path))? < CHECKPOINT_BYTES as u64 {
            file.set_len(CHECKPOINT_BYTES as u64).map_err(StoreError::io("extend", &path))?;
        }
        // One write within one sector: the times are never seen torn.
        let mut bytes = [0; 24];
        for (place, time) in bytes.chunks_exact_mut(8).zip([self.log, self.queues, self.index]) {
            place.copy_from_slice(&time.0.to_be_bytes());
        }
        file.write_all_at(&bytes, 0).map_err(StoreError::io("write", &path))?;
        file.sync().map_err(StoreError::io("sync", &path))?;
        if is_new {
            disk.sync_dir(options.root()).map_err(StoreError::io("sync", options.root()))?;
        }
        Ok(())
    }

    /// Records stored up to this time are on the disk, in log and queues.
    ///
    /// # Source
    /// `StoreCheckpoint.getMinTimestamp` 4.9.7 (read in the specification).
    #[must_use]
    pub fn durable_time(&self) -> StoreTime {
        StoreTime(self.log.0.min(self.queues.0).saturating_sub(MARGIN_MS).max(0))
    }
}
