//! Making last what a start has found: it may be in the page cache only.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Opening;
use crate::protocol::units::PhysicalOffset;
use crate::store::disk::{create_lasting_dir, parent_of, sync_readable_dir};
use crate::store::error::StoreError;
use crate::store::flush::Synced;
use crate::store::index::Index;
use crate::store::queues::Queues;
use crate::store::segment::Segment;

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
        for segment in segments.iter().filter(|segment| changed && segment.base() + segment.len() as u64 > from.0) {
            segment.file().sync().map_err(StoreError::io("sync", segment.path()))?;
        }
        self.sync_names()?;
        for queue in queues.idle() {
            queue.sync_handle().sync()?;
        }
        index.filter(|_| changed).map_or(Ok(()), Index::sync_all)?;
        Ok(synced)
    }

    /// Makes the directories that will be needed, and the names of all last, whoever has made them: an earlier start may
    /// have been cut short before it came to that.
    fn sync_names(&self) -> Result<(), StoreError> {
        let options = &self.options;
        let mut directories = options.log_dirs();
        directories.extend([options.queues_dir(), options.index_dir()]);
        directories.extend(options.queue_ext_enabled.then(|| options.queue_exts_dir()));
        for directory in &directories {
            create_lasting_dir(&*self.disk, directory).map_err(StoreError::io("create", directory))?;
        }
        directories.push(options.root().to_path_buf());
        let parents: BTreeSet<_> = directories.iter().map(|directory| parent_of(directory).to_path_buf()).collect();
        for directory in parents.into_iter().chain(directories.into_iter().filter(|_| self.unclean)) {
            sync_readable_dir(&*self.disk, &directory).map_err(StoreError::io("sync", &directory))?;
        }
        Ok(())
    }
}
