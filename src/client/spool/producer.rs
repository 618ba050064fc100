//! A producer whose messages are kept on the disk while no broker can be reached, and sent when one can.
//!
//! ```text
//!   send ──► broker ──────────────────────► Stored
//!     └─ nobody there, or others wait ─► spool (thread, synced) ─► Spooled
//!                                          └─ Drain (task), in order ─► broker
//! ```

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::drain::Drain;
use super::patience::Patience;
use super::thread::{self, SpoolPort};
use super::{SpoolOptions, Waiting};
use crate::client::error::ClientError;
use crate::client::outgoing::OutgoingMessage;
use crate::client::producer::{Producer, ProducerBuilder};
use crate::client::receipt::SendReceipt;

/// What became of a message.
///
/// See the example of [`SpooledProducer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A broker has it.
    Stored(SendReceipt),
    /// It is on the disk of this machine, and is sent when a broker can be reached. If that one refuses it, it is put aside:
    /// [`Waiting::refused`], [`SpooledProducer::retry_refused`].
    Spooled {
        /// The id that the producer gave it.
        unique_id: String,
    },
}

/// A producer with a spool.
///
/// Each message carries the property `IDEMPOTENCE_KEY`: the application's own if it set one, the message's unique id otherwise.
/// So what is sent from the spool though its first try was stored after all, or a second time after a crash, is stored once by
/// brokers that suppress duplicates of its topic, as long as their window lasts; others store it twice.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ferromq::client::{OutgoingMessage, Sent, SpoolOptions, SpooledProducer};
/// # use ferromq::client::{Client, ClientOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let options = SpoolOptions::at(folder.path());
/// // Nobody is there.
/// let client = Client::new(ClientOptions::of("127.0.0.1:1")).await?;
/// let producer: SpooledProducer = client.producer("billing").start_spooled(options).await?;
/// match producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await? {
///     Sent::Stored(receipt) => panic!("{receipt:?}"),
///     // It is on the disk, and goes when a broker is there; in another process, if need be.
///     Sent::Spooled { unique_id } => assert!(!unique_id.is_empty()),
/// }
/// assert_eq!(producer.waiting().messages, 1);
/// producer.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct SpooledProducer {
    producer: Producer,
    spool: SpoolPort,
    draining: JoinHandle<()>,
    /// Ends the drain, also when it is dropped.
    stopping: watch::Sender<bool>,
    /// Comes when the directory is given up.
    ended: oneshot::Receiver<()>,
}

impl ProducerBuilder {
    /// Makes a producer with a spool, and begins to send what an earlier one has left in it. Messages are not gathered into
    /// batches, whatever the options say.
    ///
    /// # Errors
    /// As [`ProducerBuilder::start`], and [`ClientError::Spool`]: another producer has the directory, or what is in it cannot be
    /// read.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub async fn start_spooled(self, options: SpoolOptions) -> Result<SpooledProducer, ClientError> {
        let patience = Patience::of(options.patience);
        let producer = self.start().await?;
        let (spool, ended) = thread::open(options).await?;
        let (stopping, stops) = watch::channel(false);
        let drain = Drain { own: Arc::clone(&producer.own), spool: spool.clone(), patience, is_told: false };
        let draining = Handle::current().spawn(drain.run(stops));
        Ok(SpooledProducer { producer, spool, draining, stopping, ended })
    }
}

impl SpooledProducer {
    /// Sends one message and waits until a broker has it, or, when none can be reached, until it is on the disk. While anything
    /// waits in the spool, what is sent goes behind it: messages that are sent one after the other stay in that order.
    ///
    /// Hooks hear of what becomes of the first try alone, and of none where it goes behind others.
    ///
    /// # Errors
    /// What brokers refuse is not spooled: that error is given, as by [`Producer::send`]. [`ClientError::SpoolFull`] and
    /// [`ClientError::Spool`]: it could not be kept either, though a broker may have it.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<Sent, ClientError> {
        let own = &self.producer.own;
        let letter = own.keyed_letter(message)?;
        if self.spool.waiting().messages == 0 {
            match own.deliver_first(message, &letter).await {
                Ok(receipt) => return Ok(Sent::Stored(receipt)),
                Err(error) if !own.is_out_of_reach(&error).await => return Err(error),
                Err(error) => tracing::info!(%error, "no broker can be reached: messages go to the spool"),
            }
        }
        let unique_id = letter.unique_ids.clone();
        self.spool.put(letter).await?;
        Ok(Sent::Spooled { unique_id })
    }

    /// What is in the spool.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.spool.waiting()
    }

    /// Waits until nothing waits to be sent any more: it is stored, or was refused.
    ///
    /// # Errors
    /// The spool has come to its end.
    pub async fn drained(&self) -> Result<Waiting, ClientError> {
        self.spool.until(|waiting| waiting.messages == 0).await
    }

    /// Has what brokers refused tried again, behind everything that waits; gives how many messages that are. Whatever they were
    /// refused for, a topic that was not there, say, is to be mended before.
    ///
    /// # Errors
    /// It cannot be read, or not be written where it waits. It is still there then.
    pub async fn retry_refused(&self) -> Result<u64, ClientError> {
        self.spool.retry_refused().await
    }

    /// Removes what brokers refused; gives how many messages that were.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub async fn discard_refused(&self) -> Result<u64, ClientError> {
        self.spool.discard_refused().await
    }

    /// Leaves the group and gives the directory up; what is in it waits there for the next producer.
    ///
    /// # Errors
    /// As [`Producer::stop`].
    pub async fn stop(self) -> Result<(), ClientError> {
        let Self { producer, spool, draining, stopping, ended } = self;
        drop(stopping);
        // A drain that panicked has ended, too.
        let _ = draining.await;
        drop(spool);
        // The other end is dropped, and never used.
        let _ = ended.await;
        producer.stop().await
    }
}

impl fmt::Debug for SpooledProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, waiting) = (self.producer.group(), self.waiting());
        f.debug_struct("SpooledProducer").field("group", group).field("waiting", &waiting).finish_non_exhaustive()
    }
}
