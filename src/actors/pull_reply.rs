//! Answers a pull: from memory into the connection's buffer, from disk or in bulk as a list of slices.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::broker::pull::admission::Suggested;
use crate::broker::pull::{PullStatus, QueueBounds, Selection};
use crate::net::bulk::{STEP_BYTES, Slices};
use crate::net::reply::ReplyTo;
use crate::protocol::codes::response;
use crate::protocol::refusal::Refusal;
use crate::protocol::replies::PullAnswer;
use crate::protocol::units::{ConnectionId, QueueOffset};
use crate::store::LogView;

/// Answers up to this size are copied straight behind the acknowledgements: that saves a write. Larger ones leave as
/// slices of the log, so that a reader who does not read costs their list only.
const COPY_BYTES_MAX: u64 = STEP_BYTES as u64 / 2;

/// The answer to one pull.
#[derive(Debug)]
pub struct PullReply {
    reply: ReplyTo,
    suggested: Suggested,
    is_behind: bool,
    min: QueueOffset,
    max: QueueOffset,
}

impl PullReply {
    /// An answer that suggests a broker for the next pull.
    #[must_use]
    pub fn new(reply: ReplyTo, suggested: Suggested) -> Self {
        Self { reply, suggested, is_behind: false, min: QueueOffset(0), max: QueueOffset(0) }
    }

    /// The same with the bounds that the client is told, and with whether it is far behind.
    #[must_use]
    pub fn within(self, bounds: &QueueBounds, is_behind: bool) -> Self {
        Self { min: bounds.min, max: bounds.max, is_behind, ..self }
    }

    /// Who waits for it.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.reply.peer().id
    }

    /// What answers it.
    #[must_use]
    pub fn handle(&self) -> &ReplyTo {
        &self.reply
    }

    /// See [`ReplyTo::park`].
    pub fn park(&self, hold: Duration) {
        self.reply.park(hold);
    }

    /// Answers with an error.
    pub fn refuse(self, refusal: Refusal) {
        self.reply.refuse(refusal);
    }

    /// Answers that there is nothing, and where to go on.
    pub fn without_records(self, code: i32, status: PullStatus, next: QueueOffset) {
        let head = self.head(code, status, next);
        self.reply.send_with(|out, opaque, serialization| head.write(opaque, 0, serialization, out));
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
        let head = self.head(response::SUCCESS, selection.status, selection.next);
        self.reply.send_with(|out, opaque, serialization| {
            let start = out.len();
            head.write(opaque, selection.bytes as usize, serialization, out);
            let copied = selection.records.iter().all(|(physical, size)| log.copy_into(*physical, *size, out));
            if !copied {
                out.truncate(start);
                let retry = PullAnswer { code: response::PULL_RETRY_IMMEDIATELY, ..head };
                retry.write(opaque, 0, serialization, out);
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
        let head = self.head(response::SUCCESS, selection.status, selection.next);
        self.reply.send_in_bulk(Box::new(Slices::new(slices)), |out, opaque, serialization| {
            head.write(opaque, selection.bytes as usize, serialization, out);
        });
    }

    fn head(&self, code: i32, status: PullStatus, next: QueueOffset) -> PullAnswer {
        PullAnswer {
            code,
            remark: status.name(),
            suggested_broker: if self.is_behind { self.suggested.when_behind } else { self.suggested.usually },
            next,
            min: self.min,
            max: self.max,
        }
    }
}
