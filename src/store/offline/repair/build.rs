//! Making queues and index beside the old ones, complete and on the disk before anything is done with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Plan;
use crate::protocol::units::{PhysicalOffset, QueueOffset, StoreTime};
use crate::store::consumequeue::ConsumeQueue;
use crate::store::error::StoreError;
use crate::store::index::Index;
use crate::store::layout::StoreOptions;
use crate::store::offline::OfflineStore;
use crate::store::offline::finding::Part;
use crate::store::offline::walk::{LogWalk, Met};
use crate::store::queues::Queues;
use crate::store::recovery::{self, Progress};
use crate::store::replay::{BitMaps, Replay};

/// What was built.
#[derive(Debug)]
pub(super) struct Built {
    /// Where it lies.
    pub(super) options: Arc<StoreOptions>,
    /// Store time of the newest entry of the index; 0 for none.
    pub(super) indexed: StoreTime,
}

/// Gives every record to new queues and a new index, as a start does that finds none.
pub(super) fn build(
    store: &OfflineStore,
    plan: &mut Plan,
    bit_maps: Option<&BitMaps>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Built, StoreError> {
    let root = store.options.file(&format!("ferromq.repair-{}", plan.number));
    let options = StoreOptions { root, log_dirs: store.options.log_dirs(), ..StoreOptions::clone(&store.options) };
    let options = Arc::new(options);
    let mut queues = Queues::new(store.disk.clone(), Arc::clone(&options));
    let mut index = options.index_enabled.then(|| Index::new(store.disk.clone(), Arc::clone(&options)));
    let deleted = store.deleted.value.clone().unwrap_or_default();
    let given_again = plan.numbers.given_again();
    let mut replay = Replay {
        queues: &mut queues,
        index: index.as_mut(),
        delay_levels_ms: &options.delay_levels_ms,
        bit_maps,
        deleted: &deleted,
        given_again: Some(&given_again),
        log_min: plan.log_min,
        began: plan.log_min,
        unclean: false,
        added: 0,
        counted_from: PhysicalOffset(u64::MAX),
        weight: 0,
        again_from: None,
        hidden: BTreeMap::new(),
    };
    let total = plan.log_end.0 - plan.log_min.0;
    let mut walk = LogWalk::from(store, plan.log_min);
    while let Met::Record(head) = walk.next()? {
        if head.end() > plan.log_end {
            break;
        }
        let damaged = store.damage(&head).is_some();
        if let Some(problem) = recovery::give(head.queue_offset, damaged, |damaged| replay.give(&head, damaged))? {
            let place = store.place(head.physical_offset).of(&head);
            plan.findings.fault(Part::Log, place, format!("{problem}; it gets no entry that leads to it"));
        }
        let done = walk.position().0 - plan.log_min.0;
        progress(Progress { done, total });
    }
    assert!(replay.again_from.is_none(), "new queues begin where the walk does");
    for ((topic, queue_id), queue) in plan.queues.iter().filter(|(_, queue)| queue.is_expired) {
        let Some(last) = queue.after.and_then(|(_, next)| next.checked_sub(1)) else { continue };
        // The offset that comes next is known by where the last entry stands, though what it pointed to is gone.
        let queue = queues.queue_mut(topic, *queue_id)?;
        queue.append_blank(QueueOffset(last))?;
        queue.close_idle();
    }
    queues.idle_mut().for_each(ConsumeQueue::close_idle);
    queues.sync_idle()?;
    index.as_ref().map_or(Ok(()), Index::sync_all)?;
    for name in store.made_anew() {
        let directory = options.file(name);
        store.disk.create_dir(&directory).map_err(StoreError::io("create", &directory))?;
        store.disk.sync_dir(&directory).map_err(StoreError::io("sync", &directory))?;
    }
    for directory in [options.root(), store.options.root()] {
        store.disk.sync_dir(directory).map_err(StoreError::io("sync", directory))?;
    }
    let indexed =
        index.as_ref().and_then(Index::current).map_or_else(StoreTime::default, |current| current.newest_time);
    Ok(Built { options, indexed })
}
