//! Who hears of messages that are sent.

use std::sync::Arc;
use std::time::Duration;

use super::error::ClientError;
use super::outgoing::OutgoingMessage;
use super::receipt::SendReceipt;

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

    /// It was sent, or not; that took so long. What is sent as a batch is told of by each message, with what became of the batch.
    fn after(&self, message: &OutgoingMessage, outcome: &Result<SendReceipt, ClientError>, took: Duration) {
        let _ = (message, outcome, took);
    }
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

    pub(super) fn after(&self, message: &OutgoingMessage, outcome: &Result<SendReceipt, ClientError>, took: Duration) {
        self.0.iter().for_each(|hook| hook.after(message, outcome, took));
    }
}
