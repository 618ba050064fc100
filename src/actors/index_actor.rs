//! Owns the key index. Lives off the hot arbiter and may lag behind the log by milliseconds.
//!
//! Takes [`IndexKeys`] from the DispatchActor, those of several turns in one message. What cannot be written, for want of
//! room above all, is kept and tried again: until then its turns are not over, so that nobody takes it for indexed. When
//! it dies it starts again with the same files.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised};

use super::dispatch_actor::Turn;
use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::flush_actor::IndexDirty;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::{Index, IndexSync, StoreError};

/// How long what cannot be written waits until it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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

/// How to reach an IndexActor, or what stands in for one.
#[derive(Clone)]
pub struct IndexPorts {
    /// Indexes keys.
    pub keys: Recipient<IndexKeys>,
    /// Asks for the current file.
    pub current: Recipient<CurrentFile>,
}

impl From<Addr<IndexActor>> for IndexPorts {
    fn from(index: Addr<IndexActor>) -> Self {
        Self { keys: index.clone().recipient(), current: index.recipient() }
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
    /// What could not be written yet.
    late: VecDeque<IndexKeys>,
    complained: bool,
}

impl IndexActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: IndexParts) -> Self {
        Self { parts, late: VecDeque::new(), complained: false }
    }

    fn take(&mut self, keys: IndexKeys, ctx: &mut Context<Self>) {
        self.late.push_back(keys);
        // Where more than one waits, the timer runs.
        if self.late.len() == 1 {
            self.put(ctx);
        }
    }

    fn put(&mut self, ctx: &mut Context<Self>) {
        while let Some(keys) = self.late.front_mut() {
            let mut put = 0;
            let outcome = keys.entries.iter().try_for_each(|entry| {
                self.parts.index.put(entry.key_hash, entry.physical, entry.store_time)?;
                put += 1;
                Ok::<(), StoreError>(())
            });
            keys.entries.drain(..put);
            // Said before the turns are let go, so that who asks how far the index has come syncs this first.
            for sync in self.parts.index.take_untold() {
                notify(&self.parts.dirty, IndexDirty { sync });
            }
            if let Err(error) = outcome {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::error!(%error, "cannot write the key index; queries by key miss messages until it can");
                }
                ctx.run_later(RETRY_AFTER, |actor, ctx| {
                    guarded(actor, ctx, "retry", Self::put);
                });
                return;
            }
            self.complained = false;
            self.late.pop_front();
        }
    }
}

impl Actor for IndexActor {
    type Context = Context<Self>;
}

impl Supervised for IndexActor {}

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
