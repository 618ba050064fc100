//! All consume queues of a store, until each has an owner.
//!
//! A queue without an owner lies here with neither descriptor nor mapping: its numbers, some hundred bytes.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::census::Census;
use super::consumequeue::ConsumeQueue;
use super::disk::{Entry, SharedDisk};
use super::error::StoreError;
use super::layout::StoreOptions;
use super::offset_table::OffsetTable;
use super::queue_sync::sync_all;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId};

/// How many queues without an owner hold files at once, while they are brought up to the log.
const OPEN_MAX: usize = 256;

/// The queues, by topic and number.
#[derive(Debug)]
pub struct Queues {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    /// `None` where the queue has been given to an owner, which then takes next to no room here.
    topics: BTreeMap<Topic, BTreeMap<QueueId, Option<Box<ConsumeQueue>>>>,
    /// Those that hold files, in the order in which they were opened.
    open: VecDeque<(Topic, QueueId)>,
    census: Arc<Census>,
    lost_entries: bool,
}

/// The queues of a topic that is no more.
#[derive(Debug)]
pub struct DetachedTopic {
    disk: SharedDisk,
    /// Of the queues, and of their extensions.
    directories: Vec<PathBuf>,
    queues: Vec<ConsumeQueue>,
    census: Arc<Census>,
}

impl DetachedTopic {
    /// Removes the files and the directories, all that lie there: what was left over by an attempt that failed goes too.
    ///
    /// # Errors
    /// What the operating system says; what was removed before stays removed.
    pub fn destroy(self) -> Result<(), StoreError> {
        let Self { disk, directories, queues, census } = self;
        queues.into_iter().for_each(|queue| census.take(queue.weight_in_all()));
        directories.iter().try_for_each(|directory| remove_queues(&disk, directory))
    }
}

fn remove_queues(disk: &SharedDisk, directory: &Path) -> Result<(), StoreError> {
    for queue in list(disk, directory)?.into_iter().filter(|entry| entry.is_dir) {
        let of_queue = directory.join(&queue.name);
        for file in list(disk, &of_queue)? {
            let path = of_queue.join(&file.name);
            disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        remove_dir(disk, &of_queue)?;
    }
    remove_dir(disk, directory)
}

fn list(disk: &SharedDisk, directory: &Path) -> Result<Vec<Entry>, StoreError> {
    disk.list(directory).map_err(StoreError::io("list", directory))
}

fn remove_dir(disk: &SharedDisk, directory: &Path) -> Result<(), StoreError> {
    match disk.remove_dir(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", directory)(error)),
        _ => Ok(()),
    }
}

impl Queues {
    /// No queues yet.
    #[must_use]
    pub fn new(disk: SharedDisk, options: Arc<StoreOptions>) -> Self {
        Self {
            disk,
            options,
            topics: BTreeMap::new(),
            open: VecDeque::new(),
            census: Arc::default(),
            lost_entries: false,
        }
    }

    /// Takes in what lies under `consumequeue/` and finds each queue's end. What is no queue is named in `warnings`.
    ///
    /// # Errors
    /// As [`ConsumeQueue::recover`].
    pub fn load(disk: SharedDisk, options: Arc<StoreOptions>, warnings: &mut Vec<String>) -> Result<Self, StoreError> {
        let mut queues = Self::load_entries(disk, options, warnings)?;
        queues.recover_extensions()?;
        Ok(queues)
    }

    /// The same without extensions, for who may cut entries off first: what they name is taken for what is there.
    pub(super) fn load_entries(
        disk: SharedDisk,
        options: Arc<StoreOptions>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, StoreError> {
        let mut queues = Self::new(disk, options);
        let root = queues.options.queues_dir();
        for topic_entry in list(&queues.disk, &root)?.into_iter().filter(|entry| entry.is_dir) {
            let Ok(topic) = Topic::parse(&topic_entry.name) else {
                warnings
                    .push(format!("{}: not the name of a topic, passed over", root.join(&topic_entry.name).display()));
                continue;
            };
            let directory = root.join(&topic_entry.name);
            for queue_entry in list(&queues.disk, &directory)?.into_iter().filter(|entry| entry.is_dir) {
                let Ok(queue_id) = queue_entry.name.parse() else {
                    warnings.push(format!("{}: not a queue, passed over", directory.join(&queue_entry.name).display()));
                    continue;
                };
                let queue = queues.queue_mut(&topic, QueueId(queue_id))?;
                queue.recover_entries()?;
                queue.close_idle();
                if queue.has_lost_entries() {
                    let of_queue = directory.join(&queue_entry.name);
                    warnings
                        .push(format!("{}: entries are damaged, they are made again from the log", of_queue.display()));
                }
            }
        }
        Ok(queues)
    }

    /// Takes in what belongs to the entries that the queues have now.
    ///
    /// # Errors
    /// As [`ConsumeQueue::recover`].
    pub(super) fn recover_extensions(&mut self) -> Result<(), StoreError> {
        for queue in self.idle_mut().filter(|queue| queue.is_extended()) {
            queue.recover_extension()?;
            queue.close_idle();
        }
        Ok(())
    }

    /// Gives a queue to its owner; one that never was is made, on the disk with its first entry.
    ///
    /// # Errors
    /// [`StoreError::QueueTaken`] if it has an owner.
    pub fn open_queue(&mut self, topic: &Topic, queue_id: QueueId) -> Result<ConsumeQueue, StoreError> {
        self.queue_mut(topic, queue_id)?;
        let slot = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(&queue_id));
        slot.and_then(Option::take)
            .map(|queue| *queue)
            .ok_or_else(|| StoreError::QueueTaken { topic: topic.clone(), queue_id })
    }

    /// Takes a queue back from its owner, who has no more use for it.
    pub fn give_back(&mut self, mut queue: ConsumeQueue) {
        queue.close_idle();
        let (topic, queue_id) = (queue.topic().clone(), queue.queue_id());
        self.topics.entry(topic).or_default().insert(queue_id, Some(Box::new(queue)));
    }

    /// Gives the queues of a topic away, to be destroyed by somebody who has time. Those with owners are to be given back
    /// before.
    #[must_use]
    pub fn detach_topic(&mut self, topic: &Topic) -> DetachedTopic {
        let queues =
            self.topics.remove(topic).unwrap_or_default().into_values().flatten().map(|queue| *queue).collect();
        let mut directories = vec![self.options.queues_dir().join(topic.as_str())];
        directories.extend(self.options.queue_ext_enabled.then(|| self.options.queue_exts_dir().join(topic.as_str())));
        DetachedTopic { disk: Arc::clone(&self.disk), directories, queues, census: Arc::clone(&self.census) }
    }

    /// Destroys the queues of a topic that point to nothing behind a place in the log.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn destroy_up_to(&mut self, topic: &Topic, end: PhysicalOffset) -> Result<(), StoreError> {
        let Some(queues) = self.topics.get_mut(topic) else { return Ok(()) };
        let mut outcome = Ok(());
        queues.retain(|_, queue| match queue {
            Some(queue) if outcome.is_ok() && queue.max_physical() <= end => {
                outcome = queue.destroy();
                false
            }
            _ => true,
        });
        outcome?;
        if queues.is_empty() {
            self.detach_topic(topic).destroy()?;
        }
        Ok(())
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

    /// The queues of a topic, whoever owns them.
    #[must_use]
    pub fn of_topic(&self, topic: &Topic) -> Vec<QueueId> {
        self.topics.get(topic).into_iter().flat_map(BTreeMap::keys).copied().collect()
    }

    /// A queue that is there and has no owner.
    pub fn idle_one_mut(&mut self, topic: &Topic, queue_id: QueueId) -> Option<&mut ConsumeQueue> {
        self.topics.get_mut(topic)?.get_mut(&queue_id)?.as_deref_mut()
    }

    /// The queues that have no owner.
    pub fn idle(&self) -> impl Iterator<Item = &ConsumeQueue> {
        self.topics.values().flat_map(BTreeMap::values).flatten().map(Box::as_ref)
    }

    /// The queues that have no owner, to be changed.
    pub fn idle_mut(&mut self) -> impl Iterator<Item = &mut ConsumeQueue> {
        self.topics.values_mut().flat_map(BTreeMap::values_mut).flatten().map(Box::as_mut)
    }

    /// Makes the entries of the queues that have no owner last.
    ///
    /// # Errors
    /// As [`QueueSync::sync`](super::QueueSync::sync).
    pub(super) fn sync_idle(&self) -> Result<(), StoreError> {
        sync_all(&self.idle().map(ConsumeQueue::sync_handle).collect::<Vec<_>>())
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
            let (disk, options) = (Arc::clone(&self.disk), Arc::clone(&self.options));
            Some(Box::new(ConsumeQueue::new(disk, options, topic.clone(), queue_id).counted_by(&self.census)))
        });
        slot.as_deref_mut().ok_or_else(|| StoreError::QueueTaken { topic: topic.clone(), queue_id })
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

    /// Where what the queues add up to is kept.
    pub(super) fn census(&self) -> &Arc<Census> {
        &self.census
    }

    /// What the queues that have no owner add up to, see [`census`](super::census).
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.idle().fold(0, |sum, queue| sum.wrapping_add(queue.weight_in_all()))
    }

    /// Whether any queue lacks entries that are to be made again from the log.
    #[must_use]
    pub(super) fn have_lost_entries(&self) -> bool {
        self.lost_entries || self.idle().any(ConsumeQueue::has_lost_entries)
    }

    /// Notes that a queue was destroyed which is to be made again.
    pub(super) fn note_lost_entries(&mut self) {
        self.lost_entries = true;
    }

    /// The furthest that any queue points into the log.
    #[must_use]
    pub fn max_physical(&self) -> PhysicalOffset {
        self.idle().map(ConsumeQueue::max_physical).max().unwrap_or_default()
    }
}
