//! A recipient that is named after those who send to it were made: two actors that tell each other things cannot both be
//! made first.

use std::sync::{Arc, OnceLock};

use actix::{Message, Recipient};

use super::fault::notify;

/// Sends to whoever was named; before that, what is sent goes nowhere.
pub struct Late<M>(Arc<OnceLock<Recipient<M>>>)
where
    M: Message + Send + 'static,
    M::Result: Send;

impl<M> Late<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// Names who is sent to; only the first counts.
    pub fn name(&self, to: Recipient<M>) {
        // The wiring names once.
        let _ = self.0.set(to);
    }

    /// Sends a one-way message, see [`notify`].
    pub fn notify(&self, message: M) {
        if let Some(to) = self.0.get() {
            notify(to, message);
        }
    }
}

impl<M> Default for Late<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<M> Clone for Late<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
