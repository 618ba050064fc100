//! Which queues have an actor: written by the DispatchActor, read by every connection without asking.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::queue_actor::QueuePorts;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;

/// Names a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueKey {
    /// Its topic.
    pub topic: Topic,
    /// Its number within the topic.
    pub queue_id: QueueId,
}

/// A persistent map: entering a queue among 100,000 copies a path of it, not the whole.
type Map = imbl::HashMap<Topic, imbl::OrdMap<QueueId, Arc<QueuePorts>>>;

/// The readers' side; cloning shares it.
#[derive(Clone, Default)]
pub struct Directory {
    published: Arc<ArcSwap<Map>>,
}

impl Directory {
    /// How to reach a queue, if it has an actor.
    #[must_use]
    pub fn find(&self, topic: &str, queue_id: QueueId) -> Option<Arc<QueuePorts>> {
        self.published.load().get(topic)?.get(&queue_id).cloned()
    }

    /// The writing side. There is to be one.
    #[must_use]
    pub fn writer(&self) -> DirectoryWriter {
        DirectoryWriter { map: Map::new(), directory: self.clone() }
    }
}

/// The owner's side.
pub struct DirectoryWriter {
    map: Map,
    directory: Directory,
}

impl DirectoryWriter {
    /// Takes the queues of a topic out and publishes the directory.
    pub fn leave(&mut self, topic: &Topic) {
        if self.map.remove(topic).is_some() {
            self.directory.published.store(Arc::new(self.map.clone()));
        }
    }

    /// Enters a queue and publishes the directory.
    pub fn enter(&mut self, key: &QueueKey, ports: Arc<QueuePorts>) {
        self.map.entry(key.topic.clone()).or_default().insert(key.queue_id, ports);
        self.directory.published.store(Arc::new(self.map.clone()));
    }
}
