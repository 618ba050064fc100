//! Making queues and index anew from the log, and cutting the log where its owner says so.
//!
//! ```text
//!   plan: read the log, refuse what cannot be ─► build beside: ferromq.repair-1/{consumequeue,index}, synced
//!                                              ─► checkpoint, ferromq.state: of the log alone; the mark of an open store
//!                                              ─► consumequeue ► consumequeue.before-repair-1, the new one in its place
//!                                              ─► the mark; checkpoint, ferromq.state: of all
//! ```
//!
//! # Invariant
//! The log is read only, unless it is to be cut; then what is cut is on the disk in another file first. What was there before
//! is renamed and never removed. Whenever this ends half way, the store is one that a start brings in order: from before the
//! first renaming until after the last one nothing vouches for queues and index, and the mark of an open store stands.

mod build;
mod cut;
mod numbers;
mod plan;
mod swap;

use std::path::PathBuf;

pub use self::plan::{Plan, QueuePlan};
use super::{OfflineError, OfflineStore};
use crate::protocol::units::PhysicalOffset;
use crate::store::disk::SharedDisk;
use crate::store::layout::StoreOptions;
use crate::store::recovery::Progress;
use crate::store::replay::BitMaps;

/// What is to be done besides making queues and index anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Cut the log here.
    pub truncate_at: Option<PhysicalOffset>,
}

/// Where a directory goes to make room for the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where it is.
    pub from: PathBuf,
    /// Where it is kept.
    pub to: PathBuf,
}

/// What is cut off the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPlan {
    /// From here on.
    pub at: PhysicalOffset,
    /// Bytes to the end of the last file; most of them may be zeros.
    pub bytes: u64,
    /// The file that keeps them.
    pub copy: PathBuf,
}

/// Repairs a store, and tells what was done. Bit maps of extensions are made by `bit_maps`; without it units have none, and
/// pulls by conditions look at the records themselves.
///
/// # Errors
/// [`OfflineError::Undecided`] or [`OfflineError::NotThere`] before anything is changed; or what the operating system says.
pub fn repair(
    disk: SharedDisk,
    configured: &StoreOptions,
    request: Request,
    bit_maps: Option<&BitMaps>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Plan, OfflineError> {
    let store = OfflineStore::open_to_change(disk, configured)?;
    let mut plan = store.plan(request, progress)?;
    let built = build::build(&store, &mut plan, bit_maps, progress)?;
    if let Some(cut) = &plan.cut {
        cut::copy(&store, cut)?;
    }
    swap::swap(&store, &plan, &built)?;
    Ok(plan)
}
