//! Owns the asking about half messages whose transaction has not ended.
//!
//! Takes nothing but its own timers. Every `transactionCheckInterval` it goes through the half messages in the order of
//! their queue: asks the OffsetActor how far it has come, reads half and op messages in the pool, sends copies to the
//! CommitLogActor and questions to producers through the ClientActor. When it dies the next round begins where the last one
//! was noted: some producers are asked twice.

mod round;

use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, SpawnHandle,
    Supervised, WrapFuture,
};
use tokio::sync::oneshot;

use self::round::{Memory, Progress, Round};
use super::client_actor::AskProducer;
use super::commitlog_actor::AppendBatch;
use super::dispatch_actor::MakeQueue;
use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::live::Live;
use super::offset_actor::{Commit, StoredOffset};
use super::published::Published;
use super::read_pool::ReadPool;
use super::topic_actor::MakeTopic;
use crate::broker::topics::{HALF_TOPIC, OP_HALF_TOPIC};
use crate::broker::transaction::CHECK_GROUP;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConsumedOffset, QueueId, QueueOffset};
use crate::store::LogView;
use crate::time::SharedClock;

/// How long after a round it is looked whether its copies are on the disk.
const SYNC_LOOK_EVERY: Duration = Duration::from_millis(200);

/// Begins a round now, unless one is under way; answered when it is over and noted. For tests, and for who does not want to
/// wait.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CheckNow;

/// How to reach a TransactionActor, or what stands in for one.
#[derive(Clone)]
pub struct TransactionPorts {
    /// Begins a round.
    pub check: Recipient<CheckNow>,
}

impl From<Addr<TransactionActor>> for TransactionPorts {
    fn from(transactions: Addr<TransactionActor>) -> Self {
        Self { check: transactions.recipient() }
    }
}

/// The parts that a TransactionActor is made of.
#[derive(Clone)]
pub struct TransactionParts {
    /// The rules: when producers are asked.
    pub live: Published<Live>,
    /// The time between two rounds.
    pub every: Duration,
    /// The DispatchActor.
    pub make_queue: Recipient<MakeQueue>,
    /// The TopicActor.
    pub make_topic: Recipient<MakeTopic>,
    /// The OffsetActor: asked,
    pub stored: Recipient<StoredOffset>,
    /// and told.
    pub commit: Recipient<Commit>,
    /// Reads half and op messages.
    pub pool: ReadPool,
    /// The CommitLogActor.
    pub append: Recipient<AppendBatch>,
    /// The ClientActor.
    pub ask_producer: Recipient<AskProducer>,
    /// Tells what is synced.
    pub log: LogView,
    /// Tells how old messages are.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Asks about half messages.
pub struct TransactionActor {
    parts: TransactionParts,
    /// Whether a round is under way.
    busy: bool,
    /// Begins the next one.
    timer: Option<SpawnHandle>,
    /// Who waits for the end of this one.
    waiting: Vec<oneshot::Sender<()>>,
    /// What the last round has left.
    memory: Memory,
}

impl TransactionActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: TransactionParts) -> Self {
        Self { parts, busy: false, timer: None, waiting: Vec::new(), memory: Memory::default() }
    }

    fn check(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.busy, true) {
            return;
        }
        // In a task of its own, so that a panic of it is heard of here.
        let memory = std::mem::take(&mut self.memory);
        let round = actix_rt::spawn(Round::new(self.parts.clone(), memory).run());
        ctx.spawn(round.into_actor(self).map(|progress, actor, ctx| {
            guarded(actor, ctx, "round", |actor, ctx| {
                let progress = progress.unwrap_or_else(|_| Err(Refusal::error("a round panicked")));
                match progress {
                    Ok((progress, memory)) => {
                        actor.memory = memory;
                        actor.note(progress, ctx);
                    }
                    Err(refusal) => {
                        tracing::error!(?refusal, "half messages cannot be looked through now; trying again");
                        actor.rest(ctx);
                    }
                }
            });
        }));
    }

    /// Notes how far a round has come once its copies are on the disk: after a power cut the next one would otherwise go on
    /// behind half messages whose copies are lost.
    fn note(&mut self, progress: Progress, ctx: &mut Context<Self>) {
        if self.parts.log.positions().synced() < progress.end {
            ctx.run_later(SYNC_LOOK_EVERY, move |actor, ctx| {
                guarded(actor, ctx, "note", |actor, ctx| actor.note(progress, ctx));
            });
            return;
        }
        for (topic, before, now) in
            [(HALF_TOPIC, progress.half_before, progress.half), (OP_HALF_TOPIC, progress.op_before, progress.op)]
        {
            if before != Some(now) {
                self.commit(topic, now);
            }
        }
        self.rest(ctx);
    }

    fn commit(&self, topic: &str, offset: QueueOffset) {
        let offset = ConsumedOffset(offset.0 as i64);
        let commit = Commit { topic: topic.into(), group: CHECK_GROUP.into(), queue_id: QueueId(0), offset };
        notify(&self.parts.commit, commit);
    }

    fn rest(&mut self, ctx: &mut Context<Self>) {
        self.busy = false;
        for waiting in self.waiting.drain(..) {
            // Who waited may be gone.
            let _ = waiting.send(());
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = Some(ctx.run_later(self.parts.every, |actor, ctx| {
            guarded(actor, ctx, "interval", Self::check);
        }));
    }
}

impl Actor for TransactionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.rest(ctx);
    }
}

impl Supervised for TransactionActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // Its timers and its round are gone with the context.
        self.timer = None;
        self.busy = false;
    }
}

impl Guarded for TransactionActor {
    const NAME: &'static str = "TransactionActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<CheckNow> for TransactionActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: CheckNow, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let (tell, told) = oneshot::channel();
        self.waiting.push(tell);
        guarded(self, ctx, "CheckNow", Self::check);
        Box::pin(async {
            // Without a word when the actor was restarted: its next round begins in its time.
            drop(told.await);
        })
    }
}
