//! Sees to it that a consumer has its share of the queues: works it out every so often and when told to, takes queues over,
//! and gives them up.
//!
//! Takes [`Rebalance`] and [`ResetOffsets`] from the InstanceActor, [`Resubscribe`], [`Assign`], [`Pause`],
//! [`SuspendAll`], [`ResumeAll`] and [`Stop`] from the application. Starts a PullActor per queue; asks the OffsetStoreActor
//! where to begin, and has it store where that ended. Tells the InstanceActor to beat when its share has changed. When it dies
//! the consumer is at its end.

mod orders;
mod shares;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture,
};
use tokio::sync::{oneshot, watch};

pub use self::orders::{Assign, Pause, ResetOffsets, Rest, Resubscribe, ResumeAll, Stop, SuspendAll};
use self::shares::{Share, shares, start_of};
use super::instance_actor::Beats;
use super::offset_store_actor::{Forget, OffsetPorts};
use super::pull_actor::{GiveUp, Locked, PullActor, PullParts, QueueState, StateOfQueue};
use crate::client::calls::Calls;
use crate::client::member::{Locks, Member};
use crate::client::owned_queues::{Change, OwnedQueues};
use crate::net::mailbox::{notify, start_unbounded};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueOffset;

/// When a queue is tried again that could not be taken over, and the first time when a share could not be worked out; later
/// each time, up to the interval of rebalances.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often locks are renewed.
const RENEW_LOCKS: Duration = Duration::from_secs(20);
/// How long calls under way are waited for before a queue goes to another member, where order matters.
const HAND_OVER: Duration = Duration::from_secs(10);

/// The members of the group, or its queues, may be others now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Rebalance;

/// How the consumer is with each of its queues.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<QueueState>")]
pub struct StateOfAll;

/// What a RebalanceActor is made of.
///
/// See the example of [`RebalanceActor`].
pub struct RebalanceParts {
    /// The consumer.
    pub member: Arc<Member>,
    /// Has its messages consumed.
    pub calls: Calls,
    /// Its offsets.
    pub offsets: OffsetPorts,
    /// Tells brokers of it.
    pub beat: Recipient<Beats>,
    /// Tells whoever looks which queues it has.
    pub owned: watch::Sender<BTreeSet<MessageQueue>>,
}

/// One consumer.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::collections::BTreeSet;
/// use std::sync::Arc;
/// use actix::Actor;
/// use ferromq::client::actors::instance_actor::{AddConsumer, ConsumerPorts, InstanceActor};
/// use ferromq::client::actors::offset_store_actor::{OffsetPorts, OffsetStoreActor};
/// use ferromq::client::actors::rebalance_actor::{Pause, Rebalance, RebalanceActor, RebalanceParts, Rest};
/// use ferromq::client::calls::Calls;
/// use ferromq::client::{OutgoingMessage, Verdict};
/// use tokio::sync::{mpsc, watch};
/// # use std::time::Duration;
/// # use ferromq::client::actors::instance_actor::InstanceParts;
/// # use ferromq::client::member::{Kind, Member, MemberParts, Subscriptions};
/// # use ferromq::client::membership::Membership;
/// # use ferromq::client::namespace::Namespace;
/// # use ferromq::client::route_cache::RouteCache;
/// # use ferromq::client::{Begin, Client, ClientOptions, ConnectionOptions, Connections, ConsumerOptions, Routes, Wanted};
/// # use ferromq::protocol::names::{GroupName, Topic};
/// # use ferromq::time::SystemClock;
/// # let producer = Client::new(ClientOptions::of(&name_servers)).await?.producer("billing").start().await?;
/// # producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// # let (pushed, pushes) = mpsc::channel(16);
/// # let connections = Connections::new(ConnectionOptions { pushes: Some(pushed), ..ConnectionOptions::default() });
/// # let (clock, topic) = (SystemClock::shared(), Topic::parse("Invoices")?);
/// # let routes = Arc::new(RouteCache::new(Routes::new(connections.clone(), &name_servers)?, Arc::clone(&clock)));
/// # let instance = InstanceActor::new(InstanceParts {
/// #     client_id: "10.0.0.9@7".into(),
/// #     connections: connections.clone(),
/// #     pushes,
/// #     routes: Arc::clone(&routes),
/// #     replies: Arc::default(),
/// #     address_server: None,
/// #     heartbeat_interval: Duration::from_secs(30),
/// # });
/// # let parts = MemberParts {
/// #     kind: Kind::Polled { commits_itself: true },
/// #     options: ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() },
/// #     membership: Membership::new(connections.clone(), "10.0.0.9@7", GroupName::parse("bookkeeping")?),
/// #     routes: Arc::clone(&routes),
/// #     namespace: Namespace::default(),
/// #     connections,
/// #     clock,
/// # };
/// # let wanted = Arc::new(Wanted::All.subscription(&topic, 0)?);
/// # let member = Arc::new(Member::new(parts, Subscriptions::from([(topic, wanted)]))?);
///
/// // A consumer put together by hand: an actor of the application's own may be in the place of the first or the second.
/// let instance = instance.start();
/// let offsets = OffsetStoreActor::new(Arc::clone(&member), None)?.start();
/// let (ready, mut delivered) = mpsc::unbounded_channel();
/// let (owned, mut queues) = watch::channel(BTreeSet::new());
/// let rebalance = RebalanceActor::new(RebalanceParts {
///     member: Arc::clone(&member),
///     calls: Calls::Polled(ready.clone()),
///     offsets: OffsetPorts::from(offsets.clone()),
///     beat: instance.clone().recipient(),
///     owned,
/// });
/// let rebalance = rebalance.start();
/// let ports = ConsumerPorts {
///     member,
///     rebalance: rebalance.clone().recipient(),
///     reset: rebalance.clone().recipient(),
///     offsets: offsets.recipient(),
///     state: rebalance.clone().recipient(),
///     calls: Calls::Polled(ready),
/// };
/// instance.send(AddConsumer { ports }).await??;
/// rebalance.send(Rebalance).await?;
/// queues.wait_for(|queues| queues.len() == 4).await?;
/// let call = delivered.recv().await.expect("the actors are there");
/// assert_eq!(call.delivery.messages[0].body, "number 1");
/// call.ended(Verdict::Consumed);
///
/// // Queues that rest bring nothing, whatever comes.
/// let all: Vec<_> = queues.borrow().iter().cloned().collect();
/// rebalance.send(Pause { queues: all.clone(), rest: Rest::On }).await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 2")?).await?;
/// assert!(tokio::time::timeout(Duration::from_millis(100), delivered.recv()).await.is_err());
/// rebalance.send(Pause { queues: all, rest: Rest::Off }).await?;
/// let call = delivered.recv().await.expect("the actors are there");
/// assert_eq!(call.delivery.messages[0].body, "number 2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
pub struct RebalanceActor {
    parts: RebalanceParts,
    owned: OwnedQueues,
    pulls: HashMap<MessageQueue, Addr<PullActor>>,
    round: Round,
    /// When the next round follows one that could not work out every share.
    again_after: Duration,
    is_suspended: bool,
    is_stopping: bool,
    /// Who waits for the end.
    ends: Vec<oneshot::Sender<()>>,
}

/// Working out the share takes its time; one round is under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    None,
    UnderWay,
    /// Something happened meanwhile, so that another one follows.
    UnderWayAndWanted,
}

impl RebalanceActor {
    /// A consumer without queues.
    #[must_use]
    pub fn new(parts: RebalanceParts) -> Self {
        Self {
            parts,
            owned: OwnedQueues::default(),
            pulls: HashMap::new(),
            round: Round::None,
            again_after: AGAIN_AFTER,
            is_suspended: false,
            is_stopping: false,
            ends: Vec::new(),
        }
    }

    fn rebalance(&mut self, ctx: &mut Context<Self>) {
        if self.is_stopping {
            return;
        }
        if self.round != Round::None {
            self.round = Round::UnderWayAndWanted;
            return;
        }
        self.round = Round::UnderWay;
        let shares = shares(Arc::clone(&self.parts.member), self.parts.beat.clone());
        ctx.spawn(wrap_future::<_, Self>(shares).map(|(shares, is_whole), actor, ctx| {
            let was_wanted = std::mem::replace(&mut actor.round, Round::None) == Round::UnderWayAndWanted;
            actor.share_out(shares, ctx);
            if was_wanted {
                actor.rebalance(ctx);
            } else if is_whole {
                actor.again_after = AGAIN_AFTER;
            } else {
                ctx.run_later(actor.again_after, Self::rebalance);
                actor.again_after = (actor.again_after * 2).min(actor.parts.member.options.rebalance_interval);
            }
        }));
    }

    /// Acts on the shares; where they have changed, brokers are told so at once.
    fn share_out(&mut self, shares: Vec<Share>, ctx: &mut Context<Self>) {
        if self.is_stopping {
            return;
        }
        let now = self.parts.member.clock.elapsed();
        for (queue, _) in self.pulls.iter().filter(|(_, pull)| pull.connected()) {
            self.owned.pulled(queue, now);
        }
        let subscriptions = self.parts.member.subscriptions();
        let is_gone = |topic: &str| !subscriptions.contains_key(topic);
        let mut changes = self.owned.give_up_all(is_gone);
        for (topic, share) in shares {
            let of_topic = self.owned.assign(topic.as_str(), &share, now);
            if !of_topic.is_empty() {
                self.parts.member.renew_subscription(&topic);
            }
            changes.extend(of_topic);
        }
        if changes.is_empty() {
            return;
        }
        notify(&self.parts.beat, Beats::ToAll);
        changes.into_iter().for_each(|change| self.change(change, ctx));
    }

    fn change(&mut self, change: Change, ctx: &mut Context<Self>) {
        match change {
            Change::GiveUp(queue) => self.hand_over_within(self.hand_over(), queue, ctx),
            Change::TakeOver(queue) => self.take_over(queue, ctx),
        }
    }

    /// How long calls under way are waited for when a queue goes to another member, or is to go on elsewhere.
    fn hand_over(&self) -> Duration {
        if self.parts.member.wants_locks() { HAND_OVER } else { Duration::ZERO }
    }

    fn hand_over_within(&mut self, limit: Duration, queue: MessageQueue, ctx: &mut Context<Self>) {
        let handed_over = wrap_future::<_, Self>(self.give_up(queue.clone(), limit));
        ctx.spawn(handed_over.map(move |(), actor, ctx| actor.given_up(&queue, ctx)));
    }

    fn given_up(&mut self, queue: &MessageQueue, ctx: &mut Context<Self>) {
        if let Some(change) = self.owned.given_up(queue) {
            self.change(change, ctx);
        }
        self.end_if_over(ctx);
    }

    /// Comes to the end once that is wanted and nothing is on its way from or to the member: what was locked meanwhile is
    /// unlocked, and what was given up before is stored.
    fn end_if_over(&mut self, ctx: &mut Context<Self>) {
        if self.is_stopping && self.owned.is_empty() {
            for end in self.ends.drain(..) {
                // Who waits may have given up.
                let _ = end.send(());
            }
            ctx.stop();
        }
    }

    /// Stops pulling a queue, stores how far that has come, and lets others have it.
    fn give_up(&mut self, queue: MessageQueue, limit: Duration) -> impl Future<Output = ()> + use<> {
        tracing::info!(topic = queue.topic, queue = queue.queue_id, broker = queue.broker_name, "gives up a queue");
        let pull = self.pulls.remove(&queue);
        self.publish();
        let (forget, member) = (self.parts.offsets.forget.clone(), Arc::clone(&self.parts.member));
        let wants_locks = self.parts.member.wants_locks();
        async move {
            if let Some(pull) = pull {
                // One that is gone has no calls under way that anybody would hear of.
                let _ = pull.send(GiveUp { limit }).await;
            }
            let _ = forget.send(Forget { queue: queue.clone() }).await;
            if wants_locks {
                member.unlock([queue]).await;
            }
        }
    }

    fn take_over(&mut self, queue: MessageQueue, ctx: &mut Context<Self>) {
        let (member, offsets) = (Arc::clone(&self.parts.member), self.parts.offsets.of.clone());
        let (wants_locks, wanted) = (self.parts.member.wants_locks(), queue.clone());
        let start = async move { start_of(&member, &offsets, &wanted, wants_locks).await };
        ctx.spawn(wrap_future::<_, Self>(start).map(move |start, actor, ctx| match start {
            Ok(Some(start)) => actor.taken_over(queue, start, ctx),
            Ok(None) => actor.not_taken_over(&queue, "another member has its lock", ctx),
            Err(error) => actor.not_taken_over(&queue, &error.to_string(), ctx),
        }));
    }

    fn taken_over(&mut self, queue: MessageQueue, start: QueueOffset, ctx: &mut Context<Self>) {
        if let Some(change) = self.owned.taken_over(&queue, self.parts.member.clock.elapsed()) {
            return self.change(change, ctx);
        }
        let Ok(topic) = Topic::parse(&queue.topic) else { return };
        let parts = PullParts {
            queue: Arc::new(queue.clone()),
            topic,
            start,
            member: Arc::clone(&self.parts.member),
            calls: self.parts.calls.clone(),
            is_suspended: self.is_suspended,
            progress: self.parts.offsets.progress.clone(),
        };
        tracing::info!(topic = queue.topic, queue = queue.queue_id, broker = queue.broker_name, %start, "takes a queue over");
        self.pulls.insert(queue, start_unbounded(|_| PullActor::new(parts)));
        self.publish();
    }

    fn not_taken_over(&mut self, queue: &MessageQueue, why: &str, ctx: &mut Context<Self>) {
        tracing::debug!(topic = queue.topic, queue = queue.queue_id, why, "cannot take a queue over yet");
        self.owned.not_taken_over(queue);
        self.end_if_over(ctx);
        ctx.run_later(AGAIN_AFTER, Self::rebalance);
    }

    fn renew_locks(&mut self, ctx: &mut Context<Self>) {
        let (member, queues) = (Arc::clone(&self.parts.member), self.owned.owned().cloned().collect::<Vec<_>>());
        let locking = async move { member.lock(queues).await };
        ctx.spawn(wrap_future::<_, Self>(locking).map(Self::renewed));
    }

    /// A queue whose lock another member has is given up: what is held of it may be consumed there meanwhile.
    fn renewed(locks: Locks, actor: &mut Self, ctx: &mut Context<Self>) {
        for pull in locks.own.iter().filter_map(|queue| actor.pulls.get(queue)) {
            notify(&pull.clone().recipient(), Locked);
        }
        let lost: Vec<_> = locks.others.iter().filter_map(|queue| actor.owned.give_up(queue)).collect();
        for change in lost {
            tracing::warn!(?change, "another member has the lock of a queue");
            actor.change(change, ctx);
            ctx.run_later(AGAIN_AFTER, Self::rebalance);
        }
    }

    /// Tells whoever looks which queues the consumer has.
    fn publish(&self) {
        self.parts.owned.send_replace(self.owned.owned().cloned().collect());
    }
}

impl Drop for RebalanceActor {
    fn drop(&mut self) {
        self.parts.calls.close();
    }
}

impl Actor for RebalanceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.member.options.rebalance_interval, Self::rebalance);
        if self.parts.member.wants_locks() {
            ctx.run_interval(RENEW_LOCKS, Self::renew_locks);
        }
    }
}

impl Handler<Rebalance> for RebalanceActor {
    type Result = ();

    fn handle(&mut self, _: Rebalance, ctx: &mut Context<Self>) {
        self.rebalance(ctx);
    }
}

impl Handler<StateOfAll> for RebalanceActor {
    type Result = ResponseFuture<Vec<QueueState>>;

    fn handle(&mut self, _: StateOfAll, _: &mut Context<Self>) -> Self::Result {
        let asked: Vec<_> = self.pulls.values().map(|pull| pull.send(StateOfQueue)).collect();
        Box::pin(async move {
            let mut states = Vec::new();
            for state in asked {
                // A queue that is given up meanwhile has nothing to tell.
                states.extend(state.await);
            }
            states
        })
    }
}
