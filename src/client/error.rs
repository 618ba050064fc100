//! What can go wrong for a client, by what it can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::spool::SpoolError;
use super::subscription::SubscriptionError;
use super::tls::TlsAdvice;
use crate::broker::name_servers::NoList;
use crate::protocol::body::BodyError;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::codes::request;
use crate::protocol::error::ProtocolError;
use crate::protocol::message::RecordError;
use crate::protocol::names::NameError;

/// Why a client's call failed.
///
/// # Example
/// ```
/// use ferromq::client::ClientError;
/// use ferromq::protocol::codes::response;
///
/// fn advice(error: &ClientError) -> &'static str {
///     match error {
///         ClientError::SpoolFull { .. } | ClientError::TooManySubmitted { .. } => "wait for what is under way",
///         // A broker may have it all the same.
///         error if error.is_of_transport() => "send it again, with the key by which consumers know it again",
///         error if error.refusal() == Some(response::SYSTEM_BUSY) => "send less",
///         _ => "mend the message, or who sends it",
///     }
/// }
///
/// let address = "10.0.0.1:10911".to_owned();
/// assert!(advice(&ClientError::Closed { address: address.clone(), how: "was closed".into() }).starts_with("send it again"));
/// let busy = ClientError::Refused { address, code: response::SYSTEM_BUSY, remark: "too many requests".into() };
/// assert_eq!(advice(&busy), "send less");
/// assert_eq!(advice(&ClientError::Batch("it is empty".into())), "mend the message, or who sends it");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers at an address, or not in time.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A connection could not be encrypted.
    #[error("no encrypted connection to {address}: {source}; {advice}")]
    Tls {
        /// Where to.
        address: String,
        /// What is wrong.
        source: io::Error,
        /// What to do about it.
        advice: TlsAdvice,
    },
    /// What is said about encryption cannot be done.
    #[error("connections cannot be encrypted as the options say: {0}")]
    TlsOptions(String),
    /// The connection ended before the reply came; the request may have been carried out.
    #[error("the connection to {address} {how}")]
    Closed {
        /// The peer.
        address: String,
        /// How it ended, as far as that is known, and what to do about it.
        how: String,
    },
    /// No reply in time; the request may have been carried out.
    #[error("no answer from {address} to request {} within {after:?}", request::name(*.code).unwrap_or("of unknown code"))]
    Timeout {
        /// The peer.
        address: String,
        /// The code of the request.
        code: i32,
        /// How long was waited.
        after: Duration,
    },
    /// The peer answered that it will not.
    #[error("{address} refused with code {code}: {remark}")]
    Refused {
        /// The peer.
        address: String,
        /// The response code.
        code: i32,
        /// The peer's words.
        remark: String,
    },
    /// A message was not taken, however often it was tried. It may be stored if the last try did not end with a refusal.
    #[error("nothing was sent to topic {topic} in {after:?}, though brokers were tried: {brokers}; at last {last}")]
    GaveUp {
        /// The topic.
        topic: String,
        /// The names of the brokers in the order in which they were tried.
        brokers: String,
        /// How long that took.
        after: Duration,
        /// Why the last try failed.
        #[source]
        last: Box<Self>,
    },
    /// The batch that the message was gathered into.
    #[error(transparent)]
    OfBatch(Arc<Self>),
    /// More messages were submitted than may be under way.
    #[error("{limit} messages are under way and not answered yet: wait for some of them before sending more")]
    TooManySubmitted {
        /// How many may be.
        limit: usize,
    },
    /// A request was sent, and nobody has replied in time.
    #[error("no reply to a request to topic {topic} within {after:?}; somebody may have acted on it all the same")]
    NoReply {
        /// The topic of the request.
        topic: String,
        /// How long was waited.
        after: Duration,
    },
    /// A reply needs a request that says where to reply to.
    #[error(
        "the message is no request, as it has no property {property}: only what was sent with `request` is replied to"
    )]
    NotARequest {
        /// What it lacks.
        property: &'static str,
    },
    /// An id that a broker gave tells nothing.
    #[error("{id:?} is no message id that tells where a message lies")]
    NotAnId {
        /// The id.
        id: String,
    },
    /// Only a queue that the consumer has can be sought in.
    #[error("queue {} of topic {} at {} is not this consumer's: assign it, or wait for the share", queue.queue_id, queue.topic, queue.broker_name)]
    NotOwned {
        /// The queue.
        queue: MessageQueue,
    },
    /// Queues were assigned, and cannot be pulled yet.
    #[error(
        "not all of {count} queues could be taken over within {after:?}; it is tried again, see the log for the reason"
    )]
    NotTakenOver {
        /// How many were assigned.
        count: usize,
        /// How long was waited.
        after: Duration,
    },
    /// A hook of the application does not want it.
    #[error("the message is not to be sent: {0}")]
    Forbidden(String),
    /// No name server knows the topic.
    #[error("no route to topic {topic}: {reason}")]
    NoRoute {
        /// The topic.
        topic: String,
        /// What the name servers said.
        reason: String,
    },
    /// A list of name servers without a single address.
    #[error("no name server is given")]
    NoNameServer,
    /// A list of name servers that is none.
    #[error("the list of name servers cannot be read: {0}")]
    NameServers(#[from] NoList),
    /// An address server that names no name servers.
    #[error("the address server {url} names no name servers: {reason}")]
    AddressServer {
        /// What was asked.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The message cannot be sent as it is.
    #[error("a message of {length} bytes cannot be sent: a body has 1 to {limit}")]
    BodyLength {
        /// Bytes of the body, or of all bodies of a batch.
        length: usize,
        /// What is accepted.
        limit: usize,
    },
    /// Messages that cannot travel in one batch.
    #[error("a batch holds at least one message, and all of one topic: {0}")]
    Batch(String),
    /// A client has one consumer and one producer of a group.
    #[error("the client has a member of group {group} already: stop that one first, or use another client")]
    GroupTaken {
        /// The group.
        group: String,
    },
    /// The file of a consumer that keeps its offsets itself.
    #[error("cannot keep offsets in {}: {source}; mend or remove the file", path.display())]
    OffsetFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The spool has no room for the message, for which no broker could be reached: [`SpoolError::Full`]. Nothing that is in it
    /// was dropped.
    #[error(transparent)]
    SpoolFull(Arc<SpoolError>),
    /// The spool could not be opened, or not be written to.
    #[error(transparent)]
    Spool(Arc<SpoolError>),
    /// The client's own thread.
    #[error("cannot start the client's thread: {source}")]
    Thread {
        /// The system's answer.
        source: io::Error,
    },
    /// What a consumer says that it wants is nothing.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// The client has been stopped, or a part of it has failed: its log says which.
    #[error("the client has come to its end; make a new one")]
    Ended,
    /// A topic or group that cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The peer sent a frame or field that is none.
    #[error("{address} sent what cannot be read: {source}")]
    Protocol {
        /// The peer.
        address: String,
        /// What is wrong with it.
        source: ProtocolError,
    },
    /// The peer sent a body that is none.
    #[error("{address} sent what cannot be read: {source}")]
    Body {
        /// The peer.
        address: String,
        /// What is wrong with it.
        source: BodyError,
    },
    /// A message that is none.
    #[error("a message cannot be read: {0}")]
    Record(#[from] RecordError),
}

impl From<SpoolError> for ClientError {
    fn from(error: SpoolError) -> Self {
        match error {
            full @ SpoolError::Full { .. } => Self::SpoolFull(Arc::new(full)),
            error => Self::Spool(Arc::new(error)),
        }
    }
}

impl ClientError {
    /// Whether it is the way to the peer that failed, and not the peer that refused.
    #[must_use]
    pub fn is_of_transport(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Tls { .. } | Self::Closed { .. } | Self::Timeout { .. } => true,
            Self::GaveUp { last, .. } => last.is_of_transport(),
            Self::OfBatch(error) => error.is_of_transport(),
            _ => false,
        }
    }

    /// The code of a refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<i32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::GaveUp { last, .. } => last.refusal(),
            Self::OfBatch(error) => error.refusal(),
            _ => None,
        }
    }
}
