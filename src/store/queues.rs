//! All consume queues of a store, until each has an owner.
//!
//! A queue without an owner lies here with neither descriptor nor mapping: its numbers, some hundred bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::consumequeue::ConsumeQueue;
use super::disk::SharedDisk;
use super::error::StoreError;
use super::layout::StoreOptions;
use super::offset_table::OffsetTable;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId};

/// How many queues without an owner hold files at once, while they are brought up to the log.
const OPEN_MAX: usize = 256;

/// The queues, by topic and number.
#[derive(Debug)]
pub struct Queues {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    /// `None` where the queue has been given to an owner.
    topics: HashMap<Topic, BTreeMap<QueueId, Option<ConsumeQueue>>>,
    /// Those that hold files, in the order in which they were opened.
    open: VecDeque<(Topic, QueueId)>,
}

impl Queues {
    /// No queues yet.
    #[must_use]
    pub fn new(disk: SharedDisk, options: Arc<StoreOptions>) -> Self {
        Self { disk, options, topics: HashMap::new(), open: VecDeque::new() }
    }

    /// Takes in what lies under `consumequeue/` and finds each queue's end. What is no queue is named in `warnings`.
    ///
    /// # Errors
    /// As [`ConsumeQueue::recover`].
    pub fn load(disk: SharedDisk, options: Arc<StoreOptions>, warnings: &mut Vec<String>) -> Result<Self, StoreError> {
        let mut queues = Self::new(disk, options);
        let root = queues.options.queues_dir();
        for topic_entry in queues.list(&root)?.into_iter().filter(|entry| entry.is_dir) {
            let Ok(topic) = Topic::parse(&topic_entry.name) else {
                warnings
                    .push(format!("{}: not the name of a topic, passed over", root.join(&topic_entry.name).display()));
                continue;
            };
            let directory = root.join(&topic_entry.name);
            for queue_entry in queues.list(&directory)?.into_iter().filter(|entry| entry.is_dir) {
                let Ok(queue_id) = queue_entry.name.parse() else {
                    warnings.push(format!("{}: not a queue, passed over", directory.join(&queue_entry.name).display()));
                    continue;
                };
                let queue = queues.queue_mut(&topic, QueueId(queue_id))?;
                queue.recover()?;
                queue.close_idle();
            }
        }
        Ok(queues)
    }

    /// Gives a queue to its owner; one that never was is made, on the disk with its first entry.
    ///
    /// # Errors
    /// [`StoreError::QueueTaken`] if it has an owner.
    pub fn open_queue(&mut self, topic: &Topic, queue_id: QueueId) -> Result<ConsumeQueue, StoreError> {
        self.queue_mut(topic, queue_id)?;
        let slot = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(&queue_id));
        slot.and_then(Option::take).ok_or_else(|| StoreError::QueueTaken { topic: topic.clone(), queue_id })
    }

    /// Takes a queue back from its owner, who has no more use for it.
    pub fn give_back(&mut self, mut queue: ConsumeQueue) {
        queue.close_idle();
        let (topic, queue_id) = (queue.topic().clone(), queue.queue_id());
        self.topics.entry(topic).or_default().insert(queue_id, Some(queue));
    }

    /// Forgets the queues of a topic, those with owners too, and removes the files of those without.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn remove_topic(&mut self, topic: &Topic) -> Result<(), StoreError> {
        for mut queue in self.topics.remove(topic).unwrap_or_default().into_values().flatten() {
            queue.destroy()?;
        }
        let mut directories = vec![self.options.queues_dir()];
        directories.extend(self.options.queue_ext_enabled.then(|| self.options.queue_exts_dir()));
        directories.into_iter().try_for_each(|queues| {
            let directory = queues.join(topic.as_str());
            self.disk.remove_dir(&directory).map_err(StoreError::io("remove", &directory))
        })
    }

    /// Whether a queue is there, whoever owns it.
    #[must_use]
    pub fn holds(&self, topic: &Topic, queue_id: QueueId) -> bool {
        self.topics.get(topic).is_some_and(|queues| queues.contains_key(&queue_id))
    }

    /// Every queue there is, whoever owns it.
    pub fn known(&self) -> impl Iterator<Item = (&Topic, QueueId)> {
        self.topics.iter().flat_map(|(topic, queues)| queues.keys().map(move |queue_id| (topic, *queue_id)))
    }

    /// The queues that have no owner.
    pub fn idle(&self) -> impl Iterator<Item = &ConsumeQueue> {
        self.topics.values().flat_map(BTreeMap::values).flatten()
    }

    /// The queues that have no owner, to be changed.
    pub fn idle_mut(&mut self) -> impl Iterator<Item = &mut ConsumeQueue> {
        self.topics.values_mut().flat_map(BTreeMap::values_mut).flatten()
    }

    /// A queue that has no owner, made if need be.
    ///
    /// # Errors
    /// [`StoreError::QueueTaken`] if it has one.
    pub fn queue_mut(&mut self, topic: &Topic, queue_id: QueueId) -> Result<&mut ConsumeQueue, StoreError> {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.clone(), BTreeMap::new());
        }
        let queues = self.topics.get_mut(topic).expect("was put in above");
        let slot = queues.entry(queue_id).or_insert_with(|| {
            Some(ConsumeQueue::new(Arc::clone(&self.disk), Arc::clone(&self.options), topic.clone(), queue_id))
        });
        slot.as_mut().ok_or_else(|| StoreError::QueueTaken { topic: topic.clone(), queue_id })
    }

    /// Notes that a queue without an owner has opened its files. When that is one too many, the one that opened them
    /// first lets go of its own: a process has no descriptors for a hundred thousand queues.
    pub(super) fn note_opened(&mut self, topic: Topic, queue_id: QueueId) {
        self.open.push_back((topic, queue_id));
        if self.open.len() <= OPEN_MAX {
            return;
        }
        let Some((topic, queue_id)) = self.open.pop_front() else { return };
        if let Some(Some(queue)) = self.topics.get_mut(&topic).and_then(|queues| queues.get_mut(&queue_id)) {
            queue.close_idle();
        }
    }

    /// The next offset of each queue, for the writer of the log.
    #[must_use]
    pub fn next_offsets(&self) -> OffsetTable {
        let mut table = OffsetTable::default();
        for queue in self.idle() {
            table.set(queue.topic(), queue.queue_id(), queue.max_offset());
        }
        table
    }

    /// The furthest that any queue points into the log.
    #[must_use]
    pub fn max_physical(&self) -> PhysicalOffset {
        self.idle().map(ConsumeQueue::max_physical).max().unwrap_or_default()
    }

    fn list(&self, directory: &std::path::Path) -> Result<Vec<super::disk::Entry>, StoreError> {
        self.disk.list(directory).map_err(StoreError::io("list", directory))
    }
}
