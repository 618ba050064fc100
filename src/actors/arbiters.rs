//! Which actor runs on which thread.

use actix::{Actor, Addr, Context, Supervised, Supervisor};
use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::oneshot;

/// How a broker's actors are spread over threads.
///
/// Waking a thread on another core costs more than everything an actor does with a message, so what a message passes
/// through on its way stays on one arbiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One arbiter for connections, log, dispatch, queues and holders; one for everything that is asked rarely; one
    /// for syncing.
    #[default]
    Threads,
    /// Everything on the arbiter that starts the broker: for simulations, and for applications that have one thread.
    /// Syncing then holds up everything else.
    OneArbiter,
}

/// The arbiters of one broker.
#[derive(Debug)]
pub struct Arbiters {
    /// Serves sockets and the path of every message.
    pub hot: ArbiterHandle,
    /// Serves what is asked rarely.
    pub rest: ArbiterHandle,
    /// Waits for the disk.
    pub flush: ArbiterHandle,
    owned: Vec<Arbiter>,
}

impl Arbiters {
    /// Starts the threads that `layout` asks for.
    #[must_use]
    pub fn start(layout: Layout) -> Self {
        match layout {
            Layout::OneArbiter => {
                let here = Arbiter::current();
                Self { hot: here.clone(), rest: here.clone(), flush: here, owned: Vec::new() }
            }
            Layout::Threads => {
                let owned = vec![Arbiter::new(), Arbiter::new(), Arbiter::new()];
                let handle = |at: usize| owned.get(at).map_or_else(Arbiter::current, Arbiter::handle);
                Self { hot: handle(0), rest: handle(1), flush: handle(2), owned }
            }
        }
    }

    /// One thread for everything, of its own if `layout` wants threads: for a name server.
    #[must_use]
    pub fn single(layout: Layout) -> Self {
        let owned: Vec<Arbiter> = (layout == Layout::Threads).then(Arbiter::new).into_iter().collect();
        let one = owned.first().map_or_else(Arbiter::current, Arbiter::handle);
        Self { hot: one.clone(), rest: one.clone(), flush: one, owned }
    }

    /// Waits until every actor started so far has its context: until then a mailbox has actix's own small capacity, and
    /// a message beyond it would be refused.
    pub(super) async fn settled(&self) {
        for arbiter in [&self.hot, &self.rest, &self.flush] {
            let (tell, told) = oneshot::channel();
            arbiter.spawn_fn(move || {
                // Who waits for this may have given up.
                let _ = tell.send(());
            });
            // An arbiter that is gone starts nothing any more; serving from it says so.
            let _ = told.await;
        }
    }

    /// Stops the threads and waits for their end.
    pub fn stop(self) {
        for arbiter in self.owned {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a thread of the broker panicked");
            }
        }
    }
}

/// Starts an actor whose panics end the broker.
pub fn start_on<A: Actor<Context = Context<A>>>(
    arbiter: &ArbiterHandle,
    make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
) -> Addr<A> {
    A::start_in_arbiter(arbiter, |ctx| {
        ctx.set_mailbox_capacity(0);
        make(ctx)
    })
}

/// Starts an actor that goes on under the same address after a panic.
pub fn supervise_on<A: Supervised + Actor<Context = Context<A>>>(
    arbiter: &ArbiterHandle,
    make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
) -> Addr<A> {
    Supervisor::start_in_arbiter(arbiter, |ctx| {
        ctx.set_mailbox_capacity(0);
        make(ctx)
    })
}
