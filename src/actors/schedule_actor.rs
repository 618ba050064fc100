//! Owns one delay level: delivers its messages when they are due.
//!
//! Takes [`NextOf`] from whoever asks. Follows the level's queue, reads entries and records in the pool, sends what is due
//! to the CommitLogActor as one batch, tells the DelayOffsetActor how far it has come. When it dies it goes on where it
//! was: what it had sent and not been told of is delivered twice.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised,
    WrapFuture,
};
use tokio::sync::oneshot;

use super::append_answer::append_up_to;
use super::commitlog_actor::AppendBatch;
use super::delay_offset_actor::Delivered;
use super::dispatch_actor::MakeQueue;
use super::fault::{Faults, Guarded, OnPanic, ask, guarded, notify};
use super::queue_actor::{AwaitGrowth, QueuePorts, SnapshotOf};
use super::queue_directory::QueueKey;
use super::read_pool::ReadPool;
use crate::broker::schedule::{LevelProgress, due_ms, real_queue};
use crate::broker::topics::{HALF_TOPIC, schedule_topic};
use crate::protocol::message;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};
use crate::store::{LogView, NewMessage, PutBatch, QueueEntry, QueueSnapshot, StoreError, UnitReader};
use crate::time::SharedClock;

/// Most messages that are delivered at once,
const MESSAGES_AT_ONCE: usize = 256;
/// and most bytes of them, unless one alone is larger.
const BYTES_AT_ONCE: usize = 1 << 20;
/// How long after a message was not taken, for want of room above all, it is tried again;
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// the same after something that should not happen.
const RETRY_AFTER_ERROR: Duration = Duration::from_secs(10);
/// The clock is looked at this often at least: it may have been put forward.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What does the level deliver next?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "QueueOffset")]
pub struct NextOf;

/// How to reach a ScheduleActor, or what stands in for one.
#[derive(Clone)]
pub struct SchedulePorts {
    /// Asks how far it has come.
    pub next: Recipient<NextOf>,
}

impl From<Addr<ScheduleActor>> for SchedulePorts {
    fn from(level: Addr<ScheduleActor>) -> Self {
        Self { next: level.recipient() }
    }
}

/// The parts that a ScheduleActor is made of.
pub struct ScheduleParts {
    /// The level, from 1.
    pub level: u32,
    /// What it waits, in milliseconds.
    pub delay_ms: i64,
    /// What it delivers first.
    pub next: QueueOffset,
    /// The DispatchActor.
    pub make_queue: Recipient<MakeQueue>,
    /// Reads entries and records.
    pub pool: ReadPool,
    /// The CommitLogActor.
    pub append: Recipient<AppendBatch>,
    /// The DelayOffsetActor.
    pub delivered: Recipient<Delivered>,
    /// Tells what is due.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Delivers one level.
pub struct ScheduleActor {
    parts: ScheduleParts,
    queue: Option<Arc<QueuePorts>>,
    progress: LevelProgress,
    /// The end of all that was stored for it.
    end: PhysicalOffset,
}

/// When a level goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Now: there may be more.
    More,
    /// After so long.
    After(Duration),
    /// When this entry is there.
    Grown(QueueOffset),
}

/// What is due of one look at the queue.
#[derive(Debug)]
struct Due {
    puts: PutBatch,
    /// The entries of the puts, in their order.
    entries: Vec<QueueOffset>,
    /// Entries that can never be delivered.
    passed_over: Vec<QueueOffset>,
    /// Where the queue begins, if that is behind what was asked for.
    begins: Option<QueueOffset>,
    /// How many of those passed over are gone from the log, and the first of them.
    gone: Option<(usize, QueueOffset)>,
    then: Then,
}

/// What came of one turn.
struct Turn {
    due: Due,
    /// Of each put: the end of its record, or whether it is worth another try.
    outcomes: Vec<Result<PhysicalOffset, Refusal>>,
}

impl ScheduleActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: ScheduleParts) -> Self {
        let progress = LevelProgress::from(parts.next);
        Self { parts, queue: None, progress, end: PhysicalOffset(0) }
    }

    /// Looks at the queue and delivers what is due.
    fn turn(&mut self, ctx: &mut Context<Self>) {
        let ScheduleParts { make_queue, pool, append, clock, delay_ms, level, .. } = &self.parts;
        let key = QueueKey { topic: schedule_topic().clone(), queue_id: QueueId(level - 1) };
        let (make_queue, pool, append) = (make_queue.clone(), pool.clone(), append.clone());
        let (queue, progress) = (self.queue.clone(), self.progress.clone());
        let look = Look { progress, delay_ms: *delay_ms, now_ms: clock.now_ms() };
        // In a task of its own, so that a panic of it is heard of here.
        let turn = actix_rt::spawn(async move {
            let queue = match queue {
                Some(queue) => queue,
                None => ask(&make_queue, MakeQueue { key }).await??,
            };
            Ok((Arc::clone(&queue), deliver(&queue, &pool, &append, look).await?))
        });
        ctx.spawn(turn.into_actor(self).map(|turned, actor, ctx| {
            guarded(actor, ctx, "turn", |actor, ctx| {
                let turned = turned.unwrap_or_else(|_| Err(Refusal::error("a turn panicked")));
                actor.turned(turned, ctx);
            });
        }));
    }

    fn turned(&mut self, turned: Result<(Arc<QueuePorts>, Turn), Refusal>, ctx: &mut Context<Self>) {
        if self.parts.faults.terminal().is_some() {
            return;
        }
        let level = self.parts.level;
        match turned {
            Ok((queue, turn)) => {
                self.queue = Some(queue);
                let then = self.note(turn);
                self.go_on(then, ctx);
            }
            Err(refusal) => {
                tracing::error!(?refusal, level, "delayed messages cannot be delivered now; trying again");
                ctx.run_later(RETRY_AFTER_ERROR, |actor, ctx| {
                    guarded(actor, ctx, "retry", Self::turn);
                });
            }
        }
    }

    /// Notes what a turn has delivered, and says when to go on.
    fn note(&mut self, turn: Turn) -> Then {
        let Turn { due, outcomes } = turn;
        let before = self.progress.next();
        let level = self.parts.level;
        if let Some(begins) = due.begins {
            tracing::warn!(level, next = %before, %begins, "delayed messages are gone with the log, or with its end");
            self.progress.jump(begins);
        }
        if let Some((messages, first)) = due.gone {
            tracing::warn!(level, messages, %first, "delayed messages are in the log no more");
        }
        due.passed_over.iter().for_each(|entry| self.progress.done(*entry));
        let mut then = due.then;
        for (entry, outcome) in due.entries.iter().zip(outcomes) {
            match outcome {
                Ok(stored) => {
                    self.end = stored.max(self.end);
                    self.progress.done(*entry);
                }
                Err(refusal) if refusal.is_for_good() => {
                    self.complain(*entry, &refusal.remark);
                    self.progress.done(*entry);
                }
                Err(_) => then = Then::After(RETRY_AFTER),
            }
        }
        let next = self.progress.next();
        if next != before {
            notify(&self.parts.delivered, Delivered { level: self.parts.level, next, end: self.end });
        }
        then
    }

    fn complain(&self, entry: QueueOffset, problem: &str) {
        tracing::error!(level = self.parts.level, %entry, problem, "a delayed message is not delivered; it stays in its queue");
    }

    fn go_on(&mut self, then: Then, ctx: &mut Context<Self>) {
        match (then, &self.queue) {
            (Then::Grown(entry), Some(queue)) => {
                let (tell, told) = oneshot::channel();
                notify(&queue.seldom.await_growth(), AwaitGrowth { entry, tell });
                ctx.spawn(told.into_actor(self).map(|told, actor, ctx| {
                    // Without a word only when the broker ends.
                    if told.is_ok() {
                        guarded(actor, ctx, "grown", Self::turn);
                    }
                }));
            }
            (Then::After(wait), _) => {
                ctx.run_later(wait.min(LOOK_EVERY), |actor, ctx| {
                    guarded(actor, ctx, "timer", Self::turn);
                });
            }
            (Then::More | Then::Grown(_), _) => self.turn(ctx),
        }
    }
}

/// One look at the queue of a level.
struct Look {
    progress: LevelProgress,
    delay_ms: i64,
    now_ms: i64,
}

/// Reads what is due and has it stored.
async fn deliver(
    queue: &QueuePorts,
    pool: &ReadPool,
    append: &Recipient<AppendBatch>,
    look: Look,
) -> Result<Turn, Refusal> {
    let snapshot = ask(&queue.seldom.snapshot(), SnapshotOf).await?;
    let mut due = pool.ask(move |log| look.due(log, &snapshot)).await??;
    let outcomes = append_up_to(append, std::mem::take(&mut due.puts)).await?;
    Ok(Turn { due, outcomes })
}

impl Look {
    fn due(&self, log: &LogView, queue: &QueueSnapshot) -> Result<Due, StoreError> {
        let (min, max) = (queue.min_offset(), queue.max_offset());
        let next = self.progress.next();
        // What expired is gone, and what was never there was cut off behind a crash.
        let from = next.clamp(min, max);
        let mut due = Due {
            puts: PutBatch::default(),
            entries: Vec::new(),
            passed_over: Vec::new(),
            begins: (from != next).then_some(from),
            gone: None,
            then: Then::Grown(max),
        };
        let mut units = queue.unit_reader();
        for (number, entry) in queue.entries(from, MESSAGES_AT_ONCE)?.iter().enumerate() {
            let offset = from.plus(number as u64);
            due.then = Then::More;
            let due_ms = due_ms(self.says_ms(log, &mut units, entry)?, self.delay_ms, self.now_ms);
            if due_ms > self.now_ms {
                due.then = Then::After(Duration::from_millis(due_ms.abs_diff(self.now_ms)));
                break;
            }
            if self.progress.is_done(offset) {
                continue;
            }
            due.add(log, offset, entry)?;
            if due.puts.bytes() >= BYTES_AT_ONCE {
                break;
            }
        }
        Ok(due)
    }
}

impl Look {
    /// When an entry says that it is due, or its unit; without that unit the record, as far as it can.
    ///
    /// # Source
    /// `ScheduleMessageService.DeliverDelayedMessageTimerTask.executeOnTimeup` 4.9.7 (read).
    fn says_ms(&self, log: &LogView, units: &mut Option<UnitReader>, entry: &QueueEntry) -> Result<i64, StoreError> {
        if let Some(due_ms) = entry.tags_code_by(units)? {
            return Ok(due_ms);
        }
        let message = log.message(entry.physical)?;
        // One that is gone is passed over now.
        Ok(message.map_or(self.now_ms, |message| message.store_time.0.saturating_add(self.delay_ms)))
    }
}

impl Due {
    fn add(&mut self, log: &LogView, offset: QueueOffset, entry: &QueueEntry) -> Result<(), StoreError> {
        let message = if entry.is_blank() { None } else { log.message(entry.physical)? };
        let Some(message) = message else {
            let (gone, first) = self.gone.unwrap_or((0, offset));
            self.gone = Some((gone + 1, first));
            self.passed_over.push(offset);
            return Ok(());
        };
        match self.put(&message) {
            Ok(()) => self.entries.push(offset),
            Err(problem) => {
                tracing::error!(%offset, at = %entry.physical, problem, "a delayed message is not delivered; it stays here");
                self.passed_over.push(offset);
            }
        }
        Ok(())
    }

    /// Adds the put of a message that is due, or says why it can go nowhere.
    fn put(&mut self, message: &message::Message) -> Result<(), String> {
        let (topic, queue_id) = real_queue(message).ok_or("it does not say where it goes")?;
        // Clients that leave both properties on a half message have it delayed, which none can be.
        if topic.as_str() == HALF_TOPIC {
            return Err("it is a half message".into());
        }
        self.puts.push(&NewMessage::again(message, &topic, queue_id)).map_err(|error| error.to_string())
    }
}

impl Actor for ScheduleActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        guarded(self, ctx, "start", Self::turn);
    }
}

impl Supervised for ScheduleActor {
    // It is started again, and goes on with the progress that it knows.
    fn restarting(&mut self, _: &mut Context<Self>) {}
}

impl Guarded for ScheduleActor {
    const NAME: &'static str = "ScheduleActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<NextOf> for ScheduleActor {
    type Result = MessageResult<NextOf>;

    fn handle(&mut self, _: NextOf, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.progress.next())
    }
}
