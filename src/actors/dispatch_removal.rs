//! How the queues of deleted topics go.
//!
//! The writer takes nothing for these topics meanwhile, so every record of theirs lies before a place in the log that is
//! known. From here on none of them gets an entry, whether it is dispatched late or was never dispatched; the queues are
//! taken from their actors, and a thread of the pool destroys them. Until that is done nobody gets a queue of these topics.

use std::collections::HashSet;

use actix::{ActorFutureExt, Context, Handler, MessageResult, ResponseActFuture, WrapFuture};
use tokio::sync::oneshot;

use super::dispatch_actor::{DispatchActor, RemoveTopics, TopicsWithQueues};
use super::dispatch_cleaning::FilesTurn;
use super::fault::{guarded, notify};
use super::queue_actor::Retire;
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::PhysicalOffset;
use crate::store::{ConsumeQueue, DeletedTopics, DetachedTopic, StoreError};

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
                notify(&ports.seldom.retire(), Retire { to });
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
