//! Which of a topic's queues a member of a consumer group reads: every member works it out for itself, from the same lists, by
//! the same strategy, and so they agree without talking to each other.

use std::fmt;

use crate::protocol::body::queue_table::MessageQueue;

mod consistent_hash;
mod machine_room;

pub use consistent_hash::ConsistentHash;
pub use machine_room::{MachineRoom, MachineRoomNearby, RoomOfMember, RoomOfQueue};

/// A strategy. All members of a group must have the same one: otherwise some queues are read twice, others by nobody.
///
/// # Example
/// ```
/// use ferromq::client::allocation::{Average, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = |queue_id| MessageQueue { broker_name: "a".into(), queue_id, topic: "Invoices".into() };
/// let queues: Vec<_> = (0..4).map(queue).collect();
/// let share = share_of("second", vec!["first".into(), "second".into()], queues, &Average);
/// assert_eq!(share, [queue(2), queue(3)]);
/// ```
pub trait Allocation: fmt::Debug + Send + Sync {
    /// What RocketMQ calls it.
    fn name(&self) -> String;

    /// The share of the member at place `own` of `members`, in the order of `queues`; both are sorted, and `own` is one of
    /// them.
    fn share(&self, own: usize, members: &[String], queues: &[MessageQueue]) -> Vec<MessageQueue>;
}

/// The queues that member `own` reads: none while the brokers do not know it as a member yet, or if it is told so by the
/// strategy. Members go by the order of their ids, queues by that of topics, brokers and numbers.
///
/// # Source
/// `AllocateMessageQueueStrategy` and its callers in `RebalanceImpl`, RocketMQ 4.9.7 (read); results compared with the classes
/// themselves.
#[must_use]
pub fn share_of(
    own: &str,
    mut members: Vec<String>,
    mut queues: Vec<MessageQueue>,
    strategy: &dyn Allocation,
) -> Vec<MessageQueue> {
    members.sort();
    queues.sort_by(|left, right| key_of(left).cmp(&key_of(right)));
    match members.iter().position(|member| member == own) {
        Some(place) => strategy.share(place, &members, &queues),
        None => Vec::new(),
    }
}

fn key_of(queue: &MessageQueue) -> (&str, &str, i32) {
    (&queue.topic, &queue.broker_name, queue.queue_id)
}

/// Neighbouring queues to each member, those in front taking one more where they do not divide: `AVG`, RocketMQ's default.
///
/// # Example
/// ```
/// use ferromq::client::allocation::{Average, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = |queue_id| MessageQueue { broker_name: "a".into(), queue_id, topic: "Invoices".into() };
/// let members = vec!["first".to_owned(), "second".to_owned(), "third".to_owned()];
/// let share = |own| share_of(own, members.clone(), (0..4).map(queue).collect(), &Average);
/// assert_eq!(share("first"), [queue(0), queue(1)]);
/// assert_eq!(share("second"), [queue(2)]);
/// assert_eq!(share("third"), [queue(3)]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Average;

impl Allocation for Average {
    fn name(&self) -> String {
        "AVG".into()
    }

    fn share(&self, own: usize, members: &[String], queues: &[MessageQueue]) -> Vec<MessageQueue> {
        let (each, more) = (queues.len() / members.len(), queues.len() % members.len());
        let start = own * each + own.min(more);
        let count = each + usize::from(own < more);
        queues.iter().skip(start).take(count).cloned().collect()
    }
}

/// One queue after the other to one member after the other: `AVG_BY_CIRCLE`.
///
/// # Example
/// ```
/// use ferromq::client::allocation::{AverageByCircle, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = |queue_id| MessageQueue { broker_name: "a".into(), queue_id, topic: "Invoices".into() };
/// let share = |own| share_of(own, vec!["first".into(), "second".into()], (0..5).map(queue).collect(), &AverageByCircle);
/// assert_eq!(share("first"), [queue(0), queue(2), queue(4)]);
/// assert_eq!(share("second"), [queue(1), queue(3)]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AverageByCircle;

impl Allocation for AverageByCircle {
    fn name(&self) -> String {
        "AVG_BY_CIRCLE".into()
    }

    fn share(&self, own: usize, members: &[String], queues: &[MessageQueue]) -> Vec<MessageQueue> {
        queues.iter().skip(own).step_by(members.len()).cloned().collect()
    }
}

/// Always the same queues, whoever else there is: `CONFIG`.
///
/// # Example
/// ```
/// use ferromq::client::allocation::{Configured, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = |queue_id| MessageQueue { broker_name: "a".into(), queue_id, topic: "Invoices".into() };
/// let own = Configured { queues: vec![queue(3)] };
/// let share = |member| share_of(member, vec!["first".into(), "second".into()], (0..5).map(queue).collect(), &own);
/// assert_eq!(share("second"), [queue(3)]);
/// // As with every strategy, a member that brokers do not know yet reads nothing.
/// assert!(share("not known yet").is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The queues of this member.
    pub queues: Vec<MessageQueue>,
}

impl Allocation for Configured {
    fn name(&self) -> String {
        "CONFIG".into()
    }

    fn share(&self, _: usize, _: &[String], _: &[MessageQueue]) -> Vec<MessageQueue> {
        self.queues.clone()
    }
}
