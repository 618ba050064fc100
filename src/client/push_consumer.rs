//! A consumer that is brought messages: it pulls them, calls a listener with them, and says how far that has come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use actix::Addr;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::actors::engine::InstancePorts;
use super::actors::instance_actor::{AddConsumer, ConsumerPorts, RemoveConsumer};
use super::actors::offset_store_actor::OffsetStoreActor;
use super::actors::rebalance_actor::{
    Rebalance, RebalanceActor, RebalanceParts, Resubscribe, ResumeAll, Stop, SuspendAll,
};
use super::calls::{Calls, Lanes};
use super::consume_hooks::{ConsumeHook, ConsumeHooks};
use super::consumer_options::ConsumerOptions;
use super::error::ClientError;
use super::instance::Client;
use super::listener::Listener;
use super::member::{Kind, Member, MemberParts, Subscriptions};
use super::membership::Membership;
use super::offset_file::OffsetFile;
use super::subscription::Wanted;
use super::trace::hooks::TraceHook;
use super::trace::tracer::{TraceCounts, TraceOptions, Tracer};
use crate::net::mailbox::{notify, start_unbounded};
use crate::protocol::body::heartbeat::MessageModel;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::names::{GroupName, Topic};

/// A consumer that is being made.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{ClientError, Delivery, Wanted};
/// # use ferromq::client::{Client, ClientOptions};
///
/// async fn listener(_: Delivery) {}
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let bookkeeping = || client.push_consumer("bookkeeping");
/// // What can never bring a message is said at once.
/// let nothing = bookkeeping().subscribe("Invoices", Wanted::Tags("||".into())).start(listener).await;
/// assert!(matches!(nothing, Err(ClientError::Subscription(_))));
/// let consumer = bookkeeping().subscribe("Invoices", Wanted::All).start(listener).await?;
/// let second = bookkeeping().subscribe("Invoices", Wanted::All).start(listener).await;
/// assert!(matches!(second, Err(ClientError::GroupTaken { group }) if group == "bookkeeping"));
/// consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct PushConsumerBuilder {
    client: Client,
    group: String,
    wanted: BTreeMap<String, Wanted>,
    options: ConsumerOptions,
    offsets_folder: PathBuf,
    kind: Kind,
    hooks: Vec<Arc<dyn ConsumeHook>>,
    trace: Option<TraceOptions>,
}

impl PushConsumerBuilder {
    pub(super) fn new(client: Client, group: &str, kind: Kind) -> Self {
        let (wanted, options) = (BTreeMap::new(), ConsumerOptions::default());
        let (offsets_folder, hooks) = (OffsetFile::default_folder(), Vec::new());
        Self { client, group: group.into(), wanted, options, offsets_folder, kind, hooks, trace: None }
    }

    pub(super) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Wants this of a topic.
    #[must_use]
    pub fn subscribe(mut self, topic: &str, wanted: Wanted) -> Self {
        self.wanted.insert(topic.into(), wanted);
        self
    }

    /// Has these settings.
    #[must_use]
    pub fn options(self, options: ConsumerOptions) -> Self {
        Self { options, ..self }
    }

    /// Keeps how far it has come under this folder, where each member gets all messages; in `.rocketmq_offsets` of the user's
    /// home unless it is said.
    #[must_use]
    pub fn offsets_folder(self, offsets_folder: impl Into<PathBuf>) -> Self {
        Self { offsets_folder: offsets_folder.into(), ..self }
    }

    /// Tells this of the listener's calls, too.
    #[must_use]
    pub fn hook(mut self, hook: Arc<dyn ConsumeHook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Leaves traces of each message before and after the listener is called with it.
    #[must_use]
    pub fn trace(self, trace: TraceOptions) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Begins to consume. The listener runs on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// Names or expressions that are none, a group that the client consumes in already, and offsets that cannot be read. Where
    /// brokers cannot be asked yet, it begins when they can.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub async fn start(mut self, listener: impl Listener) -> Result<PushConsumer, ClientError> {
        let shared = &self.client.shared;
        let trace = TraceHook::start(self.trace.as_ref(), &self.client, &self.group, "CONSUME")?;
        let tracer = trace.map(|(hook, tracer)| {
            self.hooks.push(hook);
            tracer
        });
        let hooks = ConsumeHooks::of(std::mem::take(&mut self.hooks), &shared.clock);
        let lanes = Lanes::start(Arc::new(listener), &Handle::current(), &self.options, hooks);
        let calls = Calls::Listener(lanes);
        // Without a consumer nobody else would end the lanes.
        let mut consumer = self.start_with(calls.clone()).await.inspect_err(|_| calls.close())?;
        consumer.tracer = tracer;
        Ok(consumer)
    }

    /// Has what it pulls consumed by these.
    pub(super) async fn start_with(self, calls: Calls) -> Result<PushConsumer, ClientError> {
        let member = Arc::new(self.member()?);
        let file = self.offset_file(member.group());
        let engine = &self.client.shared.engine;
        let instance = engine.ports();
        let (owned, queues) = watch::channel(BTreeSet::new());
        let (own, beat, own_calls) = (Arc::clone(&member), instance.beat.clone(), calls.clone());
        let started = engine.run(move || {
            let offsets = OffsetStoreActor::new(Arc::clone(&own), file)?;
            let offsets = start_unbounded(|_| offsets);
            let parts = RebalanceParts { member: own, calls, offsets: offsets.clone().into(), beat, owned };
            Ok::<_, ClientError>((start_unbounded(|_| RebalanceActor::new(parts)), offsets))
        });
        let (rebalance, offsets) = started.await??;
        let consumer = PushConsumer {
            client: self.client,
            member,
            calls: own_calls,
            rebalance,
            offsets,
            instance,
            queues,
            tracer: None,
            is_over: false,
        };
        consumer.enter().await?;
        Ok(consumer)
    }

    fn member(&self) -> Result<Member, ClientError> {
        let shared = &self.client.shared;
        let group = self.client.group(&self.group)?;
        let mut subscriptions = Subscriptions::new();
        for (topic, wanted) in &self.wanted {
            let topic = self.client.topic(topic)?;
            let subscription = wanted.subscription(&topic, shared.clock.now_ms())?;
            subscriptions.insert(topic, Arc::new(subscription));
        }
        let membership = Membership::new(shared.connections.clone(), Arc::clone(&shared.client_id), group);
        let parts = MemberParts {
            kind: self.kind,
            options: self.options.clone(),
            membership,
            connections: shared.connections.clone(),
            routes: Arc::clone(&shared.routes),
            clock: Arc::clone(&shared.clock),
            namespace: shared.namespace.clone(),
        };
        Member::new(parts, subscriptions)
    }

    /// The file of a member that gets all messages. Its clients are told apart by their machine alone, as RocketMQ's are, so
    /// that it goes on where it was after a restart.
    fn offset_file(&self, group: &GroupName) -> Option<OffsetFile> {
        let client = format!("{}@DEFAULT", self.client.shared.host);
        let is_broadcast = self.options.model == MessageModel::Broadcasting;
        is_broadcast.then(|| OffsetFile::of(&self.offsets_folder, &client, group.as_str()))
    }
}

/// A consumer. One that is dropped without [`PushConsumer::stop`] ends, too, but nobody hears whether it did well.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Wanted};
/// use tokio::sync::mpsc;
///
/// let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?.tag("new")).await?;
///
/// let (seen, mut bodies) = mpsc::unbounded_channel();
/// let listener = move |delivery: Delivery| {
///     let seen = seen.clone();
///     async move {
///         for message in &delivery.messages {
///             // What fails here has the message come again.
///             seen.send(message.body.clone())?;
///         }
///         Ok::<_, mpsc::error::SendError<_>>(())
///     }
/// };
/// let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// let builder = client.push_consumer("bookkeeping").options(options);
/// let consumer = builder.subscribe("Invoices", Wanted::Tags("new || changed".into())).start(listener).await?;
/// assert_eq!(bodies.recv().await.as_deref(), Some(&b"number 1"[..]));
/// consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct PushConsumer {
    client: Client,
    pub(super) member: Arc<Member>,
    calls: Calls,
    pub(super) rebalance: Addr<RebalanceActor>,
    pub(super) offsets: Addr<OffsetStoreActor>,
    instance: InstancePorts,
    queues: watch::Receiver<BTreeSet<MessageQueue>>,
    tracer: Option<Tracer>,
    is_over: bool,
}

impl PushConsumer {
    /// Has brokers told that the consumer is there, and its share taken.
    async fn enter(&self) -> Result<(), ClientError> {
        let rebalance = &self.rebalance;
        let ports = ConsumerPorts {
            member: Arc::clone(&self.member),
            rebalance: rebalance.clone().recipient(),
            reset: rebalance.clone().recipient(),
            offsets: self.offsets.clone().recipient(),
            state: rebalance.clone().recipient(),
            calls: self.calls.clone(),
        };
        self.instance.add_consumer.send(AddConsumer { ports }).await.map_err(|_| ClientError::Ended)??;
        notify(&rebalance.clone().recipient(), Rebalance);
        Ok(())
    }

    /// A topic as the cluster calls it.
    pub(super) fn topic(&self, name: &str) -> Result<Topic, ClientError> {
        self.client.topic(name)
    }

    /// Its group, as the cluster calls it.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        self.member.group()
    }

    /// Wants this of a topic from now on, too, or instead of what it wanted.
    ///
    /// # Errors
    /// A name or an expression that is none, and a consumer that has come to its end.
    pub async fn subscribe(&self, topic: &str, wanted: Wanted) -> Result<(), ClientError> {
        let topic = self.client.topic(topic)?;
        let subscription = wanted.subscription(&topic, self.client.shared.clock.now_ms())?;
        let mut subscriptions = Subscriptions::clone(&self.member.subscriptions());
        subscriptions.insert(topic, Arc::new(subscription));
        self.resubscribe(subscriptions).await
    }

    /// Wants nothing of a topic any more.
    ///
    /// # Errors
    /// As [`PushConsumer::subscribe`].
    pub async fn unsubscribe(&self, topic: &str) -> Result<(), ClientError> {
        let topic = self.client.topic(topic)?;
        let mut subscriptions = Subscriptions::clone(&self.member.subscriptions());
        subscriptions.remove(&topic);
        self.resubscribe(subscriptions).await
    }

    async fn resubscribe(&self, subscriptions: Subscriptions) -> Result<(), ClientError> {
        self.rebalance.send(Resubscribe { subscriptions }).await.map_err(|_| ClientError::Ended)
    }

    /// Begins no call of the listener until [`PushConsumer::resume`].
    ///
    /// # Errors
    /// It has come to its end.
    pub async fn suspend(&self) -> Result<(), ClientError> {
        self.rebalance.send(SuspendAll).await.map_err(|_| ClientError::Ended)
    }

    /// Goes on after [`PushConsumer::suspend`].
    ///
    /// # Errors
    /// As [`PushConsumer::suspend`].
    pub async fn resume(&self) -> Result<(), ClientError> {
        self.rebalance.send(ResumeAll).await.map_err(|_| ClientError::Ended)
    }

    /// The queues that it has now, as the cluster calls them; what is given can also be waited on for changes.
    #[must_use]
    pub fn queues(&self) -> watch::Receiver<BTreeSet<MessageQueue>> {
        self.queues.clone()
    }

    /// What became of the traces that it left, if it leaves any.
    #[must_use]
    pub fn traces(&self) -> Option<TraceCounts> {
        self.tracer.as_ref().map(Tracer::counts)
    }

    /// Comes to the end: begins no call any more, waits for those under way (`stop_limit`), stores how far they came, and gives
    /// the queues back, so that other members have them at once.
    ///
    /// # Errors
    /// It has come to its end before.
    pub async fn stop(mut self) -> Result<(), ClientError> {
        self.is_over = true;
        self.rebalance.send(Stop).await.map_err(|_| ClientError::Ended)?;
        if let Some(tracer) = &self.tracer {
            tracer.all_sent().await;
        }
        let remove = RemoveConsumer { member: Arc::clone(&self.member) };
        self.instance.remove_consumer.send(remove).await.map_err(|_| ClientError::Ended)
    }
}

impl Drop for PushConsumer {
    fn drop(&mut self) {
        if !self.is_over {
            notify(&self.rebalance.clone().recipient(), Stop);
            notify(&self.instance.remove_consumer, RemoveConsumer { member: Arc::clone(&self.member) });
        }
    }
}
