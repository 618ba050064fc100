//! What goes with a topic that is deleted: its queues, and the numbers of its next messages.
//!
//! ```text
//!   topics.json without it ─► writer closed for it, tells the end of the log ─► that end written down
//!        ─► queues destroyed ─► writer open again, numbers from 0 ─► the tool is told
//! ```
//!
//! Until the last step the TopicActor takes no other message, so a topic of the same name is made after it, with new queues.
//! Cut short at any point, the next deletion or the next start does the rest.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};

use super::{LogBegins, TopicActor};
use crate::actors::commitlog_actor::{CloseTopics, Numbers, OpenTopics};
use crate::actors::config_writer::ConfigWriter;
use crate::actors::dispatch_actor::{RemoveTopics, TopicsWithQueues};
use crate::actors::fault::{ask, guarded, notify};
use crate::actors::registration_actor::TopicsChanged;
use crate::actors::requests::{answer, success};
use crate::broker::topics::Changed;
use crate::net::reply::ReplyTo;
use crate::protocol::command::Command;
use crate::protocol::headers::topic::OfTopic;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::PhysicalOffset;
use crate::store::{DeletedTopics, LogView};

/// Removes what belongs to topics that are deleted.
#[derive(Clone)]
pub struct TopicRemoval {
    /// What was deleted before.
    pub deleted: DeletedTopics,
    /// Where that is written.
    pub file: Arc<ConfigWriter>,
    /// The log, which tells what can be forgotten of it.
    pub log: LogView,
    /// The CommitLogActor.
    pub close: Recipient<CloseTopics>,
    /// The same.
    pub open: Recipient<OpenTopics>,
    /// The DispatchActor.
    pub remove: Recipient<RemoveTopics>,
    /// The same.
    pub with_queues: Recipient<TopicsWithQueues>,
}

/// Topics that the writer takes nothing for. Dropped before anything is destroyed, it goes on with them as before.
struct Closed<'a> {
    topics: Vec<Topic>,
    open: &'a Recipient<OpenTopics>,
    then: Option<Numbers>,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        if let Some(numbers) = self.then {
            notify(self.open, OpenTopics { topics: std::mem::take(&mut self.topics), numbers });
        }
    }
}

impl TopicRemoval {
    async fn remove(&mut self, topics: Vec<Topic>) -> Result<(), Refusal> {
        if topics.is_empty() {
            return Ok(());
        }
        let mut closed = Closed { topics: topics.clone(), open: &self.open, then: Some(Numbers::GoOn) };
        let end = ask(&self.close, CloseTopics { topics: topics.clone() }).await?;
        let mut deleted = self.deleted.clone();
        deleted.forget_before(self.log.min());
        topics.iter().for_each(|topic| deleted.note(topic.clone(), end));
        // Before a new record of these topics is taken it must be known which are the old ones.
        self.file.write(&deleted.to_json())?;
        self.deleted = deleted;
        // Half destroyed, the topic stays closed: it is destroyed whole by the next attempt, or the next start.
        closed.then = None;
        ask(&self.remove, RemoveTopics { topics, below: end }).await??;
        closed.then = Some(Numbers::FromZero);
        Ok(())
    }
}

impl TopicActor {
    pub(super) fn delete(&mut self, command: &Command, reply: ReplyTo, ctx: &mut Context<Self>) {
        match self.take_out(command) {
            Ok(topic) => self.remove(vec![topic], reply, ctx),
            Err(refusal) => reply.refuse(refusal),
        }
    }

    /// Takes a topic out of the table, which is written and published.
    fn take_out(&mut self, command: &Command) -> Result<Topic, Refusal> {
        let name = OfTopic::parse(&command.ext)?.topic;
        let before = self.parts.topics.table();
        if self.parts.topics.delete(&name, self.parts.clock.now_ms())? == Changed::No {
            // Queues may be left of it all the same.
            return Ok(Topic::parse(&name)?);
        }
        let table = self.parts.topics.table();
        if let Err(error) = self.parts.file.write(&table.to_json()) {
            self.parts.topics.replace(before.body());
            return Err(error.into());
        }
        self.parts.published.publish(table);
        self.parts.changed.notify(TopicsChanged);
        tracing::info!(topic = name, "a topic is deleted");
        Ok(Topic::parse(&name)?)
    }

    /// Removes what belongs to these topics, and takes no other message until that is done.
    fn remove(&mut self, topics: Vec<Topic>, reply: ReplyTo, ctx: &mut Context<Self>) {
        let mut removal = self.parts.removal.clone();
        let removed = async move {
            let outcome = removal.remove(topics.clone()).await;
            (removal, topics, outcome)
        };
        ctx.wait(removed.into_actor(self).map(|(removal, topics, outcome), actor, _| {
            actor.parts.removal = removal;
            if let Err(refusal) = &outcome {
                tracing::error!(?refusal, "the queues of a deleted topic cannot be removed");
            }
            actor.parts.topics.note_removal(topics, outcome.is_ok());
            answer(reply, outcome.map(|()| success()));
        }));
    }

    pub(super) fn clean_unused(&mut self, reply: ReplyTo, ctx: &mut Context<Self>) {
        let with_queues = self.parts.removal.with_queues.clone();
        let asked = async move { ask(&with_queues, TopicsWithQueues).await };
        ctx.wait(asked.into_actor(self).map(|with_queues, actor, ctx| match with_queues {
            Ok(with_queues) => {
                let unused = actor.parts.topics.unused(with_queues);
                tracing::info!(?unused, "queues without a topic are removed");
                actor.remove(unused, reply, ctx);
            }
            Err(refusal) => reply.refuse(refusal),
        }));
    }

    /// Writes down which deletions still matter, if they are fewer.
    fn forget_deleted(&mut self, before: PhysicalOffset) {
        let removal = &mut self.parts.removal;
        let mut deleted = removal.deleted.clone();
        deleted.forget_before(before);
        if deleted == removal.deleted {
            return;
        }
        match removal.file.write(&deleted.to_json()) {
            Ok(()) => removal.deleted = deleted,
            // What is remembered for too long does no harm: no record lies there any more.
            Err(error) => tracing::warn!(%error, "cannot write which deleted topics are forgotten; trying again later"),
        }
    }
}

impl Handler<LogBegins> for TopicActor {
    type Result = ();

    fn handle(&mut self, begins: LogBegins, ctx: &mut Context<Self>) {
        guarded(self, ctx, "LogBegins", |actor, _| actor.forget_deleted(begins.at));
    }
}
