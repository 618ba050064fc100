//! Owns the messages with a delivery time of their own: delivers each when it has come, unless it was taken back.
//!
//! Takes [`PersistTimer`]. Follows the two queues of [`TIMER_TOPIC`](crate::broker::timer::TIMER_TOPIC), works in the read
//! pool, sends what is due to the CommitLogActor as one batch. Writes `ferromq.timer.json`. When it dies, and when anything
//! fails, it begins anew with the queues: what it had sent and not been told of is delivered twice.

mod turn;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, Supervised, WrapFuture};

use self::turn::{Due, Look, Outcomes, Work};
use super::append_answer::append_up_to;
use super::commitlog_actor::AppendBatch;
use super::config_writer::ConfigWriter;
use super::dispatch_actor::MakeQueue;
use super::fault::{Faults, Guarded, OnPanic, ask, guarded};
use super::queue_actor::{QueuePorts, SnapshotOf};
use super::queue_directory::QueueKey;
use super::read_pool::ReadPool;
use crate::broker::timer::progress::TimerProgress;
use crate::broker::timer::{CANCELLATIONS, MESSAGES, timer_topic};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId};
use crate::store::{LogView, SharedDisk, StoreError};
use crate::time::SharedClock;

/// How often the queues are looked at for what is new; what is known already is delivered to the millisecond.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long after something that should not happen it begins anew.
const RETRY_AFTER_ERROR: Duration = Duration::from_secs(10);

/// Write down what is done with, as far as it is on the disk.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PersistTimer;

/// How to reach a TimerActor, or what stands in for one.
#[derive(Clone)]
pub struct TimerPorts {
    /// Writes down what is done with.
    pub persist: Recipient<PersistTimer>,
}

impl From<Addr<TimerActor>> for TimerPorts {
    fn from(timer: Addr<TimerActor>) -> Self {
        Self { persist: timer.recipient() }
    }
}

/// The parts that a TimerActor is made of.
pub struct TimerParts {
    /// What the file said.
    pub progress: TimerProgress,
    /// Where it is written.
    pub file: ConfigWriter,
    /// How often.
    pub persist_every: Duration,
    /// Where its files lie.
    pub disk: SharedDisk,
    /// The directory of the store.
    pub root: PathBuf,
    /// The DispatchActor.
    pub make_queue: Recipient<MakeQueue>,
    /// Reads entries and records.
    pub pool: ReadPool,
    /// The CommitLogActor.
    pub append: Recipient<AppendBatch>,
    /// Tells what is synced.
    pub log: LogView,
    /// Tells what is due.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Delivers messages at their time.
pub struct TimerActor {
    parts: TimerParts,
    queues: Option<Queues>,
    work: Option<Work>,
    /// What is done with, and the end of what was stored for it.
    done: (TimerProgress, PhysicalOffset),
    /// The same as it is written down when its end is on the disk.
    candidate: Option<(TimerProgress, PhysicalOffset)>,
    written: TimerProgress,
}

/// The two queues.
#[derive(Clone)]
struct Queues {
    messages: Arc<QueuePorts>,
    cancellations: Arc<QueuePorts>,
}

/// What one turn leaves.
struct Turned {
    queues: Queues,
    work: Work,
    due: Due,
    outcomes: Outcomes,
    now_ms: i64,
}

impl TimerActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: TimerParts) -> Self {
        let progress = parts.progress;
        let done = (progress, PhysicalOffset(0));
        Self { parts, queues: None, work: None, done, candidate: None, written: progress }
    }

    /// Looks at the queues and delivers what is due.
    fn turn(&mut self, ctx: &mut Context<Self>) {
        let TimerParts { make_queue, pool, append, clock, disk, root, .. } = &self.parts;
        let (make_queue, pool, append) = (make_queue.clone(), pool.clone(), append.clone());
        let (disk, root, now_ms, done) = (SharedDisk::clone(disk), root.clone(), clock.now_ms(), self.done.0);
        let (queues, work) = (self.queues.clone(), self.work.take());
        // In a task of its own, so that a panic of it is heard of here.
        let turn = actix_rt::spawn(async move {
            let queues = match queues {
                Some(queues) => queues,
                None => Queues::find(&make_queue).await?,
            };
            let look = queues.look(now_ms).await?;
            let (work, mut due) = match work {
                Some(work) if work.is_idle(&look) => (work, Due::default()),
                work => {
                    let job = move |log: &LogView| {
                        let fresh = || Work::fresh(&disk, &root, done, now_ms);
                        let mut work = work.map_or_else(fresh, Ok)?;
                        let due = work.turn(log, &look)?;
                        Ok::<_, StoreError>((work, due))
                    };
                    pool.ask(job).await??
                }
            };
            let outcomes = append_up_to(&append, std::mem::take(&mut due.puts)).await?;
            Ok(Turned { queues, work, due, outcomes, now_ms })
        });
        ctx.spawn(turn.into_actor(self).map(|turned, actor, ctx| {
            guarded(actor, ctx, "turn", |actor, ctx| {
                actor.turned(turned.unwrap_or_else(|_| Err(Refusal::error("a turn panicked"))), ctx);
            });
        }));
    }

    fn turned(&mut self, turned: Result<Turned, Refusal>, ctx: &mut Context<Self>) {
        if self.parts.faults.terminal().is_some() {
            return;
        }
        let wait = match turned {
            Ok(turned) => self.note(turned),
            Err(refusal) => {
                tracing::error!(?refusal, "messages with a delivery time cannot be delivered now; trying again");
                RETRY_AFTER_ERROR
            }
        };
        ctx.run_later(wait, |actor, ctx| {
            guarded(actor, ctx, "timer", Self::turn);
        });
    }

    /// Notes what a turn has delivered, and says when to go on.
    fn note(&mut self, turned: Turned) -> Duration {
        let Turned { queues, mut work, due, outcomes, now_ms } = turned;
        let mut refused = false;
        for (row, outcome) in due.rows.iter().zip(outcomes) {
            match outcome {
                Ok(end) => self.done.1 = end.max(self.done.1),
                Err(refusal) if refusal.is_for_good() => {
                    let problem = refusal.remark;
                    tracing::error!(at = %row.physical, problem, "a message is not delivered at its time; it stays here");
                }
                Err(_) => {
                    work.give_back(*row);
                    refused = true;
                }
            }
        }
        self.done.0 = self.done.0.or_further(work.progress(now_ms));
        let until_next = u64::try_from(work.next_ms().saturating_sub(now_ms)).unwrap_or(0);
        self.queues = Some(queues);
        self.work = Some(work);
        match (refused, due.more) {
            (true, _) => LOOK_EVERY,
            (false, true) => Duration::ZERO,
            (false, false) => Duration::from_millis(until_next).min(LOOK_EVERY),
        }
    }

    fn persist(&mut self) {
        let synced = self.parts.log.positions().synced();
        let candidate = *self.candidate.get_or_insert(self.done);
        // What is done with since may be on the disk as well.
        let Some((progress, _)) = [self.done, candidate].into_iter().find(|(_, end)| *end <= synced) else { return };
        self.candidate = None;
        if progress == self.written {
            return;
        }
        match self.parts.file.write(&progress.to_json()) {
            Ok(()) => self.written = progress,
            Err(error) => tracing::error!(%error, "cannot write which delivery times are done with; trying again"),
        }
    }
}

impl Queues {
    async fn find(make_queue: &Recipient<MakeQueue>) -> Result<Self, Refusal> {
        let find =
            |queue_id: QueueId| ask(make_queue, MakeQueue { key: QueueKey { topic: timer_topic().clone(), queue_id } });
        Ok(Self { messages: find(MESSAGES).await??, cancellations: find(CANCELLATIONS).await?? })
    }

    /// The messages are looked at last: what a cancellation is for is there when the cancellation is.
    async fn look(&self, now_ms: i64) -> Result<Look, Refusal> {
        let cancellations = ask(&self.cancellations.seldom.snapshot(), SnapshotOf).await?;
        Ok(Look { cancellations, messages: ask(&self.messages.seldom.snapshot(), SnapshotOf).await?, now_ms })
    }
}

impl Actor for TimerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.persist_every, |actor, ctx| {
            guarded(actor, ctx, "persist interval", |actor, _| actor.persist());
        });
        guarded(self, ctx, "start", Self::turn);
    }
}

impl Supervised for TimerActor {
    // What was under way is gone with the context, and is made anew from the queues.
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.work = None;
    }
}

impl Guarded for TimerActor {
    const NAME: &'static str = "TimerActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<PersistTimer> for TimerActor {
    type Result = ();

    fn handle(&mut self, _: PersistTimer, ctx: &mut Context<Self>) {
        guarded(self, ctx, "PersistTimer", |actor, _| actor.persist());
    }
}
