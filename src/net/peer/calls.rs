//! Requests of this side to the client.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Peer;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame;
use crate::protocol::units::Opaque;

/// Requests to one client that await their replies.
#[derive(Default)]
pub(super) struct Calls {
    open: HashMap<Opaque, Call>,
    last_opaque: i32,
}

struct Call {
    reply: oneshot::Sender<Command>,
    until: Duration,
}

/// Why a request to a client has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The connection is gone.
    #[error("the connection to the client is closed")]
    Closed,
    /// The client has not taken what it was sent before.
    #[error("the client does not read what it is sent")]
    ReadsNothing,
    /// The client did not answer in time.
    #[error("the client did not answer in time")]
    Timeout,
}

impl Calls {
    fn fresh_opaque(&mut self) -> Opaque {
        self.last_opaque = self.last_opaque.wrapping_add(1);
        Opaque(self.last_opaque)
    }

    /// Ends all of them: whoever waits is told.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// Ends those that have waited for too long.
    pub(super) fn end_overdue(&mut self, now: Duration) {
        self.open.retain(|_, call| call.until > now);
    }
}

impl Peer {
    /// Sends a request that wants no reply to the client. One that does not read what it is sent gets no more of them.
    pub fn notify(&self, command: Command) {
        let mut state = self.state();
        if self.is_full(&state) {
            tracing::debug!(peer = %self.remote, code = command.code, "a client that reads nothing is not told");
        } else if !state.closed {
            let opaque = state.calls.fresh_opaque();
            // Clients are told in JSON: some read nothing else.
            frame::encode(&command.oneway().with_opaque(opaque), Serialization::Json, &mut state.acks);
            self.note_waiting(&mut state);
            drop(state);
            self.outgoing.notify_one();
        }
    }

    /// Sends a request to the client and waits for its reply, for `limit` and up to a second more.
    ///
    /// # Errors
    /// The connection ended, or the client reads nothing or did not answer.
    pub async fn call(&self, command: Command, limit: Duration) -> Result<Command, CallError> {
        let (reply, replied) = oneshot::channel();
        {
            let mut state = self.state();
            if state.closed {
                return Err(CallError::Closed);
            }
            if self.is_full(&state) {
                return Err(CallError::ReadsNothing);
            }
            let opaque = state.calls.fresh_opaque();
            let until = self.clock.elapsed() + limit;
            state.calls.open.insert(opaque, Call { reply, until });
            frame::encode(&command.with_opaque(opaque), Serialization::Json, &mut state.acks);
            self.note_waiting(&mut state);
        }
        self.outgoing.notify_one();
        replied.await.map_err(|_| if self.is_closed() { CallError::Closed } else { CallError::Timeout })
    }

    /// Hands a client's reply to whoever awaits it.
    pub(in crate::net) fn replied(&self, reply: Command) {
        let call = self.state().calls.open.remove(&reply.opaque);
        if let Some(call) = call {
            // The caller may have given up; then nobody wants the reply.
            let _ = call.reply.send(reply);
        }
    }
}
