//! Messages as producers send them.

use std::time::Duration;

use bytes::Bytes;

use crate::protocol::names::{NameError, Topic};
use crate::protocol::properties::{self, keys};

/// A message that is to be sent.
///
/// # Example
/// ```
/// use ferromq::client::{Delay, OutgoingMessage};
///
/// let message = OutgoingMessage::to("Invoices", "number 1")?.tag("new").key("1").delay(Delay::Level(3));
/// assert_eq!(message.tag.as_deref(), Some("new"));
/// assert!(OutgoingMessage::to("not a topic", "").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OutgoingMessage {
    /// Where to.
    pub topic: Topic,
    /// What it says.
    pub body: Bytes,
    /// Chooses among consumers' subscriptions.
    pub tag: Option<String>,
    /// Finds the message again; several are separated by blanks.
    pub keys: Option<String>,
    /// Messages of one such key go to one queue, in the order in which they are sent, as long as the topic keeps its queues.
    pub sharding_key: Option<String>,
    /// When consumers get it.
    pub delay: Delay,
    /// A number of the application's own.
    pub flag: i32,
    /// Whatever else consumers should know, by name.
    pub properties: Vec<(String, String)>,
}

/// When consumers get a message.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::{Duration, Instant};
/// use ferromq::actors::local_cluster::LocalCluster;
/// use ferromq::actors::options::BrokerOptions;
/// use ferromq::broker::timer::TimerRules;
/// use ferromq::client::{Delay, OutgoingMessage};
/// # use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Wanted};
///
/// // Times of a message's own have to be switched on at the broker.
/// let timer = Some(TimerRules { ahead_ms_max: 60_000 });
/// let cluster = LocalCluster::start_with(move |options| BrokerOptions { timer, ..options })?;
/// # let client = Client::new(ClientOptions::of(cluster.name_servers())).await?;
/// # let producer = client.producer("billing").start().await?;
/// let (sent, later) = (Instant::now(), Duration::from_millis(300));
/// producer.send(&OutgoingMessage::to("Reminders", "pay number 1")?.delay(Delay::After(later))).await?;
/// # let rebalance_interval = Duration::from_millis(100);
/// # let options = ConsumerOptions { begin: Begin::First, rebalance_interval, ..ConsumerOptions::default() };
/// # let builder = client.pull_consumer("dunning").options(options).subscribe("Reminders", Wanted::All);
/// # let mut consumer = builder.start().await?;
/// assert_eq!(consumer.poll(Duration::from_secs(30)).await?[0].body, "pay number 1");
/// assert!(sent.elapsed() >= later);
/// # consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delay {
    /// At once.
    #[default]
    None,
    /// After the time of one of the broker's levels, from 1 on: `messageDelayLevel`.
    Level(u32),
    /// After so long. RocketMQ's brokers know this from 5.0 on, FerroMQ's with `timerWheelEnable`; others deliver at once, and do
    /// not say so.
    After(Duration),
    /// At this time, in milliseconds since the epoch, where brokers know [`Delay::After`].
    AtMs(i64),
}

impl OutgoingMessage {
    /// A message of a body alone.
    #[must_use]
    pub fn new(topic: Topic, body: impl Into<Bytes>) -> Self {
        Self {
            topic,
            body: body.into(),
            tag: None,
            keys: None,
            sharding_key: None,
            delay: Delay::None,
            flag: 0,
            properties: Vec::new(),
        }
    }

    /// The same for a topic by name.
    ///
    /// # Errors
    /// The name is none.
    pub fn to(topic: &str, body: impl Into<Bytes>) -> Result<Self, NameError> {
        Ok(Self::new(Topic::parse(topic)?, body))
    }

    /// With a tag.
    #[must_use]
    pub fn tag(self, tag: impl Into<String>) -> Self {
        Self { tag: Some(tag.into()), ..self }
    }

    /// With a further key to find it by.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        let before = self.keys.take().map(|keys| format!("{keys} ")).unwrap_or_default();
        self.keys = Some(before + key);
        self
    }

    /// With a key whose messages keep their order.
    #[must_use]
    pub fn sharding_key(self, key: impl Into<String>) -> Self {
        Self { sharding_key: Some(key.into()), ..self }
    }

    /// Later.
    #[must_use]
    pub fn delay(self, delay: Delay) -> Self {
        Self { delay, ..self }
    }

    /// With a property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// The properties as they travel, with the id that the producer gives and whatever else it has to say.
    pub(super) fn properties_text(&self, unique_id: &str, more: &[(&str, &str)]) -> String {
        let delay = self.delay.property();
        let named = [
            (keys::UNIQ_KEY, Some(unique_id)),
            (keys::WAIT, Some("true")),
            (keys::TAGS, self.tag.as_deref()),
            (keys::KEYS, self.keys.as_deref()),
            (keys::SHARDING_KEY, self.sharding_key.as_deref()),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let delay = delay.iter().map(|(name, value)| (*name, value.as_str()));
        let given = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        properties::encode(named.chain(delay).chain(more.iter().copied()).chain(given))
    }
}

impl Delay {
    fn property(self) -> Option<(&'static str, String)> {
        match self {
            Self::None => None,
            Self::Level(level) => Some((keys::DELAY, level.to_string())),
            Self::After(time) => Some((keys::TIMER_DELAY_MS, time.as_millis().to_string())),
            Self::AtMs(time_ms) => Some((keys::TIMER_DELIVER_MS, time_ms.to_string())),
        }
    }
}
