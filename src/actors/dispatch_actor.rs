//! Follows the log (RocketMQ's *reput*) and fans out: queue entries to the QueueActors, keys to the IndexActor.
//!
//! Takes [`Appended`], rung through the [`Doorbell`] by whoever moves the visible end of the log, and [`OpenQueue`] from
//! the pull service. Creates QueueActors and owns the directory of them. It is the only way into the queues while the
//! broker runs. When it dies the broker ends: recovery dispatches what is missing.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};

use super::doorbell::Doorbell;
use super::fault::{Faults, Guarded, OnPanic, Terminal, guarded, notify};
use super::index_actor::{IndexEntry, IndexKeys};
use super::queue_actor::{Enqueue, Pull, QueuePorts};
use super::queue_directory::{DirectoryWriter, QueueKey};
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::units::{QueueId, QueueOffset};
use crate::store::{QueueEntry, RecordCursor, dispatch, index};

/// Most records taken in one turn: others on this arbiter wait that long.
const RECORDS_PER_TURN: usize = 1024;

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

/// How to reach a DispatchActor, or what stands in for one.
#[derive(Clone)]
pub struct DispatchPorts {
    /// Says that there is more to dispatch.
    pub appended: Recipient<Appended>,
    /// Asks for a queue.
    pub open_queue: Recipient<OpenQueue>,
}

/// Makes the actor of a queue, or what stands in for it.
pub type QueueFactory = Box<dyn Fn(&QueueKey) -> Result<QueuePorts, crate::store::StoreError> + Send>;

/// The parts that a DispatchActor is made of.
pub struct DispatchParts {
    /// Reads the log from where recovery has dispatched it.
    pub cursor: RecordCursor,
    /// How far it may read.
    pub log: crate::store::LogView,
    /// What it is woken by.
    pub doorbell: Arc<Doorbell>,
    /// What tells others which queues there are.
    pub directory: DirectoryWriter,
    /// Makes queues.
    pub queues: QueueFactory,
    /// The IndexActor; none when no index is kept.
    pub index: Option<Recipient<IndexKeys>>,
    /// What the levels of delayed messages wait, in milliseconds.
    pub delay_levels_ms: Vec<i64>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Dispatches records.
pub struct DispatchActor {
    parts: DispatchParts,
    rows: Rows,
}

/// Queues by topic, each with the entries that this turn has for it.
#[derive(Default)]
struct Rows {
    by_topic: HashMap<Topic, usize>,
    rows: Vec<(Topic, HashMap<QueueId, usize>)>,
    lines: Vec<Line>,
    touched: Vec<usize>,
    /// The row asked for last: messages of one topic come in runs.
    last: usize,
}

struct Line {
    ports: Arc<QueuePorts>,
    entries: Vec<(QueueOffset, QueueEntry)>,
}

impl DispatchActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: DispatchParts) -> Self {
        Self { parts, rows: Rows::default() }
    }

    fn follow(&mut self, ctx: &mut Context<Self>) {
        self.parts.doorbell.answer();
        let mut keys = IndexKeys::default();
        let turned = self.turn(&mut keys);
        self.rows.send();
        if let Some(index) = self.parts.index.as_ref().filter(|_| !keys.entries.is_empty()) {
            notify(index, keys);
        }
        match turned {
            Ok(true) => {
                if self.parts.cursor.position() < self.parts.log.visible() {
                    ctx.notify(Appended);
                }
            }
            Ok(false) => {}
            Err(cause) => {
                let at = format!("log offset {}", self.parts.cursor.position());
                self.parts.faults.end(Terminal { actor: Self::NAME, at, cause });
            }
        }
    }

    /// Dispatches up to a turn's worth of records; whether the turn was used up.
    fn turn(&mut self, keys: &mut IndexKeys) -> Result<bool, String> {
        let limit = self.parts.log.visible();
        for _ in 0..RECORDS_PER_TURN {
            let record = match self.parts.cursor.next(limit) {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(false),
                Err(unreadable) => return Err(unreadable.problem.to_string()),
            };
            if self.parts.index.is_some() {
                keys.entries.extend(dispatch::index_keys(&record).map(|key| IndexEntry {
                    key_hash: index::key_hash(record.topic, key),
                    physical: record.physical_offset,
                    store_time: record.store_time,
                }));
            }
            if let Some(entry) = dispatch::queue_entry(&record, &self.parts.delay_levels_ms) {
                let line = self.rows.line_of(&record, &self.parts.queues, &mut self.parts.directory)?;
                self.rows.push(line, record.queue_offset, entry);
            }
        }
        Ok(true)
    }

    fn open(&mut self, open: OpenQueue) {
        match self.rows.open(&open.key, &self.parts.queues, &mut self.parts.directory) {
            Ok(line) => {
                if let Some(line) = self.rows.lines.get(line) {
                    notify(&line.ports.pull, open.pull);
                }
            }
            Err(cause) => {
                tracing::error!(topic = %open.key.topic, queue = %open.key.queue_id, cause, "cannot open a queue");
            }
        }
    }
}

impl Rows {
    fn line_of(
        &mut self,
        record: &RecordHead<'_>,
        queues: &QueueFactory,
        directory: &mut DirectoryWriter,
    ) -> Result<usize, String> {
        let known = match self.rows.get(self.last) {
            Some((topic, lines)) if topic.as_str() == record.topic => lines.get(&record.queue_id).copied(),
            _ => self.by_topic.get(record.topic).copied().and_then(|row| {
                self.last = row;
                self.rows.get(row)?.1.get(&record.queue_id).copied()
            }),
        };
        if let Some(line) = known {
            return Ok(line);
        }
        let topic = Topic::parse(record.topic).map_err(|error| error.to_string())?;
        self.open(&QueueKey { topic, queue_id: record.queue_id }, queues, directory)
    }

    fn open(&mut self, key: &QueueKey, queues: &QueueFactory, directory: &mut DirectoryWriter) -> Result<usize, String> {
        let row = *self.by_topic.entry(key.topic.clone()).or_insert_with(|| {
            self.rows.push((key.topic.clone(), HashMap::new()));
            self.rows.len() - 1
        });
        let (_, lines) = self.rows.get_mut(row).expect("row numbers come from this table");
        if let Some(line) = lines.get(&key.queue_id) {
            return Ok(*line);
        }
        let ports = Arc::new(queues(key).map_err(|error| error.to_string())?);
        directory.enter(key, Arc::clone(&ports));
        self.lines.push(Line { ports, entries: Vec::new() });
        lines.insert(key.queue_id, self.lines.len() - 1);
        Ok(self.lines.len() - 1)
    }

    fn push(&mut self, line: usize, offset: QueueOffset, entry: QueueEntry) {
        if let Some(found) = self.lines.get_mut(line) {
            if found.entries.is_empty() {
                self.touched.push(line);
            }
            found.entries.push((offset, entry));
        }
    }

    /// One message per queue that got something.
    fn send(&mut self) {
        for line in self.touched.drain(..) {
            if let Some(line) = self.lines.get_mut(line) {
                let entries = std::mem::take(&mut line.entries);
                notify(&line.ports.enqueue, Enqueue { entries });
            }
        }
    }
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
