//! The broker: its queues, the group's members, locks and offsets. The locks are the broker's own.

use std::collections::BTreeMap;

use ferromq::broker::queue_locks::{LEASE_MS, QueueLocks};
use ferromq::protocol::body::queue_table::MessageQueue;

use crate::invariants::Invariants;
use crate::world::Order;

const GROUP: &str = "G";
/// Most messages of an answer to a pull.
const PULLED_MAX: u64 = 8;

/// What a member asks.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Who is a member, and which queues are there? It tells that the member is one, too, as a heartbeat does.
    Members,
    Lock {
        queues: Vec<i32>,
        is_renewal: bool,
    },
    Unlock(i32),
    OffsetOf(i32),
    Commit(i32, u64),
    /// These two say which actor of the member asks.
    Pull {
        by: u64,
        queue: i32,
        offset: u64,
        commit: Option<u64>,
    },
    SendBack {
        by: u64,
        queue: i32,
        offset: u64,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Members(Vec<String>, i32),
    Locked(Vec<i32>),
    OffsetOf(u64),
    /// The offsets of what was found.
    Pulled(std::ops::Range<u64>),
    Done,
}

pub(crate) struct Broker {
    /// How many messages each queue has.
    pub(crate) ends: Vec<u64>,
    /// The members, and when they were heard of last.
    pub(crate) members: BTreeMap<String, u64>,
    locks: QueueLocks,
    /// Who was given which lock when: what the locks themselves do not tell.
    holders: BTreeMap<i32, (String, u64)>,
    stored: BTreeMap<i32, u64>,
}

impl Broker {
    pub(crate) fn new() -> Self {
        let (members, holders, stored) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { ends: vec![0; 3], members, locks: QueueLocks::default(), holders, stored }
    }

    pub(crate) fn holder(&self, queue: i32, now_ms: u64) -> Option<&str> {
        let lease_ms = LEASE_MS.unsigned_abs();
        self.holders.get(&queue).filter(|(_, since)| now_ms - since <= lease_ms).map(|(holder, _)| holder.as_str())
    }

    pub(crate) fn answer(
        &mut self,
        member: &str,
        ask: &Ask,
        now_ms: u64,
        order: Order,
        invariants: &mut Invariants,
    ) -> Answer {
        match ask {
            Ask::Members => {
                self.members.insert(member.to_owned(), now_ms);
                Answer::Members(self.members.keys().cloned().collect(), self.ends.len() as i32)
            }
            Ask::Lock { queues, .. } => {
                let queues = queues.iter().copied().map(message_queue).collect();
                let own = self.locks.lock(now_ms as i64, GROUP, member, queues);
                let own: Vec<_> = own.into_iter().map(|queue| queue.queue_id).collect();
                own.iter().for_each(|queue| drop(self.holders.insert(*queue, (member.to_owned(), now_ms))));
                Answer::Locked(own)
            }
            Ask::Unlock(queue) => {
                self.locks.unlock(GROUP, member, &[message_queue(*queue)]);
                if self.holders.get(queue).is_some_and(|(holder, _)| holder == member) {
                    self.holders.remove(queue);
                }
                Answer::Done
            }
            Ask::OffsetOf(queue) => Answer::OffsetOf(self.stored.get(queue).copied().unwrap_or(0)),
            Ask::Commit(queue, offset) => {
                self.store(*queue, *offset, now_ms, invariants);
                Answer::Done
            }
            Ask::Pull { queue, offset, commit, .. } => {
                if let Some(commit) = commit {
                    self.store(*queue, *commit, now_ms, invariants);
                }
                let end = self.ends[*queue as usize];
                Answer::Pulled(*offset..end.min(offset + PULLED_MAX).max(*offset))
            }
            Ask::SendBack { queue, offset, .. } => {
                assert_eq!(order, Order::None, "what is in order stays where it is");
                invariants.consumed(*queue, *offset);
                Answer::Done
            }
        }
    }

    fn store(&mut self, queue: i32, offset: u64, now_ms: u64, invariants: &Invariants) {
        invariants.stored(queue, offset, now_ms);
        self.stored.insert(queue, offset);
    }
}

pub(crate) fn message_queue(queue: i32) -> MessageQueue {
    MessageQueue { broker_name: "b".into(), queue_id: queue, topic: "T".into() }
}
