//! Each strategy gives each member the queues that RocketMQ's class of the same name does.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferromq::client::allocation::{
    Allocation, Average, AverageByCircle, Configured, ConsistentHash, MachineRoom, MachineRoomNearby, share_of,
};
use ferromq::protocol::body::queue_table::MessageQueue;
use serde::Deserialize;

/// What the reference did.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    topic: String,
    queues: Vec<String>,
    consumers: Vec<String>,
    #[serde(default = "ten", rename = "virtualNodes")]
    points: usize,
    result: BTreeMap<String, Vec<String>>,
}

fn ten() -> usize {
    10
}

impl Case {
    fn queue(&self, text: &str) -> MessageQueue {
        let (broker, number) = text.split_once(':').unwrap();
        MessageQueue { topic: self.topic.clone(), broker_name: broker.into(), queue_id: number.parse().unwrap() }
    }

    /// The lists come in any order.
    fn check(&self, strategy: &dyn Allocation) {
        let queues: Vec<MessageQueue> = self.queues.iter().rev().map(|text| self.queue(text)).collect();
        let members: Vec<String> = self.consumers.iter().rev().cloned().collect();
        assert_eq!(self.result.keys().collect::<Vec<_>>(), self.consumers.iter().collect::<Vec<_>>());
        for (member, expected) in &self.result {
            let expected: Vec<MessageQueue> = expected.iter().map(|text| self.queue(text)).collect();
            let share = share_of(member, members.clone(), queues.clone(), strategy);
            assert_eq!(share, expected, "{} of {} queues to {member}", strategy.name(), queues.len());
        }
        assert_eq!(share_of("a stranger", members, queues, strategy), []);
    }
}

/// The cases of a fixture, of which some are the only one of theirs.
fn cases(fixture: &str) -> Vec<Case> {
    let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let cases = fixture.get("cases").cloned().unwrap_or_else(|| serde_json::Value::Array(vec![fixture.clone()]));
    let cases: Vec<Case> = serde_json::from_value(cases).unwrap();
    assert!(!cases.is_empty());
    cases
}

macro_rules! cases {
    ($name:literal) => {
        cases(include_str!(concat!("../fixtures/client/", $name, ".json")))
    };
}

#[test]
fn on_average() {
    cases!("alloc_avg").iter().for_each(|case| case.check(&Average));
}

#[test]
fn in_a_circle() {
    cases!("alloc_avg_by_circle").iter().for_each(|case| case.check(&AverageByCircle));
}

#[test]
fn as_configured() {
    for case in cases!("alloc_config") {
        let queues = case.result.values().next().unwrap().iter().map(|text| case.queue(text)).collect();
        case.check(&Configured { queues });
    }
}

#[test]
fn by_rooms() {
    cases!("alloc_machine_room").iter().for_each(|case| case.check(&MachineRoom { rooms: ["room1".into()].into() }));
}

#[test]
fn by_rooms_nearby() {
    let room_of = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let nearby = MachineRoomNearby {
        within: Arc::new(Average),
        room_of_queue: Arc::new(move |queue| room_of(&queue.broker_name)),
        room_of_member: Arc::new(room_of),
    };
    assert_eq!(nearby.name(), "MACHINE_ROOM_NEARBY-AVG");
    cases!("alloc_machine_room_nearby").iter().for_each(|case| case.check(&nearby));
}

#[test]
fn by_consistent_hashes() {
    for case in cases!("alloc_consistent_hash") {
        case.check(&ConsistentHash { points: case.points });
    }
}
