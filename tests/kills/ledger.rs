//! What was sent and what was answered, kept outside of the broker, and what a broker must hold because of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::message::{self, Message};

use crate::messages::bodies;
use crate::raw::{Raw, ask_for, pull_from};

/// Topics that are sent to in all ways but these two.
pub(crate) const PLAIN: [&str; 3] = ["Plain0", "Plain1", "Plain2"];
/// Takes what is sent with a delay, and so may get a message twice: it is noted as delivered a moment later.
pub(crate) const DELAYED: &str = "Delayed";
/// Takes what transactions end with.
pub(crate) const ENDED: &str = "Ended";
/// Queues of each topic.
pub(crate) const QUEUES: i32 = 4;
/// Who notes how far it has come.
pub(crate) const GROUP: &str = "CG";
/// Keys that are looked for after each start.
const KEYS_LOOKED_FOR: usize = 25;

/// Sends by their bodies, of which there are no two alike.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Where the acknowledgement says that it lies: topic, queue, number.
    acknowledged: BTreeMap<(String, i32, i64), String>,
    /// Delayed and acknowledged.
    delayed: BTreeSet<String>,
    /// Half messages whose end was acknowledged, and whether they were to be seen.
    ended: BTreeMap<String, bool>,
    /// Half messages of whose end nothing is known.
    unknown: BTreeSet<String>,
    /// The greatest number of each queue that was acknowledged.
    last: HashMap<(String, i32), i64>,
}

impl Ledger {
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.len() + self.delayed.len() + self.ended.len()
    }

    pub(crate) fn acknowledge(&mut self, topic: &str, queue_id: i32, offset: i64, body: String) {
        let before = self.acknowledged.insert((topic.into(), queue_id, offset), body);
        assert_eq!(before, None, "{topic} {queue_id} {offset} is given out twice");
        let last = self.last.entry((topic.into(), queue_id)).or_insert(-1);
        *last = offset.max(*last);
    }

    pub(crate) fn acknowledge_delayed(&mut self, body: String) {
        self.delayed.insert(body);
    }

    /// A half message is about to be ended.
    pub(crate) fn begin_to_end(&mut self, body: &str) {
        self.unknown.insert(body.into());
    }

    pub(crate) fn acknowledge_end(&mut self, body: String, seen: bool) {
        self.unknown.remove(&body);
        self.ended.insert(body, seen);
    }

    /// Looks at everything that a broker holds.
    pub(crate) async fn check(&self, client: &mut Raw) {
        for topic in PLAIN {
            for queue_id in 0..QUEUES {
                let held = read(client, topic, queue_id).await;
                self.check_queue(topic, queue_id, &held);
                self.check_group(client, topic, queue_id, held.len() as i64).await;
            }
        }
        self.check_ended(client).await;
        self.check_keys(client).await;
    }

    fn check_queue(&self, topic: &str, queue_id: i32, held: &[Message]) {
        let queue = (topic.to_owned(), queue_id, 0)..(topic.to_owned(), queue_id, i64::MAX);
        for ((_, _, offset), body) in self.acknowledged.range(queue) {
            let found = held.get(*offset as usize).map(|message| &*message.body);
            assert_eq!(found, Some(body.as_bytes()), "{topic} {queue_id} {offset} of {}", held.len());
        }
        let texts = bodies(held);
        let once: BTreeSet<_> = texts.iter().collect();
        assert_eq!(once.len(), texts.len(), "{topic} {queue_id}: a send is there twice");
        // A sender waits for each answer, so what it sent to one queue is there in its order.
        let mut last = HashMap::new();
        for text in &texts {
            let (sender, number) =
                text.split_once(' ').and_then(|(sender, rest)| Some((sender, rest.split_once(' ')?.0))).unwrap();
            let number: u64 = number.parse().unwrap();
            let before = last.insert(sender, number);
            assert!(before.is_none_or(|before| before < number), "{topic} {queue_id}: {text} behind {before:?}");
        }
    }

    async fn check_group(&self, client: &mut Raw, topic: &str, queue_id: i32, max: i64) {
        let query = [("consumerGroup", &GROUP as &dyn std::fmt::Display), ("topic", &topic), ("queueId", &queue_id)];
        let reply = client.ask(ask_for(request::QUERY_CONSUMER_OFFSET, &query)).await;
        if reply.code == response::SUCCESS {
            let offset = reply.ext.int64("offset").unwrap();
            assert!(offset <= max, "{topic} {queue_id}: the group is at {offset} of {max}");
        }
    }

    async fn check_ended(&self, client: &mut Raw) {
        let mut seen = Vec::new();
        for queue_id in 0..QUEUES {
            seen.extend(bodies(&read(client, ENDED, queue_id).await));
        }
        let once: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(once.len(), seen.len(), "a transaction is committed twice");
        for body in &once {
            let may_be_seen = self.unknown.contains(body) || self.ended.get(body) == Some(&true);
            assert!(may_be_seen, "{body} is seen and was not committed");
        }
        for (body, _) in self.ended.iter().filter(|(_, seen)| **seen) {
            assert!(once.contains(body), "{body} was committed");
        }
    }

    /// Looks for some of the keys, each of which is the body of its message.
    async fn check_keys(&self, client: &mut Raw) {
        let step = (self.acknowledged.len() / KEYS_LOOKED_FOR).max(1);
        for ((topic, queue_id, offset), body) in self.acknowledged.iter().step_by(step) {
            let key = body.replace(' ', "-");
            let fields: [(&str, &dyn std::fmt::Display); 6] = [
                ("topic", topic),
                ("key", &key),
                ("maxNum", &32),
                ("beginTimestamp", &0),
                ("endTimestamp", &i64::MAX),
                ("_UNIQUE_KEY_QUERY", &false),
            ];
            // The index is some milliseconds behind.
            let reply = client.ask(ask_for(request::QUERY_MESSAGE, &fields)).await;
            assert_eq!(reply.code, response::SUCCESS, "{topic} {queue_id} {offset} by its key {key}");
            let found = message::decode_all(reply.body).unwrap();
            assert!(found.iter().any(|found| *found.body == *body.as_bytes()), "{key}");
        }
    }

    /// Waits for what was sent with a delay.
    pub(crate) async fn check_delayed(&self, client: &mut Raw) {
        let all_there = async {
            loop {
                let mut seen = BTreeSet::new();
                for queue_id in 0..QUEUES {
                    seen.extend(bodies(&read(client, DELAYED, queue_id).await));
                }
                if self.delayed.is_subset(&seen) {
                    return;
                }
            }
        };
        let waited = tokio::time::timeout(crate::raw::LIMIT, all_there).await;
        assert!(waited.is_ok(), "what was sent with a delay is delivered");
    }
}

/// Everything in a queue, which has no gaps.
async fn read(client: &mut Raw, topic: &str, queue_id: i32) -> Vec<Message> {
    let bound = [("topic", &topic as &dyn std::fmt::Display), ("queueId", &queue_id)];
    let (min, max) = (request::GET_MIN_OFFSET, request::GET_MAX_OFFSET);
    let reply = client.ask(ask_for(min, &bound)).await;
    if reply.code == response::SUCCESS {
        assert_eq!(reply.ext.int64("offset").unwrap(), 0, "{topic} {queue_id}");
    }
    let reply = client.ask(ask_for(max, &bound)).await;
    let max = if reply.code == response::SUCCESS { reply.ext.int64("offset").unwrap() } else { 0 };
    let mut held: Vec<Message> = Vec::new();
    while (held.len() as i64) < max {
        let reply = client.ask(pull_from(topic, queue_id, held.len() as i64, 32)).await;
        assert_eq!(reply.code, response::SUCCESS, "{topic} {queue_id} {} of {max}: {reply:?}", held.len());
        for message in message::decode_all(reply.body).unwrap() {
            assert_eq!(message.queue_offset.0, held.len() as u64, "{topic} {queue_id}: numbers are dense");
            message.check_body().unwrap();
            held.push(message);
        }
    }
    held
}
