//! What an application, or a broker, orders a consumer to do: to want something else, to go on elsewhere, to rest, to come to its
//! end.

use std::collections::{BTreeMap, BTreeSet};

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::super::instance_actor::Beats;
use super::super::offset_store_actor::MoveTo;
use super::super::pull_actor::{PullActor, Resume, Suspend};
use super::{Rebalance, RebalanceActor};
use crate::client::error::ClientError;
use crate::client::member::Subscriptions;
use crate::client::owned_queues::Change;
use crate::net::mailbox::notify;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::units::QueueOffset;

/// The consumer wants something else from now on; done when brokers have been told.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Resubscribe {
    /// All that it wants.
    pub subscriptions: Subscriptions,
}

/// The group is to go on elsewhere; done when that is stored.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ResetOffsets {
    /// The topic that is meant.
    pub topic: String,
    /// Where to go on, by queue.
    pub offsets: BTreeMap<MessageQueue, i64>,
}

/// No more messages are to be consumed for now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SuspendAll;

/// They are again.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ResumeAll;

/// The end: no call begins any more, those under way are waited for, it is stored how far they came, and the queues are
/// given back. Done when all that is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// The consumer has these queues from now on, whoever else there is.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ClientError>")]
pub struct Assign {
    /// The queues.
    pub queues: BTreeSet<MessageQueue>,
}

/// No more messages of these queues are to be consumed for now, or they are again.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Pause {
    /// The queues.
    pub queues: Vec<MessageQueue>,
    /// Whether they are to rest.
    pub rest: Rest,
}

/// Whether a queue rests.
///
/// See the example of [`RebalanceActor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It does.
    On,
    /// It does not.
    Off,
}

impl RebalanceActor {
    /// Has the queues given up where they are, and takes them anew from elsewhere.
    fn reset(&mut self, reset: ResetOffsets, ctx: &mut Context<Self>) -> impl Future<Output = ()> + use<> {
        let mut moved = JoinSet::new();
        for (queue, offset) in reset.offsets.into_iter().filter(|(queue, _)| queue.topic == reset.topic) {
            if !self.owned.take_anew(&queue) {
                continue;
            }
            let ended = self.give_up(queue.clone(), self.hand_over());
            let move_to = self.parts.offsets.move_to.clone();
            let to = MoveTo { queue: queue.clone(), offset: QueueOffset(offset.max(0).unsigned_abs()) };
            let (tell, told) = oneshot::channel();
            let moving = async move {
                ended.await;
                // Without an OffsetStoreActor there is no beginning anew either, which says so.
                let _ = move_to.send(to).await;
            };
            ctx.spawn(wrap_future::<_, Self>(moving).map(move |(), actor, ctx| {
                // Who waits may have given up.
                let _ = tell.send(());
                actor.given_up(&queue, ctx);
            }));
            moved.spawn_local(told);
        }
        async move { while moved.join_next().await.is_some() {} }
    }

    fn tell_all<M>(&self, message: M)
    where
        M: Message<Result = ()> + Copy + Send + 'static,
        PullActor: Handler<M>,
    {
        self.pulls.values().for_each(|pull| notify(&pull.clone().recipient(), message));
    }
}

impl Handler<Resubscribe> for RebalanceActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, to: Resubscribe, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        self.parts.member.change_subscriptions(|own| *own = to.subscriptions);
        let (beat, own) = (self.parts.beat.clone(), ctx.address().recipient());
        Box::pin(async move {
            // An instance that is gone says so where it went.
            let _ = beat.send(Beats::ToAll).await;
            notify(&own, Rebalance);
        })
    }
}

impl Handler<ResetOffsets> for RebalanceActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, reset: ResetOffsets, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        Box::pin(self.reset(reset, ctx))
    }
}

impl Handler<SuspendAll> for RebalanceActor {
    type Result = ();

    fn handle(&mut self, _: SuspendAll, _: &mut Context<Self>) {
        self.is_suspended = true;
        self.parts.calls.suspend(true);
        self.tell_all(Suspend);
    }
}

impl Handler<ResumeAll> for RebalanceActor {
    type Result = ();

    fn handle(&mut self, _: ResumeAll, _: &mut Context<Self>) {
        self.is_suspended = false;
        self.parts.calls.suspend(false);
        self.tell_all(Resume);
    }
}

impl Handler<Assign> for RebalanceActor {
    type Result = Result<(), ClientError>;

    fn handle(&mut self, assign: Assign, ctx: &mut Context<Self>) -> Self::Result {
        self.parts.member.assign(assign.queues)?;
        self.rebalance(ctx);
        Ok(())
    }
}

impl Handler<Pause> for RebalanceActor {
    type Result = ();

    fn handle(&mut self, pause: Pause, _: &mut Context<Self>) {
        for pull in pause.queues.iter().filter_map(|queue| self.pulls.get(queue)) {
            match pause.rest {
                Rest::On => notify(&pull.clone().recipient(), Suspend),
                Rest::Off => notify(&pull.clone().recipient(), Resume),
            }
        }
    }
}

impl Handler<Stop> for RebalanceActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        self.is_stopping = true;
        let limit = self.parts.member.options.stop_limit;
        for change in self.owned.give_up_all(|_| true) {
            if let Change::GiveUp(queue) = change {
                self.hand_over_within(limit, queue, ctx);
            }
        }
        let (ended, end) = oneshot::channel();
        self.ends.push(ended);
        self.end_if_over(ctx);
        Box::pin(async move { drop(end.await) })
    }
}
