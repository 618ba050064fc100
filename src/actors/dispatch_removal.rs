//! How the queues of deleted topics go.
//!
//! The writer takes nothing for these topics meanwhile, so every record of theirs lies before a place in the log that is
//! known. From here on none of them gets an entry, whether it is dispatched late or was never dispatched; the queues are
//! taken from their actors, and a thread of the pool destroys them. Until that is done nobody gets a queue of these topics.

use std::collections::HashSet;
use std::sync::Arc;

use actix::{ActorFutureExt, Context, Handler, MessageResult, ResponseActFuture, WrapFuture};
use tokio::sync::oneshot;

use super::dispatch_actor::{
    CleaningOfQueue, DispatchActor, QueueCleaned, QueuesOf, RemoveTopics, ToClean, TopicsWithQueues,
};
use super::fault::{guarded, notify};
use super::queue_actor::{QueuePorts, Retire};
use super::queue_directory::QueueKey;
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::PhysicalOffset;
use crate::store::{ConsumeQueue, DeletedTopics, DetachedTopic, StoreError};

/// Held by whoever removes files of queues. A topic that is deleted may be made again at once: who still removed files of its
/// old queues then would remove those of the new ones.
pub type FilesTurn = Arc<tokio::sync::Mutex<()>>;

/// Topics that are going, and those whose records are still ahead.
#[derive(Default)]
pub(super) struct Removals {
    /// Deleted, and not every record of theirs has been passed; mostly none.
    deleted: DeletedTopics,
    /// Their queues are not all gone.
    leaving: HashSet<Topic>,
}

impl Removals {
    /// Whether a record was deleted with its topic.
    pub(super) fn covers(&self, record: &RecordHead<'_>) -> bool {
        !self.deleted.is_empty() && self.deleted.covers(record.topic, record.physical_offset)
    }

    /// Dispatch has come so far.
    pub(super) fn passed(&mut self, position: PhysicalOffset) {
        if !self.deleted.is_empty() {
            self.deleted.forget_before(position);
        }
    }

    /// Whether a topic may have queues.
    pub(super) fn check(&self, topic: &Topic) -> Result<(), StoreError> {
        match self.leaving.contains(topic) {
            true => Err(StoreError::TopicClosed { topic: topic.clone() }),
            false => Ok(()),
        }
    }
}

impl DispatchActor {
    /// Takes the queues out of service; they are given away by their actors in their own time.
    fn begin_removal(&mut self, remove: &RemoveTopics) -> Vec<oneshot::Receiver<ConsumeQueue>> {
        let mut given = Vec::new();
        for topic in &remove.topics {
            self.removals.leaving.insert(topic.clone());
            self.removals.deleted.note(topic.clone(), remove.below);
            self.parts.directory.leave(topic);
            for ports in self.rows.leave(topic) {
                let (to, giving) = oneshot::channel();
                notify(&ports.retire, Retire { to });
                given.push(giving);
            }
        }
        self.removals.passed(self.cursor.position());
        given
    }

    fn detach(&mut self, queues: Vec<ConsumeQueue>, topics: &[Topic]) -> Vec<DetachedTopic> {
        queues.into_iter().for_each(|queue| self.parts.queues.give_back(queue));
        topics.iter().map(|topic| self.parts.queues.detach_topic(topic)).collect()
    }

    fn cleaning_of(&mut self, key: &QueueKey) -> ToClean {
        let line = self.rows.find(key.topic.as_str(), key.queue_id).line;
        if let Some(ports) = line.and_then(|line| self.rows.ports(line)) {
            return ToClean::Owned(Arc::clone(ports));
        }
        let idle = self.parts.queues.idle_one_mut(&key.topic, key.queue_id).filter(|queue| queue.has_files());
        idle.map_or(ToClean::Nothing, |queue| ToClean::Idle(queue.cleaning()))
    }

    fn cleaned(&mut self, told: &QueueCleaned) -> Option<Arc<QueuePorts>> {
        if let Some(queue) = self.parts.queues.idle_one_mut(&told.key.topic, told.key.queue_id) {
            told.cleaned.tell(queue);
            return None;
        }
        let line = self.rows.find(told.key.topic.as_str(), told.key.queue_id).line?;
        self.rows.ports(line).cloned()
    }
}

impl Handler<RemoveTopics> for DispatchActor {
    type Result = ResponseActFuture<Self, Result<(), Refusal>>;

    fn handle(&mut self, remove: RemoveTopics, ctx: &mut Context<Self>) -> Self::Result {
        let given = guarded(self, ctx, "RemoveTopics", |actor, _| actor.begin_removal(&remove)).unwrap_or_default();
        let topics = remove.topics;
        let queues = async move {
            let mut queues = Vec::with_capacity(given.len());
            for giving in given {
                // An actor that is gone holds no files.
                queues.extend(giving.await);
            }
            queues
        };
        let destroyed = queues.into_actor(self).then(move |queues, actor, ctx| {
            let detached = guarded(actor, ctx, "queues of a deleted topic", |actor, _| actor.detach(queues, &topics));
            let (pool, files) = (actor.parts.pool.clone(), FilesTurn::clone(&actor.parts.files));
            let destroy = move || detached.unwrap_or_default().into_iter().try_for_each(DetachedTopic::destroy);
            async move {
                let _turn = files.lock().await;
                (pool.ask(move |_| destroy()).await, topics)
            }
            .into_actor(actor)
        });
        Box::pin(destroyed.map(|(destroyed, topics), actor, _| {
            destroyed??;
            actor.removals.leaving.retain(|topic| !topics.contains(topic));
            Ok(())
        }))
    }
}

impl Handler<TopicsWithQueues> for DispatchActor {
    type Result = MessageResult<TopicsWithQueues>;

    fn handle(&mut self, _: TopicsWithQueues, _: &mut Context<Self>) -> Self::Result {
        let mut topics: Vec<Topic> = self.parts.queues.known().map(|(topic, _)| topic.clone()).collect();
        topics.sort();
        topics.dedup();
        MessageResult(topics)
    }
}

impl Handler<QueuesOf> for DispatchActor {
    type Result = MessageResult<QueuesOf>;

    fn handle(&mut self, of: QueuesOf, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.queues.of_topic(&of.topic))
    }
}

impl Handler<CleaningOfQueue> for DispatchActor {
    type Result = MessageResult<CleaningOfQueue>;

    fn handle(&mut self, of: CleaningOfQueue, ctx: &mut Context<Self>) -> Self::Result {
        let found = guarded(self, ctx, "CleaningOfQueue", |actor, _| actor.cleaning_of(&of.key));
        MessageResult(found.unwrap_or(ToClean::Nothing))
    }
}

impl Handler<QueueCleaned> for DispatchActor {
    type Result = Option<Arc<QueuePorts>>;

    fn handle(&mut self, told: QueueCleaned, ctx: &mut Context<Self>) -> Self::Result {
        guarded(self, ctx, "QueueCleaned", |actor, _| actor.cleaned(&told)).flatten()
    }
}
