//! A consumer that the application asks for messages: at its own pace, of queues that are its share of the group's or that it
//! has chosen itself.
//!
//! What was given is taken for consumed when more is asked for, so that nothing is stored as consumed that the application
//! may not have looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::mpsc;

use super::actors::offset_store_actor::Commit;
use super::actors::rebalance_actor::{Assign, Pause, ResetOffsets, Rest};
use super::calls::{Call, Calls};
use super::consumer_options::ConsumerOptions;
use super::error::ClientError;
use super::instance::Client;
use super::listener::Verdict;
use super::member::Kind;
use super::push_consumer::{PushConsumer, PushConsumerBuilder};
use super::subscription::Wanted;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueOffset;

/// Messages of one queue that are given at once at most, unless it is said: one pull's.
const MESSAGES_PER_POLL: usize = 32;
/// How long it may take until a queue that was assigned can be sought in.
const SEEK_LIMIT: Duration = Duration::from_secs(10);

/// A consumer that is being made.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Begin, ConsumerOptions, Wanted};
/// use ferromq::protocol::units::QueueOffset;
/// # use ferromq::client::{Client, ClientOptions, OutgoingMessage};
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// # producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// let builder = client.pull_consumer("bookkeeping").options(options).subscribe("Invoices", Wanted::All);
/// let mut consumer = builder.commit_by_hand().start().await?;
/// let messages = consumer.poll(Duration::from_secs(30)).await?;
/// let queues = consumer.queues().into_iter();
/// let mut of_it = queues.filter(|queue| queue.queue_id == messages[0].queue_id.0 as i32);
/// let queue = of_it.next().expect("messages are of its own queues");
/// // Nothing is stored before the application says so; of a young queue brokers say that a group begins at its first message.
/// assert_eq!(consumer.committed(&queue).await?, Some(QueueOffset(0)));
/// consumer.commit().await?;
/// assert_eq!(consumer.committed(&queue).await?, Some(QueueOffset(1)));
/// # consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct PullConsumerBuilder {
    inner: PushConsumerBuilder,
}

impl PullConsumerBuilder {
    pub(super) fn new(client: Client, group: &str) -> Self {
        let options = ConsumerOptions { messages_per_delivery: MESSAGES_PER_POLL, ..ConsumerOptions::default() };
        let kind = Kind::Polled { commits_itself: true };
        Self { inner: PushConsumerBuilder::new(client, group, kind).options(options) }
    }

    /// Has its share of a topic's queues, and wants this of it.
    #[must_use]
    pub fn subscribe(self, topic: &str, wanted: Wanted) -> Self {
        Self { inner: self.inner.subscribe(topic, wanted) }
    }

    /// Has these settings. `messages_per_delivery` is how many messages a poll gives at most; those about calls of a listener
    /// mean nothing.
    #[must_use]
    pub fn options(self, options: ConsumerOptions) -> Self {
        Self { inner: self.inner.options(options) }
    }

    /// Stores how far it has come only when it is told to, with [`PullConsumer::commit`].
    #[must_use]
    pub fn commit_by_hand(self) -> Self {
        Self { inner: self.inner.of_kind(Kind::Polled { commits_itself: false }) }
    }

    /// Begins to pull.
    ///
    /// # Errors
    /// As [`PushConsumerBuilder::start`].
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub async fn start(self) -> Result<PullConsumer, ClientError> {
        // One delivery of each queue waits at most.
        let (ready, calls) = mpsc::unbounded_channel();
        let inner = self.inner.start_with(Calls::Polled(ready)).await?;
        Ok(PullConsumer { inner, calls, taken: Vec::new(), come_to: BTreeMap::new(), streamed: Vec::new().into_iter() })
    }
}

/// A consumer that is asked for messages. As a [`Stream`] it gives them one by one.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, OutgoingMessage, Wanted};
///
/// let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
///
/// let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// let builder = client.pull_consumer("bookkeeping").options(options).subscribe("Invoices", Wanted::All);
/// let mut consumer = builder.start().await?;
/// let messages = consumer.poll(Duration::from_secs(30)).await?;
/// assert_eq!(messages[0].body, "number 1");
/// // Takes them for consumed, and stores that.
/// consumer.commit().await?;
/// consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct PullConsumer {
    inner: PushConsumer,
    /// What comes next.
    calls: mpsc::UnboundedReceiver<Call>,
    /// What was given to the application and is not taken for consumed yet.
    taken: Vec<Call>,
    /// How far it has come since the application has stored that last.
    come_to: BTreeMap<MessageQueue, QueueOffset>,
    /// What the stream gives next.
    streamed: std::vec::IntoIter<Arc<Message>>,
}

impl PullConsumer {
    /// The next messages of one queue, in their order, or none when none came within `limit`. Those that were given before are
    /// taken for consumed.
    ///
    /// # Errors
    /// The consumer has come to its end.
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<Arc<Message>>, ClientError> {
        self.consumed();
        let next = async {
            while let Some(call) = self.calls.recv().await {
                if call.delivery.is_current() {
                    return Ok(call);
                }
            }
            Err(ClientError::Ended)
        };
        let Ok(call) = tokio::time::timeout(limit, next).await else { return Ok(Vec::new()) };
        let call = call?;
        let messages = call.delivery.messages.clone();
        self.taken.push(call);
        Ok(messages)
    }

    /// Takes everything that was given for consumed, and stores how far the group has come.
    ///
    /// # Errors
    /// The consumer has come to its end.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        self.consumed();
        let offsets = std::mem::take(&mut self.come_to);
        self.inner.offsets.send(Commit { offsets }).await.map_err(|_| ClientError::Ended)
    }

    /// Has these queues from now on, whoever else there is in the group, instead of a share.
    ///
    /// # Errors
    /// The name of a topic is none, or the consumer has come to its end.
    pub async fn assign(&self, queues: impl IntoIterator<Item = MessageQueue>) -> Result<(), ClientError> {
        let queues: BTreeSet<_> = queues.into_iter().collect();
        let mut owned = self.inner.queues();
        self.inner.rebalance.send(Assign { queues: queues.clone() }).await.map_err(|_| ClientError::Ended)??;
        let assigned = owned.wait_for(|owned| *owned == queues);
        match tokio::time::timeout(SEEK_LIMIT, assigned).await {
            Ok(_) => Ok(()),
            Err(_) => Err(ClientError::NotTakenOver { count: queues.len(), after: SEEK_LIMIT }),
        }
    }

    /// Goes on elsewhere in a queue that it has. What was given of it before is not taken for consumed.
    ///
    /// # Errors
    /// It does not have the queue, or has come to its end.
    pub async fn seek(&self, queue: &MessageQueue, offset: QueueOffset) -> Result<(), ClientError> {
        let offsets = [(queue.clone(), offset.0 as i64)].into();
        if !self.inner.queues().borrow().contains(queue) {
            return Err(ClientError::NotOwned { queue: queue.clone() });
        }
        let reset = ResetOffsets { topic: queue.topic.clone(), offsets };
        self.inner.rebalance.send(reset).await.map_err(|_| ClientError::Ended)
    }

    /// Goes on with the first message that was stored at or after this time, in milliseconds since the epoch.
    ///
    /// # Errors
    /// As [`PullConsumer::seek`], and when the broker cannot be asked.
    pub async fn seek_to_time(&self, queue: &MessageQueue, time_ms: i64) -> Result<(), ClientError> {
        let member = &self.inner.member;
        let puller = member.puller(Topic::parse(&queue.topic)?);
        let offset = puller.offset_at(&member.at_master(queue)?, time_ms).await?;
        self.seek(queue, offset).await
    }

    /// All queues of a topic, to choose from.
    ///
    /// # Errors
    /// Its route cannot be learned.
    pub async fn queues_of(&self, topic: &str) -> Result<Vec<MessageQueue>, ClientError> {
        let topic = self.inner.topic(topic)?;
        Ok(self.inner.member.routes.of(&topic).await?.message_queues(&topic))
    }

    /// The queues that it has now.
    #[must_use]
    pub fn queues(&self) -> BTreeSet<MessageQueue> {
        self.inner.queues().borrow().clone()
    }

    /// How far the group has come with a queue, as its broker has stored it.
    ///
    /// # Errors
    /// The broker cannot be asked.
    pub async fn committed(&self, queue: &MessageQueue) -> Result<Option<QueueOffset>, ClientError> {
        self.inner.member.stored_offset(queue).await
    }

    /// Gives nothing more of these queues until [`PullConsumer::resume`], but for what is on its way.
    pub async fn pause(&self, queues: &[MessageQueue]) {
        self.rest(queues, Rest::On).await;
    }

    /// Goes on after [`PullConsumer::pause`].
    pub async fn resume(&self, queues: &[MessageQueue]) {
        self.rest(queues, Rest::Off).await;
    }

    async fn rest(&self, queues: &[MessageQueue], rest: Rest) {
        // A consumer that has come to its end says so when it is polled.
        let _ = self.inner.rebalance.send(Pause { queues: queues.to_vec(), rest }).await;
    }

    /// Comes to the end: what was given last is taken for consumed, and the queues are given back.
    ///
    /// # Errors
    /// It has come to its end before.
    pub async fn stop(mut self) -> Result<(), ClientError> {
        self.consumed();
        // What waits is dropped, and so nobody waits for it.
        self.calls.close();
        while self.calls.try_recv().is_ok() {}
        self.inner.stop().await
    }

    fn consumed(&mut self) {
        for call in self.taken.drain(..) {
            let next = call.delivery.messages.last().map(|last| QueueOffset(last.queue_offset.0 + 1));
            if let Some(next) = next.filter(|_| call.delivery.is_current()) {
                self.come_to.insert(MessageQueue::clone(&call.delivery.queue), next);
            }
            call.ended(Verdict::Consumed);
        }
    }

    fn take(&mut self, call: Call) {
        self.streamed = call.delivery.messages.clone().into_iter();
        self.taken.push(call);
    }
}

impl Stream for PullConsumer {
    type Item = Arc<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<Message>>> {
        loop {
            if let Some(message) = self.streamed.next() {
                return Poll::Ready(Some(message));
            }
            self.consumed();
            match self.calls.poll_recv(cx) {
                Poll::Ready(Some(call)) if call.delivery.is_current() => self.take(call),
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
