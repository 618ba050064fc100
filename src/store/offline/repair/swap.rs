//! Putting what was built in the place of what was there.

use super::Plan;
use super::build::Built;
use super::cut;
use crate::store::checkpoint::Checkpoint;
use crate::store::disk::OpenMode;
use crate::store::durable;
use crate::store::error::StoreError;
use crate::store::offline::OfflineStore;
use crate::store::state::{State, StateFile};

/// Renames, cuts and writes down what is known then. The mark of an open store goes only if it was not there before.
pub(super) fn swap(store: &OfflineStore, plan: &Plan, built: &Built) -> Result<(), StoreError> {
    for file in store.log.all() {
        // What was read may be in the page cache only, and from now on it is vouched for.
        let handle = store.disk.open(&file.path, OpenMode::ReadOnly).map_err(StoreError::io("open", &file.path))?;
        handle.sync().map_err(StoreError::io("sync", &file.path))?;
    }
    let root = store.options.root();
    vouch_for_log_alone(store, plan)?;
    store.disk.sync_dir(root).map_err(StoreError::io("sync", root))?;
    // Not before: of a store that is marked, what only the checkpoint vouches for may be a torn tail from three seconds
    // before its end on, and with it everything behind a damaged record there.
    let was_open = durable::mark_open(&store.disk, &store.options)?;
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
    // While rests lie behind the end the next start must look closely: it clears them. The mark goes before the checkpoint
    // changes, for the reason that it came after.
    if !was_open && !plan.has_tail {
        durable::unmark(&store.disk, &store.options);
        store.disk.sync_dir(root).map_err(StoreError::io("sync", root))?;
    }
    vouch(store, plan, built)?;
    store.disk.sync_dir(root).map_err(StoreError::io("sync", root))
}

/// Writes down that the log is on the disk, and that queues and index have nothing for sure: until the new ones are in their
/// places, a start of whatever broker is to read the log from its beginning. The checkpoint goes last: as long as
/// the state does not fit it, the old one counts, by which less of a damaged log is a torn tail.
fn vouch_for_log_alone(store: &OfflineStore, plan: &Plan) -> Result<(), StoreError> {
    let checkpoint = Checkpoint { log: plan.newest, ..Checkpoint::default() };
    let (mut file, _) = StateFile::open(&*store.disk, &store.options)?;
    file.save(State::new(plan.log_end, plan.log_min, plan.newest, &checkpoint))?;
    checkpoint.save(&*store.disk, &store.options)
}

/// Writes down that log, queues and index are on the disk for every record.
fn vouch(store: &OfflineStore, plan: &Plan, built: &Built) -> Result<(), StoreError> {
    let checkpoint = Checkpoint { log: plan.newest, queues: plan.newest, index: built.indexed };
    checkpoint.save(&*store.disk, &store.options)?;
    let (mut file, _) = StateFile::open(&*store.disk, &store.options)?;
    file.save(State::new(plan.log_end, plan.log_end, plan.newest, &checkpoint))
}
