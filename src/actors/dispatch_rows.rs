//! The queues as dispatch sees them: found by topic and number without hashing, each with the entries of this turn.

use std::collections::HashMap;
use std::sync::Arc;

use super::dispatch_actor::{DispatchParts, Turn};
use super::fault::notify;
use super::queue_actor::{Enqueue, QueuePorts};
use super::queue_directory::QueueKey;
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
    rows: Vec<Row>,
    lines: Vec<Line>,
    touched: Vec<usize>,
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
        let row = *self.by_topic.entry(key.topic.clone()).or_insert_with(|| {
            self.rows.push(Row::of(key.topic.clone()));
            self.rows.len() - 1
        });
        let row = self.rows.get_mut(row).expect("row numbers come from this table");
        if let Some(line) = row.line(key.queue_id) {
            return Ok(line);
        }
        let queue = parts.queues.open_queue(&key.topic, key.queue_id)?;
        let ports = Arc::new((parts.queue_actor)(queue));
        parts.directory.enter(key, Arc::clone(&ports));
        row.enter(key.queue_id, self.lines.len() as u32);
        self.lines.push(Line { ports, entries: Vec::new(), extensions: Vec::new() });
        Ok(self.lines.len() - 1)
    }

    /// Adds an entry for the queue on a line.
    pub(super) fn push(&mut self, line: usize, offset: QueueOffset, entry: QueueEntry) {
        if let Some(found) = self.lines.get_mut(line) {
            if found.entries.is_empty() {
                self.touched.push(line);
            }
            found.entries.push((offset, entry));
        }
    }

    /// Adds to the entry that was pushed last for the queue on a line what goes into its extension.
    pub(super) fn extend(&mut self, line: usize, extension: Extension) {
        if let Some(found) = self.lines.get_mut(line) {
            found.extensions.push(extension);
        }
    }

    /// Sends each queue that got something its entries as one message.
    pub(super) fn send(&mut self, turn: &Arc<Turn>) {
        for line in self.touched.drain(..) {
            if let Some(line) = self.lines.get_mut(line) {
                let (entries, extensions) = (std::mem::take(&mut line.entries), std::mem::take(&mut line.extensions));
                notify(&line.ports.enqueue, Enqueue { entries, extensions, turn: Arc::clone(turn) });
            }
        }
    }
}

impl Row {
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
