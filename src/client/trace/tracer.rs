//! Sends records, a hundred at a time and in the background. What it records is never held up: when there is no room for a
//! record, it is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::messages::{BODY_BYTES_MAX, TraceMessage, Traced, messages};
use crate::client::error::ClientError;
use crate::client::instance::Client;
use crate::client::letter::Letter;
use crate::client::outgoing::OutgoingMessage;
use crate::client::producer_options::ProducerOptions;
use crate::client::sender::Sender;
use crate::protocol::ids::UniqueIds;
use crate::protocol::names::{GROUP_LENGTH_MAX, GroupName, NameError, Topic};

/// Tells the groups of one process's tracers apart.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Whether and where producers and consumers leave traces. [`TraceOptions::default`] are RocketMQ's.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{OutgoingMessage, TraceCounts, TraceOptions};
/// # use ferromq::client::{Client, ClientOptions};
/// # use std::time::Duration;
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").trace(TraceOptions::to("Traces")).start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// // The record is sent in the background; stopping waits for it.
/// let own = producer.clone();
/// producer.stop().await?;
/// assert_eq!(own.traces(), Some(TraceCounts { sent: 1, dropped: 0, failed: 0 }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TraceOptions {
    /// The topic of the records, as the cluster calls it. RocketMQ's brokers have it from the start with `traceTopicEnable`.
    pub topic: String,
    /// Records that may wait to be sent; further ones are dropped.
    pub waiting_max: usize,
    /// Records that are sent together.
    pub batch: usize,
    /// How long the first of them waits for others.
    pub linger: Duration,
    /// How long sending a message of records may take.
    pub send_timeout: Duration,
}

impl Default for TraceOptions {
    /// # Source
    /// `AsyncTraceDispatcher` 4.9.7 (read).
    fn default() -> Self {
        Self {
            topic: "RMQ_SYS_TRACE_TOPIC".into(),
            waiting_max: 2048,
            batch: 100,
            linger: Duration::from_millis(100),
            send_timeout: Duration::from_secs(5),
        }
    }
}

impl TraceOptions {
    /// The same settings with another topic.
    #[must_use]
    pub fn to(topic: &str) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }
}

/// What became of records.
///
/// See the example of [`TraceOptions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceCounts {
    /// Sent.
    pub sent: u64,
    /// Dropped as too many were waiting.
    pub dropped: u64,
    /// Not taken by any broker.
    pub failed: u64,
}

/// Takes records and sends them; clones share it. The task that sends ends with the last of them, when all is sent.
#[derive(Clone)]
pub(crate) struct Tracer {
    records: mpsc::Sender<Traced>,
    shared: Arc<Shared>,
    stop_limit: Duration,
}

/// What a tracer and its task share.
#[derive(Default)]
struct Shared {
    accepted: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// How many records are sent or have failed.
    done: watch::Sender<u64>,
}

impl Tracer {
    /// A tracer of a group, in its `role`, on this runtime.
    ///
    /// # Errors
    /// The topic is none.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub(crate) fn start(client: &Client, options: &TraceOptions, group: &str, role: &str) -> Result<Self, ClientError> {
        let (records, waiting) = mpsc::channel(options.waiting_max.max(1));
        let shared = Arc::new(Shared::default());
        let unique_ids = UniqueIds::new(client.shared.host, std::process::id(), fastrand::u32(..));
        let sending = Sending {
            topic: Topic::parse(&options.topic)?,
            sender: client.sender(group_of(group, role)?, options.producer()),
            unique_ids,
            shared: Arc::clone(&shared),
            _client: client.clone(),
        };
        tokio::spawn(sending.run(waiting, options.batch.max(1), options.linger));
        Ok(Self { records, shared, stop_limit: options.send_timeout })
    }

    /// Takes a record, or drops it if there is no room.
    pub(crate) fn record(&self, traced: Traced) {
        let counter = if self.records.try_send(traced).is_ok() { &self.shared.accepted } else { &self.shared.dropped };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> TraceCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { sent, dropped, failed, .. } = &*self.shared;
        TraceCounts { sent: read(sent), dropped: read(dropped), failed: read(failed) }
    }

    /// Waits until what was recorded so far is sent, but no longer than sending one message may take.
    pub(crate) async fn all_sent(&self) {
        let accepted = self.shared.accepted.load(Ordering::Relaxed);
        let mut done = self.shared.done.subscribe();
        // What is late goes on its way all the same.
        let _ = timeout(self.stop_limit, done.wait_for(|done| *done >= accepted)).await;
    }
}

impl TraceOptions {
    /// How records are sent: one message is tried as often as any other.
    fn producer(&self) -> ProducerOptions {
        // A single record may be longer by the keys of its message.
        let body_bytes_max = BODY_BYTES_MAX * 2;
        ProducerOptions { send_timeout: self.send_timeout, body_bytes_max, ..ProducerOptions::default() }
    }
}

/// The group in whose name a tracer sends, which brokers do not hear of otherwise.
fn group_of(group: &str, role: &str) -> Result<GroupName, NameError> {
    let end = format!("-{role}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let name = format!("_INNER_TRACE_PRODUCER-{group}");
    let room = GROUP_LENGTH_MAX - end.len();
    GroupName::parse(&(name.chars().take(room).collect::<String>() + &end))
}

/// What sends records. It calls no hook, so that no trace is left of traces.
struct Sending {
    topic: Topic,
    sender: Sender,
    unique_ids: UniqueIds,
    shared: Arc<Shared>,
    /// What is recorded last is sent also when the application has let go of the client.
    _client: Client,
}

impl Sending {
    async fn run(mut self, mut waiting: mpsc::Receiver<Traced>, batch: usize, linger: Duration) {
        let mut traced = Vec::with_capacity(batch);
        let mut dropped_before = 0;
        while let Some(first) = waiting.recv().await {
            traced.push(first);
            let others = async {
                while traced.len() < batch {
                    let room = batch - traced.len();
                    if waiting.recv_many(&mut traced, room).await == 0 {
                        break;
                    }
                }
            };
            // When the time is over, those that have come go.
            let _ = timeout(linger, others).await;
            for message in messages(&traced) {
                self.send(message).await;
            }
            self.shared.done.send_modify(|done| *done += traced.len() as u64);
            traced.clear();
            let dropped = self.shared.dropped.load(Ordering::Relaxed);
            if dropped > dropped_before {
                tracing::warn!(group = %self.sender.group, dropped, "traces were dropped: they come faster than they are sent");
                dropped_before = dropped;
            }
        }
    }

    async fn send(&mut self, message: TraceMessage) {
        let records = message.records as u64;
        let counter = match self.deliver(message).await {
            Ok(()) => &self.shared.sent,
            Err(error) => {
                tracing::warn!(topic = %self.topic, records, %error, "traces were not sent");
                &self.shared.failed
            }
        };
        counter.fetch_add(records, Ordering::Relaxed);
    }

    async fn deliver(&mut self, message: TraceMessage) -> Result<(), ClientError> {
        let keys = Some(message.keys_text());
        let outgoing = OutgoingMessage { keys, ..OutgoingMessage::new(self.topic.clone(), message.body) };
        let unique_id = self.unique_ids.next_id(self.sender.clock.now_ms());
        let letter = Letter::of(&outgoing, self.topic.clone(), unique_id, &[], &self.sender.options)?;
        self.sender.deliver(&letter, self.sender.clock.elapsed()).await.map(drop)
    }
}
