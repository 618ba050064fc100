//! What a member of a consumer group asks of brokers: who else there is, how far the group has come, and whose a queue is.
//!
//! Each call is one request; when to make it, and what follows from the answer, is decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::error::ClientError;
use super::pool::Connections;
use super::route::Queue;
use crate::protocol::body::Body;
use crate::protocol::body::lists::ConsumerList;
use crate::protocol::body::lock::{LockBatchRequestBody, LockBatchResponseBody};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::client::OfConsumerGroup;
use crate::protocol::headers::offset::{OffsetReply, QueryConsumerOffset, UpdateConsumerOffset};
use crate::protocol::headers::send::SendBack;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::QueueOffset;

/// How long a broker has for the list of members.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(3);
/// How long it has for an offset, or to take a message back.
const OFFSET_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it has for locks.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// One client in one consumer group.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::Connections;
/// use ferromq::client::membership::Membership;
/// use ferromq::protocol::body::queue_table::MessageQueue;
/// use ferromq::protocol::names::GroupName;
///
/// let (broker, group) = (cluster.broker().to_string(), GroupName::parse("bookkeeping")?);
/// let member = |id: &str| Membership::new(Connections::default(), id, group.clone());
/// let (first, second) = (member("first"), member("second"));
/// let queue = MessageQueue { broker_name: "a".into(), queue_id: 0, topic: "Invoices".into() };
/// assert_eq!(first.lock(&broker, vec![queue.clone()]).await?, [queue.clone()]);
/// assert!(second.lock(&broker, vec![queue.clone()]).await?.is_empty());
/// first.unlock(&broker, vec![queue.clone()]).await?;
/// assert_eq!(second.lock(&broker, vec![queue.clone()]).await?, [queue]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Membership {
    connections: Connections,
    client_id: Arc<str>,
    group: GroupName,
}

impl Membership {
    /// The client `client_id` in `group`. A broker knows a client by its connection: two of them must not share any.
    #[must_use]
    pub fn new(connections: Connections, client_id: impl Into<Arc<str>>, group: GroupName) -> Self {
        Self { connections, client_id: client_id.into(), group }
    }

    /// The client's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// The ids of the group's members that a broker knows, each once, in their order.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses, as one does that knows nobody.
    pub async fn members(&self, broker: &str) -> Result<Vec<String>, ClientError> {
        let header = OfConsumerGroup { consumer_group: self.group.to_string() };
        let command = Command::request(request::GET_CONSUMER_LIST_BY_GROUP).with_ext(header.to_ext());
        let connection = self.connections.to(broker).await?;
        let reply = connection.call(command, MEMBERS_TIMEOUT).await?;
        let list = ConsumerList::decode(&reply.body).map_err(|source| connection.unreadable_body(source))?;
        let mut members = list.consumer_id_list;
        members.sort();
        members.dedup();
        Ok(members)
    }

    /// The next offset that the group wants of a queue; `None` if it has stored none.
    ///
    /// # Errors
    /// As [`Membership::members`].
    pub async fn offset(&self, topic: &Topic, queue: &Queue) -> Result<Option<QueueOffset>, ClientError> {
        let header = QueryConsumerOffset {
            consumer_group: self.group.to_string(),
            topic: topic.to_string(),
            queue_id: queue.id.0 as i32,
            set_zero_if_not_found: None,
        };
        let command = Command::request(request::QUERY_CONSUMER_OFFSET).with_ext(header.to_ext());
        let connection = self.connections.to(&queue.address).await?;
        let reply = connection.request(command, OFFSET_TIMEOUT).await?;
        match reply.code {
            response::SUCCESS => {
                let found = OffsetReply::parse(&reply.ext).map_err(|source| connection.unreadable(source))?;
                Ok(u64::try_from(found.offset).ok().map(QueueOffset))
            }
            response::QUERY_NOT_FOUND => Ok(None),
            _ => Err(connection.refused(&reply)),
        }
    }

    /// Stores how far the group has come, and waits until the broker has it: for whoever asks next.
    ///
    /// # Errors
    /// As [`Membership::members`].
    pub async fn commit(&self, topic: &Topic, queue: &Queue, offset: QueueOffset) -> Result<(), ClientError> {
        let header = UpdateConsumerOffset {
            consumer_group: self.group.to_string(),
            topic: topic.to_string(),
            queue_id: queue.id.0 as i32,
            commit_offset: i64::try_from(offset.0).unwrap_or(i64::MAX),
        };
        let command = Command::request(request::UPDATE_CONSUMER_OFFSET).with_ext(header.to_ext());
        self.connections.to(&queue.address).await?.call(command, OFFSET_TIMEOUT).await.map(drop)
    }

    /// Brings a message back to the broker that has it, to be tried again later.
    ///
    /// # Errors
    /// As [`Membership::members`].
    pub async fn send_back(&self, broker: &str, header: SendBack) -> Result<(), ClientError> {
        let command = Command::request(request::CONSUMER_SEND_MSG_BACK).with_ext(header.to_ext());
        self.connections.to(broker).await?.call(command, OFFSET_TIMEOUT).await.map(drop)
    }

    /// Asks a broker for the locks of queues, or to keep them; gives those that the client has now, for a minute.
    ///
    /// # Errors
    /// As [`Membership::members`].
    pub async fn lock(&self, broker: &str, queues: Vec<MessageQueue>) -> Result<Vec<MessageQueue>, ClientError> {
        let connection = self.connections.to(broker).await?;
        let reply = connection.call(self.lock_command(request::LOCK_BATCH_MQ, queues), LOCK_TIMEOUT).await?;
        let locked = LockBatchResponseBody::decode(&reply.body).map_err(|source| connection.unreadable_body(source))?;
        Ok(locked.lock_ok_mq_set)
    }

    /// Gives locks back.
    ///
    /// # Errors
    /// As [`Membership::members`].
    pub async fn unlock(&self, broker: &str, queues: Vec<MessageQueue>) -> Result<(), ClientError> {
        let command = self.lock_command(request::UNLOCK_BATCH_MQ, queues);
        self.connections.to(broker).await?.call(command, LOCK_TIMEOUT).await.map(drop)
    }

    fn lock_command(&self, code: i32, mq_set: Vec<MessageQueue>) -> Command {
        let (client_id, consumer_group) = (self.client_id.to_string(), self.group.to_string());
        let body = LockBatchRequestBody { client_id, consumer_group, mq_set };
        Command::request(code).with_body(body.encode())
    }
}
