//! Requests on their way to an actor: all of a lane that one read of a socket brought, as one message.

use actix::{Message, Recipient};

use super::fault::notify;
use crate::net::reply::ReplyTo;
use crate::net::router::{Request, Service};
use crate::protocol::refusal::Refusal;

/// What an actor that serves clients takes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Requests {
    /// In the order of their arrival.
    pub requests: Vec<Request>,
}

/// A lane that leads straight to an actor.
pub struct ToActor(pub Recipient<Requests>);

impl Service for ToActor {
    fn serve(&self, requests: Vec<Request>) {
        notify(&self.0, Requests { requests });
    }
}

/// Answers a request with what a function made of it.
pub fn answer(reply: ReplyTo, outcome: Result<crate::protocol::command::Command, Refusal>) {
    match outcome {
        Ok(command) => reply.send(command),
        Err(refusal) => reply.refuse(refusal),
    }
}

/// A reply that says success, to be filled with what was asked for.
#[must_use]
pub fn success() -> crate::protocol::command::Command {
    use crate::protocol::codes::response;
    crate::protocol::command::Command::reply(response::SUCCESS, crate::protocol::units::Opaque(0))
}
