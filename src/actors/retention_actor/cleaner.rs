//! Carries out one round: the log first, then queues and index by where it begins now.
//!
//! Cut short at any point, the next round or the next start does the rest: queues and index may point to before the log,
//! never may they lack what is in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Means, Removed};
use crate::actors::dispatch_actor::TopicsWithQueues;
use crate::actors::dispatch_cleaning::{CleaningOfQueue, QueueCleaned, QueuesOf, ToClean};
use crate::actors::fault::{ask, notify};
use crate::actors::flush_actor::SyncQueues;
use crate::actors::index_actor::DetachExpired;
use crate::actors::queue_actor::{Cleaned, CleaningOf, FilesBefore, QueuePorts};
use crate::actors::queue_directory::QueueKey;
use crate::actors::topic_actor::LogBegins;
use crate::broker::retention::{Cause, RetentionRules, Round, expired};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::PhysicalOffset;
use crate::store::retention::{ages, remove_oldest};
use crate::store::segment::Segment;
use crate::store::{Beginning, SharedDisk};

/// What is remembered from round to round.
pub(super) struct Cleaner {
    means: Means,
    stopping: Arc<AtomicBool>,
    /// Queues and index point to nothing before it.
    cleaned_to: PhysicalOffset,
    /// Removed segments that somebody may still read.
    pinned: Vec<Pinned>,
    /// Whether it was told that nothing can go although room is short.
    stuck: bool,
}

/// A removed segment.
struct Pinned {
    segment: Weak<Segment>,
    base: u64,
    /// When it was removed, or told of last.
    since: Duration,
}

impl Cleaner {
    pub(super) fn new(means: Means, stopping: Arc<AtomicBool>) -> Self {
        Self { means, stopping, cleaned_to: PhysicalOffset(0), pinned: Vec::new(), stuck: false }
    }

    pub(super) async fn run(&mut self, round: Option<Round>, queues_too: bool) -> Result<Removed, Refusal> {
        let rules = self.means.live.load().rules.retention.clone();
        let mut removed = Removed::default();
        if let Some(round) = round {
            // What was removed before an error is gone, and queues and index follow it all the same.
            let outcome = self.clean_log(round, &rules, &mut removed).await;
            report(outcome, "the oldest segment of the log cannot be removed; trying again with the next round");
        }
        self.report_pinned(&rules);
        let log_min = self.means.log.min();
        if log_min > self.cleaned_to || queues_too {
            let hurries = round.is_some_and(|round| round.forced);
            let pause = if hurries { Duration::ZERO } else { rules.queue_pause };
            if self.clean_queues(log_min, pause, &mut removed).await? {
                self.clean_index(log_min, &mut removed).await?;
                notify(&self.means.log_begins, LogBegins { at: log_min });
                self.cleaned_to = log_min;
            }
        }
        Ok(removed)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    async fn clean_log(&mut self, round: Round, rules: &RetentionRules, removed: &mut Removed) -> Result<(), Refusal> {
        let Means { pool, log, clock, .. } = &self.means;
        let (positions, now_ms) = (log.positions(), clock.now_ms());
        let settled = positions.queues_synced().min(positions.synced());
        let row = pool.ask(|log| ages(log.segments())).await??;
        let count = expired(round, rules, now_ms, settled, &row);
        if count < expired(round, rules, now_ms, PhysicalOffset(u64::MAX), &row) {
            notify(&self.means.sync_queues, SyncQueues);
        }
        let is_stuck = count == 0 && round.cause == Cause::Space;
        if is_stuck && !std::mem::replace(&mut self.stuck, is_stuck) {
            tracing::warn!("the disk is filling up, and no segment of the log is old enough to be removed");
        }
        self.stuck &= is_stuck;
        for number in 0..count {
            if number > 0 {
                tokio::time::sleep(rules.segment_pause).await;
            }
            if self.is_stopping() {
                break;
            }
            let disk = SharedDisk::clone(&self.means.disk);
            let gone = self.means.pool.ask(move |log| {
                let gone = remove_oldest(&*disk, log.segments())?;
                Ok::<_, crate::store::StoreError>(gone.map(|gone| (Arc::downgrade(&gone), gone.base())))
            });
            let Some((segment, base)) = gone.await?? else { break };
            removed.segments += 1;
            self.pinned.push(Pinned { segment, base, since: self.means.clock.elapsed() });
            tracing::info!(base, ?round, "a segment of the log is removed");
        }
        Ok(())
    }

    /// Tells of removed segments that take up room because somebody reads them.
    fn report_pinned(&mut self, rules: &RetentionRules) {
        let now = self.means.clock.elapsed();
        self.pinned.retain_mut(|pinned| {
            let readers = pinned.segment.strong_count();
            if readers > 0 && now.saturating_sub(pinned.since) >= rules.pinned_limit {
                tracing::warn!(base = pinned.base, readers, "a removed segment is still read, which keeps its room");
                pinned.since = now;
            }
            readers > 0
        });
    }

    /// Tells whether all queues begin where the log begins now.
    async fn clean_queues(
        &self,
        log_min: PhysicalOffset,
        pause: Duration,
        removed: &mut Removed,
    ) -> Result<bool, Refusal> {
        let mut all = true;
        for topic in ask(&self.means.topics, TopicsWithQueues).await? {
            for queue_id in ask(&self.means.queues.queues_of, QueuesOf { topic: topic.clone() }).await? {
                if self.is_stopping() {
                    return Ok(false);
                }
                let key = QueueKey { topic: topic.clone(), queue_id };
                match self.clean_queue(&key, log_min).await {
                    Ok(0) => {}
                    Ok(files) => {
                        removed.queue_files += files;
                        tokio::time::sleep(pause).await;
                    }
                    Err(refusal) => {
                        let problem = refusal.remark;
                        tracing::error!(%topic, %queue_id, problem, "a queue cannot be cleaned now; trying again with the next round");
                        all = false;
                    }
                }
            }
        }
        Ok(all)
    }

    /// Tells how many files of the queue were removed.
    async fn clean_queue(&self, key: &QueueKey, log_min: PhysicalOffset) -> Result<usize, Refusal> {
        let Means { pool, files, queues, .. } = &self.means;
        // Asked for in one's turn: what was asked for before may be about a queue that is no more.
        let _turn = files.lock().await;
        let (owner, cleaning) = match ask(&queues.cleaning, CleaningOfQueue { key: key.clone() }).await? {
            ToClean::Nothing => return Ok(0),
            ToClean::Idle(cleaning) => (None, cleaning),
            ToClean::Owned(owner) => match ask(&owner.seldom.cleaning(), CleaningOf).await? {
                Some(cleaning) => (Some(owner), cleaning),
                None => return Ok(0),
            },
        };
        let looks = cleaning.clone();
        let beginning = pool.ask(move |_| looks.look(log_min)).await??;
        self.tell(key, owner.as_ref(), beginning, FilesBefore::Leave).await?;
        let count = pool.ask(move |_| cleaning.remove(beginning)).await??;
        self.tell(key, owner.as_ref(), beginning, FilesBefore::AreGone).await?;
        Ok(count)
    }

    async fn tell(
        &self,
        key: &QueueKey,
        owner: Option<&Arc<QueuePorts>>,
        beginning: Beginning,
        files: FilesBefore,
    ) -> Result<(), Refusal> {
        let cleaned = Cleaned { beginning, files };
        let owner = match owner {
            Some(owner) => Some(Arc::clone(owner)),
            None => ask(&self.means.queues.cleaned, QueueCleaned { key: key.clone(), cleaned }).await?,
        };
        match owner {
            Some(owner) => ask(&owner.seldom.cleaned(), cleaned).await,
            None => Ok(()),
        }
    }

    async fn clean_index(&self, log_min: PhysicalOffset, removed: &mut Removed) -> Result<(), Refusal> {
        let Some(index) = self.means.index.as_ref().filter(|_| !self.is_stopping()) else { return Ok(()) };
        let detached = ask(index, DetachExpired { log_min }).await?;
        match self.means.pool.ask(move |_| detached.destroy()).await? {
            Ok(files) => removed.index_files += files,
            Err(error) => {
                tracing::error!(%error, "an old file of the index cannot be removed; the next start finds it")
            }
        }
        Ok(())
    }
}

fn report(outcome: Result<(), Refusal>, what: &str) {
    if let Err(refusal) = outcome {
        tracing::error!(?refusal, "{what}");
    }
}
