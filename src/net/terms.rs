//! What holds for every request of a lane: how long it may stay unanswered, and what its bytes are counted in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::budget::Budget;

/// What holds for every request of a lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) patience: Option<Patience>,
    /// Stands in for that of `patience`, and may change.
    pub(super) limit: Option<SharedLimit>,
    pub(super) budget: Option<Arc<Budget>>,
}

/// How long a request of a lane may stay unanswered, and what it is told then.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest wait.
    pub limit: Duration,
    /// What the SYSTEM_BUSY that ends the wait begins with.
    pub remark: &'static str,
}

impl Terms {
    /// How long a request may stay unanswered, if that is limited.
    pub(super) fn limit(&self) -> Option<Duration> {
        let patience = self.patience?;
        Some(self.limit.as_ref().map_or(patience.limit, SharedLimit::get))
    }
}

/// A limit that is changed while requests are served. Cloning shares it.
#[derive(Clone, Debug)]
pub struct SharedLimit(Arc<AtomicU64>);

impl SharedLimit {
    /// So long, for now.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let shared = Self(Arc::default());
        shared.set(limit);
        shared
    }

    /// Changes it, for requests that come from now on.
    pub fn set(&self, limit: Duration) {
        self.0.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}
