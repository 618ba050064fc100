//! A consumer that is brought messages: it pulls them, calls a listener with them, and says how far that has come.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use actix::{Addr, Recipient};
use tokio::runtime::Handle;

use super::actors::engine::InstancePorts;
use super::actors::instance_actor::{AddConsumer, ConsumerPorts, RemoveConsumer};
use super::actors::offset_store_actor::OffsetStoreActor;
use super::actors::rebalance_actor::{
    Owned, Rebalance, RebalanceActor, RebalanceParts, Resubscribe, ResumeAll, Stop, SuspendAll,
};
use super::calls::Calls;
use super::consumer_options::ConsumerOptions;
use super::error::ClientError;
use super::instance::Client;
use super::listener::Listener;
use super::member::{Member, MemberParts, Subscriptions};
use super::membership::Membership;
use super::offset_file::OffsetFile;
use super::subscription::Wanted;
use crate::net::mailbox::{notify, start_unbounded};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::names::GroupName;

/// A consumer that is being made.
pub struct PushConsumerBuilder {
    client: Client,
    group: String,
    wanted: BTreeMap<String, Wanted>,
    options: ConsumerOptions,
    offsets_folder: PathBuf,
}

impl PushConsumerBuilder {
    pub(super) fn new(client: Client, group: &str) -> Self {
        let (wanted, options) = (BTreeMap::new(), ConsumerOptions::default());
        Self { client, group: group.into(), wanted, options, offsets_folder: OffsetFile::default_folder() }
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

    /// Begins to consume. The listener runs on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// Names or expressions that are none, a group that the client consumes in already, and offsets that cannot be read. Where
    /// brokers cannot be asked yet, it begins when they can.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub async fn start(self, listener: impl Listener) -> Result<PushConsumer, ClientError> {
        let member = Arc::new(self.member()?);
        let file = self.offset_file(member.group());
        let calls = Calls::new(Arc::new(listener), Handle::current());
        let instance = self.client.shared.engine.ports();
        let beat = instance.beat.clone();
        let own = Arc::clone(&member);
        let (rebalance, offsets) = self
            .client
            .shared
            .engine
            .run(move || {
                let offsets = OffsetStoreActor::new(Arc::clone(&own), file)?;
                let offsets = start_unbounded(|_| offsets);
                let parts = RebalanceParts { member: own, calls, offsets: offsets.clone().into(), beat };
                Ok::<_, ClientError>((start_unbounded(|_| RebalanceActor::new(parts)), offsets))
            })
            .await??;
        let consumer = PushConsumer { client: self.client, member, rebalance, instance, is_over: false };
        consumer.enter(offsets.recipient()).await?;
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
        use crate::protocol::body::heartbeat::MessageModel;
        let client = format!("{}@DEFAULT", self.client.shared.host);
        let is_broadcast = self.options.model == MessageModel::Broadcasting;
        is_broadcast.then(|| OffsetFile::of(&self.offsets_folder, &client, group.as_str()))
    }
}

/// A consumer. One that is dropped without [`PushConsumer::stop`] ends, too, but nobody hears whether it did well.
pub struct PushConsumer {
    client: Client,
    member: Arc<Member>,
    rebalance: Addr<RebalanceActor>,
    instance: InstancePorts,
    is_over: bool,
}

impl PushConsumer {
    /// Has brokers told that the consumer is there, and its share taken.
    async fn enter(&self, offsets: Recipient<super::actors::offset_store_actor::OffsetsOf>) -> Result<(), ClientError> {
        let rebalance = &self.rebalance;
        let ports = ConsumerPorts {
            member: Arc::clone(&self.member),
            rebalance: rebalance.clone().recipient(),
            reset: rebalance.clone().recipient(),
            offsets,
        };
        self.instance.add_consumer.send(AddConsumer { ports }).await.map_err(|_| ClientError::Ended)??;
        notify(&rebalance.clone().recipient(), Rebalance);
        Ok(())
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
    pub fn suspend(&self) {
        notify(&self.rebalance.clone().recipient(), SuspendAll);
    }

    /// Goes on after [`PushConsumer::suspend`].
    pub fn resume(&self) {
        notify(&self.rebalance.clone().recipient(), ResumeAll);
    }

    /// The queues that it has now.
    ///
    /// # Errors
    /// It has come to its end.
    pub async fn queues(&self) -> Result<Vec<MessageQueue>, ClientError> {
        self.rebalance.send(Owned).await.map_err(|_| ClientError::Ended)
    }

    /// Comes to the end: begins no call any more, waits for those under way (`stop_limit`), stores how far they came, and gives
    /// the queues back, so that other members have them at once.
    ///
    /// # Errors
    /// It has come to its end before.
    pub async fn stop(mut self) -> Result<(), ClientError> {
        self.is_over = true;
        self.rebalance.send(Stop).await.map_err(|_| ClientError::Ended)?;
        let remove = RemoveConsumer { group: self.member.group().clone() };
        self.instance.remove_consumer.send(remove).await.map_err(|_| ClientError::Ended)
    }
}

impl Drop for PushConsumer {
    fn drop(&mut self) {
        if !self.is_over {
            notify(&self.rebalance.clone().recipient(), Stop);
            notify(&self.instance.remove_consumer, RemoveConsumer { group: self.member.group().clone() });
        }
    }
}
