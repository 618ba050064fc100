//! The handles that answer requests, and the one place where errors become response codes.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smallvec::smallvec;

use super::bulk::BulkSource;
use super::ledger::{Line, Lines};
use super::peer::{Peer, Readiness};
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
    line: Option<Line>,
}

impl ReplyTo {
    pub(super) fn new(peer: Arc<Peer>, line: Option<Line>) -> Self {
        Self { peer, line }
    }

    /// Gives the line up to somebody who answers it.
    pub(super) fn into_line(mut self) -> Option<Line> {
        self.line.take()
    }

    /// The connection that the request came by.
    #[must_use]
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Answers with a command; its opaque and kind are set here. One that fits no frame is told as an error: no client could
    /// read it, and each would close its connection.
    pub fn send(self, reply: Command) {
        let reply = fitting(reply);
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
        let mut write = Some(write);
        self.peer.settle(std::slice::from_mut(&mut self.line), |_, opaque, serialization, out| {
            write.take().map(|write| write(out, opaque, serialization)).is_some()
        });
    }

    /// Answers with a head written by `write_head` and a body that `source` produces as the socket takes it.
    pub fn send_in_bulk(
        mut self,
        source: Box<dyn BulkSource>,
        write_head: impl FnOnce(&mut BytesMut, Opaque, Serialization),
    ) {
        if let Some(line) = self.line.take() {
            self.peer.settle_in_bulk(line, source, write_head);
        }
    }

    /// Gives the request's permits back and lets it wait for `hold` before its lane's patience begins: it is a question
    /// that waits for something to happen.
    pub fn park(&self, hold: Duration) {
        self.line.iter().for_each(|line| self.peer.park(*line, hold));
    }
}

/// What asks for something, if it is to be served now. If its client has not taken what it was sent before, it goes to what
/// `again` makes when that is so; if nobody waits for it any more, nowhere.
pub fn when_ready<T, A>(question: T, reply_of: impl Fn(&T) -> &ReplyTo, again: impl FnOnce() -> A) -> Option<T>
where
    T: Send + 'static,
    A: FnOnce(T) + Send + 'static,
{
    let reply = reply_of(&question);
    match reply.peer.readiness(reply.line) {
        Readiness::Ready => return Some(question),
        Readiness::Answered => {}
        Readiness::Full => {
            let (peer, again) = (Arc::clone(&reply.peer), again());
            peer.run_later(move || again(question));
        }
    }
    None
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        give_up(&self.peer, std::slice::from_mut(&mut self.line));
    }
}

/// Answers the requests of one connection that are served together, each once; numbered in their order.
///
/// Those that are dropped without an answer are answered as [`ReplyTo`] does.
#[derive(Debug)]
pub struct Replies {
    peer: Arc<Peer>,
    lines: Lines,
}

impl Replies {
    pub(super) fn new(peer: Arc<Peer>, lines: Lines) -> Self {
        Self { peer, lines }
    }

    /// The handle of a single request as one of many.
    #[must_use]
    pub fn of_one(reply: ReplyTo) -> Self {
        Self { peer: Arc::clone(&reply.peer), lines: smallvec![reply.into_line()] }
    }

    /// The connection that the requests came by.
    #[must_use]
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// How many requests there are, answered ones among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The handle of each request by itself.
    #[must_use]
    pub fn into_each(mut self) -> Vec<ReplyTo> {
        let lines = std::mem::take(&mut self.lines);
        lines.into_iter().map(|line| ReplyTo::new(Arc::clone(&self.peer), line)).collect()
    }

    /// Takes out the handle of one request; those behind it move up.
    ///
    /// # Panics
    /// There is no such request.
    #[must_use]
    pub fn take_out(&mut self, number: usize) -> ReplyTo {
        ReplyTo::new(Arc::clone(&self.peer), self.lines.remove(number))
    }

    /// The requests that were answered meanwhile, for lateness.
    #[must_use]
    pub fn answered(&self) -> Vec<usize> {
        self.peer.struck(&self.lines)
    }

    /// Answers those requests that `write` appends a whole frame for, and tells that it did.
    pub fn answer(&mut self, write: impl FnMut(usize, Opaque, Serialization, &mut BytesMut) -> bool) {
        self.peer.settle(&mut self.lines, write);
    }

    /// Lets those that are not answered wait for `longer` before their lane's patience begins: what they asked for is done,
    /// but for a promise that is still to be kept.
    pub fn let_wait(&self, longer: Duration) {
        self.peer.let_wait(&self.lines, longer);
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        give_up(&self.peer, &mut self.lines);
    }
}

fn fitting(reply: Command) -> Command {
    let bytes = reply.body.len();
    if bytes <= frame::ANSWER_BODY_BYTES_MAX {
        return reply;
    }
    let limit = frame::ANSWER_BODY_BYTES_MAX;
    Refusal::error(format!("the answer has {bytes} bytes, a frame takes {limit}: ask for less")).into_command()
}

fn give_up(peer: &Peer, lines: &mut [Option<Line>]) {
    if lines.iter().all(Option::is_none) {
        return;
    }
    peer.settle(lines, |_, opaque, serialization, out| {
        let refusal = Refusal::new(response::SYSTEM_ERROR, "the broker gave the request up, see its log");
        frame::encode(&refusal.into_command().with_opaque(opaque), serialization, out);
        true
    });
}

/// The store's errors as the response codes that RocketMQ has for them.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::TooLarge { .. } | StoreError::PropertiesTooLong { .. } | StoreError::Unstorable { .. } => {
                response::MESSAGE_ILLEGAL
            }
            StoreError::TopicClosed { .. } => response::TOPIC_NOT_EXIST,
            StoreError::DiskFull { .. } | StoreError::Poisoned => response::SERVICE_NOT_AVAILABLE,
            _ => response::SYSTEM_ERROR,
        };
        Self::new(code, error.to_string())
    }
}
