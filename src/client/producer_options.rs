//! How a producer sends: what RocketMQ's producers have as settings.

use std::time::Duration;

use crate::protocol::compression::Algorithm;

/// Which bodies travel compressed, and how.
///
/// # Example
/// ```
/// use ferromq::client::{Compression, ProducerOptions};
/// use ferromq::protocol::compression::plain_body;
///
/// let compression = Compression { from_bytes: 1024, level: 9, ..Compression::default() };
/// let options = ProducerOptions { compression: Some(compression), ..ProducerOptions::default() };
/// assert!(options.body_bytes_max > compression.from_bytes);
/// // What travels, and what consumers make of it.
/// let (travels, sys_flag) = compression.algorithm.compress(&[7; 2048], compression.level);
/// assert!(travels.len() < 100);
/// assert_eq!(plain_body(sys_flag, &travels.into(), 4096)?, [7; 2048][..]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// How. Brokers and clients before RocketMQ 5 know zlib only.
    pub algorithm: Algorithm,
    /// How thoroughly, from 1 to 9: `rocketmq.message.compressLevel`.
    pub level: u32,
    /// Bodies from this length on, in bytes: `compressMsgBodyOverHowmuch`.
    pub from_bytes: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self { algorithm: Algorithm::Zlib, level: 5, from_bytes: 4096 }
    }
}

/// How messages that are sent one by one are gathered into batches.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Gathering, OutgoingMessage, ProducerOptions};
/// # use ferromq::client::{Client, ClientOptions};
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// // A batch goes when it has two messages, or when the first of them has waited for a minute.
/// let gathering = Gathering { linger: Duration::from_secs(60), messages: 2, ..Gathering::default() };
/// let options = ProducerOptions { gathering: Some(gathering), ..ProducerOptions::default() };
/// let producer = client.producer("billing").options(options).start().await?;
/// let (first, second) = (OutgoingMessage::to("Invoices", "number 1")?, OutgoingMessage::to("Invoices", "number 2")?);
/// let (first, second) = tokio::try_join!(producer.send(&first), producer.send(&second))?;
/// assert_eq!((first.queue_id, first.queue_offset.0 + 1), (second.queue_id, second.queue_offset.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathering {
    /// How long the first one waits for others at most.
    pub linger: Duration,
    /// Bodies of a batch, in bytes, from which on it goes without waiting.
    pub bytes: usize,
    /// Messages of a batch, from which on it goes without waiting.
    pub messages: usize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { linger: Duration::from_millis(10), bytes: 32 * 1024, messages: 1024 }
    }
}

/// The settings of a producer. [`ProducerOptions::default`] are RocketMQ's.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use ferromq::client::{Gathering, ProducerOptions};
///
/// // Messages wait up to five milliseconds for others, and travel together.
/// let gathering = Gathering { linger: Duration::from_millis(5), ..Gathering::default() };
/// let options = ProducerOptions { gathering: Some(gathering), ..ProducerOptions::default() };
/// assert_eq!(options.retries, 2);
/// ```
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// Time for all tries of a send together: `sendMsgTimeout`.
    pub send_timeout: Duration,
    /// How often a send that failed is tried again: `retryTimesWhenSendFailed`.
    pub retries: u32,
    /// Whether a message is sent to another broker when the first one stored it less safely than it promises:
    /// `retryAnotherBrokerWhenNotStoreOK`.
    pub retry_unless_stored: bool,
    /// Whether brokers that were slow lately are passed over: `sendLatencyFaultEnable`.
    pub fault_tolerance: bool,
    /// Longest body, in bytes: `maxMessageSize`.
    pub body_bytes_max: usize,
    /// Which bodies travel compressed.
    pub compression: Option<Compression>,
    /// How messages are gathered into batches; each goes by itself unless it is said.
    pub gathering: Option<Gathering>,
    /// Messages that may be submitted and not answered yet: RocketMQ's `asyncSenderThreadPoolQueue`.
    pub submitted_max: usize,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            send_timeout: Duration::from_secs(3),
            retries: 2,
            retry_unless_stored: false,
            fault_tolerance: false,
            body_bytes_max: 4 * 1024 * 1024,
            compression: Some(Compression::default()),
            gathering: None,
            submitted_max: 50_000,
        }
    }
}
