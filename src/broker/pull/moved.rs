//! The message that tells of a group which asked for an offset that its queue does not have.
//!
//! # Source
//! `PullMessageProcessor.generateOffsetMovedEvent` 4.9.7 (read; body recorded).

use std::net::SocketAddr;

use crate::broker::topics::offset_moved_topic;
use crate::protocol::body::Body;
use crate::protocol::body::offsets::OffsetMovedEvent;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{BornTime, ConsumedOffset, QueueId, QueueOffset};
use crate::store::{NewMessage, PutBatch, StoreError};

/// What happened.
#[derive(Clone, Debug)]
pub struct Moved<'a> {
    /// The group that asked.
    pub group: &'a str,
    /// The queue.
    pub queue: MessageQueue,
    /// What it asked for.
    pub asked: ConsumedOffset,
    /// Where it is told to go on.
    pub next: QueueOffset,
}

impl Moved<'_> {
    /// The message, from the broker at `host`.
    ///
    /// # Errors
    /// The group's name is too long for a message's properties.
    pub fn message(self, host: SocketAddr, now: BornTime) -> Result<PutBatch, StoreError> {
        let event = OffsetMovedEvent {
            consumer_group: self.group.into(),
            message_queue: self.queue,
            offset_new: self.next.0 as i64,
            offset_request: self.asked.0,
        };
        let text = properties::encode([(keys::TAGS, self.group), (keys::KEYS, self.group)]);
        let body = event.encode();
        let message = NewMessage::plain(offset_moved_topic(), QueueId(0), now, host, &body);
        PutBatch::of(&NewMessage { properties: text.as_bytes(), ..message })
    }
}
