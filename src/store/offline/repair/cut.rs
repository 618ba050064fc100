//! Cutting the log, after what is cut was copied.

use super::CutPlan;
use crate::store::config_files;
use crate::store::deleted_topics::DeletedTopics;
use crate::store::disk::{OpenMode, SharedFile};
use crate::store::error::StoreError;
use crate::store::log_files;
use crate::store::offline::OfflineStore;
use crate::store::offline::log::{LogReader, WALK_BYTES};

/// Copies everything from the place of the cut on into one file, and makes it last. What is zeros takes no room.
pub(super) fn copy(store: &OfflineStore, cut: &CutPlan) -> Result<(), StoreError> {
    let mut log = LogReader::new(store.disk.clone(), store.log.clone(), WALK_BYTES);
    let path = &cut.copy;
    let copy: SharedFile = store.disk.open(path, OpenMode::Create).map_err(StoreError::io("create", path))?;
    copy.set_len(cut.bytes).map_err(StoreError::io("extend", path))?;
    let mut done = 0;
    while done < cut.bytes {
        let block = log.bytes(cut.at.0 + done, WALK_BYTES)?;
        if block.iter().any(|byte| *byte != 0) {
            copy.write_all_at(block, done).map_err(StoreError::io("write", path))?;
        }
        done += block.len().max(1) as u64;
    }
    copy.sync().map_err(StoreError::io("sync", path))?;
    let root = store.options.root();
    store.disk.sync_dir(root).map_err(StoreError::io("sync", root))
}

/// Removes the files behind the cut and clears the rest of the one it lies in; deletions of topics end there too.
pub(super) fn cut(store: &OfflineStore, cut: &CutPlan) -> Result<(), StoreError> {
    let segments = log_files::load(&*store.disk, &store.options)?;
    let left = log_files::cut(&*store.disk, segments, cut.at.0, true)?;
    if let Some(last) = left.last() {
        last.file().sync().map_err(StoreError::io("sync", last.path()))?;
    }
    for directory in store.options.log_dirs() {
        // One that is configured appears with its first segment.
        if store.disk.entry(&directory).map_err(StoreError::io("stat", &directory))?.is_none() {
            continue;
        }
        store.disk.sync_dir(&directory).map_err(StoreError::io("sync", &directory))?;
    }
    let mut deleted = store.deleted.value.clone().unwrap_or_default();
    if !deleted.cut(cut.at) {
        return Ok(());
    }
    if store.deleted.is_of_copy() {
        // Saving would make it the copy, of which the content was taken.
        config_files::set_aside(&*store.disk, &DeletedTopics::path(&store.options))?;
    }
    deleted.save(&*store.disk, &store.options)
}
