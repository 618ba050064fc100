//! Taking away the oldest segment of the log. When it is time, somebody else decides.

use std::sync::Arc;

use super::disk::Disk;
use super::error::StoreError;
use super::segment::Segment;
use super::segments::Segments;

/// Removes the oldest segment, never the last one, and returns it: who reads it keeps it mapped, and the caller can
/// see by the count of holders whether somebody pins it for too long. Queues and index are cleaned afterwards, by the
/// log's new minimum.
///
/// # Errors
/// The file could not be removed. The log begins behind it all the same, until the next start finds it again.
pub fn remove_oldest(disk: &dyn Disk, segments: &Segments) -> Result<Option<Arc<Segment>>, StoreError> {
    let Some(oldest) = segments.pop_oldest() else { return Ok(None) };
    disk.remove_file(oldest.path()).map_err(StoreError::io("remove", oldest.path()))?;
    Ok(Some(oldest))
}
