//! What a RebalanceActor orders a PullActor to do, and asks it: to give its queue up, to rest, how it is with it.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message, MessageResult, ResponseFuture};
use tokio::sync::oneshot;

use super::{LOCK_TRUSTED, PullActor};
use crate::client::tally::Counts;
use crate::protocol::body::consumer::ProcessQueueInfo;
use crate::protocol::body::queue_table::MessageQueue;

/// The queue is not the member's any more: no call begins, and those under way are waited for so long. Done when nothing
/// more comes of it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct GiveUp {
    /// How long.
    pub limit: Duration,
}

/// The member has the queue's lock, as of now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Locked;

/// No more messages are to be pulled and consumed for now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Suspend;

/// They are again.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Resume;

/// How the consumer is with the queue.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "QueueState")]
pub struct StateOfQueue;

/// How a consumer is with a queue.
///
/// See the example of [`PullActor`].
#[derive(Clone, Debug)]
pub struct QueueState {
    /// The queue.
    pub queue: MessageQueue,
    /// What is held of it.
    pub held: ProcessQueueInfo,
    /// How it went lately.
    pub last_minute: Counts,
}

impl Handler<GiveUp> for PullActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, give_up: GiveUp, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let (ended, end) = oneshot::channel();
        self.waits = Some(ended);
        self.owner = None;
        if give_up.limit.is_zero() {
            self.end(ctx);
        } else {
            ctx.run_later(give_up.limit, Self::end);
            self.end_if_idle(ctx);
        }
        // An end that comes without a word is one, too.
        Box::pin(async move { drop(end.await) })
    }
}

impl Handler<StateOfQueue> for PullActor {
    type Result = MessageResult<StateOfQueue>;

    fn handle(&mut self, _: StateOfQueue, _: &mut Context<Self>) -> Self::Result {
        let now = self.parts.member.clock.elapsed();
        let is_trusted = self.owner.as_ref().is_some_and(|owner| owner.is_trusted());
        let is_locked = self.parts.member.wants_locks() && is_trusted;
        let held = ProcessQueueInfo { locked: is_locked, ..self.held.info() };
        let last_minute = self.tally.last_minute(now);
        MessageResult(QueueState { queue: MessageQueue::clone(&self.parts.queue), held, last_minute })
    }
}

impl Handler<Locked> for PullActor {
    type Result = ();

    fn handle(&mut self, _: Locked, ctx: &mut Context<Self>) {
        if let Some(owner) = &self.owner {
            owner.trust_until(self.parts.member.clock.elapsed() + LOCK_TRUSTED);
        }
        self.feed(ctx);
    }
}

impl Handler<Suspend> for PullActor {
    type Result = ();

    fn handle(&mut self, _: Suspend, _: &mut Context<Self>) {
        self.is_suspended = true;
    }
}

impl Handler<Resume> for PullActor {
    type Result = ();

    fn handle(&mut self, _: Resume, ctx: &mut Context<Self>) {
        self.is_suspended = false;
        self.feed(ctx);
    }
}
