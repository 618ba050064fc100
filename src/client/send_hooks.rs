//! Who hears of messages that are sent.

use std::sync::Arc;
use std::time::Duration;

use super::error::ClientError;
use super::outgoing::OutgoingMessage;
use super::receipt::SendReceipt;
use super::transactions::TransactionState;

/// Hears of each message that a producer sends, on the task that sends it.
///
/// # Example
/// ```
/// use ferromq::client::{ClientError, OutgoingMessage, SendHook};
///
/// /// Lets no message go that nobody would find again.
/// struct KeysOnly;
///
/// impl SendHook for KeysOnly {
///     fn before(&self, message: &OutgoingMessage) -> Result<(), ClientError> {
///         if message.keys.is_some() { Ok(()) } else { Err(ClientError::Forbidden("it has no key".into())) }
///     }
/// }
///
/// assert!(KeysOnly.before(&OutgoingMessage::to("Invoices", "number 1")?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait SendHook: Send + Sync + 'static {
    /// It is about to be sent.
    ///
    /// # Errors
    /// It is not to be sent; the producer's caller is told why.
    fn before(&self, message: &OutgoingMessage) -> Result<(), ClientError> {
        let _ = message;
        Ok(())
    }

    /// It was sent, or not. Of a batch this is told of each message.
    fn after(&self, sent: &SentMessage<'_>) {
        let _ = sent;
    }

    /// A broker is about to be told how a transaction ended.
    fn transaction_ended(&self, ended: &EndedTransaction<'_>) {
        let _ = ended;
    }
}

/// A message that was sent, or not.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use ferromq::client::{OutgoingMessage, SendHook, SentMessage};
/// # use ferromq::client::{Client, ClientOptions};
///
/// /// Counts bytes that brokers have taken.
/// #[derive(Default)]
/// struct Bytes(AtomicUsize);
///
/// impl SendHook for Bytes {
///     fn after(&self, sent: &SentMessage<'_>) {
///         if sent.outcome.is_ok() {
///             self.0.fetch_add(sent.message.body.len(), Ordering::Relaxed);
///         }
///     }
/// }
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let bytes = Arc::new(Bytes::default());
/// let producer = client.producer("billing").hook(bytes.clone()).start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// assert!(producer.send(&OutgoingMessage::to("Invoices", "")?).await.is_err());
/// assert_eq!(bytes.0.load(Ordering::Relaxed), 8);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SentMessage<'a> {
    /// The message.
    pub message: &'a OutgoingMessage,
    /// What became of it.
    pub outcome: Result<&'a SendReceipt, &'a ClientError>,
    /// How long that took; of a batch, for all of it.
    pub took: Duration,
    /// Whether it waits for the end of its transaction.
    pub is_half: bool,
}

/// How a transaction ended, as its broker is told.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::sync::{Arc, Mutex};
/// use ferromq::client::{EndedTransaction, SendHook, TransactionState};
/// # use ferromq::client::transactions::Deciding;
/// # use ferromq::client::{Client, ClientOptions, OutgoingMessage, SendReceipt, TransactionListener};
/// # use ferromq::protocol::message::Message;
///
/// /// Writes down whose messages nobody gets.
/// #[derive(Default)]
/// struct Lost(Mutex<Vec<String>>);
///
/// impl SendHook for Lost {
///     fn transaction_ended(&self, ended: &EndedTransaction<'_>) {
///         if ended.state == TransactionState::Rollback {
///             self.0.lock().expect("no hook panics").push(ended.keys.unwrap_or("nobody").into());
///         }
///     }
/// }
/// # struct Never;
/// # impl TransactionListener for Never {
/// #     fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
/// #         Box::pin(async { TransactionState::Rollback })
/// #     }
/// #     fn check<'a>(&'a self, _: &'a Message) -> Deciding<'a> {
/// #         Box::pin(async { TransactionState::Rollback })
/// #     }
/// # }
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
///
/// let lost = Arc::new(Lost::default());
/// let producer = client.producer("billing").hook(lost.clone()).start_transactional(Never).await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?.key("Ada")).await?;
/// assert_eq!(*lost.0.lock().expect("no hook panics"), ["Ada"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EndedTransaction<'a> {
    /// The topic of its message.
    pub topic: &'a str,
    /// The id that the producer gave that.
    pub message_id: &'a str,
    /// The message's tag.
    pub tag: Option<&'a str>,
    /// Its keys, separated by blanks.
    pub keys: Option<&'a str>,
    /// `host:port` of the broker.
    pub broker_address: &'a str,
    /// The transaction's id, where the broker has named one.
    pub transaction_id: Option<&'a str>,
    /// How it ended.
    pub state: TransactionState,
    /// Whether the broker had asked.
    pub is_answer: bool,
    /// The broker's region, if it named one.
    pub region: Option<&'a str>,
    /// Whether the broker wants traces.
    pub trace_on: bool,
}

/// The hooks of one producer.
#[derive(Clone, Default)]
pub(super) struct SendHooks(Vec<Arc<dyn SendHook>>);

impl SendHooks {
    pub(super) fn push(&mut self, hook: Arc<dyn SendHook>) {
        self.0.push(hook);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn before(&self, message: &OutgoingMessage) -> Result<(), ClientError> {
        self.0.iter().try_for_each(|hook| hook.before(message))
    }

    pub(super) fn after(&self, sent: &SentMessage<'_>) {
        self.0.iter().for_each(|hook| hook.after(sent));
    }

    /// Tells of a batch: of each message with its own part of the receipt.
    pub(super) fn after_batch(
        &self,
        messages: &[OutgoingMessage],
        outcome: &Result<SendReceipt, ClientError>,
        took: Duration,
    ) {
        if self.is_empty() {
            return;
        }
        for (place, message) in messages.iter().enumerate() {
            let own = outcome.as_ref().map(|batch| batch.of_one(place));
            self.after(&SentMessage { message, outcome: own.as_ref().map_err(|error| *error), took, is_half: false });
        }
    }

    pub(super) fn transaction_ended(&self, ended: &EndedTransaction<'_>) {
        self.0.iter().for_each(|hook| hook.transaction_ended(ended));
    }
}
