//! How far the log has come: what exists, what consumers may see, what is on the disk, what was given to the queues.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::protocol::units::{PhysicalOffset, StoreTime};

/// The ends of the log, each published with release and read with acquire.
///
/// # Invariant
/// None of the others is beyond `written`, and none ever goes back.
#[derive(Debug)]
pub struct Positions {
    written: AtomicU64,
    visible: AtomicU64,
    synced: AtomicU64,
    dispatched: AtomicU64,
    queues_synced: AtomicU64,
    newest_store_time: AtomicI64,
}

impl Positions {
    /// All of them at the end that recovery found: what it read is visible, and on the disk or as good as.
    #[must_use]
    pub fn at(end: PhysicalOffset, synced: PhysicalOffset, newest: StoreTime) -> Self {
        assert!(synced <= end, "nothing is synced that is not there");
        Self {
            written: AtomicU64::new(end.0),
            visible: AtomicU64::new(end.0),
            synced: AtomicU64::new(synced.0),
            dispatched: AtomicU64::new(end.0),
            queues_synced: AtomicU64::new(synced.0),
            newest_store_time: AtomicI64::new(newest.0),
        }
    }

    /// End of what exists and can be read.
    #[must_use]
    pub fn written(&self) -> PhysicalOffset {
        PhysicalOffset(self.written.load(Ordering::Acquire))
    }

    /// End of what consumers may see.
    #[must_use]
    pub fn visible(&self) -> PhysicalOffset {
        PhysicalOffset(self.visible.load(Ordering::Acquire))
    }

    /// End of what is known to be on the disk.
    #[must_use]
    pub fn synced(&self) -> PhysicalOffset {
        PhysicalOffset(self.synced.load(Ordering::Acquire))
    }

    /// End of what was sent to queues and index.
    #[must_use]
    pub fn dispatched(&self) -> PhysicalOffset {
        PhysicalOffset(self.dispatched.load(Ordering::Acquire))
    }

    /// End of what is known to be on the disk in queues and index as well. What lies before it may go from the log: nobody
    /// will need it to make them anew.
    #[must_use]
    pub fn queues_synced(&self) -> PhysicalOffset {
        PhysicalOffset(self.queues_synced.load(Ordering::Acquire))
    }

    /// Store time of the newest record below `written`, or an older one.
    #[must_use]
    pub fn newest_store_time(&self) -> StoreTime {
        StoreTime(self.newest_store_time.load(Ordering::Acquire))
    }

    /// Lets consumers see up to `to`; said by whoever decides that the promise made to producers is kept.
    pub fn advance_visible(&self, to: PhysicalOffset) {
        debug_assert!(to <= self.written(), "only what exists can be seen");
        self.visible.fetch_max(to.0, Ordering::AcqRel);
    }

    /// Notes that everything up to `to` is on the disk.
    pub fn advance_synced(&self, to: PhysicalOffset) {
        debug_assert!(to <= self.written(), "only what exists can be synced");
        self.synced.fetch_max(to.0, Ordering::AcqRel);
    }

    /// Notes that everything up to `to` was sent to queues and index.
    pub fn advance_dispatched(&self, to: PhysicalOffset) {
        self.dispatched.fetch_max(to.0, Ordering::AcqRel);
    }

    /// Notes that everything up to `to` is on the disk in queues and index too, and that this was written down.
    pub fn advance_queues_synced(&self, to: PhysicalOffset) {
        debug_assert!(to <= self.written(), "only what exists can be synced");
        self.queues_synced.fetch_max(to.0, Ordering::AcqRel);
    }

    /// Notes what the writer has published.
    pub(crate) fn advance_written(&self, to: PhysicalOffset, newest: StoreTime) {
        self.written.store(to.0, Ordering::Release);
        // After `written`, so that who reads the time first and `written` then has seen that record counted.
        self.newest_store_time.store(newest.0, Ordering::Release);
    }
}
