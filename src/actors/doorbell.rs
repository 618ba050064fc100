//! Wakes the DispatchActor: once for however many appends come before it looks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dispatch_actor::{Appended, DispatchPorts};
use super::fault::notify;

/// A bell with a memory of one: ringing it while it rings does nothing.
#[derive(Default)]
pub struct Doorbell {
    rung: AtomicBool,
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
        if !self.rung.swap(true, Ordering::AcqRel)
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

    /// Called by the listener before it looks: what comes after rings again.
    pub fn answer(&self) {
        self.rung.store(false, Ordering::Release);
    }
}
