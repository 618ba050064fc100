//! Who waits on a connection for which reply.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::protocol::command::Command;
use crate::protocol::units::Opaque;

/// The calls of one connection that have no reply yet.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Counts what has come from the server.
    pub(super) heard: AtomicU64,
    /// `None` once the connection has ended, so that nobody begins to wait in vain.
    calls: Mutex<Option<HashMap<Opaque, oneshot::Sender<Command>>>>,
    pub(super) is_open: watch::Sender<bool>,
    /// Why nothing more can be read from it, if it did not just end.
    pub(super) failure: OnceLock<String>,
}

impl Default for Waiting {
    fn default() -> Self {
        let calls = Mutex::new(Some(HashMap::new()));
        Self { heard: AtomicU64::new(0), calls, is_open: watch::Sender::new(true), failure: OnceLock::new() }
    }
}

impl Waiting {
    pub(super) fn enter(self: &Arc<Self>, opaque: Opaque) -> Option<Entry> {
        let (sender, receiver) = oneshot::channel();
        self.with(|calls| calls.as_mut().map(|calls| calls.insert(opaque, sender)))?;
        Some(Entry { waiting: self.clone(), opaque, receiver })
    }

    pub(super) fn complete(&self, reply: Command) {
        let call = self.with(|calls| calls.as_mut()?.remove(&reply.opaque));
        if let Some(call) = call {
            // The caller may have given up in this very moment; nobody misses the reply then.
            drop(call.send(reply));
        }
    }

    pub(super) fn close(&self) {
        // Dropping the senders wakes every caller with the news.
        self.with(Option::take);
        self.is_open.send_replace(false);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.with(|calls| calls.is_none())
    }

    /// A std mutex: it is held for one map operation and never across an await. A panic while it is held cannot leave
    /// the map half changed, so poisoning is passed over.
    fn with<T>(&self, change: impl FnOnce(&mut Option<HashMap<Opaque, oneshot::Sender<Command>>>) -> T) -> T {
        change(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One waiting call; when its caller gives up, it is forgotten.
pub(super) struct Entry {
    waiting: Arc<Waiting>,
    opaque: Opaque,
    receiver: oneshot::Receiver<Command>,
}

impl Entry {
    pub(super) async fn reply(&mut self) -> Option<Command> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.waiting.with(|calls| calls.as_mut().and_then(|calls| calls.remove(&self.opaque)));
    }
}
