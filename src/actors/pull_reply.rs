//! Answers a pull: from memory into the connection's buffer, from disk or in bulk as a list of slices.

use bytes::{Bytes, BytesMut};

use crate::broker::pull::{PullStatus, QueueBounds, Selection};
use crate::net::bulk::{STEP_BYTES, Slices};
use crate::net::reply::ReplyTo;
use crate::protocol::refusal::Refusal;
use crate::protocol::codes::response;
use crate::protocol::frame;
use crate::protocol::units::{ConnectionId, QueueOffset};
use crate::store::LogView;

/// Answers up to this size are copied straight behind the acknowledgements: that saves a write. Larger ones leave as
/// slices of the log, so that a reader who does not read costs their list only.
const COPY_BYTES_MAX: u64 = STEP_BYTES as u64 / 2;

/// The answer to one pull.
#[derive(Debug)]
pub struct PullReply {
    reply: ReplyTo,
    suggested_broker: u64,
    min: QueueOffset,
    max: QueueOffset,
}

impl PullReply {
    /// An answer that suggests `suggested_broker` for the next pull.
    #[must_use]
    pub fn new(reply: ReplyTo, suggested_broker: u64) -> Self {
        Self { reply, suggested_broker, min: QueueOffset(0), max: QueueOffset(0) }
    }

    /// The same with the bounds that the client is told.
    #[must_use]
    pub fn within(self, bounds: &QueueBounds) -> Self {
        Self { min: bounds.min, max: bounds.max, ..self }
    }

    /// Who waits for it.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.reply.peer().id
    }

    /// See [`ReplyTo::release`].
    pub fn release(&self) {
        self.reply.release();
    }

    /// Answers with an error.
    pub fn refuse(self, refusal: Refusal) {
        self.reply.refuse(refusal);
    }

    /// Answers that there is nothing, and where to go on.
    pub fn without_records(self, code: i32, status: PullStatus, next: QueueOffset) {
        let head = self.head(code, status, next, 0);
        self.reply.send_with(|out, opaque, serialization| frame::encode_pull_reply(&head.at(opaque), serialization, out));
    }

    /// Answers with records that are known to be in memory.
    pub fn from_memory(self, log: &LogView, selection: &Selection) {
        if selection.bytes > COPY_BYTES_MAX {
            let slices: Option<Vec<Bytes>> =
                selection.records.iter().map(|(physical, size)| log.slice(*physical, *size)).collect();
            return match slices {
                Some(slices) => self.in_bulk(selection, slices),
                None => self.removed(selection),
            };
        }
        // What cannot be read any more was removed a moment ago; the length must be known before the first byte.
        if selection.records.first().is_some_and(|(physical, _)| *physical < log.min()) {
            return self.removed(selection);
        }
        let head = self.head(response::SUCCESS, selection.status, selection.next, selection.bytes as usize);
        self.reply.send_with(|out, opaque, serialization| {
            let start = out.len();
            frame::encode_pull_reply(&head.at(opaque), serialization, out);
            let copied = selection.records.iter().all(|(physical, size)| log.copy_into(*physical, *size, out));
            if !copied {
                out.truncate(start);
                let retry = PullHead { code: response::PULL_RETRY_IMMEDIATELY, body_len: 0, ..head };
                frame::encode_pull_reply(&retry.at(opaque), serialization, out);
            }
        });
    }

    /// Answers with bytes that were read already.
    pub fn from_buffer(self, selection: &Selection, body: BytesMut) {
        self.in_bulk(selection, [body.freeze()]);
    }

    /// Answers that the records were removed while they were looked for.
    pub fn removed(self, selection: &Selection) {
        self.without_records(response::PULL_RETRY_IMMEDIATELY, PullStatus::MessageWasRemoving, selection.next);
    }

    fn in_bulk(self, selection: &Selection, slices: impl IntoIterator<Item = Bytes>) {
        let head = self.head(response::SUCCESS, selection.status, selection.next, selection.bytes as usize);
        self.reply.send_in_bulk(Box::new(Slices::new(slices)), |out, opaque, serialization| {
            frame::encode_pull_reply(&head.at(opaque), serialization, out);
        });
    }

    fn head(&self, code: i32, status: PullStatus, next: QueueOffset, body_len: usize) -> PullHead {
        PullHead {
            code,
            remark: status.name(),
            suggested_broker: self.suggested_broker,
            next,
            min: self.min,
            max: self.max,
            body_len,
        }
    }
}

/// What a pull's answer says ahead of its records.
#[derive(Clone, Copy)]
struct PullHead {
    code: i32,
    remark: &'static str,
    suggested_broker: u64,
    next: QueueOffset,
    min: QueueOffset,
    max: QueueOffset,
    body_len: usize,
}
