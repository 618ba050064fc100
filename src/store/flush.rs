//! Making the log last: one sync covers everything that was published before it.

use super::error::StoreError;
use super::view::LogView;
use crate::protocol::units::{PhysicalOffset, StoreTime};

/// Syncs the log; held by the one thread that does so.
#[derive(Debug)]
pub struct LogFlush {
    view: LogView,
    poisoned: bool,
}

/// What is on the disk after a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Everything before it.
    pub up_to: PhysicalOffset,
    /// Store time of the newest record before it, or of an older one.
    pub newest: StoreTime,
}

impl LogFlush {
    /// For a log.
    #[must_use]
    pub fn new(view: LogView) -> Self {
        Self { view, poisoned: false }
    }

    /// Syncs every segment with bytes that are not known to be on the disk, and notes it in the positions.
    ///
    /// # Errors
    /// After a failed sync every further one fails: the kernel has dropped the pages it could not write and would
    /// report the next sync as done.
    pub fn sync(&mut self) -> Result<Synced, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let positions = self.view.positions();
        let newest = positions.newest_store_time();
        let up_to = positions.written();
        let from = positions.synced();
        for segment in self.view.segments().all().iter() {
            let end = segment.base() + segment.len() as u64;
            if end <= from.0 || segment.base() >= up_to.0 {
                continue;
            }
            if let Err(source) = segment.file().sync() {
                self.poisoned = true;
                return Err(StoreError::Io { action: "sync", path: segment.path().into(), source });
            }
        }
        positions.advance_synced(up_to);
        Ok(Synced { up_to, newest })
    }
}
