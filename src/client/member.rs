//! One consumer as a member of its group: what it subscribes to, and what it asks of the brokers that hold the queues.
//!
//! Each call is a request or two; when they are made is up to the actors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::consumer_options::{Begin, ConsumerOptions, Order};
use super::error::ClientError;
use super::membership::Membership;
use super::namespace::Namespace;
use super::pool::Connections;
use super::producer_options::ProducerOptions;
use super::pull::Puller;
use super::route::Queue;
use super::route_cache::{RouteCache, TopicRoute};
use super::send_back;
use super::sender::Sender;
use super::subscription::Wanted;
use crate::protocol::body::heartbeat::{ConsumeType, ConsumerData, MessageModel};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::route::MASTER_ID;
use crate::protocol::body::subscription::SubscriptionData;
use crate::protocol::message::{Message, Text};
use crate::protocol::names::{GroupName, RETRY_PREFIX, Topic};
use crate::protocol::properties::keys;
use crate::protocol::units::{QueueId, QueueOffset};
use crate::time::SharedClock;

/// How often a message is brought back before it goes to the dead letters, unless its consumer says.
///
/// # Source
/// `DefaultMQPushConsumerImpl.getMaxReconsumeTimes` 4.9.7 (read).
const RETRIES_MAX: i32 = 16;

/// What became of a request for locks. A queue whose broker could not be asked is in neither set.
///
/// See the example of [`Member`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// The member has these now.
    pub own: BTreeSet<MessageQueue>,
    /// Another one has these.
    pub others: BTreeSet<MessageQueue>,
}

/// What a consumer wants, by topic.
pub type Subscriptions = BTreeMap<Topic, Arc<SubscriptionData>>;

/// Who has a consumer's messages brought.
///
/// See the example of [`Member`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A listener, which is called with them.
    Pushed,
    /// The application, which asks for them.
    Polled {
        /// Whether it is stored by itself how far it has come.
        commits_itself: bool,
    },
}

/// What a member is made of.
///
/// See the example of [`Member`].
pub struct MemberParts {
    /// Who has its messages brought.
    pub kind: Kind,
    /// Its settings.
    pub options: ConsumerOptions,
    /// Its id and group.
    pub membership: Membership,
    /// Its connections to brokers.
    pub connections: Connections,
    /// Where queues are.
    pub routes: Arc<RouteCache>,
    /// Its clock.
    pub clock: SharedClock,
    /// What its names are within.
    pub namespace: Namespace,
}

/// A consumer; what acts for it shares it.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use ferromq::client::member::{Kind, Locks, Member, MemberParts, Subscriptions};
/// use ferromq::client::membership::Membership;
/// use ferromq::client::namespace::Namespace;
/// use ferromq::client::route_cache::RouteCache;
/// use ferromq::client::{Connections, ConsumerOptions, Order, Routes, Wanted};
/// use ferromq::protocol::body::queue_table::MessageQueue;
/// use ferromq::protocol::names::{GroupName, Topic};
/// use ferromq::time::SystemClock;
///
/// let (connections, clock) = (Connections::default(), SystemClock::shared());
/// let routes = Routes::new(connections.clone(), "10.0.0.1:9876")?;
/// let member = MemberParts {
///     kind: Kind::Pushed,
///     options: ConsumerOptions { order: Order::Queue, ..ConsumerOptions::default() },
///     membership: Membership::new(connections.clone(), "10.0.0.9@7", GroupName::parse("bookkeeping")?),
///     routes: Arc::new(RouteCache::new(routes, Arc::clone(&clock))),
///     namespace: Namespace::default(),
///     connections,
///     clock,
/// };
/// let topic = Topic::parse("Invoices")?;
/// let wanted = Wanted::All.subscription(&topic, 0)?;
/// let member = Member::new(member, Subscriptions::from([(topic, Arc::new(wanted))]))?;
/// assert!(member.wants_locks());
/// // What is to be tried again is wanted, too.
/// let topics: Vec<_> = member.heartbeat().subscription_data_set.iter().map(|data| data.topic.clone()).collect();
/// assert_eq!(topics, ["%RETRY%bookkeeping", "Invoices"]);
/// // Nobody can be asked for a lock yet: no route is known.
/// let queue = MessageQueue { broker_name: "a".into(), queue_id: 0, topic: "Invoices".into() };
/// assert_eq!(member.lock([queue]).await, Locks::default());
/// # Ok(())
/// # }
/// ```
pub struct Member {
    kind: Kind,
    /// Its settings.
    pub options: ConsumerOptions,
    /// Its id and group.
    pub membership: Membership,
    /// Its connections to brokers.
    pub connections: Connections,
    /// Where queues are.
    pub routes: Arc<RouteCache>,
    /// Its clock.
    pub clock: SharedClock,
    /// What its names are within.
    pub namespace: Namespace,
    /// When it began, in milliseconds since the epoch.
    pub started_ms: i64,
    /// Sends what brokers do not take back.
    sender: Sender,
    retry_topic: Topic,
    subscriptions: ArcSwap<Subscriptions>,
    assigned: ArcSwap<Option<BTreeSet<MessageQueue>>>,
}

impl Member {
    /// A consumer of these topics. A group whose members share messages has a topic for those that are tried again besides.
    ///
    /// # Errors
    /// The group's name is too long to name that topic.
    pub fn new(parts: MemberParts, subscriptions: Subscriptions) -> Result<Self, ClientError> {
        let MemberParts { kind, options, membership, connections, routes, clock, namespace } = parts;
        let retry_topic = Topic::retry_of(membership.group())?;
        let sender = Sender {
            group: GroupName::parse(send_back::SENDING_GROUP)?,
            connections: connections.clone(),
            vip_channel: false,
            routes: Arc::clone(&routes),
            clock: Arc::clone(&clock),
            options: ProducerOptions::default(),
            faults: Mutex::default(),
        };
        let member = Self {
            kind,
            options,
            membership,
            connections,
            routes,
            started_ms: clock.now_ms(),
            clock,
            namespace,
            sender,
            retry_topic,
            subscriptions: ArcSwap::default(),
            assigned: ArcSwap::default(),
        };
        member.change_subscriptions(|own| *own = subscriptions);
        Ok(member)
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        self.membership.group()
    }

    /// Whether members share the messages.
    #[must_use]
    pub fn is_clustering(&self) -> bool {
        self.options.model == MessageModel::Clustering
    }

    /// Whether a listener is brought its messages.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.kind == Kind::Pushed
    }

    /// Whether it has to have the lock of a queue: an order that matters must not be read by two.
    #[must_use]
    pub fn wants_locks(&self) -> bool {
        self.options.order == Order::Queue && self.is_clustering() && self.is_pushed()
    }

    /// Whether a queue's next delivery waits for the one before it.
    #[must_use]
    pub fn is_one_at_a_time(&self) -> bool {
        self.options.order == Order::Queue || !self.is_pushed()
    }

    /// Whether what cannot be consumed goes back to the brokers, which bring it again.
    #[must_use]
    pub fn sends_back(&self) -> bool {
        self.is_clustering() && self.is_pushed()
    }

    /// Whether it is stored how far it has come without the application saying so.
    #[must_use]
    pub fn commits_itself(&self) -> bool {
        self.kind != Kind::Polled { commits_itself: false }
    }

    /// The queues that the application has assigned to it, if it does so: then nobody shares them out.
    #[must_use]
    pub fn assigned(&self) -> Arc<Option<BTreeSet<MessageQueue>>> {
        self.assigned.load_full()
    }

    /// Assigns queues to it, and so their topics, every message of which it wants unless it has subscribed to less.
    ///
    /// # Errors
    /// The name of a topic is none.
    pub fn assign(&self, queues: BTreeSet<MessageQueue>) -> Result<(), ClientError> {
        let mut wanted = Subscriptions::new();
        for queue in &queues {
            let topic = Topic::parse(&queue.topic)?;
            let subscription = Wanted::All.subscription(&topic, self.clock.now_ms())?;
            wanted.insert(topic, Arc::new(subscription));
        }
        self.change_subscriptions(|own| {
            for (topic, everything) in wanted {
                own.entry(topic).or_insert(everything);
            }
        });
        self.assigned.store(Arc::new(Some(queues)));
        Ok(())
    }

    /// What it wants now.
    #[must_use]
    pub fn subscriptions(&self) -> Arc<Subscriptions> {
        self.subscriptions.load_full()
    }

    /// Changes what it wants; the retry topic is always in it where brokers bring messages again.
    pub fn change_subscriptions(&self, change: impl FnOnce(&mut Subscriptions)) {
        let before = self.subscriptions.load();
        let mut subscriptions = Subscriptions::clone(&before);
        change(&mut subscriptions);
        for (topic, new) in &mut subscriptions {
            // Brokers pass over what is not newer than what they know, and the time of day may have been set back.
            if let Some(old) = before.get(topic).filter(|old| *old != new && old.sub_version >= new.sub_version) {
                Arc::make_mut(new).sub_version = old.sub_version.saturating_add(1);
            }
        }
        if self.sends_back() && !subscriptions.contains_key(&self.retry_topic) {
            let everything = SubscriptionData {
                sub_string: "*".into(),
                sub_version: self.clock.now_ms(),
                topic: self.retry_topic.to_string(),
                ..SubscriptionData::default()
            };
            subscriptions.insert(self.retry_topic.clone(), Arc::new(everything));
        }
        self.subscriptions.store(Arc::new(subscriptions));
    }

    /// Makes what it wants of a topic newer than what brokers know, so that they take it as news.
    pub fn renew_subscription(&self, topic: &Topic) {
        self.change_subscriptions(|own| {
            if let Some(subscription) = own.get_mut(topic) {
                Arc::make_mut(subscription).sub_version = self.clock.now_ms();
            }
        });
    }

    /// What a heartbeat says of it.
    #[must_use]
    pub fn heartbeat(&self) -> ConsumerData {
        ConsumerData {
            consume_from_where: self.options.begin.from_where(),
            consume_type: if self.is_pushed() { ConsumeType::Passively } else { ConsumeType::Actively },
            group_name: self.group().to_string(),
            message_model: self.options.model,
            subscription_data_set: self.subscriptions.load().values().cloned().collect(),
            unit_mode: false,
        }
    }

    /// The route of a topic, and its members as one of its brokers knows them.
    ///
    /// # Errors
    /// There is no route, or no broker that can be asked.
    pub async fn members(&self, topic: &Topic) -> Result<(Arc<TopicRoute>, Vec<String>), ClientError> {
        let route = self.routes.of(topic).await?;
        let Some(broker) = route.any_broker() else { return Err(no_broker(topic.as_str())) };
        let members = self.membership.members(broker).await?;
        Ok((route, members))
    }

    /// The queue with the address of its set's master, or of what there is of the set.
    ///
    /// # Errors
    /// No route names the set.
    pub fn at_master(&self, queue: &MessageQueue) -> Result<Queue, ClientError> {
        self.at_broker(queue, MASTER_ID).map(|(queue, _)| queue)
    }

    /// The same with the address of a set's broker of this id, if there is one, and its id.
    ///
    /// # Errors
    /// As [`Member::at_master`].
    pub fn at_broker(&self, queue: &MessageQueue, id: i64) -> Result<(Queue, i64), ClientError> {
        let known = self.routes.known(&Topic::parse(&queue.topic)?);
        let address = known.as_ref().and_then(|route| route.broker_address(&queue.broker_name, id));
        let (address, id) = address.ok_or_else(|| no_broker(&queue.topic))?;
        let queue_id = QueueId(queue.queue_id.unsigned_abs());
        Ok((Queue { broker_name: queue.broker_name.as_str().into(), address: address.into(), id: queue_id }, id))
    }

    /// Where the group goes on with a queue, as its broker has stored it.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn stored_offset(&self, queue: &MessageQueue) -> Result<Option<QueueOffset>, ClientError> {
        self.membership.offset(&Topic::parse(&queue.topic)?, &self.at_master(queue)?).await
    }

    /// Where a group begins with a queue of which no offset is stored.
    ///
    /// # Errors
    /// As [`Member::stored_offset`].
    ///
    /// # Source
    /// `RebalancePushImpl.computePullFromWhereWithException` 4.9.7 (read): what is to be tried again is never passed over,
    /// unless the group begins at a time.
    pub async fn first_offset(&self, queue: &MessageQueue) -> Result<QueueOffset, ClientError> {
        let topic = Topic::parse(&queue.topic)?;
        let is_retry = topic.is_retry();
        let (puller, queue) = (self.puller(topic), self.at_master(queue)?);
        match self.options.begin {
            Begin::First => Ok(QueueOffset(0)),
            Begin::Last if is_retry => Ok(QueueOffset(0)),
            Begin::AtMs(time_ms) if !is_retry => puller.offset_at(&queue, time_ms).await,
            Begin::Last | Begin::AtMs(_) => puller.max_offset(&queue).await,
        }
    }

    /// Reads a topic in the group's name.
    #[must_use]
    pub fn puller(&self, topic: Topic) -> Puller {
        Puller::new(self.connections.clone(), self.group().clone(), topic)
    }

    /// Asks for the locks of queues, of which there is one per queue and group, or to keep them.
    pub async fn lock(&self, queues: impl IntoIterator<Item = MessageQueue>) -> Locks {
        let mut locks = Locks::default();
        for (address, queues) in self.by_master(queues) {
            match self.membership.lock(&address, queues.clone()).await {
                Ok(own) => {
                    let (own, others) = queues.into_iter().partition(|queue| own.contains(queue));
                    locks.own.extend::<Vec<_>>(own);
                    locks.others.extend::<Vec<_>>(others);
                }
                Err(error) => tracing::warn!(group = %self.group(), %error, "cannot lock queues yet"),
            }
        }
        locks
    }

    /// A message as the application knows it: under the topic that it was first sent to, if it is tried again, and without the
    /// namespace.
    #[must_use]
    pub fn as_sent(&self, mut message: Message) -> Message {
        let is_retry = message.topic.starts_with(RETRY_PREFIX);
        let first = if is_retry { message.property(keys::RETRY_TOPIC) } else { None };
        let topic = self.namespace.stripped(first.unwrap_or(&message.topic));
        if message.topic != *topic {
            message.topic = Text::from(&*topic);
        }
        message
    }

    /// Has a message delivered to the group again later, or moved to the dead letters: its broker does so, or whichever takes it
    /// as a new message where that one cannot be asked, or has the message no more.
    ///
    /// # Errors
    /// No broker could be asked, or all refuse.
    pub async fn send_back(&self, message: &Message, queue: &MessageQueue, level: i32) -> Result<(), ClientError> {
        let failed = send_back::Failed {
            message,
            first_topic: &self.namespace.qualified(&message.topic),
            level,
            retries_max: self.options.retries_max.map_or(RETRIES_MAX, |max| max.min(i32::MAX as u32) as i32),
        };
        let asked = failed.request(self.group());
        let brought_back = async { self.membership.send_back(&self.at_master(queue)?.address, asked).await };
        let Err(error) = brought_back.await else { return Ok(()) };
        let (topic, offset) = (message.topic.as_str(), message.queue_offset);
        tracing::warn!(topic, %offset, %error, "a message's broker does not take it back; it is sent as a new one");
        let letter = failed.letter(self.retry_topic.clone(), &self.sender.options)?;
        self.sender.deliver(&letter, self.clock.elapsed()).await.map(drop)
    }

    /// Gives locks back; what is not given back is free when its minute is over.
    pub async fn unlock(&self, queues: impl IntoIterator<Item = MessageQueue>) {
        for (address, queues) in self.by_master(queues) {
            if let Err(error) = self.membership.unlock(&address, queues).await {
                tracing::warn!(group = %self.group(), %error, "cannot give locks back; they are free in a minute");
            }
        }
    }

    fn by_master(&self, queues: impl IntoIterator<Item = MessageQueue>) -> BTreeMap<Arc<str>, Vec<MessageQueue>> {
        let mut by_master: BTreeMap<Arc<str>, Vec<MessageQueue>> = BTreeMap::new();
        for queue in queues {
            if let Ok(at) = self.at_master(&queue) {
                by_master.entry(at.address).or_default().push(queue);
            }
        }
        by_master
    }
}

fn no_broker(topic: &str) -> ClientError {
    ClientError::NoRoute { topic: topic.into(), reason: "no broker of it is known".into() }
}
