//! Owns one consume queue: its entries, and the answers to pulls from it.
//!
//! Takes [`Enqueue`] from the DispatchActor, [`Pull`] from the connections' pull service and from the HoldActor, and
//! questions ([`BoundsOf`], [`SnapshotOf`]) and [`AwaitGrowth`] from whoever asks, [`CloseIdle`] when too many queues are
//! open, [`Retire`] from the DispatchActor, [`CleaningOf`] and [`Cleaned`] from the RetentionActor. Sends `Park` and `Wake` to the HoldActor, [`QueueDirty`] to
//! the FlushActor, [`GotCounted`] to the StatsActor, cold reads to the pool. When it dies the broker ends: recovery
//! rebuilds the queue from the log.

mod counts;
mod entries;
pub(super) mod pulls;
mod removal;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient};
use tokio::sync::oneshot;

use self::counts::Counts;
use super::backlog::Backlog;
use super::commitlog_actor::AppendBatch;
use super::dispatch_actor::Turn;
use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::flush_actor::QueueDirty;
use super::hold_actor::HoldPorts;
use super::late::Late;
use super::live::Live;
use super::open_queues::{CloseIdle, OpenQueues};
use super::published::Published;
use super::pull_reply::PullReply;
use super::read_pool::ReadPool;
use super::stats_actor::GotCounted;
use crate::broker::filter::Filter;
use crate::broker::pull::{PullStatus, QueueBounds, Selection};
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::codes::response;
use crate::protocol::units::{ConsumedOffset, PhysicalOffset, QueueOffset};
use crate::store::{Beginning, ConsumeQueue, Extension, LogView, QueueCleaning, QueueEntry, QueueSnapshot, StoreError};
use crate::time::SharedClock;

/// Room for entries that a queue keeps from pull to pull: what a pull for 32 messages looks at.
const SCRATCH_ENTRIES_KEPT: usize = 64;

/// New entries, in order, each with the number that its record says.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Enqueue {
    /// What to append.
    pub entries: Vec<(QueueOffset, QueueEntry)>,
    /// What goes into the queue's extension, for each of the entries; empty where there are no extensions.
    pub extensions: Vec<Extension>,
    /// The turn of dispatch that they belong to; let go when they are in the queue.
    pub turn: Arc<Turn>,
}

/// Asks for messages.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Pull {
    /// The first entry wanted.
    pub offset: ConsumedOffset,
    /// How many messages at most.
    pub wanted: u32,
    /// Which of them.
    pub filter: Filter,
    /// How long it may wait when there is nothing; none once it has waited.
    pub suspend: Option<Duration>,
    /// Who asks.
    pub group: Arc<SubscriptionGroupConfig>,
    /// Whom it is answered to.
    pub reply: PullReply,
}

impl Pull {
    /// Answers that there is nothing: the client comes again.
    pub fn answer_not_found(self) {
        let next = QueueOffset(u64::try_from(self.offset.0).unwrap_or(0));
        self.reply.without_records(response::PULL_NOT_FOUND, PullStatus::OffsetOverflowOne, next);
    }
}

/// What are the bounds of the queue and of the log under it?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "QueueBounds")]
pub struct BoundsOf;

/// What does a thread need that looks for entries of the queue?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "QueueSnapshot")]
pub struct SnapshotOf;

/// Tells when the queue is longer than so many entries: for parts of the broker that follow a queue of its own.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AwaitGrowth {
    /// The entry that is waited for.
    pub entry: QueueOffset,
    /// Is told; dropped without a word when the broker ends.
    pub tell: oneshot::Sender<()>,
}

/// The topic is deleted: gives the queue away, and answers whoever still comes that there is no such topic.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Retire {
    /// Who destroys it.
    pub to: oneshot::Sender<ConsumeQueue>,
}

/// What does a thread need that cleans the queue? Nothing of one whose topic is deleted.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<QueueCleaning>")]
pub struct CleaningOf;

/// A thread has found where the queue begins.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Cleaned {
    /// Where.
    pub beginning: Beginning,
    /// What becomes of the files before it.
    pub files: FilesBefore,
}

/// What becomes of the files before a queue's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesBefore {
    /// They are going to be removed; nobody is to look into them any more.
    Leave,
    /// They are gone.
    AreGone,
}

impl Cleaned {
    /// Tells a queue.
    pub(super) fn tell(self, queue: &mut ConsumeQueue) {
        match self.files {
            FilesBefore::Leave => queue.begin(self.beginning),
            FilesBefore::AreGone => queue.let_go(self.beginning),
        }
    }
}

/// The pool has read the entries that a pull looks at.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Warmed {
    pull: Pull,
    entries: Range<u64>,
}

/// The pool has chosen among records of which some may not have been in memory.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Chosen {
    pull: Pull,
    bounds: QueueBounds,
    selection: Result<Selection, StoreError>,
}

/// How to reach a QueueActor, or what stands in for one.
#[derive(Clone)]
pub struct QueuePorts {
    /// Appends entries.
    pub enqueue: Recipient<Enqueue>,
    /// Asks for messages.
    pub pull: Recipient<Pull>,
    /// Asks for all else.
    pub seldom: Arc<dyn SeldomPorts>,
}

/// How to reach a QueueActor for what is not asked with every message. Each address takes some hundred bytes, and there may
/// be a hundred thousand queues: these are made when they are needed.
pub trait SeldomPorts: Send + Sync {
    /// Asks for the bounds.
    fn bounds(&self) -> Recipient<BoundsOf>;
    /// Asks for what another thread can search.
    fn snapshot(&self) -> Recipient<SnapshotOf>;
    /// Waits for an entry.
    fn await_growth(&self) -> Recipient<AwaitGrowth>;
    /// Takes the queue away.
    fn retire(&self) -> Recipient<Retire>;
    /// Asks for what another thread can clean.
    fn cleaning(&self) -> Recipient<CleaningOf>;
    /// Tells what has been cleaned.
    fn cleaned(&self) -> Recipient<Cleaned>;
}

impl From<Addr<QueueActor>> for QueuePorts {
    fn from(queue: Addr<QueueActor>) -> Self {
        Self { enqueue: queue.clone().recipient(), pull: queue.clone().recipient(), seldom: Arc::new(queue) }
    }
}

impl SeldomPorts for Addr<QueueActor> {
    fn bounds(&self) -> Recipient<BoundsOf> {
        self.clone().recipient()
    }

    fn snapshot(&self) -> Recipient<SnapshotOf> {
        self.clone().recipient()
    }

    fn await_growth(&self) -> Recipient<AwaitGrowth> {
        self.clone().recipient()
    }

    fn retire(&self) -> Recipient<Retire> {
        self.clone().recipient()
    }

    fn cleaning(&self) -> Recipient<CleaningOf> {
        self.clone().recipient()
    }

    fn cleaned(&self) -> Recipient<Cleaned> {
        self.clone().recipient()
    }
}

/// What all queues of a broker share.
pub struct QueueShared {
    /// Reads the log.
    pub log: LogView,
    /// The rules: the bounds of an answer.
    pub live: Published<Live>,
    /// Below this nothing is known to be in memory: it was there when the broker started.
    pub written_since: PhysicalOffset,
    /// Where pulls wait.
    pub hold: HoldPorts,
    /// Who syncs.
    pub dirty: Recipient<QueueDirty>,
    /// Who reads what may not be in memory.
    pub pool: ReadPool,
    /// The CommitLogActor, for messages about groups that ask for what is not there.
    pub append: Late<AppendBatch>,
    /// Name of this broker,
    pub broker_name: Arc<str>,
    /// and its address.
    pub host: SocketAddr,
    /// Tells how long a pull may wait.
    pub clock: SharedClock,
    /// The StatsActor.
    pub got_counted: Recipient<GotCounted>,
    /// Which queues hold files.
    pub open: OpenQueues,
    /// Where faults are declared.
    pub faults: Faults,
}

/// One consume queue.
pub struct QueueActor {
    queue: ConsumeQueue,
    shared: Arc<QueueShared>,
    scratch: Vec<QueueEntry>,
    /// Entries that are not in the queue yet, mostly for want of room.
    left: Backlog<Enqueue>,
    /// Who waits for which entry.
    growth: Vec<AwaitGrowth>,
    /// When somebody was last told of a group that asked for what is not there.
    moved_at: Option<Duration>,
    /// Whether a pull was ever parked here: from then on arrivals are announced.
    awaited: bool,
    /// Entries below this were there at the start and may not be in memory,
    cold_below: QueueOffset,
    /// but for these, which were read since.
    warm: Range<u64>,
    /// Whether it stands in the row of open queues,
    listed: bool,
    /// and was used since it was last asked to leave it.
    used: bool,
    /// What was got from it and is not told yet.
    counts: Counts,
    /// Whether its topic is deleted.
    retired: bool,
}

impl QueueActor {
    /// An actor that owns `queue`.
    #[must_use]
    pub fn new(queue: ConsumeQueue, shared: Arc<QueueShared>) -> Self {
        let cold_below = queue.max_offset();
        Self {
            queue,
            shared,
            scratch: Vec::new(),
            left: Backlog::new(),
            growth: Vec::new(),
            moved_at: None,
            awaited: false,
            cold_below,
            warm: 0..0,
            listed: false,
            used: false,
            counts: Counts::default(),
            retired: false,
        }
    }

    /// Called after whatever may have opened the queue's files.
    fn note_use(&mut self, ctx: &mut Context<Self>) {
        self.used = true;
        if !self.listed && self.queue.is_open() {
            self.listed = true;
            self.shared.open.opened(ctx.address().recipient());
        }
    }

    fn close_idle(&mut self, asked: CloseIdle, ctx: &mut Context<Self>) {
        if std::mem::take(&mut self.used) && asked.chances > 0 {
            self.shared.open.used(ctx.address().recipient(), asked);
        } else {
            self.listed = false;
            self.queue.close_idle();
        }
    }

    fn bounds(&self) -> QueueBounds {
        QueueBounds {
            min: self.queue.min_offset(),
            max: self.queue.max_offset(),
            log_min: self.shared.log.min(),
            log_end: self.shared.log.visible(),
        }
    }
}

impl Actor for QueueActor {
    type Context = Context<Self>;
}

impl Guarded for QueueActor {
    const NAME: &'static str = "QueueActor";
    const ON_PANIC: OnPanic = OnPanic::EndBroker;

    fn faults(&self) -> &Faults {
        &self.shared.faults
    }
}

impl Handler<Enqueue> for QueueActor {
    type Result = ();

    fn handle(&mut self, enqueue: Enqueue, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Enqueue", |actor, ctx| {
            if !actor.retired {
                actor.enqueue(enqueue, ctx);
            }
        });
    }
}

impl Handler<Pull> for QueueActor {
    type Result = ();

    fn handle(&mut self, pull: Pull, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Pull", |actor, ctx| {
            if actor.retired {
                return actor.refuse_retired(pull);
            }
            actor.pull(pull, ctx);
            actor.note_use(ctx);
        });
    }
}

impl Handler<Warmed> for QueueActor {
    type Result = ();

    fn handle(&mut self, warmed: Warmed, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Warmed", |actor, ctx| {
            if actor.retired {
                return actor.refuse_retired(warmed.pull);
            }
            actor.warm = warmed.entries;
            actor.serve(warmed.pull, ctx);
            actor.note_use(ctx);
        });
    }
}

impl Handler<Chosen> for QueueActor {
    type Result = ();

    fn handle(&mut self, chosen: Chosen, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Chosen", |actor, ctx| {
            if actor.retired {
                return actor.refuse_retired(chosen.pull);
            }
            actor.settle(chosen.pull, chosen.selection, &chosen.bounds, ctx);
        });
    }
}

impl Handler<BoundsOf> for QueueActor {
    type Result = actix::MessageResult<BoundsOf>;

    fn handle(&mut self, _: BoundsOf, _: &mut Context<Self>) -> Self::Result {
        actix::MessageResult(self.bounds())
    }
}

impl Handler<SnapshotOf> for QueueActor {
    type Result = actix::MessageResult<SnapshotOf>;

    fn handle(&mut self, _: SnapshotOf, _: &mut Context<Self>) -> Self::Result {
        actix::MessageResult(self.queue.snapshot())
    }
}

impl Handler<AwaitGrowth> for QueueActor {
    type Result = ();

    fn handle(&mut self, await_growth: AwaitGrowth, ctx: &mut Context<Self>) {
        guarded(self, ctx, "AwaitGrowth", |actor, _| {
            if !actor.retired {
                actor.growth.push(await_growth);
                actor.tell_of_growth();
            }
        });
    }
}

impl Handler<CloseIdle> for QueueActor {
    type Result = ();

    fn handle(&mut self, asked: CloseIdle, ctx: &mut Context<Self>) {
        guarded(self, ctx, "CloseIdle", |actor, ctx| actor.close_idle(asked, ctx));
    }
}
