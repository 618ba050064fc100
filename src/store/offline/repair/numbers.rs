//! The numbers that records have in their queues, and where in the log these go back.
//!
//! A number is given again after the deletion of a topic that is made anew, of which RocketMQ leaves nothing in the log, and
//! after a start at which a queue has lost its last entries. Its broker then goes on from the smaller number, so the later
//! record is the one that the queue leads to, here as there. A number that is damaged may go back too: no checksum covers
//! it. Taken for one that is given again it would cost all entries behind it; the queue's next record tells the two apart.

use std::collections::{BTreeMap, BTreeSet};

use super::QueuePlan;
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId};
use crate::store::error::StoreError;
use crate::store::replay::is_impossible;

/// A queue's topic and its number there.
pub(super) type QueueName = (Topic, QueueId);

/// What the records that were read so far say of their queues.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    queues: BTreeMap<QueueName, Numbered>,
}

/// One queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbered {
    /// The first number of a record, and the one that comes next.
    bounds: Option<(u64, u64)>,
    /// Where the last record ends that has an entry.
    end: PhysicalOffset,
    /// The numbers of damaged records.
    blanks: Vec<u64>,
    /// A record whose number went back, until the next one shows why.
    undecided: Option<Back>,
    backs: Vec<Back>,
}

/// A record whose number is smaller than the one that came next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back {
    pub(super) at: PhysicalOffset,
    end: PhysicalOffset,
    pub(super) number: u64,
    /// The number that came next.
    pub(super) next: u64,
    is_damaged: bool,
    /// The queue goes on from it. Otherwise its number is damaged, and it has no place in the queue.
    pub(super) is_given_again: bool,
}

impl Numbers {
    /// Takes in the record that comes next in the log.
    pub(super) fn note(&mut self, name: QueueName, head: &RecordHead<'_>, is_damaged: bool) {
        self.queues.entry(name).or_default().note(head, is_damaged);
    }

    /// What is known of a queue, to be given back when its next record turns out to be none.
    pub(super) fn of(&self, name: &QueueName) -> Numbered {
        self.queues.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn restore(&mut self, name: QueueName, numbered: Numbered) {
        self.queues.insert(name, numbered);
    }

    /// Decides about the last records of queues. `leads_to` tells where the entry leads that a queue has on the disk at a
    /// number: it is all that is left to ask. Without one a number is damaged, unless it is the first one of all.
    pub(super) fn finish(
        &mut self,
        mut leads_to: impl FnMut(&QueueName, u64) -> Result<Option<PhysicalOffset>, StoreError>,
    ) -> Result<(), StoreError> {
        for (name, numbered) in &mut self.queues {
            if let Some(back) = numbered.undecided.take() {
                let is_its = leads_to(name, back.number)?.map(|physical| physical == back.at);
                numbered.decide(back, is_its.unwrap_or(back.number == 0));
            }
        }
        Ok(())
    }

    /// Every queue that gets an entry, as it will be.
    pub(super) fn planned(&self) -> BTreeMap<QueueName, QueuePlan> {
        let plan = |queue: &Numbered| QueuePlan {
            after: queue.bounds,
            blank: queue.blanks.len() as u64,
            ..QueuePlan::default()
        };
        let queues = self.queues.iter().filter(|(_, queue)| queue.bounds.is_some());
        queues.map(|(name, queue)| (name.clone(), plan(queue))).collect()
    }

    /// The records whose numbers went back.
    pub(super) fn backs(&self) -> impl Iterator<Item = (&QueueName, Back)> {
        self.queues.iter().flat_map(|(name, queue)| queue.backs.iter().map(move |back| (name, *back)))
    }

    /// Where the records lie from which queues go on.
    pub(super) fn given_again(&self) -> BTreeSet<PhysicalOffset> {
        self.backs().filter(|(_, back)| back.is_given_again).map(|(_, back)| back.at).collect()
    }
}

impl Numbered {
    fn note(&mut self, head: &RecordHead<'_>, is_damaged: bool) {
        let (at, end, number) = (head.physical_offset, head.end(), head.queue_offset.0);
        if let Some(back) = self.undecided.take() {
            self.decide(back, number == back.number.saturating_add(1));
        }
        let (first, next) = self.bounds.unwrap_or((number, 0));
        if number < next {
            self.undecided = Some(Back { at, end, number, next, is_damaged, is_given_again: false });
            return;
        }
        // As the building does, which then tells of it.
        if is_impossible(next, self.end, number, at) {
            return;
        }
        self.bounds = Some((first, number + 1));
        if is_damaged {
            self.blanks.push(number);
        } else {
            self.end = end;
        }
    }

    fn decide(&mut self, back: Back, is_given_again: bool) {
        if is_given_again {
            let first = self.bounds.map_or(back.number, |(first, _)| first.min(back.number));
            self.bounds = Some((first, back.number + 1));
            self.blanks.retain(|blank| *blank < back.number);
            if back.is_damaged {
                self.blanks.push(back.number);
            } else {
                self.end = back.end;
            }
        }
        self.backs.push(Back { is_given_again, ..back });
    }
}
