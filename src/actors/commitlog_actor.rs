//! Owns the writing end of the commit log: the one place where messages get their offsets.
//!
//! Takes [`AppendBatch`] from the send service of the connections (and, inside the process, from anybody).
//! Sends [`super::flush_actor::AwaitSync`] to the FlushActor under SYNC_FLUSH, rings the DispatchActor otherwise.
//! When it dies the broker ends: a torn record in the mapping is a matter for recovery.

use std::ops::Range;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, Recipient};
use tokio::sync::oneshot;

use super::doorbell::Doorbell;
use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::flush_actor::{AwaitSync, Pending};
use super::preparer::Preparer;
use super::send_reply::SendReply;
use crate::broker::send::Put;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::{CommitLog, Placed};
use crate::time::SharedClock;

/// Puts messages into the log, in this order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AppendBatch {
    /// The puts of one read of a socket; each is taken or refused by itself.
    pub appends: Vec<Append>,
}

/// One put and whoever awaits it.
#[derive(Debug)]
pub struct Append {
    /// What to store.
    pub put: Put,
    /// Whether its producer wants the answer only when the promise of the flush policy is kept.
    pub waits: bool,
    /// Who is told.
    pub answer: AppendAnswer,
}

/// Who is told what became of a put.
#[derive(Debug)]
pub enum AppendAnswer {
    /// A client, by a reply.
    Client(SendReply),
    /// Somebody in this process.
    Caller(oneshot::Sender<Result<Stored, Refusal>>),
}

/// A put that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether the promise of the flush policy was kept.
    pub status: PutStatus,
    /// Where each of its messages lies.
    pub placed: Vec<Placed>,
}

/// How far a stored message is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutStatus {
    /// As safe as the flush policy promises.
    Ok,
    /// Stored, but not synced in time.
    FlushDiskTimeout,
}

impl AppendAnswer {
    /// Tells of success.
    pub fn stored(self, status: PutStatus, placed: &[Placed]) {
        match self {
            Self::Client(reply) => reply.stored(status, placed),
            // A caller that went away does not want to know.
            Self::Caller(caller) => drop(caller.send(Ok(Stored { status, placed: placed.to_vec() }))),
        }
    }

    /// Tells of failure.
    pub fn refuse(self, refusal: Refusal) {
        match self {
            Self::Client(reply) => reply.refuse(refusal),
            Self::Caller(caller) => drop(caller.send(Err(refusal))),
        }
    }

    /// Whether somebody still awaits the answer; what nobody awaits any more is not stored.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::Client(reply) => reply.is_awaited(),
            Self::Caller(caller) => !caller.is_closed(),
        }
    }

    fn release(&self) {
        if let Self::Client(reply) = self {
            reply.release();
        }
    }
}

/// When a producer is told that its message is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushPolicy {
    /// At once; the log is synced every so often.
    Async,
    /// When the sync that covers the message has come back.
    Sync,
}

/// The parts that a CommitLogActor is made of.
pub struct CommitLogParts {
    /// The writer.
    pub log: CommitLog,
    /// Tells store times.
    pub clock: SharedClock,
    /// When producers are answered.
    pub policy: FlushPolicy,
    /// The FlushActor.
    pub await_sync: Recipient<AwaitSync>,
    /// The DispatchActor's.
    pub doorbell: Arc<Doorbell>,
    /// Makes segments ahead of the writer.
    pub preparer: Preparer,
    /// Where a failure that ends the broker is declared.
    pub faults: Faults,
}

/// The one serialized writer.
pub struct CommitLogActor {
    parts: CommitLogParts,
    accepted: Vec<(Append, Range<usize>)>,
    placed: Vec<Placed>,
}

impl CommitLogActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: CommitLogParts) -> Self {
        Self { parts, accepted: Vec::new(), placed: Vec::new() }
    }

    fn append(&mut self, batch: AppendBatch) {
        let now = StoreTime(self.parts.clock.now_ms());
        for append in batch.appends {
            if !append.answer.is_awaited() {
                continue;
            }
            let from = self.placed.len();
            match self.parts.log.append(append.put.as_slice(), now, &mut self.placed) {
                Ok(()) => self.accepted.push((append, from..self.placed.len())),
                Err(error) => append.answer.refuse(error.into()),
            }
        }
        let Some(last) = self.placed.last() else { return };
        let end = last.physical.plus(u64::from(last.size));
        if let Err(error) = self.parts.log.publish() {
            return self.give_up(&error);
        }
        self.parts.preparer.written(end);
        match self.parts.policy {
            FlushPolicy::Async => self.answer_at_once(end),
            FlushPolicy::Sync => self.answer_after_sync(end),
        }
        self.placed.clear();
    }

    fn answer_at_once(&mut self, end: PhysicalOffset) {
        self.parts.log.positions().advance_visible(end);
        self.parts.doorbell.ring();
        for (append, range) in self.accepted.drain(..) {
            append.answer.stored(PutStatus::Ok, self.placed.get(range).unwrap_or_default());
        }
    }

    fn answer_after_sync(&mut self, end: PhysicalOffset) {
        let mut pending = Vec::with_capacity(self.accepted.len());
        for (append, range) in self.accepted.drain(..) {
            let placed = self.placed.get(range).unwrap_or_default();
            if append.waits {
                append.answer.release();
                pending.push(Pending { answer: append.answer, placed: placed.to_vec() });
            } else {
                append.answer.stored(PutStatus::Ok, placed);
            }
        }
        notify(&self.parts.await_sync, AwaitSync { end, pending });
    }

    /// What was accepted could not be written: nothing of it is acknowledged, and nothing more is taken.
    fn give_up(&mut self, error: &crate::store::StoreError) {
        self.parts.faults.end(super::fault::Terminal {
            actor: Self::NAME,
            at: "publish".into(),
            cause: error.to_string(),
        });
        self.accepted.clear();
        self.placed.clear();
    }
}

impl Actor for CommitLogActor {
    type Context = Context<Self>;
}

impl Guarded for CommitLogActor {
    const NAME: &'static str = "CommitLogActor";
    const ON_PANIC: OnPanic = OnPanic::EndBroker;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<AppendBatch> for CommitLogActor {
    type Result = ();

    fn handle(&mut self, batch: AppendBatch, ctx: &mut Context<Self>) {
        guarded(self, ctx, "AppendBatch", |actor, _| actor.append(batch));
    }
}
