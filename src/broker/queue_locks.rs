//! Which client of a group consumes which queue in order.
//!
//! A lock is a lease: its owner renews it every 20 seconds, and after 60 without that anybody of the group may take it.
//! Nothing outlives the process, as in the reference: after a restart owners take their queues again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::protocol::body::queue_table::MessageQueue;

/// How long a lock lasts without being renewed.
///
/// # Source
/// `RebalanceLockManager.REBALANCE_LOCK_MAX_LIVE_TIME` 4.9.7 (read).
pub const LEASE_MS: i64 = 60_000;

/// The locks of all groups.
#[derive(Debug, Default)]
pub struct QueueLocks {
    groups: HashMap<Arc<str>, HashMap<MessageQueue, Lock>>,
}

#[derive(Clone, Debug)]
struct Lock {
    client: Arc<str>,
    renewed_ms: i64,
}

impl Lock {
    fn holds(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.renewed_ms) <= LEASE_MS
    }
}

impl QueueLocks {
    /// Locks those of `queues` that nobody else holds, or renews their locks; returns what the client holds now.
    ///
    /// # Source
    /// `RebalanceLockManager.tryLockBatch` 4.9.7 (read; answers recorded).
    pub fn lock(&mut self, now_ms: i64, group: &str, client: &str, queues: Vec<MessageQueue>) -> Vec<MessageQueue> {
        if queues.is_empty() {
            return queues;
        }
        let client: Arc<str> = client.into();
        let locks = match self.groups.get_mut(group) {
            Some(locks) => locks,
            None => self.groups.entry(group.into()).or_default(),
        };
        let mut held = Vec::with_capacity(queues.len());
        for queue in queues {
            if locks.get(&queue).is_none_or(|lock| lock.client == client || !lock.holds(now_ms)) {
                locks.insert(queue.clone(), Lock { client: Arc::clone(&client), renewed_ms: now_ms });
                held.push(queue);
            }
        }
        held
    }

    /// Gives up the locks of `queues` that the client holds.
    pub fn unlock(&mut self, group: &str, client: &str, queues: &[MessageQueue]) {
        let Some(locks) = self.groups.get_mut(group) else { return };
        for queue in queues {
            if locks.get(queue).is_some_and(|lock| *lock.client == *client) {
                locks.remove(queue);
            }
        }
        if locks.is_empty() {
            self.groups.remove(group);
        }
    }

    /// Forgets locks whose lease is over: whoever locks queues that nobody has would otherwise fill the memory.
    pub fn expire(&mut self, now_ms: i64) {
        self.groups.retain(|_, locks| {
            locks.retain(|_, lock| lock.holds(now_ms));
            !locks.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(ids: &[i32]) -> Vec<MessageQueue> {
        ids.iter()
            .map(|queue_id| MessageQueue { broker_name: "b".into(), queue_id: *queue_id, topic: "T".into() })
            .collect()
    }

    #[test]
    fn a_queue_has_one_owner_in_each_group() {
        let mut locks = QueueLocks::default();
        assert_eq!(locks.lock(0, "G", "one", queues(&[0, 1])), queues(&[0, 1]));
        assert_eq!(locks.lock(0, "G", "two", queues(&[1, 2])), queues(&[2]));
        assert_eq!(locks.lock(0, "H", "two", queues(&[1])), queues(&[1]));
        assert_eq!(locks.lock(0, "G", "one", queues(&[0, 1, 2])), queues(&[0, 1]));
    }

    #[test]
    fn only_the_owner_unlocks() {
        let mut locks = QueueLocks::default();
        locks.lock(0, "G", "one", queues(&[0]));
        locks.unlock("G", "two", &queues(&[0]));
        assert_eq!(locks.lock(0, "G", "two", queues(&[0])), []);
        locks.unlock("G", "one", &queues(&[0, 5]));
        assert_eq!(locks.lock(0, "G", "two", queues(&[0])), queues(&[0]));
        locks.unlock("X", "one", &queues(&[0]));
    }

    #[test]
    fn a_lease_ends_unless_it_is_renewed() {
        let mut locks = QueueLocks::default();
        locks.lock(0, "G", "one", queues(&[0, 1]));
        locks.lock(LEASE_MS, "G", "one", queues(&[0]));
        assert_eq!(locks.lock(LEASE_MS, "G", "two", queues(&[0, 1])), []);
        assert_eq!(locks.lock(LEASE_MS + 1, "G", "two", queues(&[0, 1])), queues(&[1]));
        locks.expire(2 * LEASE_MS + 2);
        assert!(locks.groups.is_empty());
    }
}
