//! Calls of an application's listener: on its own runtime, each with an end that is heard of whatever happens.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::listener::{Delivery, Listener, Verdict};

/// Calls one listener.
#[derive(Clone)]
pub struct Calls {
    listener: Arc<dyn Listener>,
    runtime: Handle,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// Calls `listener` on `runtime`.
    #[must_use]
    pub fn new(listener: Arc<dyn Listener>, runtime: Handle) -> Self {
        Self { listener, runtime }
    }

    /// Begins a call. `end` gets its verdict; of a call that panicked, or ended with its runtime, that nothing is consumed.
    pub fn begin(&self, delivery: Delivery, end: impl FnOnce(Verdict) + Send + 'static) {
        let listener = Arc::clone(&self.listener);
        let end = End(Some(end));
        self.runtime.spawn(async move {
            let verdict = listener.consume(delivery).await;
            end.with(verdict);
        });
    }
}

/// Tells of the end of a call, if it comes to that by being dropped.
struct End<F: FnOnce(Verdict)>(Option<F>);

impl<F: FnOnce(Verdict)> End<F> {
    fn with(mut self, verdict: Verdict) {
        if let Some(end) = self.0.take() {
            end(verdict);
        }
    }
}

impl<F: FnOnce(Verdict)> Drop for End<F> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            tracing::error!("a listener did not come to its end: it panicked, or its runtime was shut down");
            end(Verdict::LATER);
        }
    }
}
