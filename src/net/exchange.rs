//! What somebody is told who wants to know of every request: that it came, and how it was answered.

use std::net::SocketAddr;
use std::sync::Arc;

use super::ledger::Owing;
use crate::protocol::command::CommandRef;
use crate::protocol::frame::{self, HeaderScratch};
use crate::protocol::units::{ConnectionId, Opaque};

/// Half of an exchange with a client. The first half of one comes before the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// A request came.
    Asked(Asked),
    /// A request was answered. This does not come for one-way requests, nor for those whose connection has ended.
    Answered(Answered),
}

/// A request as it came, before anybody looked into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The connection that it came by.
    pub connection: ConnectionId,
    /// The client.
    pub remote: SocketAddr,
    /// What is asked for: one of [`request`](crate::protocol::codes::request), or a code that nobody knows.
    pub code: i32,
    /// What the client tells its requests on one connection by.
    pub opaque: Opaque,
    /// Whether it wants no answer.
    pub oneway: bool,
    /// Length of its body.
    pub bytes: usize,
}

/// An answer on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The connection.
    pub connection: ConnectionId,
    /// The client.
    pub remote: SocketAddr,
    /// The code of the request.
    pub request: i32,
    /// The number that the request came with.
    pub opaque: Opaque,
    /// What is answered: one of [`response`](crate::protocol::codes::response).
    pub code: i32,
}

/// Is told of the exchanges of all connections: those of one read, or of one batch of answers, at a time. Runs in the
/// connections' tasks and in those of actors: it must neither block nor wait.
pub type ExchangeHook = Arc<dyn Fn(Vec<Exchange>) + Send + Sync>;

impl Asked {
    pub(super) fn of(request: &CommandRef<'_>, body: &[u8], connection: ConnectionId, remote: SocketAddr) -> Self {
        let CommandRef { code, opaque, .. } = *request;
        Self { connection, remote, code, opaque, oneway: request.is_oneway(), bytes: body.len() }
    }
}

/// The answers of one batch, told of when this is dropped: when nothing is locked any more. Nothing at all where nobody
/// is told.
pub(super) struct Answers<'a>(Option<Noted<'a>>);

struct Noted<'a> {
    hook: &'a ExchangeHook,
    exchanges: Vec<Exchange>,
    scratch: HeaderScratch,
}

impl<'a> Answers<'a> {
    pub(super) fn to(hook: Option<&'a ExchangeHook>) -> Self {
        Self(hook.map(|hook| Noted { hook, exchanges: Vec::new(), scratch: HeaderScratch::default() }))
    }

    /// Notes that `frame`, of which the body may be missing, answers a request. None was written for one-way requests.
    #[inline]
    pub(super) fn note(&mut self, client: (ConnectionId, SocketAddr), owing: &Owing, frame: &[u8]) {
        if let Some(noted) = &mut self.0 {
            noted.add(client, owing, frame);
        }
    }
}

impl Noted<'_> {
    fn add(&mut self, (connection, remote): (ConnectionId, SocketAddr), owing: &Owing, frame: &[u8]) {
        // What we have encoded ourselves can be read again; it is written in too many ways to hand the code along.
        let reply = frame::front(frame).and_then(|head| head.command(&mut self.scratch).ok().map(|reply| reply.code));
        let Some(code) = reply else { return };
        let (request, opaque) = (owing.code, owing.opaque);
        self.exchanges.push(Exchange::Answered(Answered { connection, remote, request, opaque, code }));
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if !self.exchanges.is_empty() {
            (self.hook)(std::mem::take(&mut self.exchanges));
        }
    }
}
