//! Which request code goes to whom.

use std::collections::HashMap;
use std::sync::Arc;

use super::budget::Budget;
use super::peer::{Patience, Peer};
use super::reply::ReplyTo;
use crate::protocol::command::{Command, Serialization};

/// One request on its way to whoever serves it.
#[derive(Debug)]
pub struct Request {
    /// What was asked.
    pub command: Command,
    /// How it was written, and so how the reply will be.
    pub serialization: Serialization,
    /// Answers it.
    pub reply: ReplyTo,
}

/// Takes the requests of one lane.
pub trait Service: Send + Sync + 'static {
    /// Takes all requests of this lane that one read of a socket brought.
    ///
    /// Runs in the connection's task on the arbiter that serves sockets: it must neither block nor wait.
    fn serve(&self, requests: Vec<Request>);
}

impl<F: Fn(Vec<Request>) + Send + Sync + 'static> Service for F {
    fn serve(&self, requests: Vec<Request>) {
        self(requests);
    }
}

/// What is heard of connections that are gone.
pub type ClosedHook = Arc<dyn Fn(&Arc<Peer>) + Send + Sync>;

/// A way for requests that are served alike.
pub struct Lane {
    pub(super) service: Arc<dyn Service>,
    pub(super) patience: Option<Patience>,
    pub(super) budget: Option<Arc<Budget>>,
}

impl Lane {
    /// A lane to `service` whose requests may wait for ever and need no permit.
    #[must_use]
    pub fn to(service: impl Service) -> Self {
        Self { service: Arc::new(service), patience: None, budget: None }
    }

    /// The same with a limit to how long a request stays unanswered.
    #[must_use]
    pub fn patient(self, patience: Option<Patience>) -> Self {
        Self { patience, ..self }
    }

    /// The same with a budget that bounds the bytes of its requests over all connections.
    #[must_use]
    pub fn within(self, budget: Arc<Budget>) -> Self {
        Self { budget: Some(budget), ..self }
    }
}

/// The table from codes to lanes.
#[derive(Default)]
pub struct Router {
    lanes: Vec<Lane>,
    by_code: HashMap<i32, usize>,
    closed: Vec<ClosedHook>,
}

impl Router {
    /// A router that knows no code.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends requests with any of `codes` down `lane`. A code named twice goes where it was sent last.
    #[must_use]
    pub fn route(mut self, codes: &[i32], lane: Lane) -> Self {
        self.lanes.push(lane);
        self.by_code.extend(codes.iter().map(|&code| (code, self.lanes.len() - 1)));
        self
    }

    /// Tells `hook` of each connection that has ended.
    #[must_use]
    pub fn on_closed(mut self, hook: impl Fn(&Arc<Peer>) + Send + Sync + 'static) -> Self {
        self.closed.push(Arc::new(hook));
        self
    }

    /// The same table without `codes`: they are answered as unknown.
    #[must_use]
    pub fn without(&self, codes: &[i32]) -> Self {
        let lanes = self.lanes.iter().map(|lane| Lane {
            service: Arc::clone(&lane.service),
            patience: lane.patience,
            budget: lane.budget.clone(),
        });
        let mut by_code = self.by_code.clone();
        by_code.retain(|code, _| !codes.contains(code));
        Self { lanes: lanes.collect(), by_code, closed: self.closed.clone() }
    }

    pub(super) fn lane_of(&self, code: i32) -> Option<usize> {
        self.by_code.get(&code).copied()
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    pub(super) fn connection_closed(&self, peer: &Arc<Peer>) {
        self.closed.iter().for_each(|hook| hook(peer));
    }
}
