//! What an application does with the messages that a consumer brings it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::message::Message;
use crate::protocol::units::QueueOffset;
use crate::time::SharedClock;

/// Messages of one queue, for one call of a listener: one, unless the consumer was told to bring more at once.
///
/// See the example of [`Listener`].
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The messages in the order of the queue, their bodies as the producer wrote them. Their topic is the one that the
    /// application knows, also of those that are tried again.
    pub messages: Vec<Arc<Message>>,
    /// The queue that they come from, as the cluster calls it: of a retry topic, if they are tried again.
    pub queue: Arc<MessageQueue>,
    /// The offset that the queue's next message will get, as of the last pull: what lies between it and these is still to come.
    pub queue_end: QueueOffset,
    pub(super) owner: Weak<Ownership>,
}

impl Delivery {
    /// A message that no queue of the consumer has brought.
    pub(super) fn alone(message: Message) -> Self {
        let queue = MessageQueue {
            broker_name: String::new(),
            queue_id: message.queue_id.0 as i32,
            topic: message.topic.to_string(),
        };
        let queue_end = QueueOffset(message.queue_offset.0 + 1);
        Self { messages: vec![Arc::new(message)], queue: Arc::new(queue), queue_end, owner: Weak::new() }
    }

    /// Whether the queue is still the consumer's: where order matters, it has its lock. When it is not, another member may be
    /// brought the same messages, and nobody hears what becomes of these.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.owner.upgrade().is_some_and(|owner| owner.is_trusted())
    }
}

/// That a queue is the consumer's, for as long as this lives, and where it is locked, as long as the lock is trusted.
pub(super) struct Ownership {
    clock: SharedClock,
    /// By the clock; [`u64::MAX`] where there is no lock.
    until_ms: AtomicU64,
}

impl Ownership {
    pub(super) fn new(clock: SharedClock, until: Option<Duration>) -> Self {
        let own = Self { clock, until_ms: AtomicU64::new(u64::MAX) };
        until.into_iter().for_each(|until| own.trust_until(until));
        own
    }

    pub(super) fn trust_until(&self, until: Duration) {
        self.until_ms.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.clock.elapsed() < Duration::from_millis(self.until_ms.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ownership").field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}

/// What became of a delivery.
///
/// # Example
/// ```
/// use ferromq::client::{Delivery, RetryWhen, Verdict};
///
/// /// Consumes what has a body, and has the rest brought again a minute later.
/// async fn listener(delivery: Delivery) -> Verdict {
///     match delivery.messages.iter().position(|message| message.body.is_empty()) {
///         None => Verdict::Consumed,
///         Some(first) => Verdict::Retry { consumed: first, when: RetryWhen::Level(5) },
///     }
/// }
///
/// // A listener may as well say that something went wrong.
/// let failed: Result<(), &str> = Err("no disk");
/// assert_eq!(Verdict::from(failed), Verdict::LATER);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is consumed.
    Consumed,
    /// What is behind the first so many messages is not, and comes again.
    Retry {
        /// How many messages from the front were consumed.
        consumed: usize,
        /// When the others come again.
        when: RetryWhen,
    },
}

impl Verdict {
    /// Nothing of it is consumed, and all comes again when the broker or the consumer thinks fit.
    pub const LATER: Self = Self::Retry { consumed: 0, when: RetryWhen::ByRule };
}

/// When messages that could not be consumed come again.
///
/// | | consumed as they come | consumed in order |
/// |---|---|---|
/// | `ByRule` | 10 s later, then 30 s, 1 min and so on, see `messageDelayLevel` | after the consumer's `suspend` |
/// | `Level` | after the time of that level | as `ByRule` |
/// | `After` | as `ByRule` | after that time, within 10 ms and 30 s |
/// | `Never` | it goes to the dead letters at once | so it does |
///
/// # Example
/// ```
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
/// use ferromq::client::{RetryWhen, Verdict};
///
/// fn verdict_on(error: &Error) -> Verdict {
///     let when = match error.kind() {
///         // What can never be consumed need not be tried sixteen times.
///         ErrorKind::InvalidData => RetryWhen::Never,
///         ErrorKind::WouldBlock => RetryWhen::After(Duration::from_millis(100)),
///         _ => RetryWhen::ByRule,
///     };
///     Verdict::Retry { consumed: 0, when }
/// }
///
/// assert_eq!(verdict_on(&ErrorKind::BrokenPipe.into()), Verdict::LATER);
/// assert_ne!(verdict_on(&ErrorKind::InvalidData.into()), Verdict::LATER);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryWhen {
    /// As long as the rules say: it takes longer each time.
    #[default]
    ByRule,
    /// After the time of a delay level of the broker, from 1 on.
    Level(u32),
    /// After so long; the queue waits.
    After(Duration),
    /// Not at all.
    Never,
}

impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self::Consumed
    }
}

/// An error is logged, and the messages come again.
impl<E: fmt::Display> From<Result<(), E>> for Verdict {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Consumed,
            Err(error) => {
                tracing::warn!(%error, "a listener could not consume what it was brought; it comes again");
                Self::LATER
            }
        }
    }
}

/// Consumes messages. Any async function of a [`Delivery`] is one whose result becomes a [`Verdict`]: nothing, a `Result`, or
/// the verdict itself.
///
/// It runs on the tokio runtime that the consumer was started on, several at once unless messages are consumed in order. One
/// that panics has consumed nothing. Where order does not matter, one that takes longer than the consumer's `consume_timeout` is
/// dropped at the place where it waits, and its messages come again.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::pin::Pin;
/// use ferromq::client::{Delivery, Listener, Verdict};
/// # use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, OutgoingMessage, Wanted};
/// use tokio::sync::mpsc;
///
/// /// Keeps books; a listener with something of its own need not be a function.
/// struct Books(mpsc::UnboundedSender<String>);
///
/// impl Listener for Books {
///     fn consume(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>> {
///         Box::pin(async move {
///             for message in &delivery.messages {
///                 let entry = format!("{} of {}", String::from_utf8_lossy(&message.body), message.topic);
///                 // What another member is brought by now is that one's affair.
///                 if !delivery.is_current() || self.0.send(entry).is_err() {
///                     return Verdict::LATER;
///                 }
///             }
///             Verdict::Consumed
///         })
///     }
/// }
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// # producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// # let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// # let builder = client.push_consumer("bookkeeping").options(options).subscribe("Invoices", Wanted::All);
///
/// let (entries, mut written) = mpsc::unbounded_channel();
/// let consumer = builder.start(Books(entries)).await?;
/// assert_eq!(written.recv().await.as_deref(), Some("number 1 of Invoices"));
/// # consumer.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
pub trait Listener: Send + Sync + 'static {
    /// Consumes a delivery.
    fn consume(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>>;
}

impl<F, Consuming> Listener for F
where
    F: Fn(Delivery) -> Consuming + Send + Sync + 'static,
    Consuming: Future + Send + 'static,
    Consuming::Output: Into<Verdict>,
{
    fn consume(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>> {
        let consuming = self(delivery);
        Box::pin(async move { consuming.await.into() })
    }
}
