//! Which request code goes to whom.

use std::sync::Arc;

use bytes::Bytes;

use super::budget::Budget;
use super::exchange::ExchangeHook;
use super::peer::Peer;
use super::reply::{Replies, ReplyTo};
use super::terms::{Patience, SharedLimit, Terms};
use crate::protocol::command::{Command, CommandRef, Serialization};

/// Most bytes of requests in flight of all lanes without a budget of their own, over all connections.
pub const REQUEST_BYTES_IN_ALL_MAX: usize = 64 * 1024 * 1024;

/// Codes are below this, so that the way of each is found at its place in a table.
const CODES_MAX: usize = 4096;

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

/// Takes the requests of one lane, each a copy that can be kept.
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

/// Takes the requests of one lane and one connection where they lie in the buffer that was read, one after the other.
///
/// Runs in the connection's task, as [`Service`] does, from one read to the next.
pub trait Batch {
    /// Takes a request; nobody is answered yet.
    fn take(&mut self, request: &CommandRef<'_>, serialization: Serialization, peer: &Peer);

    /// These were all of one read; `replies` answer them, in their order.
    fn serve(&mut self, replies: Replies);
}

/// The batch of a lane that has a [`Service`].
struct OwnedBatch {
    service: Arc<dyn Service>,
    commands: Vec<(Command, Serialization)>,
}

impl Batch for OwnedBatch {
    fn take(&mut self, request: &CommandRef<'_>, serialization: Serialization, _: &Peer) {
        self.commands.push((request.to_command(Bytes::copy_from_slice(request.body)), serialization));
    }

    fn serve(&mut self, replies: Replies) {
        let commands = std::mem::take(&mut self.commands).into_iter();
        let requests = commands.zip(replies.into_each());
        self.service.serve(
            requests.map(|((command, serialization), reply)| Request { command, serialization, reply }).collect(),
        );
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

/// What is heard of connections that are gone.
pub type ClosedHook = Arc<dyn Fn(&Arc<Peer>) + Send + Sync>;

/// Makes the batches of a lane: one for each connection that uses it.
type MakeBatch = Arc<dyn Fn() -> Box<dyn Batch> + Send + Sync>;

/// A way for requests that are served alike.
#[derive(Clone)]
pub struct Lane {
    batch: MakeBatch,
    terms: Terms,
}

impl Lane {
    /// A lane to `service` whose requests may wait for ever and are taken in as they come.
    #[must_use]
    pub fn to(service: impl Service) -> Self {
        let service: Arc<dyn Service> = Arc::new(service);
        Self::in_place(move || Box::new(OwnedBatch { service: Arc::clone(&service), commands: Vec::new() }))
    }

    /// A lane whose requests are served where they lie.
    #[must_use]
    pub fn in_place(batch: impl Fn() -> Box<dyn Batch> + Send + Sync + 'static) -> Self {
        Self { batch: Arc::new(batch), terms: Terms::default() }
    }

    /// The same with a limit to how long a request stays unanswered.
    #[must_use]
    pub fn patient(mut self, patience: Option<Patience>) -> Self {
        self.terms.patience = patience;
        self
    }

    /// The same with a limit that may change; the lane must be patient.
    #[must_use]
    pub fn for_as_long_as(mut self, limit: SharedLimit) -> Self {
        self.terms.limit = Some(limit);
        self
    }

    /// The same with a budget that bounds the bytes of its requests over all connections: those that do not fit are held
    /// back until they do. What other lanes take in has arrived already; while much of that waits, connections are read no
    /// further.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.terms.budget = Some(budget);
        self
    }

    pub(super) fn batch(&self) -> Box<dyn Batch> {
        (self.batch)()
    }

    pub(super) fn budget(&self) -> Option<&Arc<Budget>> {
        self.terms.budget.as_ref()
    }
}

/// The table from codes to lanes.
pub struct Router {
    lanes: Vec<Lane>,
    /// What the requests of lanes without a budget of their own take from.
    others: Arc<Budget>,
    /// The lane of each code, the code being the place.
    by_code: Vec<Option<u8>>,
    closed: Vec<ClosedHook>,
    exchanges: Option<ExchangeHook>,
}

impl Router {
    /// A router that knows no code.
    #[must_use]
    pub fn new() -> Self {
        let others = Arc::new(Budget::new(REQUEST_BYTES_IN_ALL_MAX));
        Self { lanes: Vec::new(), others, by_code: Vec::new(), closed: Vec::new(), exchanges: None }
    }

    /// Sends requests with any of `codes` down `lane`. A code named twice goes where it was sent last.
    ///
    /// # Panics
    /// A code is not one of RocketMQ's, or there are more than 255 lanes.
    #[must_use]
    pub fn route(mut self, codes: &[i32], lane: Lane) -> Self {
        let index = u8::try_from(self.lanes.len()).expect("there are few lanes");
        self.lanes.push(lane);
        for code in codes {
            let place = usize::try_from(*code).ok().filter(|place| *place < CODES_MAX).expect("a code of RocketMQ's");
            if self.by_code.len() <= place {
                self.by_code.resize(place + 1, None);
            }
            self.by_code[place] = Some(index);
        }
        self
    }

    /// Tells `hook` of each connection that has ended.
    #[must_use]
    pub fn on_closed(mut self, hook: impl Fn(&Arc<Peer>) + Send + Sync + 'static) -> Self {
        self.closed.push(Arc::new(hook));
        self
    }

    /// Tells `hook`, if there is one, of every request and its answer.
    #[must_use]
    pub fn on_exchange(mut self, hook: Option<ExchangeHook>) -> Self {
        self.exchanges = hook;
        self
    }

    /// The same table without `codes`: they are answered as unknown.
    #[must_use]
    pub fn without(&self, codes: &[i32]) -> Self {
        let served = |(code, lane): (i32, &Option<u8>)| lane.filter(|_| !codes.contains(&code));
        let by_code = (0..).zip(&self.by_code).map(served).collect();
        let (lanes, others) = (self.lanes.clone(), Arc::clone(&self.others));
        Self { lanes, others, by_code, closed: self.closed.clone(), exchanges: self.exchanges.clone() }
    }

    pub(super) fn lane_of(&self, code: i32) -> Option<u8> {
        *self.by_code.get(usize::try_from(code).ok()?)?
    }

    pub(super) fn exchanges(&self) -> Option<&ExchangeHook> {
        self.exchanges.as_ref()
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// What bounds the requests of all lanes that have no budget of their own: they are taken in as they come, and while it
    /// is spent, connections that have some in flight are read no further.
    pub(super) fn others(&self) -> &Budget {
        &self.others
    }

    pub(super) fn terms(&self) -> Arc<[Terms]> {
        let bounded = |lane: &Lane| {
            let Terms { patience, limit, budget } = lane.terms.clone();
            Terms { patience, limit, budget: Some(budget.unwrap_or_else(|| Arc::clone(&self.others))) }
        };
        self.lanes.iter().map(bounded).collect()
    }

    pub(super) fn connection_closed(&self, peer: &Arc<Peer>) {
        self.closed.iter().for_each(|hook| hook(peer));
    }
}
