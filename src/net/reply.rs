//! The handle that answers one request, and the one place where errors become response codes.

use std::sync::Arc;

use bytes::BytesMut;

use super::bulk::BulkSource;
use super::peer::Peer;
use crate::protocol::codes::response;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::Opaque;
use crate::store::StoreError;

/// Answers one request, once.
///
/// Dropped without an answer it answers SYSTEM_ERROR itself: an actor that loses a request, by a panic or by a mistake,
/// cannot leave a client waiting. Answers to one-way requests, to closed connections and to requests that were answered
/// for lateness go nowhere.
#[derive(Debug)]
pub struct ReplyTo {
    peer: Arc<Peer>,
    line: u32,
    serial: u32,
    answered: bool,
}

impl ReplyTo {
    pub(super) fn new(peer: Arc<Peer>, line: u32, serial: u32) -> Self {
        Self { peer, line, serial, answered: false }
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    pub(super) fn serial(&self) -> u32 {
        self.serial
    }

    /// The connection that the request came by.
    #[must_use]
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Answers with a command; its opaque and kind are set here.
    pub fn send(self, reply: Command) {
        self.send_with(|out, opaque, serialization| frame::encode(&reply.with_opaque(opaque), serialization, out));
    }

    /// Answers with a refusal.
    pub fn refuse(self, refusal: Refusal) {
        self.send(refusal.into_command());
    }

    /// Answers success without fields or body.
    pub fn succeed(self) {
        self.send(Command::reply(response::SUCCESS, Opaque(0)));
    }

    /// Answers with bytes that `write` appends: one whole frame. For replies too frequent to be built as commands.
    pub fn send_with(mut self, write: impl FnOnce(&mut BytesMut, Opaque, Serialization)) {
        self.answered = true;
        self.peer.settle(self.line, self.serial, write);
    }

    /// Answers with a head written by `write_head` and a body that `source` produces as the socket takes it.
    pub fn send_in_bulk(
        mut self,
        source: Box<dyn BulkSource>,
        write_head: impl FnOnce(&mut BytesMut, Opaque, Serialization),
    ) {
        self.answered = true;
        self.peer.settle_in_bulk(self.line, self.serial, source, write_head);
    }

    /// Gives the request's permits back and lets it wait without limit: it is parked, or stored and awaits its sync.
    pub fn release(&self) {
        self.peer.release(self.line, self.serial);
    }

    /// Whether an answer would still go anywhere.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.peer.owes(self.line, self.serial)
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if !self.answered {
            let refusal = Refusal::new(response::SYSTEM_ERROR, "the broker gave the request up, see its log");
            self.peer.settle(self.line, self.serial, |out, opaque, serialization| {
                frame::encode(&refusal.into_command().with_opaque(opaque), serialization, out);
            });
        }
    }
}

/// The store's errors as the response codes that RocketMQ has for them.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::TooLarge { .. } | StoreError::PropertiesTooLong { .. } => response::MESSAGE_ILLEGAL,
            StoreError::DiskFull { .. } | StoreError::Poisoned => response::SERVICE_NOT_AVAILABLE,
            _ => response::SYSTEM_ERROR,
        };
        Self::new(code, error.to_string())
    }
}
