//! What servers ask of a client, on the connection that it has opened: that members of a group have changed, say.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::protocol::codes::response;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame::{self, Frame};
use crate::protocol::units::Opaque;

/// A request of a server.
#[derive(Debug)]
pub struct Pushed {
    /// `host:port` of the server, as it was connected to.
    pub address: Arc<str>,
    /// What it asks.
    pub command: Command,
    /// The way to answer it.
    pub answer: Answer,
}

/// The answer to a request of a server. One that is dropped says that nobody serves such requests, so that no server waits
/// in vain.
#[derive(Debug)]
pub struct Answer {
    code: i32,
    /// `None` once it is given, or if none is wanted.
    opaque: Option<Opaque>,
    serialization: Serialization,
    outgoing: mpsc::WeakSender<Bytes>,
}

impl Answer {
    /// The way to answer a request that has come in `frame`.
    pub(super) fn to(frame: &Frame, command: &Command, outgoing: &mpsc::WeakSender<Bytes>) -> Self {
        Self {
            code: command.code,
            opaque: (!command.is_oneway()).then_some(command.opaque),
            serialization: frame.serialization,
            outgoing: outgoing.clone(),
        }
    }

    /// Answers with a reply, whose opaque is set here, if one is wanted and the connection still stands.
    pub fn give(mut self, reply: Command) {
        self.push(reply);
    }

    fn push(&mut self, reply: Command) {
        let Some(opaque) = self.opaque.take() else { return };
        let mut out = BytesMut::new();
        frame::encode(&reply.with_opaque(opaque), self.serialization, &mut out);
        // With a full queue the server's call times out, which costs less than to stop reading its replies.
        self.outgoing.upgrade().map(|outgoing| outgoing.try_send(out.freeze()));
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let remark = format!(" request type {} not supported", self.code);
        self.push(Command::reply(response::REQUEST_CODE_NOT_SUPPORTED, Opaque(0)).with_remark(remark));
    }
}
