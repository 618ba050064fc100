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
        if self.0.is_empty() {
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
