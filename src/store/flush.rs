//! Making the log last: one sync covers everything that was published before it.

use super::error::StoreError;
use super::view::LogView;
use crate::protocol::units::{PhysicalOffset, StoreTime};

/// Of less than this it is cheaper to have every page told of.
const LET_GO_BYTES_MIN: u64 = 64 * 1024;

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
            let unsynced = from.0.saturating_sub(segment.base())..(up_to.0 - segment.base()).min(segment.len() as u64);
            if unsynced.end - unsynced.start >= LET_GO_BYTES_MIN {
                // Only a saving: what cannot be had of it is no reason not to sync.
                let _ = segment.let_go(unsynced.start as usize..unsynced.end as usize);
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
