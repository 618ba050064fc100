//! Answers a send: offsets and message ids into the reply, region and trace switch into each, errors included.

use std::net::SocketAddr;
use std::sync::Arc;

use super::commitlog_actor::PutStatus;
use crate::net::reply::ReplyTo;
use crate::protocol::codes::response;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::properties::keys;
use crate::protocol::refusal::Refusal;
use crate::protocol::replies::SendAnswer;
use crate::protocol::units::{Opaque, QueueId};
use crate::store::Placed;

/// What every send reply of a broker says of the broker.
#[derive(Clone, Debug)]
pub struct SendStyle {
    /// The address in message ids: admin tools connect to it.
    pub store_host: SocketAddr,
    /// `regionId` of the configuration.
    pub region: String,
    /// `traceOn` of the configuration.
    pub trace_on: bool,
}

/// The answer to one send.
#[derive(Debug)]
pub struct SendReply {
    /// Whom it goes to.
    pub reply: ReplyTo,
    /// The queue that the message was put into.
    pub queue_id: QueueId,
    /// What it says of the broker.
    pub style: Arc<SendStyle>,
}

impl SendReply {
    /// Tells the producer where its messages lie.
    pub fn stored(self, status: PutStatus, placed: &[Placed]) {
        let code = match status {
            PutStatus::Ok => response::SUCCESS,
            PutStatus::FlushDiskTimeout => response::FLUSH_DISK_TIMEOUT,
        };
        let (style, queue_id) = (self.style, self.queue_id);
        self.reply.send_with(|out, opaque, serialization| {
            let answer = SendAnswer {
                code,
                opaque,
                store_host: style.store_host,
                queue_id,
                queue_offset: placed.first().map(|placed| placed.queue_offset).unwrap_or_default(),
                region: &style.region,
                trace_on: style.trace_on,
            };
            answer.write(placed.iter().map(|placed| placed.physical), serialization, out);
        });
    }

    /// Tells the producer why its messages were not stored.
    pub fn refuse(self, refusal: Refusal) {
        let mut ext = ExtFields::builder();
        ext.push(keys::MSG_REGION, &self.style.region).push(keys::TRACE_ON, self.style.trace_on);
        let reply = Command::reply(refusal.code, Opaque(0)).with_remark(refusal.remark).with_ext(ext.build());
        self.reply.send(reply);
    }

    /// See [`ReplyTo::release`].
    pub fn release(&self) {
        self.reply.release();
    }

    /// See [`ReplyTo::is_awaited`].
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.reply.is_awaited()
    }
}
