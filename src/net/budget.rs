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
    waiting: AtomicUsize,
    given_back: Notify,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0), waiting: AtomicUsize::new(0), given_back: Notify::new() }
    }

    /// Takes `bytes` if they fit; something larger than the whole budget fits when nothing else is in flight.
    pub fn try_take(&self, bytes: usize) -> bool {
        self.taken
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |taken| self.fits(taken, bytes).then_some(taken + bytes))
            .is_ok()
    }

    /// Takes `bytes` whether they fit or not: for what has been received already.
    pub fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Gives `bytes` back and wakes those who wait for room.
    pub fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let before = self.taken.fetch_sub(bytes, Ordering::SeqCst);
        debug_assert!(before >= bytes, "{bytes} bytes given back of {before} taken");
        // Waking costs, and mostly nobody waits. Who does has said so before looking at what is taken.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.given_back.notify_waiters();
        }
    }

    /// Takes or gives back what lies between two counts of the same thing.
    pub fn recount(&self, before: usize, now: usize) {
        match now > before {
            true => self.take(now - before),
            false => self.give_back(before - now),
        }
    }

    /// Whether nothing more should be taken in.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.taken() >= self.limit
    }

    /// Bytes in flight now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Waits until `bytes` would fit. Somebody else may take them first.
    pub async fn room_for(&self, bytes: usize) {
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let woken = self.given_back.notified();
            if self.fits(self.taken(), bytes) {
                return;
            }
            woken.await;
        }
    }

    fn fits(&self, taken: usize, bytes: usize) -> bool {
        taken == 0 || taken.saturating_add(bytes) <= self.limit
    }
}

/// One of those who wait, for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

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

    #[test]
    fn who_waits_goes_on_when_it_fits_and_not_before() {
        let budget = Budget::new(100);
        budget.take(60);
        let mut room = pin!(budget.room_for(60));
        let mut context = Context::from_waker(Waker::noop());
        assert!(room.as_mut().poll(&mut context).is_pending());
        budget.give_back(10);
        assert!(room.as_mut().poll(&mut context).is_pending());
        budget.give_back(10);
        assert!(room.as_mut().poll(&mut context).is_ready());
    }
}
