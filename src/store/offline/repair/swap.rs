//! Putting what was built in the place of what was there.

use super::Plan;
use super::build::Built;
use super::cut;
use crate::protocol::units::PhysicalOffset;
use crate::store::checkpoint::Checkpoint;
use crate::store::disk::OpenMode;
use crate::store::durable;
use crate::store::error::StoreError;
use crate::store::offline::OfflineStore;
use crate::store::state::{State, StateFile};

/// Renames, cuts and writes down what is known then. The mark of an open store goes last, and only if it was not there before.
pub(super) fn swap(store: &OfflineStore, plan: &Plan, built: &Built) -> Result<(), StoreError> {
    let was_open = durable::mark_open(&store.disk, &store.options)?;
    for file in store.log.all() {
        // What was read may be in the page cache only, and from now on it is vouched for.
        let handle = store.disk.open(&file.path, OpenMode::ReadOnly).map_err(StoreError::io("open", &file.path))?;
        handle.sync().map_err(StoreError::io("sync", &file.path))?;
    }
    // Until the new ones are in their places, nothing vouches for queues and index.
    vouch(store, plan, built, plan.log_min)?;
    let root = store.options.root();
    for name in store.made_anew() {
        let place = store.options.file(name);
        if let Some(moved) = plan.moves.iter().find(|moved| moved.from == place) {
            store.disk.rename(&place, &moved.to).map_err(StoreError::io("rename", &place))?;
        }
        let new = built.options.file(name);
        store.disk.rename(&new, &place).map_err(StoreError::io("rename", &new))?;
        store.disk.sync_dir(root).map_err(StoreError::io("sync", root))?;
    }
    let beside = built.options.root();
    store.disk.remove_dir(beside).map_err(StoreError::io("remove", beside))?;
    if let Some(cut) = &plan.cut {
        cut::cut(store, cut)?;
    }
    vouch(store, plan, built, plan.log_end)?;
    store.disk.sync_dir(root).map_err(StoreError::io("sync", root))?;
    // While rests lie behind the end the next start must look closely: it clears them.
    if !was_open && !plan.has_tail {
        durable::unmark(&store.disk, &store.options);
        store.disk.sync_dir(root).map_err(StoreError::io("sync", root))?;
    }
    Ok(())
}

/// Writes down that the log is on the disk, and queues and index for every record before `dispatched`.
fn vouch(store: &OfflineStore, plan: &Plan, built: &Built, dispatched: PhysicalOffset) -> Result<(), StoreError> {
    let checkpoint = Checkpoint { log: plan.newest, queues: plan.newest, index: built.indexed };
    checkpoint.save(&*store.disk, &store.options)?;
    let (mut file, _) = StateFile::open(&*store.disk, &store.options)?;
    file.save(State::new(plan.log_end, dispatched, plan.newest, &checkpoint))
}
