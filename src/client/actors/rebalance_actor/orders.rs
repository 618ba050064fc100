//! What an application orders its consumer to do: to want something else, to rest, to come to its end.

use std::collections::BTreeSet;

use actix::fut::wrap_future;
use actix::{ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::super::instance_actor::Beats;
use super::super::pull_actor::{PullActor, Resume, Suspend};
use super::{Rebalance, RebalanceActor};
use crate::client::error::ClientError;
use crate::client::member::Subscriptions;
use crate::client::owned_queues::Change;
use crate::net::mailbox::notify;
use crate::protocol::body::queue_table::MessageQueue;

/// The consumer wants something else from now on; done when brokers have been told.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Resubscribe {
    /// All that it wants.
    pub subscriptions: Subscriptions,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It does.
    On,
    /// It does not.
    Off,
}

impl RebalanceActor {
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
        let mut ends = JoinSet::new();
        for change in self.owned.give_up_all(|_| true) {
            if let Change::GiveUp(queue) = change {
                ends.spawn_local(self.give_up(queue, limit));
            }
        }
        let (ended, end) = oneshot::channel();
        ctx.spawn(wrap_future::<_, Self>(async move { while ends.join_next().await.is_some() {} }).map(
            |(), _, ctx| {
                // Who waits may have given up.
                let _ = ended.send(());
                ctx.stop();
            },
        ));
        Box::pin(async move { drop(end.await) })
    }
}
