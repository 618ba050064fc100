//! Wakes the DispatchActor and the FlushActor: once for however much comes before they look.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dispatch_actor::{Appended, DispatchPorts};
use super::fault::notify;

/// A bell with a memory of one: ringing it while it rings does nothing.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
}

impl Bell {
    /// Rings; false if it was rung and not yet answered, so that nobody need be told.
    #[must_use]
    pub fn ring(&self) -> bool {
        !self.rung.swap(true, Ordering::AcqRel)
    }

    /// Called by the one who was told, before he looks: what comes after rings again.
    pub fn answer(&self) {
        // An exchange, not a store: who finds it rung has changed it before, and what he did is seen by the look that
        // follows.
        self.rung.swap(false, Ordering::AcqRel);
    }
}

/// The bell that the DispatchActor hears.
#[derive(Default)]
pub struct Doorbell {
    bell: Bell,
    listener: OnceLock<DispatchPorts>,
}

impl Doorbell {
    /// Says who hears it; only the first is heard of.
    pub fn answered_by(&self, listener: DispatchPorts) {
        // The wiring calls this once, and nobody rings before.
        let _ = self.listener.set(listener);
    }

    /// Rings, unless it was rung and not yet answered.
    pub fn ring(&self) {
        if self.bell.ring()
            && let Some(listener) = self.listener.get()
        {
            notify(&listener.appended, Appended);
        }
    }

    /// Who hears it, once the wiring has said so.
    #[must_use]
    pub fn dispatch(&self) -> Option<&DispatchPorts> {
        self.listener.get()
    }

    /// See [`Bell::answer`].
    pub fn answer(&self) {
        self.bell.answer();
    }
}
