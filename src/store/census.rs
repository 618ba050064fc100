//! How many entries all queues have together, as one number: what tells a start that some of them are gone.
//!
//! A queue whose last file is lost, or reads as zeros, looks like a shorter queue, and would give out its numbers a second
//! time. The log knows better, but nobody wants to read all of it at each start. So the state says what the queues add up
//! to: each entry counts as much as the queue that it is in weighs, and the order in which they come does not matter.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;

/// The sum at a place of the log, kept by those who take queues away while the others are appended to.
#[derive(Debug, Default)]
pub struct Census {
    /// What the queues add up to without what was dispatched since the start.
    sum: AtomicU64,
}

impl Census {
    /// The sum once entries of that weight were dispatched since the start.
    #[must_use]
    pub fn after(&self, dispatched: u64) -> u64 {
        self.sum.load(Ordering::Acquire).wrapping_add(dispatched)
    }

    /// Begins with what there is now.
    pub(super) fn begin(&self, sum: u64) {
        self.sum.store(sum, Ordering::Release);
    }

    /// Entries are gone that were counted.
    pub(super) fn take(&self, weight: u64) {
        self.sum.fetch_sub(weight, Ordering::AcqRel);
    }

    /// There are entries that nobody dispatched: those before the first one of a queue whose beginning is gone.
    pub(super) fn give(&self, weight: u64) {
        self.sum.fetch_add(weight, Ordering::AcqRel);
    }
}

/// What an entry of a queue weighs: never 0, and not what one of another queue does, but for one in some billions.
#[must_use]
pub fn weight_of(topic: &Topic, queue_id: QueueId) -> u64 {
    let name = topic.as_str().as_bytes();
    let mut hasher = crc32fast::Hasher::new_with_initial(queue_id.0);
    hasher.update(name);
    // The two halves are checksums of different lengths, since one of them would be linear in the other's.
    let high = u64::from(crc32fast::hash(&queue_id.0.to_be_bytes())) ^ u64::from(crc32fast::hash(name)).rotate_left(7);
    high << 32 | u64::from(hasher.finalize()) | 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn queues_weigh_differently_and_never_nothing() {
        let topics = ["A", "B", "AB", "%RETRY%A"].map(|name| Topic::parse(name).unwrap());
        let mut weights: Vec<u64> =
            topics.iter().flat_map(|topic| (0..500).map(move |queue_id| weight_of(topic, QueueId(queue_id)))).collect();
        weights.sort_unstable();
        weights.dedup();
        assert_eq!(weights.len(), 2_000);
        assert_eq!(weights.iter().filter(|weight| **weight & 1 == 0).count(), 0);
    }

    #[test]
    fn what_is_taken_and_given_adds_up_in_any_order() {
        let census = Census::default();
        census.begin(10);
        census.take(15);
        assert_eq!(census.after(20), 15);
        census.give(3);
        assert_eq!(census.after(20), 18);
    }
}
