//! Sends messages: one at a time, many at once, several as one batch.
//!
//! Connections belong to the runtime that sends: an answer wakes no other thread than the one that waits for it.

mod own;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

pub(super) use self::own::{Choice, Own};
use super::actors::instance_actor::{AddProducer, Beats, ProducerPorts};
use super::error::ClientError;
use super::gatherer::Gatherer;
use super::instance::Client;
use super::outgoing::OutgoingMessage;
use super::producer_options::ProducerOptions;
use super::receipt::SendReceipt;
use super::route::Queue;
use super::send_hooks::{SendHook, SendHooks};
use super::trace::hooks::TraceHook;
use super::trace::tracer::{TraceCounts, TraceOptions, Tracer};
use crate::protocol::ids::UniqueIds;
use crate::protocol::names::GroupName;

/// A producer that is being made.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Client, ClientOptions, ProducerOptions};
///
/// let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let options = ProducerOptions { send_timeout: Duration::from_secs(1), ..ProducerOptions::default() };
/// let producer = client.producer("billing").options(options).start().await?;
/// // A client has one producer of a group.
/// assert!(client.producer("billing").start().await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct ProducerBuilder {
    client: Client,
    group: String,
    options: ProducerOptions,
    hooks: SendHooks,
    trace: Option<TraceOptions>,
}

impl ProducerBuilder {
    pub(super) fn new(client: Client, group: &str) -> Self {
        let (options, hooks) = (ProducerOptions::default(), SendHooks::default());
        Self { client, group: group.into(), options, hooks, trace: None }
    }

    /// Has these settings.
    #[must_use]
    pub fn options(self, options: ProducerOptions) -> Self {
        Self { options, ..self }
    }

    /// Tells this of what is sent, too.
    #[must_use]
    pub fn hook(mut self, hook: Arc<dyn SendHook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Leaves a trace of each message that a broker has taken, and of how transactions ended.
    #[must_use]
    pub fn trace(self, trace: TraceOptions) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Makes the producer. Brokers hear of it now, or with the first message that goes there.
    ///
    /// # Errors
    /// A group that is none, or that the client has a producer of already.
    pub async fn start(self) -> Result<Producer, ClientError> {
        self.start_with(ProducerPorts::default()).await
    }

    pub(super) async fn start_with(mut self, ports: ProducerPorts) -> Result<Producer, ClientError> {
        let group = self.client.group(&self.group)?;
        let shared = &self.client.shared;
        let trace = TraceHook::start(self.trace.as_ref(), &self.client, &self.group, "PRODUCE")?;
        let tracer = trace.map(|(hook, tracer)| {
            self.hooks.push(hook);
            tracer
        });
        let instance = shared.engine.ports();
        let owner = Arc::clone(&ports.owner);
        let add = AddProducer { group: group.clone(), ports };
        instance.add_producer.send(add).await.map_err(|_| ClientError::Ended)??;
        // Brokers that the client knows already hear of it now, others with the first message that goes there.
        let _ = instance.beat.send(Beats::ToNew).await;
        let unique_ids = UniqueIds::new(shared.host, std::process::id(), fastrand::u32(..));
        let sender = self.client.sender(group, self.options);
        let submitted = Arc::new(Semaphore::new(sender.options.submitted_max));
        let gatherer = sender.options.gathering.map(Gatherer::new);
        let (unique_ids, hooks) = (Mutex::new(unique_ids), self.hooks);
        let own = Own { client: self.client, instance, owner, sender, unique_ids, submitted, gatherer, hooks, tracer };
        Ok(Producer { own: Arc::new(own) })
    }
}

/// Sends messages of one producer group; clones share it, and it leaves its group with the last of them.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{Client, ClientOptions, OutgoingMessage, SendStatus};
///
/// let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").start().await?;
///
/// // One, and it is stored when this returns.
/// let receipt = producer.send(&OutgoingMessage::to("Invoices", "number 1")?.tag("new")).await?;
/// assert_eq!(receipt.status, SendStatus::Stored);
///
/// // Many at once: each tells what became of it.
/// let mut under_way = Vec::new();
/// for number in 2..100 {
///     under_way.push(producer.submit(OutgoingMessage::to("Invoices", format!("number {number}"))?)?);
/// }
/// for submitted in under_way {
///     submitted.await?;
/// }
/// producer.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Producer {
    pub(super) own: Arc<Own>,
}

impl Producer {
    /// Its group, as the cluster calls it.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        &self.own.sender.group
    }

    /// Sends one message and waits until a broker has it.
    ///
    /// It goes to the queues in turn, or to the one of its sharding key: then it is tried once, since no other queue will do.
    ///
    /// # Errors
    /// The last try's error, and what hooks say. After an error of [transport](ClientError::is_of_transport) the message may be
    /// stored.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<SendReceipt, ClientError> {
        match self.own.gatherer.as_ref().filter(|gatherer| gatherer.takes(message)) {
            Some(gatherer) => gatherer.send(&self.own, message).await,
            None => self.own.send_alone(message, &[], Choice::Free).await,
        }
    }

    /// Sends one message to the queue whose place among the topic's queues `choose` gives.
    ///
    /// # Errors
    /// As [`Producer::send`], and if there is no such queue.
    pub async fn send_by(
        &self,
        message: &OutgoingMessage,
        choose: impl FnOnce(&[Queue]) -> Option<usize> + Send,
    ) -> Result<SendReceipt, ClientError> {
        let topic = self.own.topic(&message.topic)?;
        self.own.meet(&topic).await?;
        let route = self.own.sender.routes.of_publishing(&topic).await?;
        let queue = choose(&route.publish).and_then(|place| route.publish.get(place));
        let Some(queue) = queue else {
            return Err(ClientError::NoRoute { topic: topic.to_string(), reason: "no queue was chosen for it".into() });
        };
        self.own.send_alone(message, &[], Choice::Queue(queue)).await
    }

    /// Sends one message to one queue, once: wherever else it might go it is not wanted.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn send_to(&self, message: &OutgoingMessage, queue: &Queue) -> Result<SendReceipt, ClientError> {
        self.own.meet(&self.own.topic(&message.topic)?).await?;
        self.own.send_alone(message, &[], Choice::Queue(queue)).await
    }

    /// Sends one message and does not learn what becomes of it.
    ///
    /// # Errors
    /// It could not be sent away.
    pub async fn send_oneway(&self, message: &OutgoingMessage) -> Result<(), ClientError> {
        self.own.hooks.before(message)?;
        let letter = self.own.letter(message, &[])?;
        self.own.sender.deliver_oneway(&letter).await
    }

    /// Sends several messages of one topic as one request: all are stored, next to each other, or none is.
    ///
    /// # Errors
    /// As [`Producer::send`], and for messages that cannot be one batch.
    pub async fn send_batch(&self, messages: &[OutgoingMessage]) -> Result<SendReceipt, ClientError> {
        self.own.send_batch(messages).await
    }

    /// Sends a message in the background: many may be under way at once. What is given back tells what became of it, and need
    /// not be waited for.
    ///
    /// # Errors
    /// So many are under way that no more may be: wait for some of them.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub fn submit(&self, message: OutgoingMessage) -> Result<Submitted, ClientError> {
        let limit = self.own.sender.options.submitted_max;
        let room = Arc::clone(&self.own.submitted).try_acquire_owned();
        let room = room.map_err(|_| ClientError::TooManySubmitted { limit })?;
        Ok(self.spawn(message, room))
    }

    /// The same, but waits for room.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub async fn submit_when_there_is_room(&self, message: OutgoingMessage) -> Result<Submitted, ClientError> {
        let room = Arc::clone(&self.own.submitted).acquire_owned().await.map_err(|_| ClientError::Ended)?;
        Ok(self.spawn(message, room))
    }

    fn spawn(&self, message: OutgoingMessage, room: OwnedSemaphorePermit) -> Submitted {
        let producer = self.clone();
        Submitted(tokio::spawn(async move {
            let receipt = producer.send(&message).await;
            drop(room);
            receipt
        }))
    }

    /// Waits until everything that was submitted is answered.
    ///
    /// # Errors
    /// The client has come to its end before.
    pub async fn all_answered(&self) -> Result<(), ClientError> {
        let all = u32::try_from(self.own.sender.options.submitted_max).unwrap_or(u32::MAX);
        self.own.submitted.acquire_many(all).await.map(drop).map_err(|_| ClientError::Ended)
    }

    /// What became of the traces that it left, if it leaves any.
    #[must_use]
    pub fn traces(&self) -> Option<TraceCounts> {
        self.own.tracer.as_ref().map(Tracer::counts)
    }

    /// Waits until everything that was submitted is answered and the traces are sent, and leaves the group. Other clones may go on.
    ///
    /// # Errors
    /// As [`Producer::all_answered`].
    pub async fn stop(self) -> Result<(), ClientError> {
        self.all_answered().await?;
        if let Some(tracer) = &self.own.tracer {
            tracer.all_sent().await;
        }
        let remove = self.own.farewell();
        self.own.instance.remove_producer.send(remove).await.map_err(|_| ClientError::Ended)
    }
}

/// A message that was submitted; it is sent also when this is dropped.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{ClientError, OutgoingMessage, ProducerOptions, Submitted};
/// # use ferromq::client::{Client, ClientOptions};
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let options = ProducerOptions { submitted_max: 1, ..ProducerOptions::default() };
/// let producer = client.producer("billing").options(options).start().await?;
/// let first: Submitted = producer.submit(OutgoingMessage::to("Invoices", "number 1")?)?;
/// let second = OutgoingMessage::to("Invoices", "number 2")?;
/// let refused = producer.submit(second.clone()).expect_err("one is under way");
/// assert!(matches!(refused, ClientError::TooManySubmitted { limit: 1 }));
/// assert!(!first.await?.unique_id.is_empty());
/// producer.submit(second)?.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Submitted(JoinHandle<Result<SendReceipt, ClientError>>);

impl Future for Submitted {
    type Output = Result<SendReceipt, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A task that ended without a word went down with its runtime.
        Pin::new(&mut self.0).poll(cx).map(|ended| ended.unwrap_or(Err(ClientError::Ended)))
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("group", self.group()).finish_non_exhaustive()
    }
}
