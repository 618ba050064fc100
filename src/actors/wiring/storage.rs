//! Makes the actors that every message passes.

use std::sync::Arc;

use super::{Pools, Storage, Stored, Wiring};
use crate::actors::broker::StartError;
use crate::actors::builder::{QueueWrap, StorageMakers};
use crate::actors::commitlog_actor::{AppendBatch, CommitLogParts, FlushPolicy};
use crate::actors::dispatch_actor::{DispatchParts, QueueFactory};
use crate::actors::doorbell::{Bell, Doorbell};
use crate::actors::extensions::Extensions;
use crate::actors::fault::start_unbounded;
use crate::actors::flush_actor::{FlushParts, FlushPorts, FlushTimes};
use crate::actors::hold_actor::{HoldParts, HoldPorts};
use crate::actors::index_actor::IndexParts;
use crate::actors::late::Late;
use crate::actors::open_queues::OpenQueues;
use crate::actors::preparer::Preparer;
use crate::actors::published::Published;
use crate::actors::queue_actor::{QueueActor, QueuePorts, QueueShared};
use crate::actors::queue_directory::Directory;
use crate::actors::read_pool::{QUESTION_THREADS, ReadPool};
use crate::actors::stats_actor::{StatsParts, StatsPorts};
use crate::broker::filter::ConsumerFilters;
use crate::store::{CommitLog, Flusher, LogFlush, LogView};

impl Wiring<'_> {
    pub(super) fn storage(&self, make: StorageMakers, stored: Stored) -> Result<Storage, StartError> {
        let Stored { log, recent, queues, index, durable, deleted, extensions } = stored;
        let options = self.options;
        let view = log.view();
        let (doorbell, sync_bell) = (Arc::new(Doorbell::default()), Arc::new(Bell::default()));
        let threads = |what, number| ReadPool::start(what, number, view.clone()).map_err(StartError::Thread);
        let (pool, questions) = (threads("read", options.read_threads)?, threads("ask", QUESTION_THREADS)?);
        let (clock, faults) = (Arc::clone(&options.clock), self.faults.clone());
        let hold =
            (make.hold)(HoldParts { clock, limits: options.hold, log: view.clone(), faults }, &self.arbiters.hot);
        // The writer and the one who syncs tell each other things, so one of them is named late.
        let synced = Late::default();
        let flush_parts = FlushParts {
            flusher: Flusher::new(LogFlush::new(view.clone()), durable, log.preparation()),
            positions: Arc::clone(view.positions()),
            times: FlushTimes {
                log_every: options.flush_every,
                queues_every: options.flush_queues_every,
                queues_every_bytes: options.flush_queues_every_bytes,
            },
            synced: synced.clone(),
            sync_bell: Arc::clone(&sync_bell),
            doorbell: Arc::clone(&doorbell),
            faults: self.faults.clone(),
        };
        let flush = (make.flush)(flush_parts, &self.arbiters.flush);
        let index_parts = |index| IndexParts { index, dirty: flush.index_dirty.clone(), faults: self.faults.clone() };
        let index = index.map(|index| (make.index)(index_parts(index), &self.arbiters.rest));
        let stats = (make.stats)(self.stats_parts(), &self.arbiters.rest);
        let directory = Directory::default();
        // Queues are before the writer and have something to say to it.
        let append = Late::default();
        let queue_shared = self.queue_shared(&view, &hold, &flush, &pool, append.clone(), &stats);
        let dispatch_parts = DispatchParts {
            log: view.clone(),
            queues,
            doorbell: Arc::clone(&doorbell),
            directory: directory.writer(),
            queue_actor: queue_factory(Arc::new(queue_shared), make.queue),
            index: index.as_ref().map(|index| index.keys.clone()),
            ahead_max: options.dispatch_ahead_max,
            delay_levels_ms: options.store.delay_levels_ms.clone(),
            extensions,
            pool: pool.clone(),
            files: Arc::clone(&self.files),
            put_counted: stats.put.clone(),
            faults: self.faults.clone(),
        };
        let dispatch = (make.dispatch)(dispatch_parts, &self.arbiters.hot);
        doorbell.answered_by(dispatch.clone());
        let duplicates = recent.figures();
        let commit_log_parts = CommitLogParts {
            preparer: self.preparer(&log)?,
            full: self.full.clone(),
            log,
            recent,
            clock: Arc::clone(&options.clock),
            policy: options.flush,
            sync_limit: options.sync_limit,
            await_sync: flush.await_sync.clone(),
            sync_bell,
            doorbell,
            faults: self.faults.clone(),
        };
        let commit_log = (make.commit_log)(commit_log_parts, &self.arbiters.hot);
        synced.name(commit_log.synced.clone());
        append.name(commit_log.append.clone());
        let (log, pools) = (view, Pools { deliver: pool, questions });
        Ok(Storage { commit_log, dispatch, index, flush, hold, directory, pools, log, stats, deleted, duplicates })
    }

    fn stats_parts(&self) -> StatsParts {
        let (cluster, clock) = (self.options.cluster.clone(), Arc::clone(&self.options.clock));
        StatsParts { cluster, clock, faults: self.faults.clone() }
    }

    /// What makes the extensions of queues, if they have any.
    pub(super) fn extensions(&self, filters: &Published<ConsumerFilters>) -> Option<Extensions> {
        let filters = self.options.makes_bit_maps().then(|| filters.clone());
        self.options.store.queue_ext_enabled.then_some(Extensions { filters })
    }

    fn queue_shared(
        &self,
        view: &LogView,
        hold: &HoldPorts,
        flush: &FlushPorts,
        pool: &ReadPool,
        append: Late<AppendBatch>,
        stats: &StatsPorts,
    ) -> QueueShared {
        QueueShared {
            log: view.clone(),
            live: self.live.clone(),
            written_since: view.written(),
            hold: hold.clone(),
            dirty: flush.queue_dirty.clone(),
            pool: pool.clone(),
            append,
            broker_name: self.options.broker_name.as_str().into(),
            host: self.store_host(),
            got_counted: stats.got.clone(),
            clock: Arc::clone(&self.options.clock),
            // A queue with an extension holds twice as many files.
            open: OpenQueues::new(self.options.open_queues_max >> u32::from(self.options.store.queue_ext_enabled)),
            faults: self.faults.clone(),
        }
    }

    /// Starts the thread that is ahead of the writer.
    fn preparer(&self, log: &CommitLog) -> Result<Preparer, StartError> {
        let (options, written) = (self.options, log.view().written());
        let populator = match options.flush {
            FlushPolicy::Async => log.populator(),
            FlushPolicy::Sync => log.populator().page_by_page(),
        };
        let (segment_bytes, pages_ahead) = (options.store.log_segment_bytes, options.appender.pages_ahead());
        Preparer::start(log.preparation(), populator, written, segment_bytes, pages_ahead).map_err(StartError::Thread)
    }
}

/// Makes the actors of queues on the arbiter that the DispatchActor runs on.
fn queue_factory(shared: Arc<QueueShared>, wrap: Option<QueueWrap>) -> QueueFactory {
    Box::new(move |queue| {
        let ports: QueuePorts = start_unbounded(|_| QueueActor::new(queue, Arc::clone(&shared))).into();
        match &wrap {
            Some(wrap) => wrap(ports),
            None => ports,
        }
    })
}
