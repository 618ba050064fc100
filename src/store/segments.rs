//! The row of segments that make up the log, found by offset.
//!
//! The row is an immutable snapshot that is replaced when a segment comes or goes, so that readers never wait. A
//! removed segment lives on, unmapped with the last reader that holds it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::segment::Segment;
use crate::protocol::units::PhysicalOffset;

/// The segment that an offset lies in, of some that need not follow each other.
pub(super) fn segment_at(segments: &[Arc<Segment>], at: PhysicalOffset) -> Option<&Arc<Segment>> {
    segments.iter().find(|segment| (segment.base()..segment.base() + segment.len() as u64).contains(&at.0))
}

/// The segments of the log, oldest first, without gaps.
#[derive(Debug)]
pub struct Segments {
    row: ArcSwap<Vec<Arc<Segment>>>,
    segment_bytes: u64,
}

impl Segments {
    /// A row of segments that follow each other.
    #[must_use]
    pub fn new(row: Vec<Arc<Segment>>, segment_bytes: u64) -> Self {
        for pair in row.windows(2) {
            assert_eq!(pair[0].base() + segment_bytes, pair[1].base(), "segments follow each other without gaps");
        }
        Self { row: ArcSwap::from_pointee(row), segment_bytes }
    }

    /// Length of each segment.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// The segment that an offset lies in, and where in it.
    #[must_use]
    pub fn find(&self, at: PhysicalOffset) -> Option<(Arc<Segment>, usize)> {
        let row = self.row.load();
        let since_first = at.0.checked_sub(row.first()?.base())?;
        let segment = row.get((since_first / self.segment_bytes) as usize)?;
        Some((Arc::clone(segment), (since_first % self.segment_bytes) as usize))
    }

    /// Calls `read` with the segment that an offset lies in; spares the count of a held segment.
    pub fn with<R>(&self, at: PhysicalOffset, read: impl FnOnce(&Arc<Segment>, usize) -> Option<R>) -> Option<R> {
        let row = self.row.load();
        let since_first = at.0.checked_sub(row.first()?.base())?;
        let segment = row.get((since_first / self.segment_bytes) as usize)?;
        read(segment, (since_first % self.segment_bytes) as usize)
    }

    /// Offset of the first byte that is still there; `None` for a log without segments.
    #[must_use]
    pub fn min(&self) -> Option<PhysicalOffset> {
        self.row.load().first().map(|segment| PhysicalOffset(segment.base()))
    }

    /// The segments as they are now.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Arc<Segment>>> {
        self.row.load_full()
    }

    /// Adds the one that follows.
    pub fn push(&self, segment: &Arc<Segment>) {
        self.row.rcu(|row| {
            let follows = row.last().is_none_or(|last| last.base() + self.segment_bytes == segment.base());
            assert!(follows, "segments follow each other without gaps");
            row.iter().chain([segment]).map(Arc::clone).collect::<Vec<_>>()
        });
    }

    /// Takes the oldest out, unless it is the last.
    #[must_use]
    pub fn pop_oldest(&self) -> Option<Arc<Segment>> {
        let before =
            self.row.rcu(|row| row.iter().skip(usize::from(row.len() > 1)).map(Arc::clone).collect::<Vec<_>>());
        (before.len() > 1).then(|| before.first().map(Arc::clone))?
    }
}
