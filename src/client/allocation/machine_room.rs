//! Strategies that know where brokers and members stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{Allocation, MessageQueue};

/// The queues of some rooms only, the broker names being `room@name`: `MACHINE_ROOM`.
///
/// # Example
/// ```
/// use ferromq::client::allocation::{MachineRoom, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = |broker: &str| MessageQueue { broker_name: broker.into(), queue_id: 0, topic: "Invoices".into() };
/// let queues = vec![queue("east@a"), queue("east@b"), queue("west@a")];
/// let strategy = MachineRoom { rooms: ["east".into()].into() };
/// let share = |own| share_of(own, vec!["first".into(), "second".into()], queues.clone(), &strategy);
/// assert_eq!(share("first"), [queue("east@a")]);
/// assert_eq!(share("second"), [queue("east@b")]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MachineRoom {
    /// The rooms whose queues the group reads.
    pub rooms: BTreeSet<String>,
}

impl Allocation for MachineRoom {
    fn name(&self) -> String {
        "MACHINE_ROOM".into()
    }

    fn share(&self, own: usize, members: &[String], queues: &[MessageQueue]) -> Vec<MessageQueue> {
        let is_ours = |queue: &&MessageQueue| {
            let room = queue.broker_name.split_once('@').filter(|(_, name)| !name.contains('@'));
            room.is_some_and(|(room, _)| self.rooms.contains(room))
        };
        let ours: Vec<&MessageQueue> = queues.iter().filter(is_ours).collect();
        let each = ours.len() / members.len();
        let of_all = ours.iter().skip(own * each).take(each);
        // What does not divide lies behind, one queue for each of the first members.
        let of_rest = ours.iter().skip(each * members.len()).skip(own).take(1);
        of_all.chain(of_rest).copied().cloned().collect()
    }
}

/// Tells the room of a queue's broker.
pub type RoomOfQueue = Arc<dyn Fn(&MessageQueue) -> String + Send + Sync>;
/// Tells the room of a member, by its id.
pub type RoomOfMember = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The queues of the own room, among those who stand there; those of rooms where nobody stands among all:
/// `MACHINE_ROOM_NEARBY`.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use ferromq::client::allocation::{Average, MachineRoomNearby, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let room_of = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
/// let strategy = MachineRoomNearby {
///     within: Arc::new(Average),
///     room_of_queue: Arc::new(move |queue| room_of(&queue.broker_name)),
///     room_of_member: Arc::new(room_of),
/// };
/// let queue = |broker: &str| MessageQueue { broker_name: broker.into(), queue_id: 0, topic: "Invoices".into() };
/// let queues = vec![queue("east@a"), queue("north@a"), queue("west@a")];
/// let share = |own| share_of(own, vec!["east@1".into(), "west@1".into()], queues.clone(), &strategy);
/// // Nobody stands in the north, whose queue is shared among all.
/// assert_eq!(share("east@1"), [queue("east@a"), queue("north@a")]);
/// assert_eq!(share("west@1"), [queue("west@a")]);
/// ```
#[derive(Clone)]
pub struct MachineRoomNearby {
    /// How the queues of a room are shared.
    pub within: Arc<dyn Allocation>,
    /// Where brokers stand.
    pub room_of_queue: RoomOfQueue,
    /// Where members stand.
    pub room_of_member: RoomOfMember,
}

impl Allocation for MachineRoomNearby {
    fn name(&self) -> String {
        format!("MACHINE_ROOM_NEARBY-{}", self.within.name())
    }

    fn share(&self, own: usize, members: &[String], queues: &[MessageQueue]) -> Vec<MessageQueue> {
        let rooms: Vec<String> = members.iter().map(|member| (self.room_of_member)(member)).collect();
        let Some((own_id, own_room)) = members.get(own).zip(rooms.get(own)) else { return Vec::new() };
        let mut queues_of = BTreeMap::<String, Vec<MessageQueue>>::new();
        for queue in queues {
            queues_of.entry((self.room_of_queue)(queue)).or_default().push(queue.clone());
        }
        let here: Vec<String> = members
            .iter()
            .zip(&rooms)
            .filter(|(_, room)| *room == own_room)
            .map(|(member, _)| member.clone())
            .collect();
        let own_here = here.iter().position(|member| member == own_id).unwrap_or_default();
        let of_own_room = queues_of.remove(own_room).unwrap_or_default();
        let mut share = self.within.share(own_here, &here, &of_own_room);
        for (_, of_room) in queues_of.iter().filter(|(room, _)| !rooms.contains(room)) {
            share.extend(self.within.share(own, members, of_room));
        }
        share
    }
}

impl fmt::Debug for MachineRoomNearby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineRoomNearby").field("within", &self.within).finish_non_exhaustive()
    }
}
