//! What the tests put in front of a CommitLogActor, or of any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};
use actix_rt::ArbiterHandle;
use ferromq::actors::arbiters::start_on;
use ferromq::actors::commitlog_actor::{AppendBatch, CommitLogActor, CommitLogParts, CommitLogPorts};
use ferromq::actors::fault::{Faults, Guarded, OnPanic, guarded, notify, start_unbounded};
use ferromq::protocol::codes::response;
use ferromq::protocol::refusal::Refusal;

/// What a [`Front`] does to the batches that come to it, numbered from 1.
pub(crate) enum Behaviour {
    /// Hands every so-manieth batch on after a while only.
    Slow {
        every: usize,
        by: Duration,
        /// Batches that it holds back now.
        held: Arc<AtomicUsize>,
    },
    /// Refuses every so-manieth append.
    Refusing { every: usize },
    /// Panics at a batch.
    Panicking { at: usize },
}

/// Stands before the writer.
pub(crate) struct Front {
    writer: Recipient<AppendBatch>,
    behaviour: Behaviour,
    seen: usize,
    faults: Faults,
}

/// What a broker's builder takes for a CommitLogActor.
pub(crate) fn front(behaviour: Behaviour) -> impl FnOnce(CommitLogParts, &ArbiterHandle) -> CommitLogPorts + Send {
    move |parts, on| {
        let faults = parts.faults.clone();
        let ports: CommitLogPorts = start_on(on, |_| CommitLogActor::new(parts)).into();
        let writer = ports.append.clone();
        CommitLogPorts {
            append: start_on(on, move |_| Front { writer, behaviour, seen: 0, faults }).recipient(),
            ..ports
        }
    }
}

impl Front {
    fn take(&mut self, batch: AppendBatch, ctx: &mut Context<Self>) {
        match &self.behaviour {
            Behaviour::Slow { every, by, held } => {
                self.seen += 1;
                if self.seen.is_multiple_of(*every) {
                    let held = Arc::clone(held);
                    held.fetch_add(1, Ordering::SeqCst);
                    ctx.run_later(*by, move |front, _| {
                        notify(&front.writer, batch);
                        held.fetch_sub(1, Ordering::SeqCst);
                    });
                    return;
                }
            }
            Behaviour::Refusing { every } => {
                for append in batch.into_each() {
                    self.seen += append.puts.len();
                    if self.seen.is_multiple_of(*every) && !append.puts.is_empty() {
                        let refusal = Refusal::new(response::SYSTEM_ERROR, "this one is not taken");
                        append.answer.refuse_all(&refusal, append.puts.len());
                    } else {
                        notify(&self.writer, append);
                    }
                }
                return;
            }
            Behaviour::Panicking { at } => {
                self.seen += 1;
                assert!(self.seen < *at, "the writer breaks");
            }
        }
        notify(&self.writer, batch);
    }
}

impl Actor for Front {
    type Context = Context<Self>;
}

impl Guarded for Front {
    const NAME: &'static str = "Front";
    const ON_PANIC: OnPanic = OnPanic::EndBroker;

    fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Handler<AppendBatch> for Front {
    type Result = ();

    fn handle(&mut self, batch: AppendBatch, ctx: &mut Context<Self>) {
        guarded(self, ctx, "AppendBatch", |front, ctx| front.take(batch, ctx));
    }
}

/// Keeps every message and does nothing else.
pub(crate) struct Deaf<M: 'static>(Vec<M>);

impl<M: Unpin + 'static> Actor for Deaf<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Unpin + 'static> Handler<M> for Deaf<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Context<Self>) {
        self.0.push(message);
    }
}

/// A deaf recipient on the arbiter that asks for it.
pub(crate) fn deaf_here<M: Message<Result = ()> + Send + Unpin + 'static>() -> Recipient<M> {
    start_unbounded(|_| Deaf(Vec::new())).recipient()
}

/// A deaf recipient on an arbiter.
pub(crate) fn deaf<M: Message<Result = ()> + Send + Unpin + 'static>(on: &ArbiterHandle) -> Recipient<M> {
    start_on(on, |_| Deaf(Vec::new())).recipient()
}

/// Keeps every message until it is opened.
struct Gate<M: Message<Result = ()> + Send + 'static> {
    to: Recipient<M>,
    kept: Vec<M>,
    open: Arc<AtomicBool>,
}

impl<M: Message<Result = ()> + Send + Unpin + 'static> Gate<M> {
    fn hand_on(&mut self) {
        if self.open.load(Ordering::SeqCst) {
            self.kept.drain(..).for_each(|message| notify(&self.to, message));
        }
    }
}

impl<M: Message<Result = ()> + Send + Unpin + 'static> Actor for Gate<M> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(Duration::from_millis(1), |gate, _| gate.hand_on());
    }
}

impl<M: Message<Result = ()> + Send + Unpin + 'static> Handler<M> for Gate<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Context<Self>) {
        self.kept.push(message);
        self.hand_on();
    }
}

/// A gate on an arbiter, before `to`, that is opened by `open`.
pub(crate) fn gate<M>(to: Recipient<M>, open: Arc<AtomicBool>, on: &ArbiterHandle) -> Recipient<M>
where
    M: Message<Result = ()> + Send + Unpin + 'static,
{
    start_on(on, move |_| Gate { to, kept: Vec::new(), open }).recipient()
}
