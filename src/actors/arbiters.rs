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
    /// Serve sockets in place of the first one; mostly none.
    pub connections: Vec<ArbiterHandle>,
    owned: Vec<Arbiter>,
}

impl Arbiters {
    /// Starts the threads that `layout` asks for, and so many more for connections if it asks for any.
    #[must_use]
    pub fn start(layout: Layout, connection_threads: usize) -> Self {
        match layout {
            Layout::OneArbiter => {
                let here = Arbiter::current();
                Self::of([here.clone(), here.clone(), here], Vec::new(), Vec::new())
            }
            Layout::Threads => {
                let owned = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
                let more: Vec<Arbiter> = std::iter::repeat_with(Arbiter::new).take(connection_threads).collect();
                let connections = more.iter().map(Arbiter::handle).collect();
                // Those who hand work on are stopped before those who get it.
                let handles = owned.each_ref().map(Arbiter::handle);
                Self::of(handles, connections, more.into_iter().chain(owned).collect())
            }
        }
    }

    fn of([hot, rest, flush]: [ArbiterHandle; 3], connections: Vec<ArbiterHandle>, owned: Vec<Arbiter>) -> Self {
        Self { hot, rest, flush, connections, owned }
    }

    /// One thread for everything, of its own if `layout` wants threads: for a name server.
    #[must_use]
    pub fn single(layout: Layout) -> Self {
        let owned: Vec<Arbiter> = (layout == Layout::Threads).then(Arbiter::new).into_iter().collect();
        let one = owned.first().map_or_else(Arbiter::current, Arbiter::handle);
        Self::of([one.clone(), one.clone(), one], Vec::new(), owned)
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
