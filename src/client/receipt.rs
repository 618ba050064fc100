//! What a broker says of messages that it has taken.

use std::sync::Arc;

use super::connection::Connection;
use super::error::ClientError;
use super::route::Queue;
use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::protocol::headers::send::SendReply;
use crate::protocol::units::{QueueId, QueueOffset};

/// How safe a stored message is.
///
/// See the example of [`SendReceipt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// As safe as the broker promises.
    Stored,
    /// Stored, but the disk did not confirm it in time.
    FlushTimeout,
    /// Stored, but no replica confirmed it in time.
    ReplicaTimeout,
    /// Stored, but there is no replica that could confirm it.
    NoReplica,
}

impl SendStatus {
    fn of_code(code: i32) -> Option<Self> {
        match code {
            response::SUCCESS => Some(Self::Stored),
            response::FLUSH_DISK_TIMEOUT => Some(Self::FlushTimeout),
            response::FLUSH_SLAVE_TIMEOUT => Some(Self::ReplicaTimeout),
            response::SLAVE_NOT_AVAILABLE => Some(Self::NoReplica),
            _ => None,
        }
    }
}

/// What became of a message, or of a batch: then the ids are joined by commas and the offset is the first one's.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{OutgoingMessage, SendReceipt, SendStatus};
/// use ferromq::protocol::ids::parse_offset_id;
/// # use ferromq::client::{Client, ClientOptions};
///
/// # let client = Client::new(ClientOptions::of(&name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// let receipt: SendReceipt = producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// match receipt.status {
///     SendStatus::Stored => {}
///     // It is there, and a crash of the broker might take it: send it again if that matters more than one too many.
///     SendStatus::FlushTimeout | SendStatus::ReplicaTimeout | SendStatus::NoReplica => panic!("{receipt:?}"),
/// }
/// // Administrators find it by its id.
/// let (broker, place) = parse_offset_id(&receipt.offset_id).expect("a broker has given it");
/// let admin = ferromq::admin::Admin::new(&name_servers)?;
/// assert_eq!(admin.message_at(&broker.to_string(), place).await?.unique_id(), Some(&*receipt.unique_id));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendReceipt {
    /// How safe it is.
    pub status: SendStatus,
    /// The id that the producer gave it.
    pub unique_id: String,
    /// The id that tells where the broker stored it.
    pub offset_id: String,
    /// The broker that has it.
    pub broker_name: Arc<str>,
    /// `host:port` of that.
    pub broker_address: Arc<str>,
    /// The queue it is in.
    pub queue_id: QueueId,
    /// Its place there.
    pub queue_offset: QueueOffset,
    /// The transaction that it began, where the broker names one.
    pub transaction_id: Option<String>,
    /// The region that the broker says it is in.
    pub region: Option<String>,
    /// Whether the broker wants traces.
    pub trace_on: bool,
}

impl SendReceipt {
    /// Reads a broker's answer.
    ///
    /// # Errors
    /// It refuses, or its answer is none.
    pub(super) fn read(
        connection: &Connection,
        queue: &Queue,
        unique_id: &str,
        reply: &Command,
    ) -> Result<Self, ClientError> {
        let Some(status) = SendStatus::of_code(reply.code) else { return Err(connection.refused(reply)) };
        let header = SendReply::parse(&reply.ext).map_err(|source| connection.unreadable(source))?;
        Ok(Self {
            status,
            unique_id: unique_id.into(),
            offset_id: header.msg_id,
            broker_name: Arc::clone(&queue.broker_name),
            broker_address: Arc::clone(&queue.address),
            queue_id: QueueId(header.queue_id.unsigned_abs()),
            queue_offset: QueueOffset(header.queue_offset.unsigned_abs()),
            transaction_id: header.transaction_id,
            region: header.region,
            trace_on: header.trace_on.unwrap_or(true),
        })
    }

    /// What a batch's receipt says of the message at this place.
    pub(super) fn of_one(&self, place: usize) -> Self {
        let nth = |ids: &str| ids.split(',').nth(place).unwrap_or_default().to_owned();
        Self {
            unique_id: nth(&self.unique_id),
            offset_id: nth(&self.offset_id),
            queue_offset: QueueOffset(self.queue_offset.0 + place as u64),
            ..self.clone()
        }
    }
}
