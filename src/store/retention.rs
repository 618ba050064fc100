//! Taking away the oldest segments of the log. When it is time, somebody else decides.

use std::sync::Arc;

use super::disk::{Disk, remove_for_good};
use super::error::StoreError;
use super::segment::Segment;
use super::segments::Segments;
use crate::protocol::units::PhysicalOffset;

/// What is known of a segment when it is asked whether it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentAge {
    /// Where the segment behind it begins.
    pub end: PhysicalOffset,
    /// When it was written to last, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// The ages of all segments but the last, oldest first.
///
/// # Errors
/// What the operating system says.
pub fn ages(segments: &Segments) -> Result<Vec<SegmentAge>, StoreError> {
    let row = segments.all();
    let age = |segment: &Arc<Segment>| {
        let modified_ms = segment.file().modified_ms().map_err(StoreError::io("stat", segment.path()))?;
        Ok(SegmentAge { end: PhysicalOffset(segment.base() + segments.segment_bytes()), modified_ms })
    };
    row.iter().take(row.len().saturating_sub(1)).map(age).collect()
}

/// Removes the oldest segment, never the last one, and returns it: who reads it keeps it mapped, and the caller can
/// see by the count of holders whether somebody pins it for too long. Queues and index are cleaned afterwards, by the
/// log's new minimum.
///
/// # Errors
/// The file could not be removed, or its name may come back after a power cut. The log begins with it as before then, so
/// that it is tried again before any other: a start refuses a log with a gap.
pub fn remove_oldest(disk: &dyn Disk, segments: &Segments) -> Result<Option<Arc<Segment>>, StoreError> {
    let row = segments.all();
    let Some(oldest) = row.first().filter(|_| row.len() > 1) else { return Ok(None) };
    remove_for_good(disk, oldest.path())?;
    Ok(segments.pop_oldest())
}
