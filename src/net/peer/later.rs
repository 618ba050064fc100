//! Questions that are served when the client has taken some of what waits for it: until then they cost their request, not
//! their answer.

use std::collections::VecDeque;

use super::{Line, Peer, State};

/// Serves a question.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// So many are taken up at a time: their answers together are about what may wait.
const JOBS_AT_ONCE: usize = 8;

/// Questions of one connection that wait for room, in the order in which they came.
#[derive(Default)]
pub(super) struct Later {
    jobs: VecDeque<Job>,
}

/// Whether a question should be served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Readiness {
    /// Yes.
    Ready,
    /// Not yet: the client has not taken what waits for it.
    Full,
    /// No more: it was answered for lateness, or its connection has ended.
    Answered,
}

impl Later {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

impl Peer {
    /// Those whose turn it is.
    pub(super) fn take_due(&self, state: &mut State) -> Vec<Job> {
        if state.later.is_empty() || self.is_full(state) {
            return Vec::new();
        }
        let count = state.later.jobs.len().min(JOBS_AT_ONCE);
        state.later.jobs.drain(..count).collect()
    }

    /// Whether the request of a line should be served now. While it should not, it is its client that is waited for, so it
    /// is not overdue; its time begins anew when it may be served.
    pub(in crate::net) fn readiness(&self, line: Option<Line>) -> Readiness {
        let now = self.clock.elapsed();
        let mut state = self.state();
        let (closed, full) = (state.closed, self.is_full(&state));
        let owed = line.filter(|_| !closed).and_then(|line| state.ledger.owed(line));
        let Some(owed) = owed else { return Readiness::Answered };
        if full {
            owed.due = None;
            return Readiness::Full;
        }
        if owed.due.is_none() {
            owed.due = self.patience_of(owed).map(|patience| now + patience);
        }
        Readiness::Ready
    }

    /// Runs `job`, which serves a question of this client, when there is room for the answer: soon, or when the client has
    /// taken some of what waits for it. It is dropped when the connection ends.
    pub(in crate::net) fn run_later(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        // Dropped not under the lock: the request in it answers then.
        if state.closed {
            return drop(state);
        }
        state.later.jobs.push_back(Box::new(job));
        drop(state);
        // There may be room by now.
        self.outgoing.notify_one();
    }
}
