//! Owns syncing: the log's group commit, the queues' files, the checkpoint. Has an arbiter, and so a thread, of its own,
//! since a sync takes as long as the disk takes.
//!
//! Takes [`AwaitSync`] from the CommitLogActor under SYNC_FLUSH, [`QueueDirty`] from QueueActors, [`CloseStore`] at the
//! end. Moves the visible end of the log and rings the DispatchActor. When a sync fails, or it dies, the broker ends:
//! what the kernel did with the unwritten pages is unknown.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};

use super::commitlog_actor::{AppendAnswer, PutStatus};
use super::doorbell::Doorbell;
use super::fault::{Faults, Guarded, OnPanic, Terminal, guarded};
use crate::protocol::units::PhysicalOffset;
use crate::store::{Durability, Placed, QueueSync, StoreError};
use crate::time::SharedClock;

/// Puts that are in the log and whose producers wait for the disk.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AwaitSync {
    /// The end of the last of them.
    pub end: PhysicalOffset,
    /// Who waits.
    pub pending: Vec<Pending>,
}

/// A put that waits for the disk.
#[derive(Debug)]
pub struct Pending {
    /// Who is told.
    pub answer: AppendAnswer,
    /// Where its messages lie.
    pub placed: Vec<Placed>,
}

/// A queue has entries that are not on the disk; said once until its next sync.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct QueueDirty {
    /// What syncs it.
    pub sync: QueueSync,
}

/// Syncs everything and writes down that the store was closed in order.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct CloseStore;

/// Sync what waits: sent to itself behind everything that was in the mailbox, which makes the group of a group commit.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct SyncNow;

/// How to reach a FlushActor, or what stands in for one.
#[derive(Clone)]
pub struct FlushPorts {
    /// Waits for the disk.
    pub await_sync: actix::Recipient<AwaitSync>,
    /// Reports a queue.
    pub queue_dirty: actix::Recipient<QueueDirty>,
    /// Closes the store.
    pub close: actix::Recipient<CloseStore>,
}

/// When what is not waited for is synced.
#[derive(Clone, Copy, Debug)]
pub struct FlushTimes {
    /// The log, under ASYNC_FLUSH (`flushIntervalCommitLog`).
    pub log_every: Duration,
    /// The queues and the checkpoint (`flushConsumeQueueThoroughInterval`).
    pub queues_every: Duration,
    /// A producer that waited longer is told FLUSH_DISK_TIMEOUT (`syncFlushTimeout`).
    pub sync_limit: Duration,
}

/// The parts that a FlushActor is made of.
pub struct FlushParts {
    /// What knows how to make the store durable.
    pub durability: Durability,
    /// When.
    pub times: FlushTimes,
    /// The DispatchActor's.
    pub doorbell: Arc<Doorbell>,
    /// Measures how long producers wait.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Syncs.
pub struct FlushActor {
    parts: FlushParts,
    waiting: Vec<(Duration, AwaitSync)>,
    dirty: Vec<QueueSync>,
    scheduled: bool,
}

impl FlushActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: FlushParts) -> Self {
        Self { parts, waiting: Vec::new(), dirty: Vec::new(), scheduled: false }
    }

    fn schedule(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.scheduled, true) {
            ctx.notify(SyncNow);
        }
    }

    fn sync_log(&mut self) {
        self.scheduled = false;
        let synced = match self.parts.durability.sync_log() {
            Ok(synced) => synced,
            Err(error) => return self.fail("sync of the log", &error),
        };
        let now = self.parts.clock.elapsed();
        for (since, group) in self.waiting.drain(..) {
            debug_assert!(group.end <= synced.up_to, "a sync covers what was published before it");
            self.parts.durability.positions().advance_visible(group.end);
            let status = match now.saturating_sub(since) > self.parts.times.sync_limit {
                true => PutStatus::FlushDiskTimeout,
                false => PutStatus::Ok,
            };
            group.pending.into_iter().for_each(|pending| pending.answer.stored(status, &pending.placed));
        }
        self.parts.doorbell.ring();
    }

    fn sync_queues(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        if let Err(error) = self.parts.durability.sync_queues(dirty) {
            self.fail("sync of the queues", &error);
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.sync_log();
        let dirty = std::mem::take(&mut self.dirty);
        self.parts.durability.close(dirty)
    }

    fn fail(&mut self, at: &str, error: &StoreError) {
        self.parts.faults.end(Terminal { actor: Self::NAME, at: at.into(), cause: error.to_string() });
        // Those who wait are refused by the drop of their replies: whether their messages last is not known.
        self.waiting.clear();
    }
}

impl Actor for FlushActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.times.log_every, |actor, ctx| {
            guarded(actor, ctx, "log interval", |actor, _| {
                if actor.parts.durability.is_log_dirty() {
                    actor.sync_log();
                }
            });
        });
        ctx.run_interval(self.parts.times.queues_every, |actor, ctx| {
            guarded(actor, ctx, "queue interval", |actor, _| actor.sync_queues());
        });
    }
}

impl Guarded for FlushActor {
    const NAME: &'static str = "FlushActor";
    const ON_PANIC: OnPanic = OnPanic::EndBroker;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<AwaitSync> for FlushActor {
    type Result = ();

    fn handle(&mut self, group: AwaitSync, ctx: &mut Context<Self>) {
        guarded(self, ctx, "AwaitSync", |actor, ctx| {
            actor.waiting.push((actor.parts.clock.elapsed(), group));
            actor.schedule(ctx);
        });
    }
}

impl Handler<SyncNow> for FlushActor {
    type Result = ();

    fn handle(&mut self, _: SyncNow, ctx: &mut Context<Self>) {
        guarded(self, ctx, "SyncNow", |actor, _| actor.sync_log());
    }
}

impl Handler<QueueDirty> for FlushActor {
    type Result = ();

    fn handle(&mut self, dirty: QueueDirty, ctx: &mut Context<Self>) {
        guarded(self, ctx, "QueueDirty", |actor, _| actor.dirty.push(dirty.sync));
    }
}

impl Handler<CloseStore> for FlushActor {
    type Result = Result<(), StoreError>;

    fn handle(&mut self, _: CloseStore, ctx: &mut Context<Self>) -> Self::Result {
        guarded(self, ctx, "CloseStore", |actor, _| actor.close()).unwrap_or(Err(StoreError::Poisoned))
    }
}
