//! Removes what is old, and says when the disk is too full to take anything.
//!
//! Takes [`Requests`] of tools, [`CleanNow`], [`CheckSpace`], and [`StopCleaning`] at the end; goes by its own timers
//! otherwise. Looks at disks and removes files in the pool. Asks DispatchActor and QueueActors for queues, has the IndexActor
//! give files away and the FlushActor sync queues, tells the TopicActor where the log begins. Publishes why the
//! CommitLogActor takes nothing. When it dies it begins anew; what a round has left is done by the next.

mod cleaner;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture, Supervised,
    WrapFuture,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::cleaner::Cleaner;
use super::dispatch_actor::TopicsWithQueues;
use super::dispatch_cleaning::{CleaningPorts, FilesTurn};
use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::flush_actor::SyncQueues;
use super::index_actor::DetachExpired;
use super::live::Live;
use super::published::{Published, Publisher};
use super::read_pool::ReadPool;
use super::requests::Requests;
use super::topic_actor::LogBegins;
use crate::broker::config::RetentionTimes;
use crate::broker::retention::{Retention, Round, Usage, full};
use crate::broker::runtime_info::used_percent;
use crate::net::router::Request;
use crate::protocol::codes::request;
use crate::protocol::refusal::Refusal;
use crate::store::{Disk, LogView, SharedDisk, StoreOptions};
use crate::time::SharedClock;

/// The codes that a RetentionActor answers.
pub const CODES: [i32; 2] = [request::CLEAN_EXPIRED_CONSUMEQUEUE, request::DELETE_EXPIRED_COMMITLOG];

/// Clean now; answered when that is done.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Removed, Refusal>")]
pub enum CleanNow {
    /// What is due, as the timer would have it.
    Due,
    /// As if a tool had asked for it: what is old enough, whatever the hour.
    AllThatIsOld,
    /// Queues and index only.
    QueuesOnly,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Segments of the log.
    pub segments: usize,
    /// Files of queues; those of their extensions are not counted.
    pub queue_files: usize,
    /// Files of the index.
    pub index_files: usize,
}

/// Look whether there is room; tells whether the disk is too full to take anything.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct CheckSpace;

/// Removes nothing any more; answered when nothing is being removed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopCleaning;

/// How to reach a RetentionActor, or what stands in for one.
#[derive(Clone)]
pub struct RetentionPorts {
    /// Serves tools.
    pub requests: Recipient<Requests>,
    /// Cleans.
    pub clean: Recipient<CleanNow>,
    /// Looks for room.
    pub check: Recipient<CheckSpace>,
    /// Ends it.
    pub stop: Recipient<StopCleaning>,
}

impl From<Addr<RetentionActor>> for RetentionPorts {
    fn from(retention: Addr<RetentionActor>) -> Self {
        Self {
            requests: retention.clone().recipient(),
            clean: retention.clone().recipient(),
            check: retention.clone().recipient(),
            stop: retention.recipient(),
        }
    }
}

/// The parts that a RetentionActor is made of.
pub struct RetentionParts {
    /// When there are rounds and checks.
    pub times: RetentionTimes,
    /// Where it is published why nothing is taken.
    pub full: Publisher<Option<Refusal>>,
    /// What a round is carried out with.
    pub means: Means,
    /// Where faults are declared.
    pub faults: Faults,
}

/// What a round is carried out with.
#[derive(Clone)]
pub struct Means {
    /// The rules.
    pub live: Published<Live>,
    /// The log.
    pub log: LogView,
    /// Where the store lies,
    pub disk: SharedDisk,
    /// and how it is laid out.
    pub store: StoreOptions,
    /// Removes files.
    pub pool: ReadPool,
    /// Held while files of queues are removed.
    pub files: FilesTurn,
    /// The DispatchActor.
    pub topics: Recipient<TopicsWithQueues>,
    /// The same.
    pub queues: CleaningPorts,
    /// The IndexActor; none when no index is kept.
    pub index: Option<Recipient<DetachExpired>>,
    /// The FlushActor.
    pub sync_queues: Recipient<SyncQueues>,
    /// The TopicActor.
    pub log_begins: Recipient<LogBegins>,
    /// Tells how old segments are.
    pub clock: SharedClock,
}

/// Decides about rounds, and has them carried out one after the other.
pub struct RetentionActor {
    parts: RetentionParts,
    retention: Retention,
    /// Whether a round of its own accord is going on,
    goes_round: bool,
    /// and whether a tool wants queues and index looked through with the next one, wherever the log begins.
    queues_wanted: bool,
    /// Held by the round that is going on.
    cleaner: Arc<Mutex<Cleaner>>,
    /// Whether the broker stops: a round that is going on ends with the next file.
    stopping: Arc<AtomicBool>,
    /// Held from then on.
    stopped: Option<OwnedMutexGuard<Cleaner>>,
}

impl RetentionActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: RetentionParts) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let cleaner = Cleaner::new(parts.means.clone(), Arc::clone(&stopping));
        let cleaner = Arc::new(Mutex::new(cleaner));
        let retention = Retention::default();
        Self { parts, retention, goes_round: false, queues_wanted: false, cleaner, stopping, stopped: None }
    }

    /// How full the disks are, as the pool sees them.
    fn look(&self) -> impl Future<Output = Usage> + use<> {
        let Means { pool, disk, store, .. } = self.parts.means.clone();
        async move { pool.ask(move |_| usage(&*disk, &store)).await.unwrap_or_default() }
    }

    /// Notes how full the disks are, decides about a round, and tells the writer whether it may take anything.
    fn decide(&mut self, usage: &Usage) -> Option<Round> {
        let hour = self.parts.means.clock.hour_of_day();
        let round = self.retention.round(&self.parts.means.live.load().rules.retention, usage, hour);
        self.tell(usage);
        round
    }

    fn check(&mut self, usage: &Usage) -> bool {
        self.retention.check(&self.parts.means.live.load().rules.retention, usage);
        self.tell(usage);
        self.retention.is_full()
    }

    fn tell(&self, usage: &Usage) {
        let (was_full, is_full) = (self.parts.full.last().is_some(), self.retention.is_full());
        match (was_full, is_full) {
            (false, true) => {
                tracing::error!(?usage, "the disk is too full, messages are refused until there is room");
            }
            (true, false) => tracing::info!(?usage, "there is room on the disk again, messages are taken"),
            _ => {}
        }
        if was_full || is_full {
            self.parts.full.publish(is_full.then(|| full(usage)));
        }
    }

    /// Carries out what is due when that is known.
    fn clean(&mut self, wanted: CleanNow) -> ResponseActFuture<Self, Result<Removed, Refusal>> {
        if matches!(wanted, CleanNow::AllThatIsOld) {
            self.retention.request();
        }
        let queues_too = std::mem::take(&mut self.queues_wanted) || matches!(wanted, CleanNow::QueuesOnly);
        Box::pin(self.look().into_actor(self).then(move |usage, actor, ctx| {
            let decided = guarded(actor, ctx, "usage of the disks", |actor, _| match wanted {
                CleanNow::QueuesOnly => None,
                CleanNow::Due | CleanNow::AllThatIsOld => actor.decide(&usage),
            });
            let cleaner = Arc::clone(&actor.cleaner);
            // In a task of its own, so that a panic of it is heard of here.
            let round = actix_rt::spawn(async move { cleaner.lock().await.run(decided.flatten(), queues_too).await });
            let round = async { round.await.unwrap_or_else(|_| Err(Refusal::error("a round of cleaning panicked"))) };
            round.into_actor(actor)
        }))
    }

    /// A round of its own accord, unless one is going on.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.goes_round, true) {
            return;
        }
        ctx.spawn(self.clean(CleanNow::Due).map(|removed, actor, _| {
            actor.goes_round = false;
            if let Err(refusal) = removed {
                tracing::error!(?refusal, "what is old cannot be removed now; trying again with the next round");
            }
        }));
    }
}

/// How full the disks are.
fn usage(disk: &dyn Disk, store: &StoreOptions) -> Usage {
    let used = |path: &Path| match space_at(disk, path) {
        Ok(space) => Some(used_percent(space)),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "cannot find out how full the disk is");
            None
        }
    };
    Usage {
        logs: store.log_dirs().iter().map(|path| used(path)).collect(),
        queues: used(&store.queues_dir()),
        index: used(&store.index_dir()),
    }
}

/// Room at a path. Before the first message there may be no directory yet: it will be made in the one above.
pub(super) fn space_at(disk: &dyn Disk, path: &Path) -> std::io::Result<crate::store::disk::Space> {
    disk.space(path).or_else(|error| path.parent().map_or(Err(error), |above| disk.space(above)))
}

impl Actor for RetentionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(self.parts.times.first_round, |actor, ctx| {
            guarded(actor, ctx, "first round", Self::tick);
            ctx.run_interval(actor.parts.times.rounds_every, |actor, ctx| {
                guarded(actor, ctx, "round", Self::tick);
            });
        });
        ctx.run_later(self.parts.times.first_check, |actor, ctx| {
            let check = |actor: &mut Self, ctx: &mut Context<Self>| {
                let looked = actor.look().into_actor(actor);
                ctx.spawn(looked.map(|usage, actor, ctx| {
                    guarded(actor, ctx, "check", |actor, _| actor.check(&usage));
                }));
            };
            check(actor, ctx);
            ctx.run_interval(actor.parts.times.checks_every, check);
        });
    }
}

impl Supervised for RetentionActor {
    // What it waited for is gone with the context.
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.goes_round = false;
    }
}

impl Guarded for RetentionActor {
    const NAME: &'static str = "RetentionActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for RetentionActor {
    type Result = ();

    /// A tool is told at once that its request is taken: carrying it out may last for longer than it would wait. What comes
    /// while a round is going on is for the next one.
    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for Request { command, reply, .. } in requests.ready(ctx.address()) {
                tracing::info!(code = command.code, "a tool wants what is old removed");
                match command.code {
                    request::CLEAN_EXPIRED_CONSUMEQUEUE => actor.queues_wanted = true,
                    _ => actor.retention.request(),
                }
                actor.tick(ctx);
                reply.succeed();
            }
        });
    }
}

impl Handler<CleanNow> for RetentionActor {
    type Result = ResponseActFuture<Self, Result<Removed, Refusal>>;

    fn handle(&mut self, wanted: CleanNow, _: &mut Context<Self>) -> Self::Result {
        self.clean(wanted)
    }
}

impl Handler<CheckSpace> for RetentionActor {
    type Result = ResponseActFuture<Self, bool>;

    fn handle(&mut self, _: CheckSpace, _: &mut Context<Self>) -> Self::Result {
        Box::pin(self.look().into_actor(self).map(|usage, actor, _| actor.check(&usage)))
    }
}

impl Handler<StopCleaning> for RetentionActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: StopCleaning, _: &mut Context<Self>) -> Self::Result {
        self.stopping.store(true, Ordering::Release);
        let cleaner = Arc::clone(&self.cleaner);
        let locked = async move { cleaner.lock_owned().await };
        Box::pin(locked.into_actor(self).map(|locked, actor, _| actor.stopped = Some(locked)))
    }
}
