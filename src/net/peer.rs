//! One connection as everybody but its two tasks sees it: who is there, what is owed to it, what waits to be written.
//!
//! What is owed is kept in a ledger, one line per request. A line is struck when its reply is written into the outgoing
//! buffer, so a reply that comes twice, or after the line was struck for lateness, goes nowhere; and a line that nobody
//! strikes is found by the sweep. Replies share one buffer: those of one wake-up leave in one write.
//!
//! The lock is held for as long as it takes to encode one reply. It is the only one in the path of a message; a channel
//! in its place costs an allocation per reply and joins nothing.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::{Notify, oneshot};

use super::budget::Budget;
use super::bulk::BulkSource;
use super::reply::ReplyTo;
use crate::protocol::codes::response;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame;
use crate::protocol::units::{ConnectionId, Opaque};
use crate::time::SharedClock;

/// Most bytes of requests in flight on one connection before it is read no further.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of replies waiting on one connection before it is read no further.
pub const REPLY_BYTES_MAX: usize = 256 * 1024;

/// A connection's shared side; see the module's text.
pub struct Peer {
    /// Number of the connection, never used twice by one process.
    pub id: ConnectionId,
    /// The other side.
    pub remote: SocketAddr,
    /// This side.
    pub local: SocketAddr,
    clock: SharedClock,
    state: Mutex<State>,
    /// Wakes the writer.
    outgoing: Notify,
    /// Wakes the reader that waits for room.
    room: Notify,
    /// Wakes the reader that waits for bytes, at the end.
    ended: Notify,
}

#[derive(Default)]
struct State {
    closed: bool,
    acks: BytesMut,
    bulk: VecDeque<Bulk>,
    bulk_cost: usize,
    ledger: Vec<Option<Owed>>,
    vacant: Vec<u32>,
    next_serial: u32,
    request_bytes: usize,
    calls: HashMap<Opaque, Call>,
    next_opaque: i32,
    active_at: Duration,
}

/// A line of the ledger.
struct Owed {
    serial: u32,
    opaque: Opaque,
    serialization: Serialization,
    oneway: bool,
    charge: Charge,
    overdue: Option<Overdue>,
}

/// Bytes that a request holds until it is answered, and the budget shared with other connections that lent them.
#[derive(Default)]
pub(super) struct Charge {
    pub(super) bytes: usize,
    pub(super) budget: Option<Arc<Budget>>,
}

/// What is answered to a request that nobody has answered in time.
#[derive(Clone, Debug)]
struct Overdue {
    at: Duration,
    since: Duration,
    remark: &'static str,
}

/// How long a request of a lane may stay unanswered, and what it is told then.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest wait.
    pub limit: Duration,
    /// What the SYSTEM_BUSY that ends the wait begins with.
    pub remark: &'static str,
}

/// A reply that is written in steps.
pub(super) struct Bulk {
    pub(super) head: BytesMut,
    pub(super) source: Box<dyn BulkSource>,
    cost: usize,
}

/// A request of ours to the client that awaits its reply.
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
    /// The client did not answer in time.
    #[error("the client did not answer in time")]
    Timeout,
}

/// What a sweep found out about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Requests that were answered for those who did not.
    pub overdue: usize,
    /// How long nothing was read or written.
    pub idle: Duration,
}

impl Peer {
    pub(super) fn new(id: ConnectionId, remote: SocketAddr, local: SocketAddr, clock: SharedClock) -> Arc<Self> {
        let state = State { active_at: clock.elapsed(), ..State::default() };
        let (outgoing, room, ended) = (Notify::new(), Notify::new(), Notify::new());
        Arc::new(Self { id, remote, local, clock, state: Mutex::new(state), outgoing, room, ended })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while encoding leaves whole replies behind it; the connection goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request that wants no reply to the client.
    pub fn notify(&self, command: Command) {
        let mut state = self.state();
        if !state.closed {
            let opaque = state.fresh_opaque();
            // Clients are told in JSON: some read nothing else.
            frame::encode(&command.oneway().with_opaque(opaque), Serialization::Json, &mut state.acks);
            drop(state);
            self.outgoing.notify_one();
        }
    }

    /// Sends a request to the client and waits for its reply, at most for `limit`.
    ///
    /// # Errors
    /// The connection ended, or the client did not answer.
    pub async fn call(&self, command: Command, limit: Duration) -> Result<Command, CallError> {
        let (reply, replied) = oneshot::channel();
        {
            let mut state = self.state();
            if state.closed {
                return Err(CallError::Closed);
            }
            let opaque = state.fresh_opaque();
            let until = self.clock.elapsed() + limit;
            state.calls.insert(opaque, Call { reply, until });
            frame::encode(&command.with_opaque(opaque), Serialization::Json, &mut state.acks);
        }
        self.outgoing.notify_one();
        replied.await.map_err(|_| if self.is_closed() { CallError::Closed } else { CallError::Timeout })
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Ends the connection; what is owed to it is forgotten and the permits go back.
    pub fn close(&self) {
        let ledger = {
            let mut state = self.state();
            state.closed = true;
            state.calls.clear();
            state.bulk.clear();
            state.bulk_cost = 0;
            state.acks = BytesMut::new();
            state.vacant.clear();
            state.request_bytes = 0;
            std::mem::take(&mut state.ledger)
        };
        ledger.into_iter().flatten().for_each(|owed| owed.charge.give_back());
        self.outgoing.notify_one();
        self.room.notify_one();
        self.ended.notify_one();
    }

    /// Waits until the connection is closed from this side.
    pub(super) async fn ended(&self) {
        while !self.is_closed() {
            self.ended.notified().await;
        }
    }

    /// Whether every request was answered, or waits by right, and every reply has left.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        let waits = state.ledger.iter().flatten().any(|owed| owed.overdue.is_some());
        state.closed || (!waits && state.acks.is_empty() && state.bulk.is_empty())
    }

    /// Opens a line in the ledger for each of `requests` and gives the handles that strike them.
    pub(super) fn owe(self: &Arc<Self>, command: &Command, serialization: Serialization, owing: Owing) -> ReplyTo {
        let mut state = self.state();
        let serial = state.next_serial;
        state.next_serial = serial.wrapping_add(1);
        state.request_bytes += owing.charge.bytes;
        let overdue = owing.patience.map(|patience| Overdue {
            at: owing.now + patience.limit,
            since: owing.now,
            remark: patience.remark,
        });
        let owed = Owed {
            serial,
            opaque: command.opaque,
            serialization,
            oneway: command.is_oneway(),
            charge: owing.charge,
            overdue,
        };
        let line = match state.vacant.pop() {
            Some(line) => line,
            None => {
                state.ledger.push(None);
                (state.ledger.len() - 1) as u32
            }
        };
        if let Some(slot) = state.ledger.get_mut(line as usize) {
            *slot = Some(owed);
        }
        drop(state);
        ReplyTo::new(Arc::clone(self), line, serial)
    }

    /// Strikes a line and writes its reply; false when it was struck before.
    pub(super) fn settle(
        &self,
        line: u32,
        serial: u32,
        write: impl FnOnce(&mut BytesMut, Opaque, Serialization),
    ) -> bool {
        let mut state = self.state();
        let Some(owed) = state.strike(line, serial) else { return false };
        if !owed.oneway {
            write(&mut state.acks, owed.opaque, owed.serialization);
        }
        drop(state);
        self.settled(owed);
        true
    }

    /// Strikes a line and queues its bulk reply; false when it was struck before.
    pub(super) fn settle_in_bulk(
        &self,
        line: u32,
        serial: u32,
        source: Box<dyn BulkSource>,
        write_head: impl FnOnce(&mut BytesMut, Opaque, Serialization),
    ) -> bool {
        let mut state = self.state();
        let Some(owed) = state.strike(line, serial) else { return false };
        if !owed.oneway {
            let mut head = BytesMut::with_capacity(256);
            write_head(&mut head, owed.opaque, owed.serialization);
            let cost = head.capacity() + source.cost();
            state.bulk_cost += cost;
            state.bulk.push_back(Bulk { head, source, cost });
        }
        drop(state);
        self.settled(owed);
        true
    }

    fn settled(&self, owed: Owed) {
        if owed.charge.bytes > 0 {
            owed.charge.give_back();
            self.room.notify_one();
        }
        if !owed.oneway {
            self.outgoing.notify_one();
        }
    }

    /// Gives a request's permits back before it is answered and stops the watch over its lateness.
    ///
    /// For what waits by right: a parked pull, an appended message that awaits its sync.
    pub(super) fn release(&self, line: u32, serial: u32) {
        let mut state = self.state();
        let Some(owed) = state.line(line, serial) else { return };
        owed.overdue = None;
        let charge = std::mem::take(&mut owed.charge);
        state.request_bytes = state.request_bytes.saturating_sub(charge.bytes);
        drop(state);
        if charge.bytes > 0 {
            charge.give_back();
            self.room.notify_one();
        }
    }

    /// Lends a held request the bytes that its lane's budget now has room for; false when it was answered meanwhile.
    pub(super) fn lend(&self, reply: &ReplyTo, budget: &Arc<Budget>) -> bool {
        let mut state = self.state();
        let Some(owed) = state.line(reply.line(), reply.serial()) else { return false };
        owed.charge.budget = Some(Arc::clone(budget));
        true
    }

    /// Whether the line is still owed.
    pub(super) fn owes(&self, line: u32, serial: u32) -> bool {
        self.state().line(line, serial).is_some()
    }

    /// Hands a client's reply to whoever awaits it.
    pub(super) fn replied(&self, reply: Command) {
        let call = self.state().calls.remove(&reply.opaque);
        if let Some(call) = call {
            // The caller may have given up; then nobody wants the reply.
            let _ = call.reply.send(reply);
        }
    }

    /// Whether the reader may take in more.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state();
        state.closed
            || (state.request_bytes < REQUEST_BYTES_MAX && state.acks.len() + state.bulk_cost < REPLY_BYTES_MAX)
    }

    /// Waits until [`Peer::has_room`].
    pub(super) async fn room(&self) {
        while !self.has_room() {
            self.room.notified().await;
        }
    }

    /// Notes that something was read or written.
    pub(super) fn touch(&self) {
        let now = self.clock.elapsed();
        self.state().active_at = now;
    }

    /// Moves what is to be written next into `out`, or says that there is nothing.
    ///
    /// Acknowledgements first, then the beginning of one bulk reply, which the writer goes on with by itself: a frame
    /// cannot be interrupted, but the next one waits until the acknowledgements have passed.
    pub(super) fn next_outgoing(&self, out: &mut BytesMut) -> Outgoing {
        let mut state = self.state();
        if state.closed {
            return Outgoing::Closed;
        }
        if !state.acks.is_empty() {
            std::mem::swap(out, &mut state.acks);
        }
        let bulk = state.bulk.pop_front();
        if let Some(bulk) = &bulk {
            state.bulk_cost -= bulk.cost;
        }
        drop(state);
        match bulk {
            Some(bulk) => Outgoing::Bulk(bulk),
            None if out.is_empty() => Outgoing::Nothing,
            None => Outgoing::Acks,
        }
    }

    /// Waits until there may be something to write.
    pub(super) async fn outgoing(&self) {
        self.outgoing.notified().await;
    }

    /// Tells the reader that replies have left.
    pub(super) fn wrote(&self) {
        self.touch();
        self.room.notify_one();
    }

    /// Answers SYSTEM_BUSY to requests that are overdue and ends calls that nobody answered.
    pub fn sweep(&self) -> Swept {
        let now = self.clock.elapsed();
        let mut state = self.state();
        let late: Vec<(u32, u32, Overdue)> = (0u32..)
            .zip(&state.ledger)
            .filter_map(|(line, owed)| {
                let owed = owed.as_ref()?;
                let overdue = owed.overdue.as_ref().filter(|overdue| overdue.at <= now)?;
                Some((line, owed.serial, overdue.clone()))
            })
            .collect();
        state.calls.retain(|_, call| call.until > now);
        let swept = Swept { overdue: late.len(), idle: now.saturating_sub(state.active_at) };
        drop(state);
        let size = late.len();
        for (line, serial, overdue) in late {
            let waited = now.saturating_sub(overdue.since).as_millis();
            let remark = format!("{}, period in queue: {waited}ms, size of queue: {size}", overdue.remark);
            self.settle(line, serial, |out, opaque, serialization| {
                frame::encode(&Command::reply(response::SYSTEM_BUSY, opaque).with_remark(remark), serialization, out);
            });
        }
        swept
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// What opens a line of the ledger.
pub(super) struct Owing {
    pub(super) charge: Charge,
    pub(super) patience: Option<Patience>,
    pub(super) now: Duration,
}

/// What the writer is to do next.
pub(super) enum Outgoing {
    /// The buffer holds acknowledgements.
    Acks,
    /// The buffer may hold acknowledgements; this reply follows them.
    Bulk(Bulk),
    /// Nothing waits.
    Nothing,
    /// The connection has ended.
    Closed,
}

impl Charge {
    fn give_back(self) {
        if let Some(budget) = self.budget {
            budget.give_back(self.bytes);
        }
    }
}

impl State {
    fn line(&mut self, line: u32, serial: u32) -> Option<&mut Owed> {
        self.ledger.get_mut(line as usize)?.as_mut().filter(|owed| owed.serial == serial)
    }

    fn strike(&mut self, line: u32, serial: u32) -> Option<Owed> {
        self.line(line, serial)?;
        let owed = self.ledger.get_mut(line as usize)?.take()?;
        self.vacant.push(line);
        self.request_bytes = self.request_bytes.saturating_sub(owed.charge.bytes);
        Some(owed)
    }

    fn fresh_opaque(&mut self) -> Opaque {
        self.next_opaque = self.next_opaque.wrapping_add(1);
        Opaque(self.next_opaque)
    }
}
