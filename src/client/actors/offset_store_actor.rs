//! Knows how far a consumer has come, and stores it.
//!
//! Takes [`Progress`] from PullActors, [`OffsetOf`], [`Forget`] and [`MoveTo`] from the RebalanceActor, [`OffsetsOf`] from the
//! InstanceActor, [`Commit`] from applications that store it themselves. Stores what has changed every so often: with the
//! brokers, or in a file where each member gets all messages. When it dies, its group goes on from what was stored last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture};
use tokio::sync::{Mutex, watch};

use crate::client::error::ClientError;
use crate::client::member::Member;
use crate::client::offset_file::{OffsetFile, Offsets};
use crate::protocol::body::queue_table::{MessageQueue, QueueTable};
use crate::protocol::names::Topic;
use crate::protocol::units::QueueOffset;

/// How far the consumer has come with a queue.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Progress {
    /// The queue.
    pub queue: Arc<MessageQueue>,
    /// The next offset wanted.
    pub offset: QueueOffset,
}

/// Where to go on with a queue; `None` if nothing is stored.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Option<QueueOffset>, ClientError>")]
pub struct OffsetOf {
    /// The queue.
    pub queue: MessageQueue,
}

/// The queue is somebody else's now: stores how far the consumer has come, unless the application does that, and forgets it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Forget {
    /// The queue.
    pub queue: MessageQueue,
}

/// Stores how far the consumer has come with everything.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Commit {
    /// With these queues it has come so far, which PullActors may not have said yet.
    pub offsets: Offsets,
}

/// Stores another offset of a queue, wherever the consumer is.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct MoveTo {
    /// The queue.
    pub queue: MessageQueue,
    /// The next offset wanted.
    pub offset: QueueOffset,
}

/// How far the consumer has come with the queues of a topic.
#[derive(Clone, Debug, Message)]
#[rtype(result = "QueueTable<i64>")]
pub struct OffsetsOf {
    /// The topic.
    pub topic: String,
}

/// How to reach an OffsetStoreActor, or what stands in for one.
///
/// See the example of [`RebalanceActor`](super::rebalance_actor::RebalanceActor).
#[derive(Clone)]
pub struct OffsetPorts {
    /// How far a queue has come.
    pub progress: Recipient<Progress>,
    /// Where to go on.
    pub of: Recipient<OffsetOf>,
    /// A queue is somebody else's.
    pub forget: Recipient<Forget>,
    /// A queue goes on elsewhere.
    pub move_to: Recipient<MoveTo>,
}

impl From<Addr<OffsetStoreActor>> for OffsetPorts {
    fn from(offsets: Addr<OffsetStoreActor>) -> Self {
        Self {
            progress: offsets.clone().recipient(),
            of: offsets.clone().recipient(),
            forget: offsets.clone().recipient(),
            move_to: offsets.recipient(),
        }
    }
}

/// The offsets of one consumer.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use actix::Actor;
/// use ferromq::client::actors::offset_store_actor::{Commit, OffsetOf, OffsetStoreActor, Progress};
/// use ferromq::client::offset_file::{OffsetFile, Offsets};
/// use ferromq::protocol::body::queue_table::MessageQueue;
/// use ferromq::protocol::units::QueueOffset;
/// # use ferromq::client::member::{Kind, Member, MemberParts, Subscriptions};
/// # use ferromq::client::membership::Membership;
/// # use ferromq::client::namespace::Namespace;
/// # use ferromq::client::route_cache::RouteCache;
/// # use ferromq::client::{Connections, ConsumerOptions, Routes};
/// # use ferromq::protocol::names::GroupName;
/// # use ferromq::time::SystemClock;
/// # let (connections, clock) = (Connections::default(), SystemClock::shared());
/// # let routes = Routes::new(connections.clone(), "10.0.0.1:9876")?;
/// # let parts = MemberParts {
/// #     kind: Kind::Pushed,
/// #     options: ConsumerOptions::default(),
/// #     membership: Membership::new(connections.clone(), "10.0.0.9@7", GroupName::parse("bookkeeping")?),
/// #     routes: Arc::new(RouteCache::new(routes, Arc::clone(&clock))),
/// #     namespace: Namespace::default(),
/// #     connections,
/// #     clock,
/// # };
/// # let member = Arc::new(Member::new(parts, Subscriptions::new())?);
/// # let folder = tempfile::tempdir()?;
/// # let file = OffsetFile::of(folder.path(), "10.0.0.9@DEFAULT", "bookkeeping");
///
/// // A member that gets all messages has a file; brokers store what the others have done.
/// let offsets = OffsetStoreActor::new(member, Some(file.clone()))?.start();
/// let queue = MessageQueue { broker_name: "a".into(), queue_id: 0, topic: "Invoices".into() };
/// offsets.send(Progress { queue: Arc::new(queue.clone()), offset: QueueOffset(7) }).await?;
/// assert_eq!(offsets.send(OffsetOf { queue: queue.clone() }).await??, Some(QueueOffset(7)));
/// // Now and then it stores what has changed, and at once when it is told to.
/// assert!(file.read()?.is_empty());
/// offsets.send(Commit { offsets: Offsets::new() }).await?;
/// assert_eq!(file.read()?.get(&queue), Some(&QueueOffset(7)));
/// # Ok(())
/// # }
/// ```
pub struct OffsetStoreActor {
    member: Arc<Member>,
    offsets: Offsets,
    /// Where members do not share the messages.
    file: Option<OffsetFile>,
    /// Whether the file is behind.
    is_changed: bool,
    /// Closed when what is stored every so often has come to its end.
    is_persisting: Option<watch::Receiver<()>>,
    /// Offsets are stored one after the other: of the first ones of a group that come together RocketMQ's broker keeps one alone
    /// (`ConsumerOffsetManager.commitOffset` 4.9.7, read and seen). Holds when brokers last failed to answer.
    turn: Arc<Mutex<BTreeMap<String, Duration>>>,
}

impl OffsetStoreActor {
    /// The offsets of a member; those of a file, if there is one, are known at once.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(member: Arc<Member>, file: Option<OffsetFile>) -> Result<Self, ClientError> {
        let offsets = file.as_ref().map_or_else(|| Ok(Offsets::new()), OffsetFile::read)?;
        Ok(Self { member, offsets, file, is_changed: false, is_persisting: None, turn: Arc::default() })
    }

    /// Stores the offsets of all queues, or of one. Brokers that do not confirm them are told again what has not changed.
    fn persist(&mut self, only: Option<&MessageQueue>) -> impl Future<Output = ()> + use<> {
        let due = match &self.file {
            Some(file) => {
                if self.is_changed {
                    self.is_changed = file.write(&self.offsets).inspect_err(|error| tracing::warn!(%error)).is_err();
                }
                Offsets::new()
            }
            None => {
                let is_meant = |queue: &MessageQueue| only.is_none_or(|only| only == queue);
                self.offsets
                    .iter()
                    .filter(|(queue, _)| is_meant(queue))
                    .map(|(queue, at)| (queue.clone(), *at))
                    .collect()
            }
        };
        let (member, turn) = (Arc::clone(&self.member), Arc::clone(&self.turn));
        async move {
            let began = member.clock.elapsed();
            for (queue, offset) in due {
                let mut failed_at = turn.lock().await;
                // Who waited behind one that was not answered does not wait once more; who comes later tries anew.
                if failed_at.get(&queue.broker_name).is_some_and(|at| *at > began) {
                    continue;
                }
                if let Err(error) = commit(&member, &queue, offset).await {
                    let (group, number) = (member.group(), queue.queue_id);
                    tracing::warn!(%group, queue.topic, number, %offset, %error, "cannot store an offset yet");
                    if error.is_of_transport() {
                        failed_at.insert(queue.broker_name, member.clock.elapsed());
                    }
                }
            }
        }
    }

    /// Has everything stored, unless that is still under way since the last time.
    fn persist_regularly(&mut self) {
        if self.is_persisting.as_ref().is_some_and(|under_way| under_way.has_changed().is_ok()) {
            return;
        }
        let (end, under_way) = watch::channel(());
        self.is_persisting = Some(under_way);
        let stored = self.persist(None);
        actix_rt::spawn(async move {
            stored.await;
            drop(end);
        });
    }

    /// The same for what has to be there when it is done, since somebody else may be about to ask for it: brokers serve the requests
    /// of one connection apart, so that an older offset that is still on its way might come after it.
    fn persist_after_all(&mut self, only: Option<&MessageQueue>) -> impl Future<Output = ()> + use<> {
        let (stored, before) = (self.persist(only), self.is_persisting.clone());
        async move {
            if let Some(mut before) = before {
                // Nothing is ever sent: it ends.
                let _ = before.changed().await;
            }
            stored.await;
        }
    }

    fn advance(&mut self, queue: &MessageQueue, offset: QueueOffset) {
        match self.offsets.get_mut(queue) {
            Some(known) => self.is_changed |= std::mem::replace(known, offset) != offset,
            None => {
                self.offsets.insert(queue.clone(), offset);
                self.is_changed = true;
            }
        }
    }
}

async fn commit(member: &Member, queue: &MessageQueue, offset: QueueOffset) -> Result<(), ClientError> {
    member.membership.commit(&Topic::parse(&queue.topic)?, &member.at_master(queue)?, offset).await
}

impl Actor for OffsetStoreActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if self.member.commits_itself() {
            ctx.run_interval(self.member.options.persist_interval, |actor, _| actor.persist_regularly());
        }
    }
}

impl Handler<Progress> for OffsetStoreActor {
    type Result = ();

    fn handle(&mut self, progress: Progress, _: &mut Context<Self>) {
        self.advance(&progress.queue, progress.offset);
    }
}

impl Handler<OffsetOf> for OffsetStoreActor {
    type Result = ResponseFuture<Result<Option<QueueOffset>, ClientError>>;

    fn handle(&mut self, of: OffsetOf, _: &mut Context<Self>) -> Self::Result {
        if self.file.is_some() {
            let known = self.offsets.get(&of.queue).copied();
            return Box::pin(async move { Ok(known) });
        }
        let member = Arc::clone(&self.member);
        Box::pin(async move { member.stored_offset(&of.queue).await })
    }
}

impl Handler<Forget> for OffsetStoreActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, forget: Forget, _: &mut Context<Self>) -> ResponseFuture<()> {
        let stored = self.member.commits_itself().then(|| self.persist_after_all(Some(&forget.queue)));
        // In the file every queue stays: the member takes it up again where it was.
        if self.file.is_none() {
            self.offsets.remove(&forget.queue);
        }
        Box::pin(async move {
            if let Some(stored) = stored {
                stored.await;
            }
        })
    }
}

impl Handler<Commit> for OffsetStoreActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, commit: Commit, _: &mut Context<Self>) -> ResponseFuture<()> {
        for (queue, offset) in commit.offsets {
            self.advance(&queue, offset);
        }
        Box::pin(self.persist_after_all(None))
    }
}

impl Handler<MoveTo> for OffsetStoreActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, to: MoveTo, _: &mut Context<Self>) -> ResponseFuture<()> {
        self.advance(&to.queue, to.offset);
        Box::pin(self.persist_after_all(Some(&to.queue)))
    }
}

impl Handler<OffsetsOf> for OffsetStoreActor {
    type Result = actix::MessageResult<OffsetsOf>;

    fn handle(&mut self, of: OffsetsOf, _: &mut Context<Self>) -> Self::Result {
        let of_topic = self.offsets.iter().filter(|(queue, _)| queue.topic == of.topic);
        actix::MessageResult(of_topic.map(|(queue, offset)| (queue.clone(), offset.0 as i64)).collect())
    }
}
