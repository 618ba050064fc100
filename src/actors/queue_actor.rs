//! Owns one consume queue: its entries, and the answers to pulls from it.
//!
//! Takes [`Enqueue`] from the DispatchActor, [`Pull`] from the connections' pull service and from the HoldActor, and
//! questions ([`BoundsOf`], [`SnapshotOf`]) from whoever asks. Sends [`Park`] and [`Wake`] to the
//! HoldActor, [`QueueDirty`] to the FlushActor, cold reads to the pool. When it dies the broker ends: recovery rebuilds
//! the queue from the log.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient};

use super::dispatch_actor::Turn;
use super::fault::{Faults, Guarded, OnPanic, Terminal, guarded, notify};
use super::flush_actor::QueueDirty;
use super::hold_actor::{HoldPorts, Park, Wake};
use super::open_queues::{CloseIdle, OpenQueues};
use super::pull_reply::PullReply;
use super::read_pool::ReadPool;
use crate::broker::filter::TagFilter;
use crate::broker::hold::{Arrival, Wait};
use crate::broker::pull::{self, PullLimits, PullStatus, QueueBounds, Selection};
use crate::protocol::codes::response;
use crate::protocol::units::{ConsumedOffset, PhysicalOffset, QueueOffset};
use crate::store::{ConsumeQueue, LogView, Placement, QueueEntry, QueueRead, QueueSnapshot, StoreError};
use crate::time::SharedClock;

/// How long entries without room on the disk wait until they are tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// New entries, in order, each with the number that its record says.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Enqueue {
    /// What to append.
    pub entries: Vec<(QueueOffset, QueueEntry)>,
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
    pub filter: TagFilter,
    /// How long it may wait when there is nothing; none once it has waited.
    pub suspend: Option<Duration>,
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

/// How to reach a QueueActor, or what stands in for one.
#[derive(Clone)]
pub struct QueuePorts {
    /// Appends entries.
    pub enqueue: Recipient<Enqueue>,
    /// Asks for messages.
    pub pull: Recipient<Pull>,
    /// Asks for the bounds.
    pub bounds: Recipient<BoundsOf>,
    /// Asks for what another thread can search.
    pub snapshot: Recipient<SnapshotOf>,
}

impl From<Addr<QueueActor>> for QueuePorts {
    fn from(queue: Addr<QueueActor>) -> Self {
        Self {
            enqueue: queue.clone().recipient(),
            pull: queue.clone().recipient(),
            bounds: queue.clone().recipient(),
            snapshot: queue.recipient(),
        }
    }
}

/// What all queues of a broker share.
pub struct QueueShared {
    /// Reads the log.
    pub log: LogView,
    /// The bounds of an answer.
    pub limits: PullLimits,
    /// Below this nothing is known to be in memory: it was there when the broker started.
    pub written_since: PhysicalOffset,
    /// Where pulls wait.
    pub hold: HoldPorts,
    /// Who syncs.
    pub dirty: Recipient<QueueDirty>,
    /// Who reads what may not be in memory.
    pub pool: ReadPool,
    /// Tells how long a pull may wait.
    pub clock: SharedClock,
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
    /// Entries that have no room on the disk yet.
    late: VecDeque<Enqueue>,
    complained: bool,
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
            late: VecDeque::new(),
            complained: false,
            awaited: false,
            cold_below,
            warm: 0..0,
            listed: false,
            used: false,
        }
    }

    fn enqueue(&mut self, enqueue: Enqueue, ctx: &mut Context<Self>) {
        self.late.push_back(enqueue);
        // Where more than one waits, the timer runs.
        if self.late.len() == 1 {
            self.place(ctx);
        }
    }

    /// Places entries in the order in which they came. For want of room they are kept and tried again: until then their
    /// turns are not over, so that nobody takes them for dispatched.
    fn place(&mut self, ctx: &mut Context<Self>) {
        while let Some(mut enqueue) = self.late.pop_front() {
            let first = self.queue.max_offset();
            let (placed, outcome) = self.append(&enqueue.entries);
            self.announce(first, enqueue.entries.drain(..placed));
            match outcome {
                Ok(()) => self.complained = false,
                Err(error @ StoreError::DiskFull { .. }) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        tracing::error!(%error, "messages are stored but cannot be consumed until there is room");
                    }
                    self.late.push_front(enqueue);
                    ctx.run_later(RETRY_AFTER, |actor, ctx| {
                        guarded(actor, ctx, "retry", Self::place);
                    });
                    break;
                }
                Err(error) => {
                    let at = format!("queue {} of {}", self.queue.queue_id(), self.queue.topic());
                    self.shared.faults.end(Terminal { actor: Self::NAME, at, cause: error.to_string() });
                }
            }
        }
        self.note_use(ctx);
    }

    /// Appends entries until one cannot be; tells how many were.
    fn append(&mut self, entries: &[(QueueOffset, QueueEntry)]) -> (usize, Result<(), StoreError>) {
        let mut placed = 0;
        let outcome = entries.iter().try_for_each(|(offset, entry)| {
            if let Placement::OutOfStep(placed) = self.queue.append(*entry, *offset)? {
                let (topic, queue) = (self.queue.topic(), self.queue.queue_id());
                tracing::error!(%topic, %queue, %offset, %placed, "entries are missing from a queue");
            }
            placed += 1;
            Ok(())
        });
        (placed, outcome)
    }

    /// Tells those who sync and those who wait what has come.
    fn announce(&self, first: QueueOffset, placed: impl Iterator<Item = (QueueOffset, QueueEntry)>) {
        if let Some(sync) = self.queue.untold() {
            notify(&self.shared.dirty, QueueDirty { sync });
        }
        if self.awaited && self.queue.max_offset() > first {
            let tags_codes = placed.map(|(_, entry)| entry.tags_code).collect();
            let arrival = Arrival { first, tags_codes };
            let (topic, queue_id) = (self.queue.topic().clone(), self.queue.queue_id());
            notify(&self.shared.hold.wake, Wake { topic, queue_id, arrival });
        }
    }

    fn pull(&mut self, pull: Pull, ctx: &mut Context<Self>) {
        let Some(pull) = self.warmed(pull, ctx) else { return };
        let bounds = self.bounds();
        let selection = match self.select(&pull, &bounds) {
            Ok(selection) => selection,
            Err(error) => return pull.reply.refuse(error.into()),
        };
        let code = selection.status.code(pull.offset);
        match (code, pull.suspend) {
            (response::SUCCESS, _) => self.answer(pull.reply, selection, &bounds),
            (response::PULL_NOT_FOUND, Some(limit)) => self.park(pull, limit, ctx),
            _ => pull.reply.within(&bounds).without_records(code, selection.status, selection.next),
        }
    }

    /// The pull, if its entries are in memory; otherwise it comes again when the pool has read them.
    fn warmed(&mut self, pull: Pull, ctx: &mut Context<Self>) -> Option<Pull> {
        let offset = u64::try_from(pull.offset.0).unwrap_or(0);
        if offset >= self.cold_below.0 || self.warm.contains(&offset) {
            return Some(pull);
        }
        match self.queue.warm_up(QueueOffset(offset)) {
            Ok(Some(warm_up)) => {
                self.warm = warm_up.entries();
                let queue: Recipient<Pull> = ctx.address().recipient();
                self.shared.pool.run(move |_| {
                    if let Err(error) = warm_up.run() {
                        // The pull finds the same out, and says so to its client.
                        tracing::warn!(%error, "cannot read queue entries ahead");
                    }
                    notify(&queue, pull);
                });
                None
            }
            // Out of bounds: answered without a look at any entry.
            Ok(None) => Some(pull),
            Err(error) => {
                pull.reply.refuse(error.into());
                None
            }
        }
    }

    fn select(&mut self, pull: &Pull, bounds: &QueueBounds) -> Result<Selection, StoreError> {
        let offset = match pull::begin(pull.offset, bounds) {
            Ok(offset) => offset,
            Err(nothing) => return Ok(nothing),
        };
        // Mostly the first entries fill the answer; only a filter that rejects many makes the whole scan worth reading.
        // A pull for no message gets one all the same, as the first that passes is given whatever was asked.
        let (wanted, all) = (pull.wanted.max(1) as usize, pull::entries_max(pull.wanted));
        let few = (2 * wanted).min(all);
        let selection = self.scan(offset, pull, few, bounds)?;
        let read_all_of_few = selection.next.0 - offset.0 == few as u64;
        if selection.records.len() < wanted && read_all_of_few && few < all {
            return self.scan(offset, pull, all, bounds);
        }
        Ok(selection)
    }

    fn scan(
        &mut self,
        offset: QueueOffset,
        pull: &Pull,
        entries: usize,
        bounds: &QueueBounds,
    ) -> Result<Selection, StoreError> {
        self.scratch.clear();
        Ok(match self.queue.read(offset, entries, &mut self.scratch)? {
            QueueRead::Entries(_) => {
                pull::select(offset, pull.wanted, &pull.filter, &self.scratch, bounds, &self.shared.limits)
            }
            QueueRead::NoFile { next } => Selection::empty(PullStatus::OffsetFoundNull, next),
        })
    }

    fn answer(&self, reply: PullReply, selection: Selection, bounds: &QueueBounds) {
        let oldest = selection.records.first().map_or(bounds.log_end, |(physical, _)| *physical);
        let memory = bounds.log_end.0.saturating_sub(self.shared.limits.memory_bytes);
        let reply = reply.within(bounds);
        if oldest >= self.shared.written_since && oldest.0 >= memory {
            reply.from_memory(&self.shared.log, &selection);
        } else {
            self.shared.pool.read(reply, selection);
        }
    }

    fn park(&mut self, pull: Pull, limit: Duration, ctx: &mut Context<Self>) {
        self.awaited = true;
        pull.reply.park(limit);
        let wait = Wait {
            topic: self.queue.topic().clone(),
            queue_id: self.queue.queue_id(),
            from: QueueOffset(u64::try_from(pull.offset.0).unwrap_or(0)),
            filter: pull.filter.clone(),
            until: self.shared.clock.elapsed() + limit,
            connection: pull.reply.connection(),
        };
        let pull = Pull { suspend: None, ..pull };
        notify(&self.shared.hold.park, Park { wait, pull, queue: ctx.address().recipient() });
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
        guarded(self, ctx, "Enqueue", |actor, ctx| actor.enqueue(enqueue, ctx));
    }
}

impl Handler<Pull> for QueueActor {
    type Result = ();

    fn handle(&mut self, pull: Pull, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Pull", |actor, ctx| {
            actor.pull(pull, ctx);
            actor.note_use(ctx);
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

impl Handler<CloseIdle> for QueueActor {
    type Result = ();

    fn handle(&mut self, asked: CloseIdle, ctx: &mut Context<Self>) {
        guarded(self, ctx, "CloseIdle", |actor, ctx| actor.close_idle(asked, ctx));
    }
}
