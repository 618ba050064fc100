//! Owns the key index. Lives off the hot arbiter and may lag behind the log by milliseconds.
//!
//! Takes [`IndexKeys`] from the DispatchActor, one message per round. When it dies it starts again with the same files:
//! an entry that was lost is rebuilt by the next recovery.

use actix::{Actor, Context, Handler, Message, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded};
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::Index;

/// Keys of one round of dispatch, in log order.
#[derive(Debug, Default, Message)]
#[rtype(result = "()")]
pub struct IndexKeys {
    /// Hashes are computed by the sender, which has the record in its cache.
    pub entries: Vec<IndexEntry>,
}

/// One key of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Hash of topic and key.
    pub key_hash: u32,
    /// Where the record lies.
    pub physical: PhysicalOffset,
    /// When it was stored.
    pub store_time: StoreTime,
}

/// The parts that an IndexActor is made of.
pub struct IndexParts {
    /// The files.
    pub index: Index,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Writes the index.
pub struct IndexActor {
    parts: IndexParts,
    complained: bool,
}

impl IndexActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: IndexParts) -> Self {
        Self { parts, complained: false }
    }

    fn put(&mut self, keys: &IndexKeys) {
        for entry in &keys.entries {
            match self.parts.index.put_hash(entry.key_hash, entry.physical, entry.store_time) {
                Ok(()) => self.complained = false,
                Err(error) => {
                    // Messages are not held up by their index; queries by key miss these until it is rebuilt.
                    if !std::mem::replace(&mut self.complained, true) {
                        tracing::error!(%error, "cannot write the key index");
                    }
                    return;
                }
            }
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
        guarded(self, ctx, "IndexKeys", |actor, _| actor.put(&keys));
    }
}
