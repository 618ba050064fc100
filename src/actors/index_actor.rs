//! Owns the key index. Lives off the hot arbiter and may lag behind the log by milliseconds.
//!
//! Takes [`IndexKeys`] from the DispatchActor, those of several turns in one message, [`DetachExpired`] from the
//! RetentionActor. What cannot be written, for want of
//! room above all, is kept and tried again: until then its turns are not over, so that nobody takes it for indexed. When
//! it dies it goes on with the same files and what is left to do, but for the key that it died of.

use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised};

use super::backlog::{Backlog, RETRY_AFTER};
use super::dispatch_actor::Turn;
use super::fault::{Faults, Guarded, OnPanic, Terminal, guarded, notify};
use super::flush_actor::IndexDirty;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::{DetachedFiles, Index, IndexSnapshot, IndexSync};

/// Keys of some turns of dispatch, in log order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct IndexKeys {
    /// Hashes are computed by the sender, which has the record in its cache.
    pub entries: Vec<IndexEntry>,
    /// The turns of dispatch that they belong to; let go when they are in the index.
    pub turns: Vec<Arc<Turn>>,
}

/// One key of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Hash of topic and key.
    pub key_hash: i32,
    /// Where the record lies.
    pub physical: PhysicalOffset,
    /// When it was stored.
    pub store_time: StoreTime,
}

/// The file that takes the puts, to be synced when the store closes.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<IndexSync>")]
pub struct CurrentFile;

/// What does a thread need that looks for records by key?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "IndexSnapshot")]
pub struct IndexSnapshotOf;

/// Gives away the files that point to nothing in a log that begins there, to be removed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "DetachedFiles")]
pub struct DetachExpired {
    /// The beginning of the log.
    pub log_min: PhysicalOffset,
}

/// How to reach an IndexActor, or what stands in for one.
#[derive(Clone)]
pub struct IndexPorts {
    /// Indexes keys.
    pub keys: Recipient<IndexKeys>,
    /// Asks for the current file.
    pub current: Recipient<CurrentFile>,
    /// Asks for what another thread can search.
    pub snapshot: Recipient<IndexSnapshotOf>,
    /// Gives old files away.
    pub detach: Recipient<DetachExpired>,
}

impl From<Addr<IndexActor>> for IndexPorts {
    fn from(index: Addr<IndexActor>) -> Self {
        Self {
            keys: index.clone().recipient(),
            current: index.clone().recipient(),
            snapshot: index.clone().recipient(),
            detach: index.recipient(),
        }
    }
}

/// The parts that an IndexActor is made of.
pub struct IndexParts {
    /// The files.
    pub index: Index,
    /// The FlushActor, who syncs them.
    pub dirty: Recipient<IndexDirty>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Writes the index.
pub struct IndexActor {
    parts: IndexParts,
    left: Backlog<IndexKeys>,
    /// How many entries of the first message were tried.
    tried: usize,
}

impl IndexActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: IndexParts) -> Self {
        Self { parts, left: Backlog::new(), tried: 0 }
    }

    fn take(&mut self, keys: IndexKeys, ctx: &mut Context<Self>) {
        if self.left.add(keys) {
            self.put(ctx);
        }
    }

    fn put(&mut self, ctx: &mut Context<Self>) {
        self.left.take_up();
        while let Some(keys) = self.left.front_mut() {
            let (index, tried) = (&mut self.parts.index, &mut self.tried);
            let outcome = keys.entries.iter().try_for_each(|entry| {
                *tried += 1;
                index.put(entry.key_hash, entry.physical, entry.store_time)
            });
            let tried = std::mem::take(&mut self.tried);
            // Said before the turns are let go, so that who asks how far the index has come syncs this first.
            for sync in self.parts.index.take_untold() {
                notify(&self.parts.dirty, IndexDirty { sync });
            }
            match outcome {
                Ok(()) => drop(self.left.done()),
                Err(error) if error.is_shortage() => {
                    keys.entries.drain(..tried - 1);
                    if self.left.put_off() {
                        tracing::error!(%error, "cannot write the key index; queries by key miss messages until it can, \
                            and consumers wait when it is too far behind");
                    }
                    ctx.run_later(RETRY_AFTER, |actor, ctx| {
                        guarded(actor, ctx, "retry", Self::put);
                    });
                    return;
                }
                Err(error) => {
                    let (at, cause) = ("a put into the index".into(), error.to_string());
                    self.parts.faults.end(Terminal { actor: Self::NAME, at, cause });
                    // Recovery brings all of it.
                    self.left.clear();
                    return;
                }
            }
        }
    }

    /// Passes over the key at whose put the actor has died: it would do so again.
    fn skip_deadly(&mut self) {
        let tried = std::mem::take(&mut self.tried);
        if let Some(keys) = self.left.front_mut()
            && let Some(deadly) = keys.entries.drain(..tried).next_back()
        {
            tracing::error!(?deadly, "a key is missing in the index: putting it there has panicked");
        }
    }
}

impl Actor for IndexActor {
    type Context = Context<Self>;
}

impl Supervised for IndexActor {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.skip_deadly();
        // The timer is gone with the context.
        guarded(self, ctx, "restart", Self::put);
    }
}

impl Guarded for IndexActor {
    const NAME: &'static str = "IndexActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<IndexKeys> for IndexActor {
    type Result = ();

    fn handle(&mut self, keys: IndexKeys, ctx: &mut Context<Self>) {
        guarded(self, ctx, "IndexKeys", |actor, ctx| actor.take(keys, ctx));
    }
}

impl Handler<CurrentFile> for IndexActor {
    type Result = MessageResult<CurrentFile>;

    fn handle(&mut self, _: CurrentFile, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.index.current())
    }
}

impl Handler<IndexSnapshotOf> for IndexActor {
    type Result = MessageResult<IndexSnapshotOf>;

    fn handle(&mut self, _: IndexSnapshotOf, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.index.snapshot())
    }
}

impl Handler<DetachExpired> for IndexActor {
    type Result = MessageResult<DetachExpired>;

    fn handle(&mut self, detach: DetachExpired, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.index.detach_expired(detach.log_min))
    }
}
