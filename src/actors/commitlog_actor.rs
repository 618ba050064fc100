//! Owns the writing end of the commit log: the one place where messages get their offsets.
//!
//! Takes [`AppendBatch`] from the send service of the connections (and, inside the process, from anybody), and [`Synced`]
//! from the FlushActor; [`CloseTopics`] and [`OpenTopics`] from the TopicActor. Moves the visible end of the log and rings
//! the DispatchActor; sends [`AwaitSync`] to the FlushActor under SYNC_FLUSH. When it dies the broker ends: a torn record
//! in the mapping is a matter for recovery.

mod once;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, WrapFuture,
};

use super::append_answer::{AppendAnswer, Outcomes, PutStatus};
use super::doorbell::{Bell, Doorbell};
use super::fault::{Faults, Guarded, OnPanic, Terminal, go_on_later, guarded, notify};
use super::flush_actor::AwaitSync;
use super::preparer::Preparer;
use super::published::Published;
use crate::broker::duplicates::{PutKeys, RecentSends};
use crate::broker::promises::Promises;
use crate::protocol::codes::response;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::{CommitLog, PutBatch, StoreError};
use crate::time::SharedClock;

/// Puts messages into the log, in this order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AppendBatch {
    /// The puts, for instance those of one read of a socket; each is taken or refused by itself.
    pub puts: PutBatch,
    /// The keys of those that are to be stored once only, in the order of the puts; none of them for the broker's own.
    pub keys: Vec<PutKeys>,
    /// Who is told what became of them.
    pub answer: AppendAnswer,
}

impl AppendBatch {
    /// Each put as a batch of its own. One that is told of as a whole stays whole.
    #[must_use]
    pub fn into_each(self) -> Vec<Self> {
        match self.answer {
            AppendAnswer::Clients(replies) => {
                let mut keys = self.keys.into_iter().peekable();
                let each = self.puts.into_each().into_iter().zip(replies.into_each()).enumerate();
                each.map(|(number, (puts, replies))| {
                    let own = keys.next_if(|keys| keys.put == number).map(|keys| PutKeys { put: 0, ..keys });
                    Self { puts, keys: own.into_iter().collect(), answer: AppendAnswer::Clients(replies) }
                })
                .collect()
            }
            answer => vec![Self { answer, ..self }],
        }
    }
}

/// Takes nothing more: whatever was sent before this is in the log when it is answered, and nothing comes behind it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Seal;

/// Takes nothing more for these topics until they are opened again: they are being deleted. Tells where the log ends: no
/// record of theirs lies behind that place.
#[derive(Clone, Debug, Message)]
#[rtype(result = "PhysicalOffset")]
pub struct CloseTopics {
    /// Which.
    pub topics: Vec<Topic>,
}

/// Takes messages for these topics again.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct OpenTopics {
    /// Which.
    pub topics: Vec<Topic>,
    /// How their messages are numbered.
    pub numbers: Numbers,
}

/// How the messages of topics are numbered that are opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Their queues are new.
    FromZero,
    /// Their queues are what they were.
    GoOn,
}

/// The log is on the disk up to a place.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Synced {
    /// The place.
    pub up_to: PhysicalOffset,
}

/// How to reach a CommitLogActor, or what stands in for one.
#[derive(Clone)]
pub struct CommitLogPorts {
    /// Puts messages into the log.
    pub append: Recipient<AppendBatch>,
    /// Tells how far the log is on the disk.
    pub synced: Recipient<Synced>,
    /// Ends the log when the broker stops.
    pub seal: Recipient<Seal>,
    /// Closes topics.
    pub close: Recipient<CloseTopics>,
    /// Opens them again.
    pub open: Recipient<OpenTopics>,
}

impl From<Addr<CommitLogActor>> for CommitLogPorts {
    fn from(log: Addr<CommitLogActor>) -> Self {
        Self {
            append: log.clone().recipient(),
            synced: log.clone().recipient(),
            seal: log.clone().recipient(),
            close: log.clone().recipient(),
            open: log.recipient(),
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
    /// What was sent lately to topics that store each send once only.
    pub recent: RecentSends,
    /// Tells store times.
    pub clock: SharedClock,
    /// When producers are answered.
    pub policy: FlushPolicy,
    /// A producer that has waited this long for a sync is told FLUSH_DISK_TIMEOUT (`syncFlushTimeout`).
    pub sync_limit: Duration,
    /// The FlushActor,
    pub await_sync: Recipient<AwaitSync>,
    /// and what spares it a message for each batch.
    pub sync_bell: Arc<Bell>,
    /// The DispatchActor's.
    pub doorbell: Arc<Doorbell>,
    /// Why nothing is taken, for as long as the disk is too full.
    pub full: Published<Option<Refusal>>,
    /// Makes segments ahead of the writer.
    pub preparer: Preparer,
    /// Where a failure that ends the broker is declared.
    pub faults: Faults,
}

/// How often what was sent is forgotten when its window is over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// So many of them are forgotten before others on this arbiter have their turn.
const SWEPT_AT_ONCE: usize = 4_096;

/// The one serialized writer.
pub struct CommitLogActor {
    parts: CommitLogParts,
    outcomes: Outcomes,
    promises: Promises<Promised>,
    /// Whether a timer is set for the promise that has to be broken first.
    timed: bool,
    /// Whether a timer is set for what was sent lately.
    sweeping: bool,
    /// Whether the broker stops, and takes nothing any more.
    sealed: bool,
    /// Topics for which nothing is taken; mostly none.
    closed: HashSet<Topic>,
}

/// What is answered when a promise is kept, or broken.
struct Promised {
    answer: AppendAnswer,
    outcomes: Outcomes,
}

impl CommitLogActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: CommitLogParts) -> Self {
        let promises = Promises::new(parts.sync_limit);
        Self {
            parts,
            outcomes: Outcomes::default(),
            promises,
            timed: false,
            sweeping: false,
            sealed: false,
            closed: HashSet::new(),
        }
    }

    fn append(&mut self, batch: AppendBatch, ctx: &mut Context<Self>) {
        let AppendBatch { puts, keys, answer } = batch;
        if self.sealed {
            let refusal = Refusal::new(response::SERVICE_NOT_AVAILABLE, "the broker is stopping");
            return answer.refuse_all(&refusal, puts.len());
        }
        if let Some(full) = &**self.parts.full.load() {
            return answer.refuse_all(full, puts.len());
        }
        let now = StoreTime(self.parts.clock.now_ms());
        self.outcomes.clear();
        // What nobody awaits any more is not stored: its producer was told to send it again.
        let late = answer.answered();
        let mut keys = keys.as_slice();
        for (number, put) in puts.iter().enumerate() {
            if late.contains(&number) {
                self.outcomes.skipped();
                continue;
            }
            let is_closed = self.closed.contains(put.topic);
            if let [own, rest @ ..] = keys
                && own.put == number
            {
                keys = rest;
                if !is_closed {
                    once::append(&mut self.parts.log, &mut self.parts.recent, &mut self.outcomes, (put, own), now);
                    continue;
                }
            }
            self.outcomes.record(|placed| match is_closed {
                true => Err(StoreError::TopicClosed { topic: put.topic.clone() }),
                false => self.parts.log.append(put, now, placed),
            });
        }
        self.sweep_later(ctx);
        if !self.outcomes.are_some_stored() {
            return answer.answer_all(&self.outcomes, PutStatus::Ok);
        }
        // All that the answers name lies before the end of the log, what earlier batches have stored too.
        let end = match self.parts.log.publish() {
            Ok(end) => end,
            Err(error) => return self.give_up(&error),
        };
        self.parts.preparer.written(end);
        match self.parts.policy {
            FlushPolicy::Async => {
                self.parts.log.positions().advance_visible(end);
                self.parts.doorbell.ring();
                answer.answer_all(&self.outcomes, PutStatus::Ok);
            }
            FlushPolicy::Sync => self.promise(end, answer, ctx),
        }
    }

    /// Forgets what was sent too long ago, as long as there is anything.
    fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.sweeping = false;
        if self.parts.recent.sweep(StoreTime(self.parts.clock.now_ms()), SWEPT_AT_ONCE) {
            self.sweeping = true;
            go_on_later(ctx, "sweep", Self::sweep);
        } else {
            self.sweep_later(ctx);
        }
    }

    fn sweep_later(&mut self, ctx: &mut Context<Self>) {
        if self.parts.recent.is_empty() || std::mem::replace(&mut self.sweeping, true) {
            return;
        }
        ctx.run_later(SWEEP_EVERY, |actor, ctx| {
            guarded(actor, ctx, "sweep", Self::sweep);
        });
    }

    fn close(&mut self, topics: Vec<Topic>) -> PhysicalOffset {
        self.closed.extend(topics);
        self.parts.log.end()
    }

    fn open(&mut self, open: &OpenTopics) {
        for topic in &open.topics {
            self.closed.remove(topic);
            if open.numbers == Numbers::FromZero {
                self.parts.log.offsets_mut().forget(topic);
                if let Some(forgotten) = self.parts.recent.forget(topic) {
                    drop(actix_rt::task::spawn_blocking(move || drop(forgotten)));
                }
            }
        }
    }

    fn promise(&mut self, end: PhysicalOffset, mut answer: AppendAnswer, ctx: &mut Context<Self>) {
        if answer.answer_at_once(&self.outcomes) {
            answer.let_wait(self.promises.limit());
        }
        let outcomes = std::mem::take(&mut self.outcomes);
        self.promises.make(end, self.parts.clock.elapsed(), Promised { answer, outcomes });
        if self.parts.sync_bell.ring() {
            // Those whose sends are there already are covered by the same sync.
            go_on_later(ctx, "sync", |actor, _| notify(&actor.parts.await_sync, AwaitSync));
        }
        self.watch(ctx);
    }

    fn keep_promises(&mut self, up_to: PhysicalOffset) {
        while let Some((end, promised)) = self.promises.kept(up_to) {
            self.settle(end, promised, PutStatus::Ok);
        }
        self.parts.doorbell.ring();
    }

    /// A message whose producer was told that its sync is late is shown to consumers from then on.
    fn break_promises(&mut self, ctx: &mut Context<Self>) {
        self.timed = false;
        let now = self.parts.clock.elapsed();
        while let Some((end, promised)) = self.promises.broken(now) {
            tracing::warn!(%end, "a sync of the log is late, producers are told");
            self.settle(end, promised, PutStatus::FlushDiskTimeout);
        }
        self.parts.doorbell.ring();
        self.watch(ctx);
    }

    fn settle(&self, end: PhysicalOffset, promised: Promised, status: PutStatus) {
        self.parts.log.positions().advance_visible(end);
        promised.answer.answer_all(&promised.outcomes, status);
    }

    fn watch(&mut self, ctx: &mut Context<Self>) {
        let Some(due) = self.promises.next_due().filter(|_| !self.timed) else { return };
        self.timed = true;
        ctx.run_later(due.saturating_sub(self.parts.clock.elapsed()), |actor, ctx| {
            guarded(actor, ctx, "late sync", Self::break_promises);
        });
    }

    /// What was accepted could not be written: nothing of it is acknowledged, and nothing more is taken.
    fn give_up(&mut self, error: &StoreError) {
        self.parts.faults.end(Terminal { actor: Self::NAME, at: "publish".into(), cause: error.to_string() });
    }

    /// Whether messages last whose sync has not come back is not known.
    fn refuse_promised(&mut self, terminal: &Terminal) {
        let refusal = Refusal::new(response::SERVICE_NOT_AVAILABLE, terminal.to_string());
        while let Some((_, promised)) = self.promises.kept(PhysicalOffset(u64::MAX)) {
            promised.answer.refuse_all(&refusal, promised.outcomes.puts());
        }
    }
}

impl Actor for CommitLogActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let faults = self.parts.faults.clone();
        let ended = async move { faults.ended().await };
        ctx.spawn(ended.into_actor(self).map(|terminal, actor, _| actor.refuse_promised(&terminal)));
    }
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
        guarded(self, ctx, "AppendBatch", |actor, ctx| actor.append(batch, ctx));
    }
}

impl Handler<Seal> for CommitLogActor {
    type Result = ();

    fn handle(&mut self, _: Seal, _: &mut Context<Self>) {
        self.sealed = true;
    }
}

impl Handler<CloseTopics> for CommitLogActor {
    type Result = MessageResult<CloseTopics>;

    fn handle(&mut self, close: CloseTopics, ctx: &mut Context<Self>) -> Self::Result {
        // Without an answer that can be believed nothing is deleted: no record lies before the beginning of the log.
        MessageResult(guarded(self, ctx, "CloseTopics", |actor, _| actor.close(close.topics)).unwrap_or_default())
    }
}

impl Handler<OpenTopics> for CommitLogActor {
    type Result = ();

    fn handle(&mut self, open: OpenTopics, ctx: &mut Context<Self>) {
        guarded(self, ctx, "OpenTopics", |actor, _| actor.open(&open));
    }
}

impl Handler<Synced> for CommitLogActor {
    type Result = ();

    fn handle(&mut self, synced: Synced, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Synced", |actor, _| actor.keep_promises(synced.up_to));
    }
}
