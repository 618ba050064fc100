//! What an application does with the messages that a consumer brings it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::message::Message;
use crate::protocol::units::QueueOffset;

/// Messages of one queue, for one call of a listener: one, unless the consumer was told to bring more at once.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The messages in the order of the queue, their bodies as the producer wrote them. Their topic is the one that the
    /// application knows, also of those that are tried again.
    pub messages: Vec<Arc<Message>>,
    /// The queue that they come from, as the cluster calls it: of a retry topic, if they are tried again.
    pub queue: Arc<MessageQueue>,
    /// The offset that the queue's next message will get, as of the last pull: what lies between it and these is still to come.
    pub queue_end: QueueOffset,
    pub(super) owner: Weak<()>,
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

    /// Whether the queue is still the consumer's. When it is not, another member may be brought the same messages, and nobody
    /// hears what becomes of these.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.owner.strong_count() > 0
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
