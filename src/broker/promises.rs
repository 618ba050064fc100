//! What producers were promised and is not kept yet: answers that wait until the log is on the disk up to a place.
//!
//! Promises are made in the order of the log, so they are kept, and broken, from the front.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::units::PhysicalOffset;

/// Promises, oldest first.
#[derive(Debug)]
pub struct Promises<T> {
    limit: Duration,
    open: VecDeque<Open<T>>,
}

#[derive(Debug)]
struct Open<T> {
    end: PhysicalOffset,
    since: Duration,
    promised: T,
}

impl<T> Promises<T> {
    /// None yet; each may stay open for `limit`.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, open: VecDeque::new() }
    }

    /// How long a promise may stay open.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Promises that everything before `end` will be safe.
    pub fn make(&mut self, end: PhysicalOffset, now: Duration, promised: T) {
        debug_assert!(self.open.back().is_none_or(|last| last.end <= end), "promises are made in the order of the log");
        self.open.push_back(Open { end, since: now, promised });
    }

    /// The oldest promise, with its end, if everything before `up_to` is safe now and that keeps it.
    pub fn kept(&mut self, up_to: PhysicalOffset) -> Option<(PhysicalOffset, T)> {
        self.pop_if(|oldest| oldest.end <= up_to)
    }

    /// The oldest promise, with its end, if it has been open for too long.
    pub fn broken(&mut self, now: Duration) -> Option<(PhysicalOffset, T)> {
        let limit = self.limit;
        self.pop_if(|oldest| oldest.since + limit <= now)
    }

    /// When the oldest promise will have been open for too long.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.open.front().map(|oldest| oldest.since + self.limit)
    }

    fn pop_if(&mut self, over: impl FnOnce(&Open<T>) -> bool) -> Option<(PhysicalOffset, T)> {
        self.open.front().filter(|oldest| over(oldest))?;
        self.open.pop_front().map(|open| (open.end, open.promised))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn promises() -> Promises<&'static str> {
        let mut promises = Promises::new(at(5));
        promises.make(PhysicalOffset(10), at(1), "first");
        promises.make(PhysicalOffset(20), at(2), "second");
        promises
    }

    #[test]
    fn a_sync_keeps_those_that_it_covers() {
        let mut promises = promises();
        assert_eq!(promises.kept(PhysicalOffset(9)), None);
        assert_eq!(promises.kept(PhysicalOffset(19)), Some((PhysicalOffset(10), "first")));
        assert_eq!(promises.kept(PhysicalOffset(19)), None);
        assert_eq!(promises.next_due(), Some(at(7)));
        assert_eq!(promises.kept(PhysicalOffset(30)), Some((PhysicalOffset(20), "second")));
        assert_eq!(promises.next_due(), None);
    }

    #[test]
    fn those_that_were_open_for_too_long_are_broken() {
        let mut promises = promises();
        assert_eq!(promises.broken(at(5)), None);
        assert_eq!(promises.broken(at(6)), Some((PhysicalOffset(10), "first")));
        assert_eq!(promises.broken(at(6)), None);
    }
}
