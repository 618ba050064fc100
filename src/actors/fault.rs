//! Panics of actors: one guard around every handler, one policy per actor, one place where the broker's end is declared.
//!
//! Without the guard a panic would end its actor in silence (actix prints it and no more), with every sender left to a
//! closed mailbox.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Message, Recipient};
use thiserror::Error;
use tokio::sync::Notify;

pub use crate::net::mailbox::{notify, start_unbounded};
use crate::protocol::refusal::Refusal;

/// What follows a panic in one of an actor's handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPanic {
    /// The actor goes on under the same address; `restarting` rebuilds its state from what outlived the panic.
    Restart,
    /// The broker ends: what the actor left in a mapping must go through recovery.
    EndBroker,
}

/// The end of a broker that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{actor} failed at {at}: {cause}; nothing is written any more, restart the broker to recover its store")]
pub struct Terminal {
    /// The actor that failed.
    pub actor: &'static str,
    /// The message or the call that it failed at.
    pub at: String,
    /// What the panic or the error said.
    pub cause: String,
}

/// Where faults that end the broker are declared; cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    terminal: OnceLock<Terminal>,
    declared: Notify,
}

impl Faults {
    /// Declares the end of the broker; the first cause stands.
    pub fn end(&self, terminal: Terminal) {
        tracing::error!(%terminal, "the broker ends");
        if self.inner.terminal.set(terminal).is_ok() {
            self.inner.declared.notify_waiters();
        }
    }

    /// Why the broker has ended, if it has.
    #[must_use]
    pub fn terminal(&self) -> Option<&Terminal> {
        self.inner.terminal.get()
    }

    /// Waits until the broker has ended.
    pub async fn ended(&self) -> Terminal {
        loop {
            let declared = self.inner.declared.notified();
            if let Some(terminal) = self.terminal() {
                return terminal.clone();
            }
            declared.await;
        }
    }
}

/// An actor whose handlers run under [`guarded`].
pub trait Guarded: Actor<Context = Context<Self>> {
    /// What the actor is called in logs and in [`Terminal`].
    const NAME: &'static str;
    /// What follows a panic.
    const ON_PANIC: OnPanic;

    /// Where a panic that ends the broker is declared.
    fn faults(&self) -> &Faults;
}

/// Runs the body of a handler; after a panic the policy of the actor is carried out and `None` is given.
///
/// What the body owned is dropped by the unwinding, so requests among it are answered by their own drop.
pub fn guarded<A: Guarded, R>(
    actor: &mut A,
    ctx: &mut Context<A>,
    message: &'static str,
    body: impl FnOnce(&mut A, &mut Context<A>) -> R,
) -> Option<R> {
    if A::ON_PANIC == OnPanic::EndBroker && actor.faults().terminal().is_some() {
        // Torn state is not touched again; requests in the message are refused as they are dropped.
        return None;
    }
    match catch_unwind(AssertUnwindSafe(|| body(actor, ctx))) {
        Ok(result) => Some(result),
        Err(panic) => {
            let cause = panic_text(panic.as_ref());
            tracing::error!(actor = A::NAME, message, cause, "a handler panicked");
            match A::ON_PANIC {
                OnPanic::Restart => ctx.stop(),
                OnPanic::EndBroker => {
                    actor.faults().end(Terminal { actor: A::NAME, at: message.into(), cause });
                }
            }
            None
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words").into()
}

/// Asks another actor.
///
/// # Errors
/// It is gone.
pub async fn ask<M>(of: &Recipient<M>, question: M) -> Result<M::Result, Refusal>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    of.send(question).await.map_err(|_| Refusal::error("a part of the broker is gone, see its log"))
}

/// Goes on with an actor's work after everybody else on its arbiter had a turn. A message to oneself would not do: an
/// actor takes those before it gives way.
pub fn go_on_later<A: Guarded>(
    ctx: &mut Context<A>,
    work: &'static str,
    body: impl FnOnce(&mut A, &mut Context<A>) + 'static,
) {
    let others_turn = actix::fut::wrap_future::<_, A>(tokio::task::yield_now());
    ctx.spawn(others_turn.map(move |(), actor, ctx| {
        guarded(actor, ctx, work, body);
    }));
}

#[cfg(test)]
mod tests {
    use actix::Handler;

    use super::*;

    struct Fragile {
        faults: Faults,
    }

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    impl Guarded for Fragile {
        const NAME: &'static str = "Fragile";
        const ON_PANIC: OnPanic = OnPanic::EndBroker;

        fn faults(&self) -> &Faults {
            &self.faults
        }
    }

    #[derive(Message)]
    #[rtype(result = "Option<u32>")]
    struct Divide {
        by: u32,
    }

    impl Handler<Divide> for Fragile {
        type Result = Option<u32>;

        fn handle(&mut self, divide: Divide, ctx: &mut Context<Self>) -> Option<u32> {
            guarded(self, ctx, "Divide", |_, _| 12 / divide.by)
        }
    }

    #[actix::test]
    async fn a_panic_is_declared_and_later_messages_are_not_handled() {
        let faults = Faults::default();
        let given = faults.clone();
        let fragile = start_unbounded(|_| Fragile { faults: given });
        assert!(matches!(fragile.send(Divide { by: 3 }).await, Ok(Some(4))));
        assert!(matches!(fragile.send(Divide { by: 0 }).await, Ok(None)));
        let terminal = faults.ended().await;
        assert_eq!((terminal.actor, terminal.at.as_str()), ("Fragile", "Divide"));
        assert!(terminal.cause.contains("divide by zero"), "{terminal}");
        assert!(matches!(fragile.send(Divide { by: 3 }).await, Ok(None)));
    }
}
