//! Follows the log (RocketMQ's *reput*) and fans out: queue entries to the QueueActors, keys to the IndexActor.
//!
//! Takes [`Appended`], rung through the `Doorbell` by whoever moves the visible end of the log, and [`OpenQueue`] from the
//! pull service, [`RemoveTopics`] from the TopicActor, what [`CleaningPorts`] lead to from the RetentionActor. Creates
//! QueueActors and owns the directory of them. It is the only way into the queues while the broker runs. When it dies the
//! broker ends: recovery dispatches what is missing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient};

use super::dispatch_cleaning::{CleaningPorts, FilesTurn};
use super::dispatch_removal::Removals;
use super::dispatch_rows::{Found, Rows};
use super::doorbell::Doorbell;
use super::extensions::Extensions;
use super::fault::{Faults, Guarded, OnPanic, Terminal, go_on_later, guarded, notify};
use super::index_actor::{IndexEntry, IndexKeys};
use super::queue_actor::{Pull, QueuePorts};
use super::queue_directory::{DirectoryWriter, QueueKey};
use super::read_pool::ReadPool;
use super::stats_actor::{PutCounted, TELL_EVERY};
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::dispatch::Marks;
use crate::store::{ConsumeQueue, LogView, Queues, RecordCursor, Settled, StoreError};

/// Most records taken in one turn: others on this arbiter wait that long.
pub(super) const RECORDS_PER_TURN: usize = 1024;

/// Keys are sent to the index when there are this many, since that wakes another thread,
const KEYS_PER_MESSAGE: usize = 2048;
/// or this long after the first of them.
const KEYS_DELAY: Duration = Duration::from_millis(5);

/// When queues or index are too far behind, dispatch looks again after this long.
const AHEAD_DELAY: Duration = Duration::from_millis(5);

/// The visible end of the log has moved.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Appended;

/// A queue that nobody has asked for yet is asked for.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenQueue {
    /// Which.
    pub key: QueueKey,
    /// What to hand to it.
    pub pull: Pull,
}

/// How to reach a queue that has entries, or has an actor; `None` for one that has neither.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Option<Arc<QueuePorts>>, StoreError>")]
pub struct QueueOf {
    /// Which.
    pub key: QueueKey,
}

/// How to reach a queue, which is made if there is none.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Arc<QueuePorts>, StoreError>")]
pub struct MakeQueue {
    /// Which.
    pub key: QueueKey,
}

/// Destroys the queues of topics. Records of theirs that lie before a place in the log get no entry any more.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct RemoveTopics {
    /// Which.
    pub topics: Vec<Topic>,
    /// The place; no record of theirs lies behind it yet.
    pub below: PhysicalOffset,
}

/// Which topics have queues?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<Topic>")]
pub struct TopicsWithQueues;

/// Up to where every record is in its queue and in the index?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Settled")]
pub struct SettledUpTo;

/// One round of dispatch. Every message that it sent holds it until its work is done, so a turn that nobody holds any
/// more is in the queues and in the index.
#[derive(Debug)]
pub struct Turn {
    settled: Settled,
    /// How many records and keys it has.
    work: usize,
}

/// How to reach a DispatchActor, or what stands in for one.
#[derive(Clone)]
pub struct DispatchPorts {
    /// Says that there is more to dispatch.
    pub appended: Recipient<Appended>,
    /// Hands a pull to a queue that may have no actor yet.
    pub open_queue: Recipient<OpenQueue>,
    /// Asks for a queue.
    pub queue_of: Recipient<QueueOf>,
    /// Asks for a queue that is to exist.
    pub make_queue: Recipient<MakeQueue>,
    /// Asks how far queues and index have come.
    pub settled: Recipient<SettledUpTo>,
    /// Destroys the queues of topics.
    pub remove: Recipient<RemoveTopics>,
    /// Asks which topics have queues.
    pub topics: Recipient<TopicsWithQueues>,
    /// Cleans queues.
    pub cleaning: CleaningPorts,
}

impl From<Addr<DispatchActor>> for DispatchPorts {
    fn from(dispatch: Addr<DispatchActor>) -> Self {
        Self {
            appended: dispatch.clone().recipient(),
            open_queue: dispatch.clone().recipient(),
            queue_of: dispatch.clone().recipient(),
            make_queue: dispatch.clone().recipient(),
            settled: dispatch.clone().recipient(),
            remove: dispatch.clone().recipient(),
            topics: dispatch.clone().recipient(),
            cleaning: CleaningPorts::from(dispatch),
        }
    }
}

/// Makes the actor of a queue, or what stands in for it.
pub type QueueFactory = Box<dyn Fn(ConsumeQueue) -> QueuePorts + Send>;

/// The parts that a DispatchActor is made of.
pub struct DispatchParts {
    /// The log, all of which recovery has dispatched.
    pub log: LogView,
    /// The queues without an actor.
    pub queues: Queues,
    /// What it is woken by.
    pub doorbell: Arc<Doorbell>,
    /// What tells others which queues there are.
    pub directory: DirectoryWriter,
    /// Makes their actors.
    pub queue_actor: QueueFactory,
    /// The IndexActor; none when no index is kept.
    pub index: Option<Recipient<IndexKeys>>,
    /// Records and keys that queues and index may be behind by; beyond that dispatch waits for them.
    pub ahead_max: usize,
    /// What the levels of delayed messages wait, in milliseconds.
    pub delay_levels_ms: Vec<i64>,
    /// What makes the extensions of entries; none where queues have none.
    pub extensions: Option<Extensions>,
    /// Destroys queues,
    pub pool: ReadPool,
    /// which nobody does who removes files of queues at the same time.
    pub files: FilesTurn,
    /// The StatsActor.
    pub put_counted: Recipient<PutCounted>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Dispatches records.
pub struct DispatchActor {
    pub(super) parts: DispatchParts,
    pub(super) cursor: RecordCursor,
    pub(super) rows: Rows,
    pub(super) removals: Removals,
    /// Turns whose messages may still be on their way, oldest first.
    turns: VecDeque<Arc<Turn>>,
    settled: Settled,
    newest: StoreTime,
    /// Keys that the IndexActor has not been sent yet, and the turns that they belong to.
    keys: Vec<IndexEntry>,
    keys_of: Vec<Arc<Turn>>,
    keys_timed: bool,
    /// Whether what was counted is going to be told.
    counts_timed: bool,
    /// Whether it goes on without being rung for.
    goes_on: bool,
    /// Records and keys of this turn,
    work: usize,
    /// and of all turns that are not over.
    ahead: usize,
}

impl DispatchActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: DispatchParts) -> Self {
        let (end, newest) = (parts.log.visible(), parts.log.positions().newest_store_time());
        let cursor = parts.log.cursor(end);
        let settled = Settled { up_to: end, newest, weight: 0 };
        Self {
            parts,
            cursor,
            rows: Rows::default(),
            removals: Removals::default(),
            turns: VecDeque::new(),
            settled,
            newest,
            keys: Vec::new(),
            keys_of: Vec::new(),
            keys_timed: false,
            counts_timed: false,
            goes_on: false,
            work: 0,
            ahead: 0,
        }
    }

    fn follow(&mut self, ctx: &mut Context<Self>) {
        self.drop_settled();
        if self.ahead >= self.parts.ahead_max {
            if !std::mem::replace(&mut self.goes_on, true) {
                ctx.run_later(AHEAD_DELAY, |actor, ctx| {
                    guarded(actor, ctx, "wait for queues and index", Self::go_on);
                });
            }
            return;
        }
        self.parts.doorbell.answer();
        let turned = self.turn();
        self.send(ctx);
        match turned {
            Ok(true) => {
                let is_behind = self.cursor.position() < self.parts.log.visible();
                if is_behind && !std::mem::replace(&mut self.goes_on, true) {
                    go_on_later(ctx, "turn", Self::go_on);
                }
            }
            Ok(false) => {}
            Err(cause) => {
                let at = format!("log offset {}", self.cursor.position());
                self.parts.faults.end(Terminal { actor: Self::NAME, at, cause });
            }
        }
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        self.goes_on = false;
        self.follow(ctx);
    }

    /// Dispatches up to a turn's worth of records; whether the turn was used up.
    fn turn(&mut self) -> Result<bool, String> {
        let limit = self.parts.log.visible();
        for _ in 0..self.parts.extensions.as_ref().map_or(RECORDS_PER_TURN, Extensions::records_per_turn) {
            let record = match self.cursor.next(limit) {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(false),
                Err(unreadable) => return Err(unreadable.problem.to_string()),
            };
            self.newest = record.store_time;
            self.work += 1;
            let marks = Marks::of(&record);
            let Found { hasher, line } = self.rows.find(record.topic, record.queue_id);
            if self.parts.index.is_some() {
                let before = self.keys.len();
                let (physical, store_time) = (record.physical_offset, record.store_time);
                // Not `extend`, which asks a chain for one after the other.
                marks.index_keys(&record).for_each(|key| {
                    self.keys.push(IndexEntry { key_hash: hasher.hash(key), physical, store_time });
                });
                self.work += self.keys.len() - before;
            }
            if self.removals.covers(&record) {
                continue;
            }
            if let Some(entry) = marks.queue_entry(&record, &self.parts.delay_levels_ms) {
                let line = match line {
                    Some(line) => line,
                    None => open_for(&record, &mut self.rows, &mut self.parts)?,
                };
                self.rows.push(line, record.queue_offset, entry);
                if let Some(extensions) = &self.parts.extensions {
                    self.rows.extend(line, extensions.of(&record));
                }
            }
        }
        Ok(true)
    }

    /// One message per queue that got something; the index is told when it is worth waking its thread.
    fn send(&mut self, ctx: &mut Context<Self>) {
        let work = std::mem::take(&mut self.work);
        let settled = Settled { up_to: self.cursor.position(), newest: self.newest, weight: self.rows.weight() };
        let turn = Arc::new(Turn { settled, work });
        self.ahead += work;
        self.rows.send(&turn);
        self.removals.passed(settled.up_to);
        self.tell_counts_later(ctx);
        self.parts.log.positions().advance_dispatched(settled.up_to);
        if !self.keys.is_empty() {
            self.keys_of.push(Arc::clone(&turn));
            if self.keys.len() >= KEYS_PER_MESSAGE {
                self.send_keys();
            } else if !std::mem::replace(&mut self.keys_timed, true) {
                ctx.run_later(KEYS_DELAY, |actor, ctx| {
                    guarded(actor, ctx, "keys", |actor, _| {
                        actor.keys_timed = false;
                        actor.send_keys();
                    });
                });
            }
        }
        self.turns.push_back(turn);
    }

    /// What was put is counted by queue as it is dispatched, and told once a second: that wakes another thread.
    fn tell_counts_later(&mut self, ctx: &mut Context<Self>) {
        if self.rows.has_counted() && !std::mem::replace(&mut self.counts_timed, true) {
            ctx.run_later(TELL_EVERY, |actor, ctx| {
                guarded(actor, ctx, "counts", |actor, _| {
                    actor.counts_timed = false;
                    notify(&actor.parts.put_counted, PutCounted { topics: actor.rows.take_counted() });
                });
            });
        }
    }

    fn send_keys(&mut self) {
        let (entries, turns) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.keys_of));
        if let Some(index) = self.parts.index.as_ref().filter(|_| !entries.is_empty()) {
            notify(index, IndexKeys { entries, turns });
        }
    }

    /// Turns are over in their order only: what a later one has done counts when the earlier ones are done too.
    fn drop_settled(&mut self) {
        while let Some(turn) = self.turns.front().filter(|turn| Arc::strong_count(turn) == 1) {
            self.settled = turn.settled;
            self.ahead -= turn.work;
            self.turns.pop_front();
        }
    }

    fn settled(&mut self) -> Settled {
        self.drop_settled();
        self.settled
    }

    fn open(&mut self, open: OpenQueue) {
        let opened = self.removals.check(&open.key.topic).and_then(|()| self.rows.open(&open.key, &mut self.parts));
        match opened {
            Ok(line) => {
                if let Some(ports) = self.rows.ports(line) {
                    notify(&ports.pull, open.pull);
                }
            }
            Err(error) => open.pull.reply.refuse(error.into()),
        }
    }

    fn queue_of(&mut self, key: &QueueKey) -> Result<Option<Arc<QueuePorts>>, StoreError> {
        let known = self.rows.find(key.topic.as_str(), key.queue_id).line;
        let exists = known.is_some() || self.parts.queues.holds(&key.topic, key.queue_id);
        if !exists {
            return Ok(None);
        }
        self.make_queue(key).map(Some)
    }

    fn make_queue(&mut self, key: &QueueKey) -> Result<Arc<QueuePorts>, StoreError> {
        self.removals.check(&key.topic)?;
        let line = self.rows.open(key, &mut self.parts)?;
        Ok(Arc::clone(self.rows.ports(line).expect("a line that was opened is there")))
    }
}

/// The line of the first record of a queue.
fn open_for(record: &RecordHead<'_>, rows: &mut Rows, parts: &mut DispatchParts) -> Result<usize, String> {
    let topic = Topic::parse(record.topic).map_err(|error| error.to_string())?;
    let key = QueueKey { topic, queue_id: record.queue_id };
    rows.open(&key, parts).map_err(|error| error.to_string())
}

impl Actor for DispatchActor {
    type Context = Context<Self>;
}

impl Guarded for DispatchActor {
    const NAME: &'static str = "DispatchActor";
    const ON_PANIC: OnPanic = OnPanic::EndBroker;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Appended> for DispatchActor {
    type Result = ();

    fn handle(&mut self, _: Appended, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Appended", Self::follow);
    }
}

impl Handler<OpenQueue> for DispatchActor {
    type Result = ();

    fn handle(&mut self, open: OpenQueue, ctx: &mut Context<Self>) {
        guarded(self, ctx, "OpenQueue", |actor, _| actor.open(open));
    }
}

impl Handler<QueueOf> for DispatchActor {
    type Result = Result<Option<Arc<QueuePorts>>, StoreError>;

    fn handle(&mut self, of: QueueOf, ctx: &mut Context<Self>) -> Self::Result {
        guarded(self, ctx, "QueueOf", |actor, _| actor.queue_of(&of.key)).unwrap_or(Err(StoreError::Poisoned))
    }
}

impl Handler<MakeQueue> for DispatchActor {
    type Result = Result<Arc<QueuePorts>, StoreError>;

    fn handle(&mut self, make: MakeQueue, ctx: &mut Context<Self>) -> Self::Result {
        guarded(self, ctx, "MakeQueue", |actor, _| actor.make_queue(&make.key)).unwrap_or(Err(StoreError::Poisoned))
    }
}

impl Handler<SettledUpTo> for DispatchActor {
    type Result = MessageResult<SettledUpTo>;

    fn handle(&mut self, _: SettledUpTo, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.settled())
    }
}
