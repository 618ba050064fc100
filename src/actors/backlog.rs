//! Work that could not be done, for want of room above all: kept in its order and tried again.

use std::collections::VecDeque;
use std::time::Duration;

/// How long work that could not be done waits until it is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Work of one actor in its order, mostly none.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    waiting: VecDeque<T>,
    /// Whether a timer runs that goes on with it.
    put_off: bool,
    complained: bool,
}

impl<T> Backlog<T> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), put_off: false, complained: false }
    }

    /// Adds work; true if it should be gone about now, as no timer runs.
    #[must_use]
    pub(super) fn add(&mut self, work: T) -> bool {
        if self.waiting.capacity() == 0 {
            // Mostly there is one piece of work, and there are as many of these as there are queues.
            self.waiting.reserve_exact(1);
        }
        self.waiting.push_back(work);
        !self.put_off
    }

    /// What is to be done next.
    pub(super) fn front_mut(&mut self) -> Option<&mut T> {
        self.waiting.front_mut()
    }

    /// The first piece of work is done.
    pub(super) fn done(&mut self) -> Option<T> {
        self.complained = false;
        self.waiting.pop_front()
    }

    /// Notes that the first piece of work cannot be done now, and that a timer will go on with it; true if nobody was told
    /// of that yet.
    #[must_use]
    pub(super) fn put_off(&mut self) -> bool {
        self.put_off = true;
        !std::mem::replace(&mut self.complained, true)
    }

    /// Notes that the rest of the work will be gone about later.
    pub(super) fn pause(&mut self) {
        self.put_off = true;
    }

    /// The timer has run out, or was lost.
    pub(super) fn take_up(&mut self) {
        self.put_off = false;
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_put_off_keeps_what_follows_waiting() {
        let mut backlog = Backlog::new();
        assert!(backlog.add(1));
        assert!(backlog.put_off(), "somebody is told the first time");
        assert!(!backlog.add(2), "the timer goes on with both");
        backlog.take_up();
        assert!(!backlog.put_off(), "nobody is told twice");
        backlog.take_up();
        assert_eq!((backlog.done(), backlog.front_mut().copied()), (Some(1), Some(2)));
        assert!(backlog.put_off(), "of another shortage somebody is told again");
        backlog.clear();
        assert_eq!(backlog.front_mut(), None);
    }
}
