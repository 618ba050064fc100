//! Finding messages: by key, by id.

use super::{Admin, found, request};
use crate::client::ClientError;
use crate::client::pull;
use crate::protocol::codes::request;
use crate::protocol::headers::offset::ViewMessage;
use crate::protocol::headers::query::QueryMessage;
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, StoreTime};

/// Which messages are looked for.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use ferromq::admin::{Admin, MessageQuery};
/// use ferromq::protocol::names::Topic;
/// # use ferromq::client::{Client, ClientOptions, OutgoingMessage};
///
/// # let client = Client::new(ClientOptions::of(&name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?.key("Ada").key("2026-11")).await?;
/// let (admin, broker) = (Admin::new(&name_servers)?, cluster.broker().to_string());
/// let query = MessageQuery { max: 1, ..MessageQuery::by_key(Topic::parse("Invoices")?, "Ada") };
/// // The index follows the log a moment later.
/// let mut found = Vec::new();
/// while found.is_empty() {
///     found = admin.query_messages(&broker, &query).await?;
/// }
/// assert_eq!(found[0].body, "number 1");
/// let others = MessageQuery { key: "Bob".into(), ..query };
/// assert!(admin.query_messages(&broker, &others).await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageQuery {
    /// Their topic.
    pub topic: Topic,
    /// One of their keys, or the id that their producer gave them.
    pub key: String,
    /// Whether `key` is such an id.
    pub is_unique: bool,
    /// So many at most, the newest; brokers have a bound of their own.
    pub max: u32,
    /// Stored then or later,
    pub from: StoreTime,
    /// and then or earlier.
    pub to: StoreTime,
}

impl MessageQuery {
    /// Up to 64 messages with a key, whenever they were stored.
    #[must_use]
    pub fn by_key(topic: Topic, key: impl Into<String>) -> Self {
        let (from, to) = (StoreTime(0), StoreTime(i64::MAX));
        Self { topic, key: key.into(), is_unique: false, max: 64, from, to }
    }

    /// The messages to which a producer gave an id, of which there is more than one when it was sent again.
    #[must_use]
    pub fn by_unique_key(topic: Topic, id: impl Into<String>) -> Self {
        Self { is_unique: true, max: 32, ..Self::by_key(topic, id) }
    }

    /// Whether a message is one of them: the index goes by a hash, which other keys may share.
    #[must_use]
    fn is_met_by(&self, message: &Message) -> bool {
        let is_of_topic = message.topic.as_str() == self.topic.as_str();
        let has_key = |keys: Option<&str>| keys.is_some_and(|keys| keys.split(' ').any(|key| key == self.key));
        is_of_topic && if self.is_unique { message.unique_id() == Some(&self.key) } else { has_key(message.keys()) }
    }
}

impl Admin {
    /// The messages of a broker with a key, oldest first: QUERY_MESSAGE.
    ///
    /// # Errors
    /// The broker cannot be asked, refuses, or sends what is no message.
    pub async fn query_messages(&self, broker: &str, query: &MessageQuery) -> Result<Vec<Message>, ClientError> {
        let header = QueryMessage {
            topic: query.topic.to_string(),
            key: query.key.clone(),
            max_num: query.max.cast_signed(),
            begin_timestamp: query.from.0,
            end_timestamp: query.to.0,
            unique_key: query.is_unique,
        };
        let reply = found(self.ask(broker, request(request::QUERY_MESSAGE, header.to_ext())).await)?;
        let Some(reply) = reply else { return Ok(Vec::new()) };
        let mut messages = pull::messages(reply.bytes())?;
        messages.retain(|message| query.is_met_by(message));
        Ok(messages)
    }

    /// The message that lies at a place of a broker's log: VIEW_MESSAGE_BY_ID.
    ///
    /// # Errors
    /// As [`Admin::query_messages`]; the broker refuses when none begins there.
    pub async fn message_at(&self, broker: &str, at: PhysicalOffset) -> Result<Message, ClientError> {
        let header = ViewMessage { offset: at.0.cast_signed() };
        let reply = self.ask(broker, request(request::VIEW_MESSAGE_BY_ID, header.to_ext())).await?;
        let empty = reply.refused();
        pull::messages(reply.bytes())?.pop().ok_or(empty)
    }
}
