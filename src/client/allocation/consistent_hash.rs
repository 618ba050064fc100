//! A ring of hashes: when a member comes or goes, only queues between it and its neighbours change hands.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::{Allocation, MessageQueue};

/// Points of each member on the ring, unless it is told otherwise.
const POINTS: usize = 10;

/// Each queue to the member that has the next point on a ring: `CONSISTENT_HASH`.
///
/// # Example
/// ```
/// use ferromq::client::allocation::{ConsistentHash, share_of};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = |queue_id| MessageQueue { broker_name: "a".into(), queue_id, topic: "Invoices".into() };
/// let share = |own, members: &[&str]| {
///     let members = members.iter().map(|member| (*member).into()).collect();
///     share_of(own, members, (0..64).map(queue).collect(), &ConsistentHash::default())
/// };
/// let (before, after) = (share("first", &["first", "second"]), share("first", &["first", "second", "third"]));
/// // A third member takes queues of those who are there, between whom none changes hands.
/// assert!(after.len() < before.len());
/// assert!(after.iter().all(|queue| before.contains(queue)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConsistentHash {
    /// How many points each member has on the ring.
    pub points: usize,
}

impl Default for ConsistentHash {
    fn default() -> Self {
        Self { points: POINTS }
    }
}

impl Allocation for ConsistentHash {
    fn name(&self) -> String {
        "CONSISTENT_HASH".into()
    }

    fn share(&self, own: usize, members: &[String], queues: &[MessageQueue]) -> Vec<MessageQueue> {
        let points = members.iter().enumerate().flat_map(|(place, member)| {
            (0..self.points).map(move |point| (position(&format!("{member}-{point}")), place))
        });
        // Where two points meet, the later one takes the place of the earlier, as in RocketMQ.
        let ring: BTreeMap<u32, usize> = points.collect();
        let owner_of = |queue: &MessageQueue| {
            let at = position(&text_of(queue));
            ring.range(at..).next().or_else(|| ring.first_key_value()).map(|(_, place)| *place)
        };
        queues.iter().filter(|queue| owner_of(queue) == Some(own)).cloned().collect()
    }
}

/// As a `MessageQueue` of RocketMQ writes itself.
fn text_of(queue: &MessageQueue) -> String {
    let MessageQueue { topic, broker_name, queue_id } = queue;
    format!("MessageQueue [topic={topic}, brokerName={broker_name}, queueId={queue_id}]")
}

/// Where a text lies on the ring: the first four bytes of its MD5, big endian.
fn position(text: &str) -> u32 {
    let digest: [u8; 16] = Md5::digest(text).into();
    digest.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lie_where_they_do_in_rocketmq() {
        let fixture = include_str!("../../../tests/fixtures/client/consistent_hash_keys.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).expect("the fixture is JSON");
        let cases = fixture["cases"].as_array().expect("the fixture has cases");
        assert!(!cases.is_empty());
        for case in cases {
            assert_eq!(Some(u64::from(position(case["key"].as_str().unwrap_or_default()))), case["hash"].as_u64());
        }
    }
}
