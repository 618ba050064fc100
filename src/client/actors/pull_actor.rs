//! Pulls one queue, has its messages consumed, and says how far that has come.
//!
//! Takes [`GiveUp`], [`Locked`], [`Suspend`], [`Resume`] and [`StateOfQueue`] from the RebalanceActor, and `CallsEnded` from
//! whoever consumes. Sends [`Progress`] to the OffsetStoreActor. When it dies, the RebalanceActor takes the queue anew from
//! where it was stored last.
//!
//! ```text
//!   broker ── pull ──► ProcessQueue ── take ──► call of the listener ── verdict ──► done: Progress
//!                          ▲                                               │
//!                          └──────── put back, if it cannot be sent back ◄─┴──► sent back to the broker
//! ```

mod orders;
mod settle;

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient};
use slab::Slab;
use tokio::sync::oneshot;

pub use self::orders::{GiveUp, Locked, QueueState, Resume, StateOfQueue, Suspend};
use super::offset_store_actor::Progress;
use crate::client::calls::{Call, Calls, CallsEnded};
use crate::client::error::ClientError;
use crate::client::listener::{Delivery, Ownership};
use crate::client::member::Member;
use crate::client::process_queue::ProcessQueue;
use crate::client::pull::{PullRequest, PullStatus, Pulled, Puller, Wants};
use crate::client::subscription::{Disagreement, wants};
use crate::client::tally::{Counts, Tally};
use crate::net::mailbox::notify;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::route::MASTER_ID;
use crate::protocol::codes::response;
use crate::protocol::message;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueOffset;

/// How long a broker may hold a pull that finds nothing.
const HOLD: Duration = Duration::from_secs(15);
/// When a queue is pulled again of which enough is held,
const PRESSED_FOR: Duration = Duration::from_millis(50);
/// or whose pull failed,
const FAILED_FOR: Duration = Duration::from_secs(1);
/// or whose broker has too much to do.
const BUSY_FOR: Duration = Duration::from_millis(20);
/// How long a lock is trusted that was not renewed; at the broker it stands for a minute.
pub const LOCK_TRUSTED: Duration = Duration::from_secs(30);

/// What a PullActor is made of.
///
/// See the example of [`PullActor`].
pub struct PullParts {
    /// The queue.
    pub queue: Arc<MessageQueue>,
    /// Its topic.
    pub topic: Topic,
    /// The first message wanted.
    pub start: QueueOffset,
    /// The consumer.
    pub member: Arc<Member>,
    /// Has its messages consumed.
    pub calls: Calls,
    /// Whether it begins at rest.
    pub is_suspended: bool,
    /// The OffsetStoreActor.
    pub progress: Recipient<Progress>,
}

/// One queue.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::sync::Arc;
/// use actix::Actor;
/// use ferromq::client::Verdict;
/// use ferromq::client::actors::offset_store_actor::Progress;
/// use ferromq::client::actors::pull_actor::{PullActor, PullParts, QueueState, StateOfQueue};
/// use ferromq::client::calls::{Call, Calls};
/// use ferromq::client::tally::Counts;
/// use ferromq::protocol::units::QueueOffset;
/// use tokio::sync::mpsc;
/// # use ferromq::client::member::{Kind, Member, MemberParts, Subscriptions};
/// # use ferromq::client::membership::Membership;
/// # use ferromq::client::namespace::Namespace;
/// # use ferromq::client::route_cache::RouteCache;
/// # use ferromq::client::{Client, ClientOptions, Connections, ConsumerOptions, OutgoingMessage, Routes, Wanted};
/// # use ferromq::protocol::body::{Body, heartbeat::HeartbeatData, queue_table::MessageQueue};
/// # use ferromq::protocol::codes::request;
/// # use ferromq::protocol::command::Command;
/// # use ferromq::protocol::names::{GroupName, Topic};
/// # use ferromq::time::SystemClock;
/// # struct Offsets(mpsc::UnboundedSender<QueueOffset>);
/// # impl Actor for Offsets {
/// #     type Context = actix::Context<Self>;
/// # }
/// # impl actix::Handler<Progress> for Offsets {
/// #     type Result = ();
/// #     fn handle(&mut self, progress: Progress, _: &mut actix::Context<Self>) {
/// #         let _ = self.0.send(progress.offset);
/// #     }
/// # }
/// # let producer = Client::new(ClientOptions::of(&name_servers)).await?.producer("billing").start().await?;
/// # let receipt = producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// # let (connections, clock, topic) = (Connections::default(), SystemClock::shared(), Topic::parse("Invoices")?);
/// # let routes = Arc::new(RouteCache::new(Routes::new(connections.clone(), &name_servers)?, Arc::clone(&clock)));
/// # let parts = MemberParts {
/// #     kind: Kind::Polled { commits_itself: false },
/// #     options: ConsumerOptions::default(),
/// #     membership: Membership::new(connections.clone(), "10.0.0.9@7", GroupName::parse("bookkeeping")?),
/// #     routes: Arc::clone(&routes),
/// #     namespace: Namespace::default(),
/// #     connections,
/// #     clock,
/// # };
/// # let wanted = Arc::new(Wanted::All.subscription(&topic, 0)?);
/// # let member = Arc::new(Member::new(parts, Subscriptions::from([(topic.clone(), wanted)]))?);
/// # while routes.of(&topic).await.is_err() {}
/// # let queue_id = receipt.queue_id.0 as i32;
/// # let queue = MessageQueue { broker_name: receipt.broker_name.to_string(), queue_id, topic: "Invoices".into() };
/// # let (seen, mut progress) = mpsc::unbounded_channel();
/// # let store = Offsets(seen).start();
/// # let (client_id, consumer_data_set) = ("10.0.0.9@7".into(), vec![member.heartbeat()]);
/// # let heartbeat = HeartbeatData { client_id, consumer_data_set, ..HeartbeatData::default() };
/// # let heartbeat = Command::request(request::HEART_BEAT).with_body(heartbeat.encode());
/// # let connection = member.connections.to(&receipt.broker_address).await?;
/// # connection.call(heartbeat, std::time::Duration::from_secs(3)).await?;
///
/// // The broker has heard of the group, as an InstanceActor sees to it.
/// let (ready, mut calls) = mpsc::unbounded_channel::<Call>();
/// let pull = PullActor::new(PullParts {
///     queue: Arc::new(queue),
///     topic,
///     start: QueueOffset(0),
///     member,
///     calls: Calls::Polled(ready),
///     is_suspended: false,
///     // An actor of the application's own, which takes the place of the OffsetStoreActor.
///     progress: store.recipient(),
/// });
/// let pull = pull.start();
/// let call = calls.recv().await.expect("the actor is there");
/// assert_eq!(call.delivery.messages[0].body, "number 1");
/// call.ended(Verdict::Consumed);
/// while progress.recv().await.expect("the actor is there") < QueueOffset(1) {}
/// let QueueState { last_minute: Counts { pulled, consumed, .. }, .. } = pull.send(StateOfQueue).await?;
/// assert_eq!((pulled, consumed), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
pub struct PullActor {
    parts: PullParts,
    puller: Puller,
    held: ProcessQueue,
    next: QueueOffset,
    /// The end of the queue when it was last pulled.
    queue_end: QueueOffset,
    /// The broker of the set to pull from.
    broker_id: i64,
    /// The deliveries that are being consumed, by their numbers.
    calls: Slab<Vec<Arc<message::Message>>>,
    /// Where verdicts come in, shared by the calls that are under way: a Recipient costs three allocations. They alone hold it, so
    /// that the actor ends with the last one who knows it.
    verdicts: Weak<Recipient<CallsEnded>>,
    /// Messages that are on their way back.
    settling: usize,
    tally: Tally,
    is_pressed: bool,
    disagreement: Disagreement,
    is_suspended: bool,
    /// Where order matters: whether a message that could not be consumed holds the queue up.
    is_resting: bool,
    /// Held until the queue is given up: deliveries look whether it is there, and whether its lock is trusted, as they
    /// may have waited for long.
    owner: Option<Arc<Ownership>>,
    /// Who waits for the end, once it is given up.
    waits: Option<oneshot::Sender<()>>,
}

impl PullActor {
    /// Pulls a queue that the member has just taken over, with its lock where order matters.
    #[must_use]
    pub fn new(parts: PullParts) -> Self {
        let clock = Arc::clone(&parts.member.clock);
        let locked_until = parts.member.wants_locks().then(|| clock.elapsed() + LOCK_TRUSTED);
        let (next, is_suspended) = (parts.start, parts.is_suspended);
        Self {
            puller: parts.member.puller(parts.topic.clone()),
            parts,
            held: ProcessQueue::default(),
            next,
            queue_end: next,
            broker_id: MASTER_ID,
            calls: Slab::new(),
            verdicts: Weak::new(),
            settling: 0,
            tally: Tally::default(),
            is_pressed: false,
            disagreement: Disagreement::default(),
            is_suspended,
            is_resting: false,
            owner: Some(Arc::new(Ownership::new(clock, locked_until))),
            waits: None,
        }
    }

    fn is_given_up(&self) -> bool {
        self.owner.is_none()
    }

    /// Pulls once, or puts that off. There is one pull under way or put off at any time.
    fn pull(&mut self, ctx: &mut Context<Self>) {
        if self.is_given_up() {
            return;
        }
        if self.is_suspended {
            return Self::pull_later(ctx, FAILED_FOR);
        }
        let mut held_max = self.parts.member.options.held_max;
        held_max.span = held_max.span.filter(|_| !self.parts.member.is_one_at_a_time());
        if let Some(pressure) = self.held.pressure(&held_max) {
            if !std::mem::replace(&mut self.is_pressed, true) {
                let queue = &self.parts.queue;
                tracing::info!(topic = queue.topic, queue = queue.queue_id, %pressure, "pulling waits for the listener");
            }
            return Self::pull_later(ctx, PRESSED_FOR);
        }
        self.is_pressed = false;
        match self.ask() {
            Ok(asked) => {
                let began = self.parts.member.clock.elapsed();
                ctx.spawn(wrap_future::<_, Self>(asked).map(move |outcome, actor, ctx| {
                    actor.pulled(outcome, began, ctx);
                }));
            }
            Err(error) => self.failed(&error, ctx),
        }
    }

    fn pull_later(ctx: &mut Context<Self>, after: Duration) {
        ctx.run_later(after, Self::pull);
    }

    fn ask(&self) -> Result<impl Future<Output = Result<Pulled, ClientError>> + use<>, ClientError> {
        let member = &self.parts.member;
        let (at, broker_id) = member.at_broker(&self.parts.queue, self.broker_id)?;
        let progress = self.held.progress().filter(|progress| progress.0 > 0);
        // Slaves are told of offsets by their master only. Where order matters a pull says nothing: a broker might take it for news
        // after the queue was handed over.
        let commits = member.is_clustering() && member.commits_itself() && !member.wants_locks();
        let commits = commits && broker_id == MASTER_ID;
        let commit = progress.filter(|_| commits);
        let subscriptions = member.subscriptions();
        let version = subscriptions.get(&self.parts.topic).map_or(0, |subscription| subscription.sub_version);
        let (offset, count) = (self.next, member.options.messages_per_pull);
        let pull =
            PullRequest { queue: at.id, offset, count, hold: HOLD, commit, wants: Wants::AsSubscribed { version } };
        let puller = self.puller.clone();
        Ok(async move { puller.ask(&at, &pull).await })
    }

    fn pulled(&mut self, outcome: Result<Pulled, ClientError>, began: Duration, ctx: &mut Context<Self>) {
        if self.is_given_up() {
            return;
        }
        if self.disagreement.is_told_after(outcome.as_ref().err().and_then(ClientError::refusal)) {
            let (group, topic) = (self.parts.member.group(), self.parts.queue.topic.as_str());
            tracing::warn!(%group, topic, "brokers know another subscription of the group than this consumer's, as the last \
                heartbeat of any member counts: all members of a group have to subscribe to the same topics with the same \
                expressions; give a consumer that wants something else a group of its own");
        }
        let pulled = match outcome {
            Ok(pulled) => pulled,
            Err(error) => return self.failed(&error, ctx),
        };
        let now = self.parts.member.clock.elapsed();
        let (pulls, pulled_count) = (1, pulled.messages.len() as u64);
        let pull_ms = now.saturating_sub(began).as_millis() as u64;
        self.tally.note(Counts { pulls, pull_ms, pulled: pulled_count, ..Counts::default() }, now);
        self.broker_id = pulled.suggested_broker;
        self.queue_end = pulled.max;
        if pulled.status == PullStatus::OutOfRange {
            return self.go_elsewhere(pulled.next, ctx);
        }
        self.next = pulled.next;
        self.take_in(pulled);
        // The broker looks for the next ones while these are consumed.
        self.pull(ctx);
        self.feed(ctx);
    }

    /// Keeps what is wanted of what has come.
    fn take_in(&mut self, pulled: Pulled) {
        let subscriptions = self.parts.member.subscriptions();
        let subscription = subscriptions.get(&self.parts.topic);
        let wanted = pulled.messages.into_iter().filter(|message| subscription.is_none_or(|own| wants(own, message)));
        self.held.put(wanted.map(|message| self.parts.member.as_sent(message)));
        self.held.reach(pulled.next);
        if self.held.is_empty() {
            self.progressed();
        }
    }

    /// The queue does not have what was asked for: goes on where the broker says, once what is held is consumed.
    fn go_elsewhere(&mut self, next: QueueOffset, ctx: &mut Context<Self>) {
        if !self.held.is_empty() {
            ctx.run_later(PRESSED_FOR, move |actor, ctx| actor.go_elsewhere(next, ctx));
            return;
        }
        if self.is_given_up() {
            return;
        }
        let queue = &self.parts.queue;
        tracing::warn!(
            topic = queue.topic, queue = queue.queue_id, broker = queue.broker_name, wanted = %self.next, goes_on = %next,
            "the queue does not have the offset that the group has come to"
        );
        let is_same = std::mem::replace(&mut self.next, next) == next;
        self.held = ProcessQueue::default();
        self.held.reach(next);
        self.progressed();
        // A broker that has not the offset either that it has sent the group to is not asked again at once, and for ever.
        if is_same { Self::pull_later(ctx, FAILED_FOR) } else { self.pull(ctx) }
    }

    fn failed(&mut self, error: &ClientError, ctx: &mut Context<Self>) {
        let queue = &self.parts.queue;
        if error.refusal() == Some(response::FLOW_CONTROL) {
            return Self::pull_later(ctx, BUSY_FOR);
        }
        tracing::warn!(topic = queue.topic, queue = queue.queue_id, %error, "cannot pull; it is tried again");
        if error.is_of_transport() {
            // The set may have another broker, or be somewhere else by now.
            self.broker_id = MASTER_ID;
            self.parts.member.routes.doubt(&self.parts.topic);
        }
        Self::pull_later(ctx, FAILED_FOR);
    }

    /// Has everything consumed that may be.
    fn feed(&mut self, ctx: &mut Context<Self>) {
        if !self.may_feed() {
            return;
        }
        let verdicts = self.verdicts(ctx);
        let mut calls = Vec::new();
        while self.may_feed() {
            calls.push(self.next_call(&verdicts));
        }
        self.parts.calls.begin(calls);
    }

    fn verdicts(&mut self, ctx: &Context<Self>) -> Arc<Recipient<CallsEnded>> {
        self.verdicts.upgrade().unwrap_or_else(|| {
            let verdicts = Arc::new(ctx.address().recipient());
            self.verdicts = Arc::downgrade(&verdicts);
            verdicts
        })
    }

    fn may_feed(&self) -> bool {
        let member = &self.parts.member;
        let in_order = || {
            let is_locked = self.owner.as_ref().is_some_and(|owner| owner.is_trusted());
            self.calls.is_empty() && self.settling == 0 && !self.is_resting && is_locked
        };
        let is_open = !self.is_given_up() && !self.is_suspended;
        is_open && self.held.has_waiting() && (!member.is_one_at_a_time() || in_order())
    }

    fn next_call(&mut self, verdicts: &Arc<Recipient<CallsEnded>>) -> Call {
        let messages = self.held.take(self.parts.member.options.messages_per_delivery.max(1));
        let number = self.calls.insert(messages.clone());
        let (queue, owner) =
            (Arc::clone(&self.parts.queue), self.owner.as_ref().map_or_else(Weak::new, Arc::downgrade));
        let delivery = Delivery { messages, queue, queue_end: self.queue_end, owner };
        Call::new(delivery, number, Arc::clone(verdicts))
    }

    /// Says how far the group has come with the queue.
    fn progressed(&self) {
        if let Some(offset) = self.held.progress() {
            notify(&self.parts.progress, Progress { queue: Arc::clone(&self.parts.queue), offset });
        }
    }

    /// Comes to the end if nobody works on the queue's messages any more.
    fn end_if_idle(&mut self, ctx: &mut Context<Self>) {
        if self.is_given_up() && self.calls.is_empty() && self.settling == 0 {
            self.end(ctx);
        }
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        // Who waits may have given up.
        let _ = self.waits.take().map(|waits| waits.send(()));
        ctx.stop();
    }
}

impl Actor for PullActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.pull(ctx);
    }
}

impl Handler<CallsEnded> for PullActor {
    type Result = ();

    fn handle(&mut self, ended: CallsEnded, ctx: &mut Context<Self>) {
        let was_called = ended.ended.iter().any(|(_, verdict)| verdict.is_some());
        for (number, verdict) in ended.ended {
            match (self.calls.try_remove(number), verdict) {
                (Some(messages), Some(verdict)) => self.settle(&messages, verdict, ctx),
                (Some(messages), None) => self.held.untake(messages.iter().map(|message| message.queue_offset)),
                (None, _) => {}
            }
        }
        self.progressed();
        if was_called {
            self.feed(ctx);
        } else {
            // Where nobody takes calls any more, they would come back at once and for ever, and no order would be heard.
            ctx.run_later(FAILED_FOR, Self::feed);
        }
        self.end_if_idle(ctx);
    }
}
