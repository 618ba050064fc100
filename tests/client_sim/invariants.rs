//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use crate::member::HAND_OVER_MS;

/// What has happened to the messages, as somebody sees it who sees all.
#[derive(Default)]
pub(crate) struct Invariants {
    consumed: BTreeSet<(i32, u64)>,
    /// Up to where that is all of a queue.
    complete: BTreeMap<i32, u64>,
    /// The calls that are under way where order matters, by number: of which queue, by whom, and since when.
    under_way: BTreeMap<u64, (i32, String, u64)>,
}

impl Invariants {
    /// A call begins: where order matters, only with the lock that the broker knows, and beside another call only if that was
    /// waited for as long as calls are.
    pub(crate) fn call_begins(&mut self, call: u64, queue: i32, member: &str, holder: Option<&str>, now_ms: u64) {
        assert_eq!(holder, Some(member), "{now_ms}: {member} consumes queue {queue} without its lock");
        for (_, other, since) in self.under_way.values().filter(|(of, ..)| *of == queue) {
            let is_late = now_ms - since >= HAND_OVER_MS;
            assert!(is_late, "{now_ms}: {member} consumes queue {queue} beside {other}, which does since {since}");
        }
        self.under_way.insert(call, (queue, member.to_owned(), now_ms));
    }

    /// It ends, well or not.
    pub(crate) fn call_ends(&mut self, call: u64) {
        self.under_way.remove(&call);
    }

    /// A member has crashed, and its calls with it.
    pub(crate) fn is_gone(&mut self, member: &str) {
        self.under_way.retain(|_, (_, other, _)| other != member);
    }

    /// Messages are consumed, or the broker has them again.
    pub(crate) fn consumed(&mut self, queue: i32, offset: u64) {
        self.consumed.insert((queue, offset));
        let complete = self.complete.entry(queue).or_default();
        while self.consumed.contains(&(queue, *complete)) {
            *complete += 1;
        }
    }

    /// Everything before an offset that is stored is consumed.
    pub(crate) fn stored(&self, queue: i32, offset: u64, now_ms: u64) {
        let complete = self.complete.get(&queue).copied().unwrap_or(0);
        assert!(
            offset <= complete,
            "{now_ms}: queue {queue} is stored at {offset}, but nobody has consumed {complete}"
        );
    }

    pub(crate) fn missing(&self, queue: i32, end: u64) -> Vec<u64> {
        (0..end).filter(|at| !self.consumed.contains(&(queue, *at))).collect()
    }
}
