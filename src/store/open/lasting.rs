//! Making last what a start has found: it may be in the page cache only.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Opening;
use crate::protocol::units::PhysicalOffset;
use crate::store::consumequeue::ConsumeQueue;
use crate::store::disk::{create_lasting_dir, parents_of, sync_readable_dir};
use crate::store::error::StoreError;
use crate::store::flush::Synced;
use crate::store::index::Index;
use crate::store::queues::Queues;
use crate::store::segment::Segment;

/// What may be in memory only after a sync that failed: a broker ends with the first of them, and syncs more often than the log
/// grows by so much.
const UNSYNCED_BYTES_MAX: u64 = 512 << 20;
/// Bytes that are written at a time.
const PIECE_BYTES: usize = 1 << 20;

impl Opening {
    /// What recovery has read may be in the page cache only.
    pub(super) fn sync(
        &self,
        segments: &[Arc<Segment>],
        from: PhysicalOffset,
        queues: &Queues,
        index: Option<&Index>,
        synced: Synced,
    ) -> Result<Synced, StoreError> {
        let changed = self.unclean || synced.up_to > from;
        let again_from = from.max(PhysicalOffset(synced.up_to.0.saturating_sub(UNSYNCED_BYTES_MAX)));
        for segment in segments.iter().filter(|segment| changed && segment.base() + segment.len() as u64 > from.0) {
            // What another broker has failed to sync it has gone on with. Its segments keep their age, by which they go.
            if self.unclean && self.ours {
                write_again(segment, again_from)?;
            }
            segment.file().sync().map_err(StoreError::io("sync", segment.path()))?;
        }
        self.sync_names()?;
        if self.unclean {
            queues.idle().for_each(ConsumeQueue::mistrust_end);
        }
        queues.sync_idle()?;
        index.filter(|_| changed).map_or(Ok(()), Index::sync_all)?;
        Ok(synced)
    }

    /// Files under `config/` are replaced by renaming. What this start reads there and acts upon must not be another thing
    /// after a power cut.
    pub(super) fn sync_config_names(&self) -> Result<(), StoreError> {
        let directory = self.options.config_dir();
        match sync_readable_dir(&*self.disk, &directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("sync", &directory)(error)),
            _ => Ok(()),
        }
    }

    /// Makes the directories that will be needed, and the names of all last, whoever has made them: an earlier start may
    /// have been cut short before it came to that, with directories above those too.
    fn sync_names(&self) -> Result<(), StoreError> {
        let options = &self.options;
        let mut directories = options.log_dirs();
        directories.extend([options.queues_dir(), options.index_dir(), options.config_dir()]);
        directories.extend(options.queue_ext_enabled.then(|| options.queue_exts_dir()));
        for directory in &directories {
            create_lasting_dir(&*self.disk, directory).map_err(StoreError::io("create", directory))?;
        }
        directories.push(options.root().to_path_buf());
        let above: BTreeSet<_> = directories.iter().flat_map(|directory| parents_of(directory)).collect();
        let own = directories.iter().filter(|_| self.unclean).map(PathBuf::as_path);
        for directory in above.into_iter().chain(own) {
            sync_readable_dir(&*self.disk, directory).map_err(StoreError::io("sync", directory))?;
        }
        Ok(())
    }
}

/// Writes a segment's records from `from` on once more. Of a sync that failed the kernel takes the pages for written, so that
/// they are there until the power goes, and the next sync finds nothing to do.
fn write_again(segment: &Segment, from: PhysicalOffset) -> Result<(), StoreError> {
    let mut at = from.0.saturating_sub(segment.base()) as usize;
    let mut piece = Vec::new();
    while at < segment.readable() {
        let len = (segment.readable() - at).min(PIECE_BYTES);
        piece.clear();
        piece.extend_from_slice(segment.bytes(at, len).unwrap_or_default());
        match segment.file().write_all_at(&piece, at as u64) {
            Ok(()) => at += len,
            // Where each write takes new room, a full disk must not be in the way of a start.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(StoreError::io("write again", segment.path())(error)),
        }
    }
    Ok(())
}
