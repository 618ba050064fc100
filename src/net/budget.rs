//! Bytes in flight, counted with permits.
//!
//! A mailbox's capacity bounds nothing (actix takes every message of a cloned address), so what bounds memory is a
//! number of bytes that a request takes when it is decoded and gives back when it is answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A number of bytes that may be in flight at once.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    taken: AtomicUsize,
    given_back: Notify,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0), given_back: Notify::new() }
    }

    /// Takes `bytes` if they fit; something larger than the whole budget fits when nothing else is in flight.
    pub fn try_take(&self, bytes: usize) -> bool {
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |taken| {
                (taken == 0 || taken + bytes <= self.limit).then_some(taken + bytes)
            })
            .is_ok()
    }

    /// Takes `bytes` whether they fit or not: for what has been received already.
    pub fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Gives `bytes` back and wakes those who wait for room.
    pub fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let before = self.taken.fetch_sub(bytes, Ordering::AcqRel);
        debug_assert!(before >= bytes, "{bytes} bytes given back of {before} taken");
        // Waking costs; nobody waits while the budget was not exceeded.
        if before >= self.limit {
            self.given_back.notify_waiters();
        }
    }

    /// Whether nothing more should be taken in.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.taken.load(Ordering::Acquire) >= self.limit
    }

    /// Bytes in flight now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Waits until there is room.
    pub async fn room(&self) {
        loop {
            let woken = self.given_back.notified();
            if !self.is_spent() {
                return;
            }
            woken.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_something_is_given_back() {
        let budget = Budget::new(100);
        assert!(budget.try_take(60) && !budget.try_take(41) && budget.try_take(40));
        assert!(budget.is_spent());
        budget.give_back(60);
        assert_eq!(budget.taken(), 40);
        assert!(budget.try_take(60));
    }

    #[test]
    fn something_larger_than_the_budget_passes_alone() {
        let budget = Budget::new(100);
        assert!(budget.try_take(500) && !budget.try_take(1));
        budget.give_back(500);
        assert!(budget.try_take(1) && !budget.try_take(500));
    }
}
