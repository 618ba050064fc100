//! One consumer: its queues and messages are the client's own machines; what lies between them is done here as the actors do it
//! (`rebalance_actor.rs`, `pull_actor.rs`, `offset_store_actor.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use ferromq::client::allocation::{Average, share_of};
use ferromq::client::owned_queues::{Change, OwnedQueues};
use ferromq::client::process_queue::ProcessQueue;
use ferromq::protocol::message::Message;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

use crate::broker::{Answer, Ask, message_queue};
use crate::world::{Order, World};

/// How long calls are waited for before a queue goes to another member.
pub(crate) const HAND_OVER_MS: u64 = 10_000;
/// How long a lock is trusted that was not renewed.
const LOCK_TRUSTED_MS: u64 = ferromq::client::actors::pull_actor::LOCK_TRUSTED.as_millis() as u64;
const RENEW_MS: u64 = 20_000;
const REBALANCE_MS: u64 = 20_000;
const PERSIST_MS: u64 = 5_000;
const AGAIN_MS: u64 = 1_000;

#[derive(Clone, Debug)]
pub(crate) enum Timer {
    MembersChanged,
    Again,
    Rebalance,
    Renew,
    Persist,
    /// These are of the pulls of one queue, by the number of its actor.
    Pull(u64),
    CallEnds {
        by: u64,
        queue: i32,
        offset: u64,
        call: u64,
    },
    GivenUp(u64),
    Rested(u64),
    PutBack(u64, u64),
}

pub(crate) struct Member {
    name: String,
    owned: OwnedQueues,
    /// By number; the ones of queues that are given up are here as long as their calls are waited for.
    pulls: BTreeMap<u64, Pull>,
    /// The number of the actor of each queue that is owned.
    current: BTreeMap<i32, u64>,
    pulls_begun: u64,
    offsets: BTreeMap<i32, u64>,
    /// Whether it works out its share, and whether that is to be done once more.
    round: Option<bool>,
}

/// What a PullActor holds.
struct Pull {
    queue: i32,
    held: ProcessQueue,
    next: u64,
    locked_until_ms: u64,
    calls: u32,
    settling: u32,
    is_resting: bool,
    is_given_up: bool,
}

impl Member {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            owned: OwnedQueues::default(),
            pulls: BTreeMap::new(),
            current: BTreeMap::new(),
            pulls_begun: 0,
            offsets: BTreeMap::new(),
            round: None,
        }
    }

    pub(crate) fn begin(&mut self, world: &mut World) {
        world.later(&self.name, REBALANCE_MS, Timer::Rebalance);
        world.later(&self.name, RENEW_MS, Timer::Renew);
        world.later(&self.name, PERSIST_MS, Timer::Persist);
        self.rebalance(world);
    }

    pub(crate) fn timer(&mut self, timer: Timer, world: &mut World) {
        match timer {
            Timer::MembersChanged | Timer::Again => self.rebalance(world),
            Timer::Rebalance => {
                self.rebalance(world);
                world.later(&self.name, REBALANCE_MS, Timer::Rebalance);
            }
            Timer::Renew => {
                let owned: Vec<_> = self.owned.owned().map(|queue| queue.queue_id).collect();
                if world.order == Order::Queue && !owned.is_empty() {
                    world.ask(&self.name, Ask::Lock { queues: owned, is_renewal: true }, 1_000);
                }
                world.later(&self.name, RENEW_MS, Timer::Renew);
            }
            Timer::Persist => {
                for (queue, offset) in self.offsets.clone() {
                    world.ask(&self.name, Ask::Commit(queue, offset), 1);
                }
                world.later(&self.name, PERSIST_MS, Timer::Persist);
            }
            Timer::Pull(by) => self.pull(by, world),
            Timer::CallEnds { by, queue, offset, call } => self.call_ends(by, queue, offset, call, world),
            Timer::GivenUp(by) => self.pull_ended(by, world),
            Timer::Rested(by) => {
                if let Some(pull) = self.pulls.get_mut(&by) {
                    pull.is_resting = false;
                    self.feed(by, world);
                }
            }
            Timer::PutBack(by, offset) => {
                if let Some(pull) = self.pulls.get_mut(&by) {
                    pull.held.put_back([QueueOffset(offset)]);
                    self.feed(by, world);
                }
            }
        }
    }

    pub(crate) fn answered(&mut self, ask: &Ask, answer: Option<Answer>, world: &mut World) {
        match (ask, answer) {
            (Ask::Members, answer) => self.shared_out(answer, world),
            (Ask::Lock { is_renewal: true, queues }, Some(Answer::Locked(own))) => self.renewed(queues, &own, world),
            (Ask::Lock { is_renewal: true, .. }, _) | (Ask::Commit(..), _) => {}
            (Ask::Lock { is_renewal: false, queues }, answer) => match answer {
                Some(Answer::Locked(own)) if own == *queues => world.ask(&self.name, Ask::OffsetOf(own[0]), 5_000),
                _ => self.not_taken_over(queues[0], world),
            },
            (Ask::OffsetOf(queue), Some(Answer::OffsetOf(start))) => self.taken_over(*queue, start, world),
            (Ask::OffsetOf(queue), _) if world.order == Order::Queue => {
                world.ask(&self.name, Ask::Unlock(*queue), 1_000);
            }
            (Ask::OffsetOf(queue), _) => self.not_taken_over(*queue, world),
            // It was locked in vain, or given up; the machine knows which of them.
            (Ask::Unlock(queue), _) => {
                self.not_taken_over(*queue, world);
                self.given_up(*queue, world);
            }
            (Ask::Pull { by, .. }, Some(Answer::Pulled(found))) => self.pulled(*by, found, world),
            (Ask::Pull { by, .. }, _) => world.later(&self.name, AGAIN_MS, Timer::Pull(*by)),
            (Ask::SendBack { by, offset, .. }, answer) => self.sent_back(*by, *offset, answer.is_some(), world),
        }
    }

    fn rebalance(&mut self, world: &mut World) {
        if self.round.is_some() {
            self.round = Some(true);
            return;
        }
        self.round = Some(false);
        world.ask(&self.name, Ask::Members, 3_000);
    }

    fn shared_out(&mut self, answer: Option<Answer>, world: &mut World) {
        let is_wanted = self.round.take() == Some(true);
        match answer {
            Some(Answer::Members(members, queues)) => {
                let now = Duration::from_millis(world.now_ms);
                self.current.keys().for_each(|queue| self.owned.pulled(&message_queue(*queue), now));
                let share = share_of(&self.name, members, (0..queues).map(message_queue).collect(), &Average);
                for change in self.owned.assign("T", &share, now) {
                    self.change(change, world);
                }
            }
            _ => world.later(&self.name, AGAIN_MS, Timer::Again),
        }
        if is_wanted {
            self.rebalance(world);
        }
    }

    fn change(&mut self, change: Change, world: &mut World) {
        match change {
            Change::GiveUp(queue) => {
                let queue = queue.queue_id;
                let Some(by) = self.current.remove(&queue) else { return self.forget(queue, world) };
                let pull = self.pulls.get_mut(&by).unwrap();
                pull.is_given_up = true;
                if world.order == Order::None || pull.calls == 0 {
                    self.pull_ended(by, world);
                } else {
                    world.later(&self.name, HAND_OVER_MS, Timer::GivenUp(by));
                }
            }
            Change::TakeOver(queue) if world.order == Order::Queue => {
                world.ask(&self.name, Ask::Lock { queues: vec![queue.queue_id], is_renewal: false }, 1_000);
            }
            Change::TakeOver(queue) => world.ask(&self.name, Ask::OffsetOf(queue.queue_id), 5_000),
        }
    }

    fn pull_ended(&mut self, by: u64, world: &mut World) {
        if let Some(pull) = self.pulls.remove(&by) {
            self.forget(pull.queue, world);
        }
    }

    /// Stores how far it has come with a queue, and then only gives that back.
    fn forget(&mut self, queue: i32, world: &mut World) {
        if let Some(offset) = self.offsets.remove(&queue) {
            world.ask(&self.name, Ask::Commit(queue, offset), 1);
        }
        match world.order {
            Order::Queue => world.ask(&self.name, Ask::Unlock(queue), 1_000),
            Order::None => self.given_up(queue, world),
        }
    }

    fn given_up(&mut self, queue: i32, world: &mut World) {
        if let Some(change) = self.owned.given_up(&message_queue(queue)) {
            self.change(change, world);
        }
    }

    fn not_taken_over(&mut self, queue: i32, world: &mut World) {
        self.owned.not_taken_over(&message_queue(queue));
        world.later(&self.name, AGAIN_MS, Timer::Again);
    }

    fn taken_over(&mut self, queue: i32, start: u64, world: &mut World) {
        let now = Duration::from_millis(world.now_ms);
        if let Some(change) = self.owned.taken_over(&message_queue(queue), now) {
            return self.change(change, world);
        }
        self.pulls_begun += 1;
        let pull = Pull {
            queue,
            held: ProcessQueue::default(),
            next: start,
            locked_until_ms: world.now_ms + LOCK_TRUSTED_MS,
            calls: 0,
            settling: 0,
            is_resting: false,
            is_given_up: false,
        };
        self.pulls.insert(self.pulls_begun, pull);
        self.current.insert(queue, self.pulls_begun);
        self.pull(self.pulls_begun, world);
    }

    /// A queue whose lock another member has is given up.
    fn renewed(&mut self, asked: &[i32], own: &[i32], world: &mut World) {
        for queue in asked {
            if own.contains(queue) {
                let Some(by) = self.current.get(queue).copied() else { continue };
                self.pulls.get_mut(&by).unwrap().locked_until_ms = world.now_ms + LOCK_TRUSTED_MS;
                self.feed(by, world);
            } else if let Some(change) = self.owned.give_up(&message_queue(*queue)) {
                self.change(change, world);
                world.later(&self.name, AGAIN_MS, Timer::Again);
            }
        }
    }

    fn pull(&mut self, by: u64, world: &mut World) {
        let Some(pull) = self.pulls.get(&by).filter(|pull| !pull.is_given_up) else { return };
        let commit = pull.held.progress().map(|offset| offset.0).filter(|offset| *offset > 0);
        world.ask(&self.name, Ask::Pull { by, queue: pull.queue, offset: pull.next, commit }, 25_000);
    }

    fn pulled(&mut self, by: u64, found: std::ops::Range<u64>, world: &mut World) {
        let Some(pull) = self.pulls.get_mut(&by).filter(|pull| !pull.is_given_up) else { return };
        pull.next = found.end;
        pull.held.put(found.clone().map(message));
        pull.held.reach(QueueOffset(found.end));
        if pull.held.is_empty() {
            self.progressed(by);
        }
        self.feed(by, world);
        self.pull(by, world);
    }

    fn feed(&mut self, by: u64, world: &mut World) {
        while let Some(pull) = self.pulls.get_mut(&by)
            && pull.may_feed(world)
        {
            let offset = pull.held.take(1)[0].queue_offset.0;
            pull.calls += 1;
            let queue = pull.queue;
            let is_long = world.random.u8(..20) == 0;
            let takes_ms = world.random.u64(if is_long { 5_000..20_000 } else { 10..500 });
            let call = world.call_begins(queue, &self.name);
            world.later(&self.name, takes_ms, Timer::CallEnds { by, queue, offset, call });
        }
    }

    fn call_ends(&mut self, by: u64, queue: i32, offset: u64, call: u64, world: &mut World) {
        world.invariants.call_ends(call);
        let is_consumed = world.random.u8(..10) > 0;
        if is_consumed {
            world.invariants.consumed(queue, offset);
        }
        let Some(pull) = self.pulls.get_mut(&by) else { return };
        pull.calls -= 1;
        if is_consumed {
            pull.held.done([QueueOffset(offset)]);
        } else if world.order == Order::Queue {
            pull.held.put_back([QueueOffset(offset)]);
            pull.is_resting = true;
            world.later(&self.name, AGAIN_MS, Timer::Rested(by));
        } else {
            pull.settling += 1;
            world.ask(&self.name, Ask::SendBack { by, queue, offset }, 5_000);
        }
        self.went_on(by, world);
    }

    fn sent_back(&mut self, by: u64, offset: u64, is_taken: bool, world: &mut World) {
        let Some(pull) = self.pulls.get_mut(&by) else { return };
        pull.settling -= 1;
        if is_taken {
            pull.held.done([QueueOffset(offset)]);
        } else {
            world.later(&self.name, 5_000, Timer::PutBack(by, offset));
        }
        self.went_on(by, world);
    }

    fn went_on(&mut self, by: u64, world: &mut World) {
        self.progressed(by);
        self.feed(by, world);
        if self.pulls.get(&by).is_some_and(|pull| pull.is_given_up && pull.calls == 0 && pull.settling == 0) {
            self.pull_ended(by, world);
        }
    }

    fn progressed(&mut self, by: u64) {
        let Some(pull) = self.pulls.get(&by) else { return };
        if let Some(offset) = pull.held.progress() {
            self.offsets.insert(pull.queue, offset.0);
        }
    }
}

impl Pull {
    fn may_feed(&self, world: &World) -> bool {
        let in_order =
            || self.calls == 0 && self.settling == 0 && !self.is_resting && world.now_ms < self.locked_until_ms;
        !self.is_given_up && self.held.has_waiting() && (world.order == Order::None || in_order())
    }
}

fn message(offset: u64) -> Message {
    let host = ([127, 0, 0, 1], 1).into();
    Message {
        topic: "T".into(),
        queue_id: QueueId(0),
        flag: 0,
        queue_offset: QueueOffset(offset),
        physical_offset: PhysicalOffset(offset),
        sys_flag: 0,
        born_time: BornTime(0),
        born_host: host,
        store_time: StoreTime(0),
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body_crc: 0,
        body: "x".into(),
        properties: "".into(),
    }
}
