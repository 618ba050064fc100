//! The queues as dispatch sees them: found by topic and number without hashing, each with the entries of this turn.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use super::dispatch_actor::{DispatchParts, Turn};
use super::fault::notify;
use super::queue_actor::{Enqueue, QueuePorts};
use super::queue_directory::QueueKey;
use crate::broker::stats::Amount;
use crate::protocol::names::Topic;
use crate::protocol::units::{QueueId, QueueOffset};
use crate::store::index::KeyHasher;
use crate::store::{Extension, QueueEntry, StoreError};

/// Queue numbers below this lie in a plain row per topic.
const ROW_QUEUES_MAX: u32 = 4096;

/// Queues by topic, each with the entries that this turn has for it.
#[derive(Default)]
pub(super) struct Rows {
    by_topic: HashMap<Topic, usize>,
    /// Numbers of topics and queues that are no more are given to others.
    rows: Slab<Row>,
    lines: Slab<Line>,
    touched: Vec<usize>,
    /// Lines that have counted something since it was told last.
    counted: Vec<usize>,
    /// What queues had counted that are no more.
    counted_before: Vec<(Topic, Amount)>,
    /// What all entries since the start weigh.
    weight: u64,
    /// The row asked for last: messages of one topic come in runs.
    last: usize,
}

/// One topic.
struct Row {
    topic: Topic,
    hasher: KeyHasher,
    /// Which line a queue has, by the queue's number; queues with large numbers, which nobody configures, in a map.
    lines: Vec<Option<u32>>,
    beyond: HashMap<QueueId, u32>,
}

struct Line {
    ports: Arc<QueuePorts>,
    entries: Vec<(QueueOffset, QueueEntry)>,
    /// Of each entry, if queues have extensions.
    extensions: Vec<Extension>,
    /// What it got since that was told last.
    put: Amount,
    /// What each of its entries weighs, see [`census`](crate::store::census).
    weight: u64,
    row: usize,
}

/// What is known of a topic and one of its queues.
pub(super) struct Found {
    /// Hashes the topic's keys.
    pub(super) hasher: KeyHasher,
    /// The queue's line, if it has an actor.
    pub(super) line: Option<usize>,
}

impl Rows {
    /// What is known of a record's topic and queue.
    pub(super) fn find(&mut self, topic: &str, queue_id: QueueId) -> Found {
        if self.rows.get(self.last).is_none_or(|last| last.topic.as_str() != topic) {
            let Some(row) = self.by_topic.get(topic) else {
                // It is not kept: the topic may have no queue at all.
                return Found { hasher: KeyHasher::of(topic), line: None };
            };
            self.last = *row;
        }
        let row = self.rows.get(self.last).expect("row numbers come from this table");
        Found { hasher: row.hasher, line: row.line(queue_id) }
    }

    /// The ports of the queue on a line.
    pub(super) fn ports(&self, line: usize) -> Option<&Arc<QueuePorts>> {
        self.lines.get(line).map(|line| &line.ports)
    }

    /// The line of a queue, whose actor is made if it has none yet.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn open(&mut self, key: &QueueKey, parts: &mut DispatchParts) -> Result<usize, StoreError> {
        let at =
            *self.by_topic.entry(key.topic.clone()).or_insert_with(|| self.rows.insert(Row::of(key.topic.clone())));
        let row = self.rows.get_mut(at).expect("row numbers come from this table");
        if let Some(line) = row.line(key.queue_id) {
            return Ok(line);
        }
        let queue = parts.queues.open_queue(&key.topic, key.queue_id)?;
        let weight = queue.weight();
        let ports = Arc::new((parts.queue_actor)(queue));
        parts.directory.enter(key, Arc::clone(&ports));
        let line = Line { ports, entries: Vec::new(), extensions: Vec::new(), put: Amount::default(), weight, row: at };
        let line = self.lines.insert(line);
        row.enter(key.queue_id, line as u32);
        Ok(line)
    }

    /// Forgets a topic. Between two turns, when nothing waits to be sent; gives the ports of its queues.
    pub(super) fn leave(&mut self, topic: &Topic) -> Vec<Arc<QueuePorts>> {
        let row = self.by_topic.remove(topic).and_then(|at| self.rows.try_remove(at));
        let mut left = Vec::new();
        for at in row.into_iter().flat_map(Row::all) {
            if let Some(line) = self.lines.try_remove(at) {
                debug_assert!(line.entries.is_empty(), "topics go between turns");
                self.counted_before.push((topic.clone(), line.put));
                left.push(line.ports);
            }
        }
        left
    }

    /// Adds an entry for the queue on a line.
    pub(super) fn push(&mut self, line: usize, offset: QueueOffset, entry: QueueEntry) {
        if let Some(found) = self.lines.get_mut(line) {
            if found.entries.is_empty() {
                self.touched.push(line);
            }
            found.entries.push((offset, entry));
            self.weight = self.weight.wrapping_add(found.weight);
        }
    }

    /// Adds to the entry that was pushed last for the queue on a line what goes into its extension.
    pub(super) fn extend(&mut self, line: usize, extension: Extension) {
        if let Some(found) = self.lines.get_mut(line) {
            found.extensions.push(extension);
        }
    }

    /// What all entries that were added since the start weigh.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// Whether there is something to tell by [`Rows::take_counted`].
    pub(super) fn has_counted(&self) -> bool {
        !self.counted.is_empty() || !self.counted_before.is_empty()
    }

    /// What the queues got since this was asked last.
    pub(super) fn take_counted(&mut self) -> Vec<(Topic, Amount)> {
        let Self { counted, counted_before, lines, rows, .. } = self;
        let mut taken = std::mem::take(counted_before);
        let take = |at: usize| {
            let line = lines.get_mut(at).filter(|line| line.put.messages > 0)?;
            Some((rows.get(line.row)?.topic.clone(), std::mem::take(&mut line.put)))
        };
        taken.extend(counted.drain(..).filter_map(take));
        taken
    }

    /// Sends each queue that got something its entries as one message.
    pub(super) fn send(&mut self, turn: &Arc<Turn>) {
        for at in self.touched.drain(..) {
            if let Some(line) = self.lines.get_mut(at) {
                let (entries, extensions) = (std::mem::take(&mut line.entries), std::mem::take(&mut line.extensions));
                if line.put.messages == 0 {
                    self.counted.push(at);
                }
                let bytes = entries.iter().map(|(_, entry)| u64::from(entry.size.unsigned_abs())).sum();
                line.put.add(Amount { messages: entries.len() as u64, bytes });
                notify(&line.ports.enqueue, Enqueue { entries, extensions, turn: Arc::clone(turn) });
            }
        }
    }
}

impl Row {
    /// The lines of all its queues.
    fn all(self) -> impl Iterator<Item = usize> {
        self.lines.into_iter().flatten().chain(self.beyond.into_values()).map(|line| line as usize)
    }

    fn of(topic: Topic) -> Self {
        let hasher = KeyHasher::of(topic.as_str());
        Self { topic, hasher, lines: Vec::new(), beyond: HashMap::new() }
    }

    fn line(&self, queue_id: QueueId) -> Option<usize> {
        let line = match self.lines.get(queue_id.0 as usize) {
            Some(line) => *line,
            None => self.beyond.get(&queue_id).copied(),
        };
        line.map(|line| line as usize)
    }

    fn enter(&mut self, queue_id: QueueId, line: u32) {
        if queue_id.0 >= ROW_QUEUES_MAX {
            self.beyond.insert(queue_id, line);
            return;
        }
        let place = queue_id.0 as usize;
        if self.lines.len() <= place {
            self.lines.resize(place + 1, None);
        }
        if let Some(slot) = self.lines.get_mut(place) {
            *slot = Some(line);
        }
    }
}
