//! Owns syncing: the log's group commit, the queues' files, the checkpoint. Has an arbiter, and so a thread, of its
//! own, since a sync takes as long as the disk takes.
//!
//! Takes [`AwaitSync`] from the CommitLogActor under SYNC_FLUSH, which it answers with [`Synced`], [`QueueDirty`] from
//! QueueActors, [`IndexDirty`] from the IndexActor, [`SyncQueues`] from the RetentionActor, [`CloseStore`] at the end. When a sync fails, or it dies, the
//! broker ends: what the kernel did with the unwritten pages is unknown.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};

use super::commitlog_actor::Synced;
use super::dispatch_actor::{Settled, SettledUpTo};
use super::doorbell::{Bell, Doorbell};
use super::fault::{Faults, Guarded, OnPanic, Terminal, go_on_later, guarded};
use super::late::Late;
use crate::store::{CloseParts, Durable, IndexSync, LogFlush, Positions, Preparation, QueueSync, StoreError};

/// Queues that are synced before whoever waits for the log gets a turn: a few milliseconds' worth.
const FILES_PER_TURN: usize = 8;

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
    /// The queues and the checkpoint (`flushConsumeQueueThoroughInterval`).
    pub queues_every: Duration,
}

/// The parts that a FlushActor is made of.
pub struct FlushParts {
    /// Syncs the log.
    pub log: LogFlush,
    /// Its positions.
    pub positions: Arc<Positions>,
    /// What is known to be on the disk, written down.
    pub durable: Durable,
    /// The segment made ahead, which a clean stop removes.
    pub preparation: Preparation,
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
    dirty: Dirty,
    round: Option<Round>,
    /// Whether the DispatchActor is being asked how far a round would reach.
    asking: bool,
    scheduled: bool,
}

/// What is not on the disk.
#[derive(Default)]
struct Dirty {
    queues: Vec<QueueSync>,
    indexes: Vec<IndexSync>,
}

/// A round of syncs, after which queues and index are known to be on the disk up to a place.
struct Round {
    settled: Settled,
    left: Dirty,
}

impl FlushActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: FlushParts) -> Self {
        Self { parts, awaited: false, dirty: Dirty::default(), round: None, asking: false, scheduled: false }
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
        let synced = match self.parts.log.sync() {
            Ok(synced) => synced,
            Err(error) => return self.fail("sync of the log", &error),
        };
        self.parts.durable.note_log(synced);
        if std::mem::take(&mut self.awaited) {
            self.parts.synced.notify(Synced { up_to: synced.up_to });
        }
    }

    /// Asks how far the queues have come. The answer is older than the syncs that follow it, so it holds after them.
    fn begin_sync_queues(&mut self, ctx: &mut Context<Self>) {
        let is_under_way = self.asking || self.round.is_some();
        let Some(dispatch) = self.parts.doorbell.dispatch().filter(|_| !is_under_way) else { return };
        self.asking = true;
        let settled = dispatch.settled.send(SettledUpTo);
        ctx.spawn(settled.into_actor(self).map(|settled, _, ctx| {
            // What is dirty was told of before that answer, and may lie in the mailbox: it is taken in first.
            go_on_later(ctx, "sync of the queues", move |actor, ctx| {
                actor.asking = false;
                if let Some(settled) = settled.ok().filter(|_| actor.round.is_none()) {
                    let left = std::mem::take(&mut actor.dirty);
                    actor.round = Some(Round { settled, left });
                    actor.go_on_syncing(ctx);
                }
            });
        }));
    }

    /// A few files at a time, so that a sync of the log never waits for more than those.
    fn sync_some(&mut self, ctx: &mut Context<Self>) -> Result<(), StoreError> {
        let Some(round) = &mut self.round else { return Ok(()) };
        for _ in 0..FILES_PER_TURN {
            if round.left.sync_one(&mut self.parts.durable)?.is_none() {
                let settled = round.settled;
                self.round = None;
                self.parts.durable.note_queues(settled.up_to, settled.newest);
                self.parts.durable.save()?;
                self.parts.positions.advance_queues_synced(settled.up_to);
                return Ok(());
            }
        }
        go_on_later(ctx, "sync of the queues", Self::go_on_syncing);
        Ok(())
    }

    fn go_on_syncing(&mut self, ctx: &mut Context<Self>) {
        match self.sync_some(ctx) {
            Ok(()) => {}
            Err(error) if error.is_shortage() => {
                tracing::error!(%error, "queues and index cannot be synced now, they are with the next round");
                self.dirty.extend(self.round.take().map(|round| round.left).unwrap_or_default());
            }
            Err(error) => self.fail("sync of the queues", &error),
        }
    }

    fn close(&mut self, close: &CloseStore) -> Result<(), StoreError> {
        self.sync_log();
        let left = self.round.take().map(|round| round.left).unwrap_or_default();
        for mut dirty in [left, std::mem::take(&mut self.dirty)] {
            while dirty.sync_one(&mut self.parts.durable)?.is_some() {}
        }
        self.parts.durable.close(CloseParts {
            log: &mut self.parts.log,
            queues: Vec::new(),
            index: close.index.as_ref(),
            preparation: &self.parts.preparation,
            dispatched: close.settled.up_to,
            newest: close.settled.newest,
        })
    }

    fn fail(&mut self, at: &str, error: &StoreError) {
        self.parts.faults.end(Terminal { actor: Self::NAME, at: at.into(), cause: error.to_string() });
    }
}

impl Dirty {
    fn extend(&mut self, other: Self) {
        self.queues.extend(other.queues);
        self.indexes.extend(other.indexes);
    }

    /// Syncs one file or queue; `None` when there is none left.
    fn sync_one(&mut self, durable: &mut Durable) -> Result<Option<()>, StoreError> {
        if let Some(queue) = self.queues.last() {
            queue.sync()?;
            self.queues.pop();
            return Ok(Some(()));
        }
        let Some(index) = self.indexes.last() else { return Ok(None) };
        index.sync()?;
        let Some(index) = self.indexes.pop() else { return Ok(None) };
        if index.is_full {
            durable.note_index(index.newest_time);
        }
        Ok(Some(()))
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
        guarded(self, ctx, "QueueDirty", |actor, _| actor.dirty.queues.push(dirty.sync));
    }
}

impl Handler<IndexDirty> for FlushActor {
    type Result = ();

    fn handle(&mut self, dirty: IndexDirty, ctx: &mut Context<Self>) {
        guarded(self, ctx, "IndexDirty", |actor, _| actor.dirty.indexes.push(dirty.sync));
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
