//! How a consumer consumes: what RocketMQ's consumers have as settings.

use std::sync::Arc;
use std::time::Duration;

use super::allocation::{Allocation, Average};
use super::process_queue::HeldMax;
use crate::protocol::body::heartbeat::{ConsumeFromWhere, MessageModel};

/// Where a group begins with a queue of which it has stored no offset.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Begin, ConsumerOptions};
/// # use ferromq::client::{Client, ClientOptions, OutgoingMessage, Wanted};
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// // A group that is new begins with what is there already, and not with what comes next.
/// let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// let builder = client.pull_consumer("auditing").options(options).subscribe("Invoices", Wanted::All);
/// let mut consumer = builder.start().await?;
/// assert_eq!(consumer.poll(Duration::from_secs(30)).await?.len(), 1);
/// # consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With what is sent from now on.
    #[default]
    Last,
    /// With the oldest message that is still there.
    First,
    /// With what was stored at or after this time, in milliseconds since the epoch.
    AtMs(i64),
}

impl Begin {
    /// As brokers are told.
    #[must_use]
    pub fn from_where(self) -> ConsumeFromWhere {
        match self {
            Self::Last => ConsumeFromWhere::ConsumeFromLastOffset,
            Self::First => ConsumeFromWhere::ConsumeFromFirstOffset,
            Self::AtMs(_) => ConsumeFromWhere::ConsumeFromTimestamp,
        }
    }
}

/// Whether the order of a queue's messages matters.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::Duration;
/// use ferromq::client::{Begin, ConsumerOptions, Delivery, Order, Verdict};
/// # use std::sync::Arc;
/// # use ferromq::client::{Client, ClientOptions, OutgoingMessage, Wanted};
/// # use tokio::sync::mpsc;
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// for body in ["1", "2", "3"] {
///     producer.send(&OutgoingMessage::to("Invoices", body)?.sharding_key("one customer")).await?;
/// }
/// # let (seen, mut bodies) = mpsc::unbounded_channel();
/// # let is_ready = Arc::new(AtomicBool::new(false));
/// let listener = move |delivery: Delivery| {
///     let (seen, is_ready) = (seen.clone(), Arc::clone(&is_ready));
///     async move {
///         let body = delivery.messages[0].body.clone();
///         // The second one cannot be consumed at first; the third waits for it.
///         if body == "2" && !is_ready.swap(true, Ordering::Relaxed) {
///             return Verdict::LATER;
///         }
///         seen.send(body).expect("somebody listens");
///         Verdict::Consumed
///     }
/// };
/// let suspend = Duration::from_millis(50);
/// let options = ConsumerOptions { order: Order::Queue, suspend, begin: Begin::First, ..ConsumerOptions::default() };
/// # let builder = client.push_consumer("bookkeeping").options(options).subscribe("Invoices", Wanted::All);
/// # let consumer = builder.start(listener).await?;
/// for expected in ["1", "2", "3"] {
///     assert_eq!(bodies.recv().await.as_deref(), Some(expected.as_bytes()));
/// }
/// # consumer.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// It does not: several are consumed at once.
    #[default]
    None,
    /// A queue's messages are consumed one delivery after the other, by the one member of the group that has its lock.
    Queue,
}

/// The settings of a consumer. [`ConsumerOptions::default`] are RocketMQ's.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use ferromq::client::allocation::AverageByCircle;
/// use ferromq::client::{ConsumerOptions, Order};
///
/// let options = ConsumerOptions { order: Order::Queue, allocation: Arc::new(AverageByCircle), ..ConsumerOptions::default() };
/// assert_eq!(options.deliveries_at_once, 20);
/// ```
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// Whether members share the messages, or each gets all.
    pub model: MessageModel,
    /// Whether order matters.
    pub order: Order,
    /// Where a group begins.
    pub begin: Begin,
    /// Which queues are whose; all members of a group must have the same.
    pub allocation: Arc<dyn Allocation>,
    /// Most messages of one delivery: `consumeMessageBatchMaxSize`.
    pub messages_per_delivery: usize,
    /// Most deliveries that are consumed at once: `consumeThreadMax`.
    pub deliveries_at_once: usize,
    /// Most messages of one pull: `pullBatchSize`.
    pub messages_per_pull: u32,
    /// What may be held of one queue.
    pub held_max: HeldMax,
    /// How long a delivery may take: `consumeTimeout`.
    pub consume_timeout: Duration,
    /// How often a message is tried again before it goes to the dead letters: `maxReconsumeTimes`; 16 unless it is said where
    /// messages are consumed as they come, without limit where they are consumed in order.
    pub retries_max: Option<u32>,
    /// How long a queue waits for an ordered message that could not be consumed: `suspendCurrentQueueTimeMillis`.
    pub suspend: Duration,
    /// How often members work out whose queues are whose.
    pub rebalance_interval: Duration,
    /// How often it is stored how far the group has come: `persistConsumerOffsetInterval`.
    pub persist_interval: Duration,
    /// How long deliveries that are being consumed are waited for at the end: `awaitTerminationMillisWhenShutdown`, which
    /// RocketMQ has at 0.
    pub stop_limit: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            model: MessageModel::Clustering,
            order: Order::None,
            begin: Begin::default(),
            allocation: Arc::new(Average),
            messages_per_delivery: 1,
            deliveries_at_once: 20,
            messages_per_pull: 32,
            held_max: HeldMax::default(),
            consume_timeout: Duration::from_secs(15 * 60),
            retries_max: None,
            suspend: Duration::from_secs(1),
            rebalance_interval: Duration::from_secs(20),
            persist_interval: Duration::from_secs(5),
            stop_limit: Duration::from_secs(10),
        }
    }
}
