//! Consume queues, entry by entry. Their bounds are asked for by a [`Puller`](crate::client::Puller).

use super::{Admin, request};
use crate::client::ClientError;
use crate::protocol::body::consume_queue::ConsumeQueuePage;
use crate::protocol::codes::request;
use crate::protocol::headers::consumer::QueryConsumeQueue;
use crate::protocol::headers::offset::{QueueOf, TimestampReply};
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::{QueueId, QueueOffset, StoreTime};

impl Admin {
    /// When the oldest message of a queue was stored: GET_EARLIEST_MSG_STORETIME; `None` if it has none.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn earliest_store_time(
        &self,
        broker: &str,
        topic: &Topic,
        queue: QueueId,
    ) -> Result<Option<StoreTime>, ClientError> {
        let header = QueueOf { topic: topic.to_string(), queue_id: queue.0.cast_signed() };
        let reply = self.ask(broker, request(request::GET_EARLIEST_MSG_STORETIME, header.to_ext())).await?;
        let time = reply.header(TimestampReply::parse)?.timestamp;
        Ok((time >= 0).then_some(StoreTime(time)))
    }

    /// Up to `count` entries of a queue from `from` on, and what `group` wants of it: QUERY_CONSUME_QUEUE; `None` if the queue
    /// has no entry `from`.
    ///
    /// # Errors
    /// As [`Admin::earliest_store_time`]; also when there is no such queue.
    pub async fn consume_queue(
        &self,
        broker: &str,
        topic: &Topic,
        queue: QueueId,
        from: QueueOffset,
        count: u32,
        group: Option<&GroupName>,
    ) -> Result<Option<ConsumeQueuePage>, ClientError> {
        let header = QueryConsumeQueue {
            topic: topic.to_string(),
            queue_id: Some(queue.0.cast_signed()),
            index: Some(from.0.cast_signed()),
            count: Some(i32::try_from(count).unwrap_or(i32::MAX)),
            consumer_group: group.map(ToString::to_string),
        };
        let reply = self.ask(broker, request(request::QUERY_CONSUME_QUEUE, header.to_ext())).await?;
        // That there is no such entry a broker says in a remark, and calls it success.
        if reply.command.body.is_empty() { Ok(None) } else { reply.body().map(Some) }
    }
}
