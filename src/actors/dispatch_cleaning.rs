//! How the beginnings of queues go with the log that they point to: the DispatchActor knows whether a queue has an actor, and
//! speaks for those that have none. What is removed, and by whom, is the RetentionActor's matter.

use std::sync::Arc;

use actix::{Addr, Context, Handler, Message, MessageResult, Recipient};

use super::dispatch_actor::DispatchActor;
use super::fault::guarded;
use super::queue_actor::{Cleaned, QueuePorts};
use super::queue_directory::QueueKey;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;
use crate::store::QueueCleaning;

/// Held by whoever removes files of queues. A topic that is deleted may be made again at once: who still removed files of its
/// old queues then would remove those of the new ones.
pub type FilesTurn = Arc<tokio::sync::Mutex<()>>;

/// Which queues does a topic have?
#[derive(Clone, Debug, Message)]
#[rtype(result = "Vec<QueueId>")]
pub struct QueuesOf {
    /// The topic.
    pub topic: Topic,
}

/// What is needed to clean a queue?
#[derive(Clone, Debug, Message)]
#[rtype(result = "ToClean")]
pub struct CleaningOfQueue {
    /// Which.
    pub key: QueueKey,
}

/// Who knows how a queue is cleaned.
pub enum ToClean {
    /// Nobody: there is no such queue, or it has no files.
    Nothing,
    /// It has no actor, and this is what is needed.
    Idle(QueueCleaning),
    /// Its actor does.
    Owned(Arc<QueuePorts>),
}

/// A thread has found where a queue without an actor begins. Tells the actor that the queue has got meanwhile, who is to be
/// told instead.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<Arc<QueuePorts>>")]
pub struct QueueCleaned {
    /// Which.
    pub key: QueueKey,
    /// What was found.
    pub cleaned: Cleaned,
}

/// How to reach who knows about the queues, or what stands in for it.
#[derive(Clone)]
pub struct CleaningPorts {
    /// Asks which queues a topic has.
    pub queues_of: Recipient<QueuesOf>,
    /// Asks for what cleans one.
    pub cleaning: Recipient<CleaningOfQueue>,
    /// Tells of one that was cleaned.
    pub cleaned: Recipient<QueueCleaned>,
}

impl From<Addr<DispatchActor>> for CleaningPorts {
    fn from(dispatch: Addr<DispatchActor>) -> Self {
        Self {
            queues_of: dispatch.clone().recipient(),
            cleaning: dispatch.clone().recipient(),
            cleaned: dispatch.recipient(),
        }
    }
}

impl DispatchActor {
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
