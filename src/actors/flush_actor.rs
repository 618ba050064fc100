//! Owns syncing: the log's group commit, the queues' files, the checkpoint. Has an arbiter, and so a thread, of its
//! own, since a sync takes as long as the disk takes.
//!
//! Takes [`AwaitSync`] from the CommitLogActor under SYNC_FLUSH, which it answers with [`Synced`], [`QueueDirty`] from
//! QueueActors, [`IndexDirty`] from the IndexActor, [`SyncQueues`] from the RetentionActor, [`CloseStore`] at the end. When a
//! sync fails, or it dies, the broker ends: what the kernel did with the unwritten pages is unknown.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};

use super::commitlog_actor::Synced;
use super::dispatch_actor::SettledUpTo;
use super::doorbell::{Bell, Doorbell};
use super::fault::{Faults, Guarded, OnPanic, Terminal, go_on_later, guarded};
use super::late::Late;
use crate::protocol::units::PhysicalOffset;
use crate::store::{Flusher, IndexSync, Positions, QueueSync, Settled, StoreError};

/// Queues that are synced before whoever waits for the log gets a turn: a few milliseconds' worth, where many are synced at once.
const QUEUES_PER_TURN: usize = 64;

/// Puts are in the log whose producers wait for the disk: said once, through a bell, for all that come before the sync.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AwaitSync;

/// A queue has entries that are not on the disk; said once until its next sync.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct QueueDirty {
    /// What syncs it.
    pub sync: QueueSync,
}

/// Syncs everything and writes down that the store was closed in order.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct CloseStore {
    /// How far queues and index have come.
    pub settled: Settled,
    /// The index file that takes the puts.
    pub index: Option<IndexSync>,
}

/// An index file has entries that are not on the disk; said once until its next sync.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct IndexDirty {
    /// What syncs it.
    pub sync: IndexSync,
}

/// Syncs queues and index before it is time: somebody waits to remove what they could be made anew from.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SyncQueues;

/// Sync what waits: sent to itself behind everything that was in the mailbox, which makes the group of a group commit.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct SyncNow;

/// How to reach a FlushActor, or what stands in for one.
#[derive(Clone)]
pub struct FlushPorts {
    /// Waits for the disk.
    pub await_sync: Recipient<AwaitSync>,
    /// Reports a queue.
    pub queue_dirty: Recipient<QueueDirty>,
    /// Reports an index file.
    pub index_dirty: Recipient<IndexDirty>,
    /// Has queues and index synced.
    pub sync_queues: Recipient<SyncQueues>,
    /// Closes the store.
    pub close: Recipient<CloseStore>,
}

impl From<Addr<FlushActor>> for FlushPorts {
    fn from(flush: Addr<FlushActor>) -> Self {
        Self {
            await_sync: flush.clone().recipient(),
            queue_dirty: flush.clone().recipient(),
            index_dirty: flush.clone().recipient(),
            sync_queues: flush.clone().recipient(),
            close: flush.recipient(),
        }
    }
}

/// When what is not waited for is synced.
#[derive(Clone, Copy, Debug)]
pub struct FlushTimes {
    /// The log, under ASYNC_FLUSH (`flushIntervalCommitLog`).
    pub log_every: Duration,
    /// The queues and the checkpoint (`flushConsumeQueueThoroughInterval`),
    pub queues_every: Duration,
    /// and also when the log has grown by so much since: a start after a crash walks over what came later.
    pub queues_every_bytes: u64,
}

/// The parts that a FlushActor is made of.
pub struct FlushParts {
    /// Syncs, and writes down what is known to be on the disk.
    pub flusher: Flusher,
    /// The ends of the log.
    pub positions: Arc<Positions>,
    /// When.
    pub times: FlushTimes,
    /// The CommitLogActor,
    pub synced: Late<Synced>,
    /// and what it rings when somebody waits.
    pub sync_bell: Arc<Bell>,
    /// The DispatchActor's.
    pub doorbell: Arc<Doorbell>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Syncs.
pub struct FlushActor {
    parts: FlushParts,
    /// Whether somebody waits for the next sync.
    awaited: bool,
    /// Where the log ended when the last round began.
    round_at: PhysicalOffset,
    /// Whether the DispatchActor is being asked how far a round would reach.
    asking: bool,
    scheduled: bool,
}

impl FlushActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: FlushParts) -> Self {
        let round_at = parts.positions.synced();
        Self { parts, awaited: false, round_at, asking: false, scheduled: false }
    }

    fn schedule(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.scheduled, true) {
            ctx.notify(SyncNow);
        }
    }

    fn sync_log(&mut self) {
        self.scheduled = false;
        // Whoever comes from now on may not be covered, and is heard of again.
        self.parts.sync_bell.answer();
        let synced = match self.parts.flusher.sync_log() {
            Ok(synced) => synced,
            Err(error) => return self.fail("sync of the log", &error),
        };
        if std::mem::take(&mut self.awaited) {
            self.parts.synced.notify(Synced { up_to: synced.up_to });
        }
    }

    /// Asks how far the queues have come. The answer is older than the syncs that follow it, so it holds after them.
    fn begin_sync_queues(&mut self, ctx: &mut Context<Self>) {
        let is_under_way = self.asking || self.parts.flusher.is_in_round();
        let Some(dispatch) = self.parts.doorbell.dispatch().filter(|_| !is_under_way) else { return };
        self.asking = true;
        self.round_at = self.parts.positions.synced();
        let settled = dispatch.settled.send(SettledUpTo);
        ctx.spawn(settled.into_actor(self).map(|settled, _, ctx| {
            // What is dirty was told of before that answer, and may lie in the mailbox: it is taken in first.
            go_on_later(ctx, "sync of the queues", move |actor, ctx| {
                actor.asking = false;
                if let Ok(settled) = settled {
                    actor.parts.flusher.begin_round(settled);
                    actor.go_on_syncing(ctx);
                }
            });
        }));
    }

    /// A few files at a time, so that a sync of the log never waits for more than those.
    fn go_on_syncing(&mut self, ctx: &mut Context<Self>) {
        match self.parts.flusher.go_on(QUEUES_PER_TURN) {
            Ok(false) => self.parts.positions.advance_queues_synced(self.parts.flusher.queues_synced()),
            Ok(true) => go_on_later(ctx, "sync of the queues", Self::go_on_syncing),
            Err(error) if error.is_shortage() => {
                tracing::error!(%error, "queues and index cannot be synced now, they are with the next round");
            }
            Err(error) => self.fail("sync of the queues", &error),
        }
    }

    fn close(&mut self, close: &CloseStore) -> Result<(), StoreError> {
        self.sync_log();
        self.parts.flusher.close(close.settled, close.index.as_ref())
    }

    fn fail(&mut self, at: &str, error: &StoreError) {
        self.parts.faults.end(Terminal { actor: Self::NAME, at: at.into(), cause: error.to_string() });
    }
}

impl Actor for FlushActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.times.log_every, |actor, ctx| {
            guarded(actor, ctx, "log interval", |actor, _| {
                if actor.parts.positions.synced() < actor.parts.positions.written() {
                    actor.sync_log();
                }
            });
            guarded(actor, ctx, "much to walk over", |actor, ctx| {
                let grown = actor.parts.positions.synced().0.saturating_sub(actor.round_at.0);
                if grown >= actor.parts.times.queues_every_bytes {
                    actor.begin_sync_queues(ctx);
                }
            });
        });
        ctx.run_interval(self.parts.times.queues_every, |actor, ctx| {
            guarded(actor, ctx, "queue interval", Self::begin_sync_queues);
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

    fn handle(&mut self, _: AwaitSync, ctx: &mut Context<Self>) {
        guarded(self, ctx, "AwaitSync", |actor, ctx| {
            actor.awaited = true;
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
        guarded(self, ctx, "QueueDirty", |actor, _| actor.parts.flusher.note_queue(dirty.sync));
    }
}

impl Handler<IndexDirty> for FlushActor {
    type Result = ();

    fn handle(&mut self, dirty: IndexDirty, ctx: &mut Context<Self>) {
        guarded(self, ctx, "IndexDirty", |actor, _| actor.parts.flusher.note_index(dirty.sync));
    }
}

impl Handler<SyncQueues> for FlushActor {
    type Result = ();

    fn handle(&mut self, _: SyncQueues, ctx: &mut Context<Self>) {
        guarded(self, ctx, "SyncQueues", Self::begin_sync_queues);
    }
}

impl Handler<CloseStore> for FlushActor {
    type Result = Result<(), StoreError>;

    fn handle(&mut self, close: CloseStore, ctx: &mut Context<Self>) -> Self::Result {
        let closed = guarded(self, ctx, "CloseStore", |actor, _| actor.close(&close));
        // The arbiter may live on, and with it the intervals, which must not write into a store that others may open.
        ctx.stop();
        closed.unwrap_or(Err(StoreError::Poisoned))
    }
}
