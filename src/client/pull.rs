//! Reads a queue from any offset on: its bounds, and the messages between them.
//!
//! Nothing is remembered: where to go on is up to the caller, and a pull stores how far a group has come only if it says so.

use std::time::Duration;

use bytes::Bytes;

use super::error::ClientError;
use super::pool::Connections;
use super::route::Queue;
use crate::protocol::body::subscription::{EXPRESSION_TAG, SUBSCRIBE_ALL};
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::compression;
use crate::protocol::frame::FRAME_BYTES_MAX;
use crate::protocol::headers::pull::{PullHeader, PullReplyHeader};
use crate::protocol::message::{self, Message};
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::sys_flag;
use crate::protocol::units::{QueueId, QueueOffset};

/// How long a question about a queue's bounds may take.
const OFFSET_TIMEOUT: Duration = Duration::from_secs(3);
/// What a pull may take beyond the time that the broker may hold it.
const PULL_SLACK: Duration = Duration::from_secs(10);

/// What a pull found.
///
/// See the example of [`Pulled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStatus {
    /// Messages.
    Found,
    /// None at this offset yet.
    NothingYet,
    /// Some, but none that matches the subscription; go on at the next offset.
    NoneMatched,
    /// The offset lies outside the queue; go on at the next offset.
    OutOfRange,
}

impl PullStatus {
    fn of_code(code: i32) -> Option<Self> {
        match code {
            response::SUCCESS => Some(Self::Found),
            response::PULL_NOT_FOUND => Some(Self::NothingYet),
            response::PULL_RETRY_IMMEDIATELY => Some(Self::NoneMatched),
            response::PULL_OFFSET_MOVED => Some(Self::OutOfRange),
            _ => None,
        }
    }
}

/// The answer to a pull.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::time::Duration;
/// use ferromq::client::{PullStatus, Pulled};
/// use ferromq::protocol::units::QueueOffset;
/// # use ferromq::client::{Client, ClientOptions, Connections, OutgoingMessage, Puller, Queue};
/// # use ferromq::protocol::names::{GroupName, Topic};
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// # let receipt = producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// # let (broker_name, address) = (receipt.broker_name, receipt.broker_address);
/// # let queue = Queue { broker_name, address, id: receipt.queue_id };
/// # let puller = Puller::new(Connections::default(), GroupName::parse("auditing")?, Topic::parse("Invoices")?);
/// let (mut offset, mut bodies) = (QueueOffset(0), Vec::new());
/// loop {
///     let pulled: Pulled = puller.pull(&queue, offset, 32, Duration::ZERO).await?;
///     match pulled.status {
///         PullStatus::Found => bodies.extend(pulled.messages.into_iter().map(|message| message.body)),
///         PullStatus::NoneMatched | PullStatus::OutOfRange => {}
///         PullStatus::NothingYet if bodies.is_empty() => {}
///         PullStatus::NothingYet => break,
///     }
///     offset = pulled.next;
/// }
/// assert_eq!((bodies, offset), (vec!["number 1".into()], QueueOffset(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What was found.
    pub status: PullStatus,
    /// The messages in order, their bodies as the producer wrote them.
    pub messages: Vec<Message>,
    /// Where to go on.
    pub next: QueueOffset,
    /// The first offset that the queue still has.
    pub min: QueueOffset,
    /// The offset that the next message will get.
    pub max: QueueOffset,
    /// The id of the set's broker to pull from next.
    pub suggested_broker: i64,
}

/// A pull as it is asked for.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use ferromq::client::pull::{PullRequest, Wants};
/// use ferromq::protocol::units::{QueueId, QueueOffset};
///
/// let pull = PullRequest {
///     queue: QueueId(1),
///     offset: QueueOffset(7),
///     count: 32,
///     hold: Duration::from_secs(15),
///     commit: None,
///     wants: Wants::Expression { language: "TAG", text: "new || changed" },
/// };
/// let command = pull.command("auditing", "Invoices");
/// assert_eq!(command.ext.get("subscription").as_deref(), Some("new || changed"));
/// // A version of what heartbeats have said travels without the expression.
/// let pull = PullRequest { wants: Wants::AsSubscribed { version: 3 }, ..pull };
/// let command = pull.command("auditing", "Invoices");
/// assert_eq!(command.ext.get("subscription"), None);
/// assert_eq!(command.ext.get("subVersion").as_deref(), Some("3"));
/// ```
#[derive(Clone, Debug)]
pub struct PullRequest<'a> {
    /// The queue's number.
    pub queue: QueueId,
    /// The first message wanted.
    pub offset: QueueOffset,
    /// How many at most.
    pub count: u32,
    /// How long the broker may hold the answer back when there is none.
    pub hold: Duration,
    /// How far the group has come, to be stored.
    pub commit: Option<QueueOffset>,
    /// Which messages are wanted.
    pub wants: Wants<'a>,
}

/// Which messages a pull wants.
///
/// See the example of [`PullRequest`].
#[derive(Clone, Copy, Debug)]
pub enum Wants<'a> {
    /// What heartbeats have said the group wants, and no older version of it.
    AsSubscribed {
        /// See [`SubscriptionData::sub_version`](crate::protocol::body::subscription::SubscriptionData).
        version: i64,
    },
    /// What the pull itself says.
    Expression {
        /// `TAG` or `SQL92`.
        language: &'a str,
        /// The expression.
        text: &'a str,
    },
}

impl Wants<'static> {
    /// Every message.
    pub const ALL: Self = Self::Expression { language: EXPRESSION_TAG, text: SUBSCRIBE_ALL };
}

impl PullRequest<'_> {
    /// The request as it travels.
    #[must_use]
    pub fn command(&self, group: &str, topic: &str) -> Command {
        let bit = |is_set: bool, bit: i32| if is_set { bit } else { 0 };
        let (said, version) = match self.wants {
            Wants::AsSubscribed { version } => (None, version),
            Wants::Expression { language, text } => (Some((language, text)), 0),
        };
        let sys_flag = bit(!self.hold.is_zero(), sys_flag::pull::SUSPEND)
            | bit(said.is_some(), sys_flag::pull::SUBSCRIPTION)
            | bit(self.commit.is_some(), sys_flag::pull::COMMIT_OFFSET);
        let header = PullHeader {
            consumer_group: group.into(),
            topic: topic.into(),
            queue_id: self.queue.0 as i32,
            queue_offset: self.offset.0 as i64,
            max_msg_nums: self.count as i32,
            sys_flag,
            commit_offset: self.commit.unwrap_or_default().0 as i64,
            suspend_timeout_millis: self.hold.as_millis() as i64,
            subscription: said.map(|(_, text)| text.into()),
            sub_version: version,
            expression_type: said.map(|(language, _)| language.into()),
        };
        let mut ext = ExtFields::builder();
        header.write(&mut ext);
        Command::request(request::PULL_MESSAGE).with_ext(ext.build())
    }
}

/// Reads the queues of one topic.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::route::subscribe_queues;
/// use ferromq::client::{Client, ClientOptions, Connections, OutgoingMessage, Puller, Routes};
/// use ferromq::protocol::names::{GroupName, Topic};
///
/// let client = Client::new(ClientOptions::of(&name_servers)).await?;
/// let producer = client.producer("billing").start().await?;
/// let receipt = producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
///
/// let (connections, topic) = (Connections::default(), Topic::parse("Invoices")?);
/// // Name servers hear of a new topic a moment later.
/// let routes = Routes::new(connections.clone(), &name_servers)?;
/// let route = loop {
///     if let Ok(route) = routes.of(&topic).await {
///         break route;
///     }
/// };
/// let queue = subscribe_queues(&route).into_iter().find(|queue| queue.id == receipt.queue_id).expect("it is there");
/// let puller = Puller::new(connections, GroupName::parse("auditing")?, topic);
/// let pulled = puller.pull(&queue, receipt.queue_offset, 32, Duration::from_secs(15)).await?;
/// assert_eq!(pulled.messages[0].body, "number 1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Puller {
    connections: Connections,
    group: GroupName,
    topic: Topic,
}

impl Puller {
    /// Reads `topic` in the name of `group`, which is what the broker's permissions and statistics go by.
    #[must_use]
    pub fn new(connections: Connections, group: GroupName, topic: Topic) -> Self {
        Self { connections, group, topic }
    }

    /// The offset that the queue's next message will get.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn max_offset(&self, queue: &Queue) -> Result<QueueOffset, ClientError> {
        self.offset(queue, request::GET_MAX_OFFSET, None).await
    }

    /// The first offset that the queue still has.
    ///
    /// # Errors
    /// As [`Puller::max_offset`].
    pub async fn min_offset(&self, queue: &Queue) -> Result<QueueOffset, ClientError> {
        self.offset(queue, request::GET_MIN_OFFSET, None).await
    }

    /// The first offset whose message was stored at or after a time, in milliseconds since the epoch.
    ///
    /// # Errors
    /// As [`Puller::max_offset`].
    pub async fn offset_at(&self, queue: &Queue, time_ms: i64) -> Result<QueueOffset, ClientError> {
        self.offset(queue, request::SEARCH_OFFSET_BY_TIMESTAMP, Some(time_ms)).await
    }

    /// Reads up to `count` messages from `offset` on. Where there is none yet, the broker may hold the answer back for
    /// `hold` in case one comes.
    ///
    /// # Errors
    /// The broker cannot be asked, refuses, or sends what is no message.
    pub async fn pull(
        &self,
        queue: &Queue,
        offset: QueueOffset,
        count: u32,
        hold: Duration,
    ) -> Result<Pulled, ClientError> {
        let wants = Wants::ALL;
        self.ask(queue, &PullRequest { queue: queue.id, offset, count, hold, commit: None, wants }).await
    }

    /// The same for a pull that says more.
    ///
    /// # Errors
    /// As [`Puller::pull`].
    pub async fn ask(&self, queue: &Queue, pull: &PullRequest<'_>) -> Result<Pulled, ClientError> {
        let connection = self.connections.to(&queue.address).await?;
        let command = pull.command(self.group.as_str(), self.topic.as_str());
        let reply = connection.request(command, pull.hold + PULL_SLACK).await?;
        let Some(status) = PullStatus::of_code(reply.code) else { return Err(connection.refused(&reply)) };
        let bounds = PullReplyHeader::parse(&reply.ext).map_err(|source| connection.unreadable(source))?;
        let messages = if status == PullStatus::Found { messages(reply.body)? } else { Vec::new() };
        Ok(Pulled {
            status,
            messages,
            next: offset_of(bounds.next_begin_offset),
            min: offset_of(bounds.min_offset),
            max: offset_of(bounds.max_offset),
            suggested_broker: bounds.suggest_which_broker_id,
        })
    }

    async fn offset(&self, queue: &Queue, code: i32, time_ms: Option<i64>) -> Result<QueueOffset, ClientError> {
        let connection = self.connections.to(&queue.address).await?;
        let mut ext = ExtFields::builder();
        ext.push("topic", &self.topic).push("queueId", queue.id).push_some("timestamp", time_ms);
        let reply = connection.call(Command::request(code).with_ext(ext.build()), OFFSET_TIMEOUT).await?;
        let offset = reply.ext.int64("offset").map_err(|source| connection.unreadable(source))?;
        Ok(offset_of(offset))
    }
}

/// A broker without the queue says -1, which is as good as none.
fn offset_of(number: i64) -> QueueOffset {
    QueueOffset(number.max(0).unsigned_abs())
}

/// The messages of a body, decompressed.
pub(crate) fn messages(block: Bytes) -> Result<Vec<Message>, ClientError> {
    let mut messages = message::decode_all(block)?;
    messages.iter_mut().for_each(decompress);
    Ok(messages)
}

/// Gives a stored message the body that its producer wrote. One that does not decompress is handed out as it is: the reference
/// does so, and its reader may know better.
pub(crate) fn decompress(message: &mut Message) {
    if let Ok(plain) = compression::plain_body(message.sys_flag, &message.body, FRAME_BYTES_MAX) {
        message.body = plain;
    }
}
