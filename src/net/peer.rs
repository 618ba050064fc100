//! One connection as everybody but its two tasks sees it: who is there, what is owed to it, what waits to be written.
//!
//! What is owed is kept in a ledger, one line per request. Replies share one buffer: those of one wake-up leave in one
//! write.
//!
//! The lock is held for as long as it takes to open the lines of one read, or to encode the replies of one batch. It is
//! the only one in the path of a message; a channel in its place costs an allocation per reply and joins nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

mod calls;
mod later;
mod settling;
mod waiting;

pub use calls::CallError;
pub(super) use later::Readiness;

use super::budget::Budget;
use super::bulk::{BulkSource, STEP_BYTES};
use super::exchange::{Answers, ExchangeHook};
use super::ledger::{Ledger, Line, Lines, Owed, Owing, Waiting};
use super::terms::Terms;
use crate::protocol::codes::response;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame;
use crate::protocol::units::{ConnectionId, Opaque};
use crate::time::SharedClock;
use calls::Calls;
use later::Later;
use settling::{Freed, WholeFrames};

/// Most bytes of requests in flight on one connection before it is read no further.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
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
    /// What holds for the requests of each lane.
    terms: Arc<[Terms]>,
    /// Bounds what waits to be written to all connections.
    replies: Arc<Budget>,
    /// Is told how requests are answered.
    exchanges: Option<ExchangeHook>,
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
    /// What the writer has taken and not written yet,
    writing_bytes: usize,
    /// and what the budget of all connections knows of.
    noted_bytes: usize,
    ledger: Ledger,
    calls: Calls,
    later: Later,
    /// Whether anything was read or written since the last sweep,
    active: bool,
    /// and when a sweep found that last.
    active_at: Duration,
}

/// A reply that is written in steps.
pub(super) struct Bulk {
    pub(super) head: BytesMut,
    pub(super) source: Box<dyn BulkSource>,
    cost: usize,
}

/// Those that are written in one go, mostly one.
pub(super) type Bulks = SmallVec<[Bulk; 1]>;

/// What a sweep found out about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Requests that were answered for those who did not.
    pub overdue: usize,
    /// How long nothing was read or written.
    pub idle: Duration,
}

impl State {
    /// The first reply in bulk, and those behind it that fit into what is left of `room` bytes.
    fn next_bulks(&mut self, mut room: usize) -> Bulks {
        let mut bulks = Bulks::new();
        while let Some(bytes) = self.bulk.front().map(Bulk::bytes).filter(|bytes| bulks.is_empty() || *bytes <= room) {
            room = room.saturating_sub(bytes);
            bulks.extend(self.bulk.pop_front().inspect(|bulk| self.bulk_cost -= bulk.cost));
        }
        bulks
    }
}

impl Bulk {
    fn bytes(&self) -> usize {
        self.head.len() + self.source.remaining()
    }
}

impl Peer {
    pub(super) fn new(
        id: ConnectionId,
        remote: SocketAddr,
        local: SocketAddr,
        clock: SharedClock,
        terms: Arc<[Terms]>,
        replies: Arc<Budget>,
        exchanges: Option<ExchangeHook>,
    ) -> Arc<Self> {
        let state = State { active_at: clock.elapsed(), ..State::default() };
        let (outgoing, room, ended) = (Notify::new(), Notify::new(), Notify::new());
        let state = Mutex::new(state);
        Arc::new(Self { id, remote, local, clock, terms, replies, exchanges, state, outgoing, room, ended })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while encoding leaves whole replies behind it (`WholeFrames`); the connection goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Ends the connection; what is owed to it is forgotten and the permits go back.
    pub fn close(&self) {
        let (open, later) = {
            let mut state = self.state();
            state.closed = true;
            state.calls.clear();
            state.bulk.clear();
            (state.bulk_cost, state.writing_bytes) = (0, 0);
            state.acks = BytesMut::new();
            self.note_waiting(&mut state);
            (state.ledger.release_all(), std::mem::take(&mut state.later))
        };
        open.iter().for_each(|owing| self.give_back(owing));
        // Not under the lock: the requests in it answer when they are dropped.
        drop(later);
        self.outgoing.notify_one();
        self.room.notify_one();
        self.ended.notify_one();
    }

    /// Comes true when the connection is closed from this side. For one task, which polls it until then.
    pub(super) fn ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// Whether every request was answered, or is a question that nobody misses, and every reply has left.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        state.closed || (!state.ledger.is_served() && !state.is_written_to())
    }

    /// Opens a line in the ledger for each request.
    pub(super) fn owe(&self, requests: impl Iterator<Item = Owing>, now: Duration) -> Lines {
        let mut state = self.state();
        state.active = true;
        if state.closed {
            // Its answers go nowhere, and nothing is taken from any budget for it.
            return requests.map(|owing| self.give_back(&owing)).map(|()| None).collect();
        }
        let patience = |lane: Option<u8>| self.terms_of(lane)?.limit();
        let mut lines = Lines::with_capacity(requests.size_hint().0);
        requests.for_each(|owing| lines.push(Some(state.ledger.open(owing, now, patience(owing.lane)))));
        lines
    }

    /// Writes the replies to lines that are still open and strikes them. `write` appends one reply as a whole frame and
    /// tells whether it did: a line that it leaves alone stays open. Of a request that wants no reply nothing is written.
    pub(super) fn settle(
        &self,
        lines: &mut [Option<Line>],
        mut write: impl FnMut(usize, Opaque, Serialization, &mut BytesMut) -> bool,
    ) {
        // Gone after the lock, by a panic of `write` too.
        let mut freed = Freed::of(self);
        let mut answers = Answers::to(self.exchanges.as_ref());
        let mut state = self.state();
        let State { closed, ledger, acks, .. } = &mut *state;
        let closed = *closed;
        let (was_full, had_common) = (ledger.bytes() >= REQUEST_BYTES_MAX, ledger.common_bytes() > 0);
        let written_before = acks.len();
        let mut frames = WholeFrames::behind(acks);
        for (number, slot) in lines.iter_mut().enumerate() {
            let Some(line) = *slot else { continue };
            let owing = ledger.owed(line).map(|owed| owed.owing);
            let answered = owing.is_none_or(|owing| {
                closed || owing.oneway || write(number, owing.opaque, owing.serialization, frames.bytes)
            });
            if answered {
                *slot = None;
                if let Some(owing) = &owing {
                    answers.note((self.id, self.remote), owing, frames.bytes.get(frames.whole..).unwrap_or_default());
                }
                frames.whole = frames.bytes.len();
                freed.extend(ledger.strike(line).map(|owed| owed.owing));
            }
        }
        drop(frames);
        self.note_waiting(&mut state);
        let wrote = state.acks.len() > written_before || !state.later.is_empty();
        // Who has nothing in flight may be read whatever others have taken.
        let may_be_read = was_full || (had_common && state.ledger.common_bytes() == 0);
        drop(state);
        drop(freed);
        if wrote {
            self.outgoing.notify_one();
        }
        if may_be_read {
            self.room.notify_one();
        }
    }

    /// Strikes a line and queues its bulk reply; nothing when it was struck before.
    pub(super) fn settle_in_bulk(
        &self,
        line: Line,
        source: Box<dyn BulkSource>,
        write_head: impl FnOnce(&mut BytesMut, Opaque, Serialization),
    ) {
        let mut answers = Answers::to(self.exchanges.as_ref());
        let mut state = self.state();
        let Some(Owed { owing, .. }) = state.ledger.strike(line) else { return };
        if !owing.oneway && !state.closed {
            let mut head = BytesMut::with_capacity(256);
            write_head(&mut head, owing.opaque, owing.serialization);
            answers.note((self.id, self.remote), &owing, &head);
            let cost = head.capacity() + source.cost();
            state.bulk_cost += cost;
            state.bulk.push_back(Bulk { head, source, cost });
            self.note_waiting(&mut state);
        }
        drop(state);
        self.give_back(&owing);
        self.room.notify_one();
        self.outgoing.notify_one();
    }

    /// Lets requests wait for `longer` than their lane's patience: what they asked for is done, but for a promise. They keep
    /// their permits, so that a disk that hangs holds producers up and fills no memory; the connection is read on.
    pub(super) fn let_wait(&self, lines: &[Option<Line>], longer: Duration) {
        let now = self.clock.elapsed();
        let mut state = self.state();
        for line in lines.iter().flatten() {
            state.ledger.relieve(*line);
            if let Some(owed) = state.ledger.owed(*line) {
                owed.due = self.patience_of(owed).map(|patience| now + longer + patience);
            }
        }
        drop(state);
        self.room.notify_one();
    }

    /// Gives the permits of a question back and lets it wait for something to happen, for `hold` before its lane's patience
    /// begins.
    pub(super) fn park(&self, line: Line, hold: Duration) {
        let now = self.clock.elapsed();
        let mut state = self.state();
        let Some(released) = state.ledger.release(line) else { return };
        if let Some(owed) = state.ledger.owed(line) {
            let due = self.patience_of(owed).map(|patience| now + hold + patience);
            (owed.due, owed.waiting) = (due, Waiting::Parked);
        }
        let awaited = !state.later.is_empty();
        drop(state);
        self.give_back(&released);
        self.room.notify_one();
        if awaited {
            self.outgoing.notify_one();
        }
    }

    /// Notes that a held request has got its permit now; false when it was answered meanwhile, or nobody will be.
    pub(super) fn lend(&self, line: Line) -> bool {
        let mut state = self.state();
        !state.closed && state.ledger.owed(line).map(|owed| owed.owing.lent = true).is_some()
    }

    /// Which of `lines` are answered already, for lateness mostly. That a connection has ended answers nobody.
    pub(super) fn struck(&self, lines: &[Option<Line>]) -> Vec<usize> {
        let mut state = self.state();
        let closed = state.closed;
        let open = |line: &Option<Line>| line.map_or(closed, |line| state.ledger.owed(line).is_some());
        lines.iter().map(open).enumerate().filter(|(_, open)| !open).map(|(number, _)| number).collect()
    }

    /// Whether the reader may take in more.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state();
        state.closed || (state.ledger.bytes() < REQUEST_BYTES_MAX && !self.is_full(&state))
    }

    /// Whether anything is owed that holds bytes of the common budget.
    pub(super) fn holds_requests(&self) -> bool {
        self.state().ledger.common_bytes() > 0
    }

    /// Comes true when there may be more room than at the last look.
    pub(super) fn room(&self) -> Notified<'_> {
        self.room.notified()
    }

    /// Notes that something was read that is no whole request yet.
    pub(super) fn touch(&self) {
        self.state().active = true;
    }

    /// Moves what is to be written next into `out`, or says that there is nothing.
    ///
    /// Acknowledgements first, then one bulk reply, and those behind it that one step has room for as well. A large one the
    /// writer goes on with by itself: a frame cannot be interrupted, but the next one waits until the acknowledgements have
    /// passed.
    pub(super) fn next_outgoing(&self, out: &mut BytesMut) -> Outgoing {
        let mut state = self.state();
        if state.closed {
            return Outgoing::Closed;
        }
        let was_much = state.is_much();
        if !state.acks.is_empty() {
            std::mem::swap(out, &mut state.acks);
        }
        let bulks = state.next_bulks(STEP_BYTES.saturating_sub(out.len()));
        state.active |= !bulks.is_empty() || !out.is_empty();
        state.writing_bytes = out.len() + bulks.iter().map(|bulk| bulk.head.len()).sum::<usize>();
        self.note_waiting(&mut state);
        let due = self.take_due(&mut state);
        drop(state);
        if was_much {
            self.room.notify_one();
        }
        due.into_iter().for_each(|job| job());
        if out.is_empty() && bulks.is_empty() { Outgoing::Nothing } else { Outgoing::Write(bulks) }
    }

    /// Waits until there may be something to write.
    pub(super) async fn outgoing(&self) {
        self.outgoing.notified().await;
    }

    /// Answers SYSTEM_BUSY to requests that are overdue and ends calls that nobody answered.
    pub fn sweep(&self) -> Swept {
        let now = self.clock.elapsed();
        let mut state = self.state();
        let late = state.ledger.overdue(now);
        state.calls.end_overdue(now);
        if std::mem::take(&mut state.active) {
            state.active_at = now;
        }
        let swept = Swept { overdue: late.len(), idle: now.saturating_sub(state.active_at) };
        drop(state);
        for (line, owed) in late {
            let waited = now.saturating_sub(owed.since).as_millis();
            let remark = self.terms_of(owed.owing.lane).and_then(|terms| terms.patience).map_or("", |told| told.remark);
            let remark = format!("{remark}, period in queue: {waited}ms, size of queue: {}", swept.overdue);
            self.settle(&mut [Some(line)], |_, opaque, serialization, out| {
                let busy = Command::reply(response::SYSTEM_BUSY, opaque).with_remark(remark.as_str());
                frame::encode(&busy, serialization, out);
                true
            });
        }
        swept
    }

    fn terms_of(&self, lane: Option<u8>) -> Option<&Terms> {
        self.terms.get(usize::from(lane?))
    }

    fn patience_of(&self, owed: &Owed) -> Option<Duration> {
        self.terms_of(owed.owing.lane)?.limit()
    }

    fn give_back(&self, owing: &Owing) {
        if owing.lent
            && let Some(budget) = self.terms_of(owing.lane).and_then(|terms| terms.budget.as_ref())
        {
            budget.give_back(owing.bytes);
        }
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// What the writer is to do next.
pub(super) enum Outgoing {
    /// The buffer may hold acknowledgements; these replies follow them.
    Write(Bulks),
    /// Nothing waits.
    Nothing,
    /// The connection has ended.
    Closed,
}
