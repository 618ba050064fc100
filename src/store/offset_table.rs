//! The next queue offset of every queue: what the writer of the log numbers records with.

use std::collections::HashMap;

use crate::protocol::names::Topic;
use crate::protocol::units::{QueueId, QueueOffset};

/// Queue numbers below this lie in a plain row per topic; others, which nobody configures, in a map.
const ROW_QUEUES_MAX: u32 = 4096;

/// Next offsets by topic and queue; a queue that was never used starts at 0.
#[derive(Debug, Default)]
pub struct OffsetTable {
    topics: HashMap<Topic, usize>,
    rows: Vec<Row>,
    /// The topic asked for last: a batch mostly stays with one, and comparing is cheaper than hashing.
    last: Option<(Topic, usize)>,
}

#[derive(Debug, Default)]
struct Row {
    by_queue: Vec<u64>,
    beyond: HashMap<u32, u64>,
}

impl OffsetTable {
    /// The next offset of a queue.
    #[must_use]
    pub fn next(&self, topic: &Topic, queue_id: QueueId) -> QueueOffset {
        let row = self.topics.get(topic).and_then(|row| self.rows.get(*row));
        QueueOffset(row.map_or(0, |row| match row.by_queue.get(queue_id.0 as usize) {
            Some(next) => *next,
            None => row.beyond.get(&queue_id.0).copied().unwrap_or(0),
        }))
    }

    /// Sets the next offset of a queue.
    pub fn set(&mut self, topic: &Topic, queue_id: QueueId, next: QueueOffset) {
        *self.slot(topic, queue_id) = next.0;
    }

    /// Gives out the next offset of a queue.
    pub fn take(&mut self, topic: &Topic, queue_id: QueueId) -> QueueOffset {
        let slot = self.slot(topic, queue_id);
        let taken = *slot;
        *slot += 1;
        QueueOffset(taken)
    }

    /// Forgets a topic's queues: they start at 0 again.
    pub fn forget(&mut self, topic: &Topic) {
        if let Some(row) = self.topics.get(topic).and_then(|row| self.rows.get_mut(*row)) {
            *row = Row::default();
        }
    }

    /// Every queue that was set or used, with its next offset.
    pub fn iter(&self) -> impl Iterator<Item = (&Topic, QueueId, QueueOffset)> {
        self.topics.iter().filter_map(|(topic, row)| Some((topic, self.rows.get(*row)?))).flat_map(|(topic, row)| {
            let dense = row.by_queue.iter().enumerate().map(|(queue, next)| (queue as u32, *next));
            let all = dense.chain(row.beyond.iter().map(|(queue, next)| (*queue, *next)));
            all.map(move |(queue, next)| (topic, QueueId(queue), QueueOffset(next)))
        })
    }

    fn slot(&mut self, topic: &Topic, queue_id: QueueId) -> &mut u64 {
        let row = match &self.last {
            Some((last, row)) if last == topic => *row,
            _ => self.row_of(topic),
        };
        let row = self.rows.get_mut(row).expect("row numbers come from this table");
        if queue_id.0 >= ROW_QUEUES_MAX {
            return row.beyond.entry(queue_id.0).or_default();
        }
        let at = queue_id.0 as usize;
        if row.by_queue.len() <= at {
            row.by_queue.resize(at + 1, 0);
        }
        row.by_queue.get_mut(at).expect("was made long enough")
    }

    fn row_of(&mut self, topic: &Topic) -> usize {
        let rows = &mut self.rows;
        let row = *self.topics.entry(topic.clone()).or_insert_with(|| {
            rows.push(Row::default());
            rows.len() - 1
        });
        self.last = Some((topic.clone(), row));
        row
    }
}
