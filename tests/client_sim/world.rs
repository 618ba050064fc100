//! The network, the time, and what goes wrong: messages late or lost, members that crash and others that come, queues added.
//!
//! What one member says arrives in its order, as on one connection; what it hears may come late or never, and so does what is
//! lost on the way. After the storm all is well, and everything has to be consumed.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::broker::{Answer, Ask, Broker};
use crate::invariants::Invariants;
use crate::member::{Member, Timer};

/// How long all goes wrong, and how long it may take until all is well.
const STORM_MS: u64 = 300_000;
const CALM_MS: u64 = 300_000;
/// How long the broker keeps a member that says nothing.
const MEMBER_MS: u64 = 120_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    None,
    Queue,
}

enum Event {
    Arrives {
        member: String,
        ask: Ask,
        number: u64,
    },
    Answered {
        member: String,
        number: u64,
        ask: Ask,
        answer: Option<Answer>,
    },
    Timer {
        member: String,
        timer: Timer,
    },
    /// Something that nobody of them has decided.
    Chance,
}

pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) order: Order,
    pub(crate) random: Rng,
    pub(crate) broker: Broker,
    pub(crate) invariants: Invariants,
    members: BTreeMap<String, Member>,
    events: BTreeMap<(u64, u64), Event>,
    /// When the last thing that a member said arrives.
    said: BTreeMap<String, u64>,
    /// The questions that are not answered.
    open: BTreeSet<u64>,
    count: u64,
}

impl World {
    pub(crate) fn new(seed: u64, order: Order) -> Self {
        Self {
            now_ms: 0,
            order,
            random: Rng::with_seed(seed),
            broker: Broker::new(),
            invariants: Invariants::default(),
            members: BTreeMap::new(),
            events: BTreeMap::new(),
            said: BTreeMap::new(),
            open: BTreeSet::new(),
            count: 0,
        }
    }

    pub(crate) fn run(mut self) {
        self.comes();
        self.comes();
        self.at(1, Event::Chance);
        while let Some(((now_ms, _), event)) = self.events.pop_first() {
            self.now_ms = now_ms;
            if now_ms > STORM_MS + CALM_MS {
                break;
            }
            self.happens(event);
        }
        for (queue, end) in self.broker.ends.iter().enumerate() {
            let missing = self.invariants.missing(queue as i32, *end);
            assert!(missing.is_empty(), "nobody has consumed {missing:?} of queue {queue}");
        }
    }

    fn is_storm(&self) -> bool {
        self.now_ms < STORM_MS
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives { member, ask, number } => {
                let answer = self.broker.answer(&member, &ask, self.now_ms, self.order, &mut self.invariants);
                if matches!(ask, Ask::Members) && self.broker.members.len() > 1 && self.random.u8(..4) == 0 {
                    self.tell_members();
                }
                if !self.is_storm() || self.random.u8(..10) > 0 {
                    // A pull that finds nothing is held.
                    let is_empty = matches!(&answer, Answer::Pulled(found) if found.is_empty());
                    let after = self.delay() + if is_empty { 10_000 } else { 0 };
                    self.at(after, Event::Answered { member, number, ask, answer: Some(answer) });
                }
            }
            Event::Answered { member, number, ask, answer } => {
                if self.open.remove(&number) {
                    self.with(&member, |member, world| member.answered(&ask, answer, world));
                }
            }
            Event::Timer { member, timer } => self.with(&member, |member, world| member.timer(timer, world)),
            Event::Chance => self.chance(),
        }
    }

    /// A member is out of the world while it acts, and has vanished if it is not there.
    fn with(&mut self, name: &str, act: impl FnOnce(&mut Member, &mut Self)) {
        if let Some(mut member) = self.members.remove(name) {
            act(&mut member, self);
            self.members.insert(name.to_owned(), member);
        }
    }

    fn chance(&mut self) {
        let now_ms = self.now_ms;
        self.broker.members.retain(|_, heard| now_ms - *heard < MEMBER_MS);
        if !self.is_storm() {
            return self.at(10_000, Event::Chance);
        }
        let next = self.random.u64(1..3_000);
        self.at(next, Event::Chance);
        match self.random.u8(..20) {
            0 if self.members.len() > 1 => {
                let names: Vec<String> = self.members.keys().cloned().collect();
                let gone = names[self.random.usize(..names.len())].clone();
                self.members.remove(&gone);
                self.invariants.is_gone(&gone);
                // Brokers notice at once, or when nothing was heard for long.
                if self.random.bool() {
                    self.broker.members.remove(&gone);
                    self.tell_members();
                }
            }
            1 if self.members.len() < 5 => self.comes(),
            2 if self.broker.ends.len() < 6 => self.broker.ends.push(0),
            3..=9 => {
                let queue = self.random.usize(..self.broker.ends.len());
                self.broker.ends[queue] += self.random.u64(1..5);
            }
            _ => {}
        }
    }

    fn comes(&mut self) {
        self.count += 1;
        let name = format!("member {}", self.count);
        let member = Member::new(name.clone());
        self.members.insert(name.clone(), member);
        self.with(&name, Member::begin);
    }

    fn tell_members(&mut self) {
        for member in self.broker.members.keys().cloned().collect::<Vec<_>>() {
            let after = self.delay();
            self.at(after, Event::Timer { member, timer: Timer::MembersChanged });
        }
    }

    /// Asks the broker; the answer, or that there is none within the limit, comes to the member.
    pub(crate) fn ask(&mut self, member: &str, ask: Ask, limit_ms: u64) {
        self.count += 1;
        let (number, member) = (self.count, member.to_owned());
        self.open.insert(number);
        if !self.is_storm() || self.random.u8(..10) > 0 {
            let arrives = (self.now_ms + self.delay()).max(self.said.get(&member).copied().unwrap_or(0));
            self.said.insert(member.clone(), arrives);
            self.at(arrives - self.now_ms, Event::Arrives { member: member.clone(), ask: ask.clone(), number });
        }
        self.at(limit_ms, Event::Answered { member, number, ask, answer: None });
    }

    /// A listener is called; gives the number of the call.
    pub(crate) fn call_begins(&mut self, queue: i32, member: &str) -> u64 {
        self.count += 1;
        if self.order == Order::Queue {
            let holder = self.broker.holder(queue, self.now_ms);
            self.invariants.call_begins(self.count, queue, member, holder, self.now_ms);
        }
        self.count
    }

    pub(crate) fn later(&mut self, member: &str, after_ms: u64, timer: Timer) {
        self.at(after_ms, Event::Timer { member: member.to_owned(), timer });
    }

    fn delay(&mut self) -> u64 {
        let slow = self.is_storm() && self.random.u8(..8) == 0;
        self.random.u64(if slow { 500..8_000 } else { 1..50 })
    }

    fn at(&mut self, after_ms: u64, event: Event) {
        self.count += 1;
        self.events.insert((self.now_ms + after_ms, self.count), event);
    }
}
