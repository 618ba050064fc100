//! Mailboxes of actors: sent to without ever losing a message in silence, and never full.

use actix::prelude::SendError;
use actix::{Actor, Context, Message, Recipient};

/// Sends a one-way message to another actor. Mailboxes are unbounded (permits bound what is in them), so the only thing
/// that can go wrong is that the actor is gone, and that is never passed over in silence.
pub fn notify<M>(to: &Recipient<M>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    match to.try_send(message) {
        Ok(()) => {}
        // Until its first turn an actor has the capacity that actix gives it, which is not ours.
        Err(SendError::Full(message)) => to.do_send(message),
        Err(SendError::Closed(_)) => {
            tracing::error!(message = std::any::type_name::<M>(), "an actor is gone and did not take a message");
        }
    }
}

/// Starts an actor whose mailbox takes everything: see [`notify`].
pub fn start_unbounded<A: Actor<Context = Context<A>>>(make: impl FnOnce(&mut Context<A>) -> A) -> actix::Addr<A> {
    A::create(|ctx| {
        ctx.set_mailbox_capacity(0);
        make(ctx)
    })
}
