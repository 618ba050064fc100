//! Which queues a member of a group has, and what is to be done when its share changes.
//!
//! Decides only. Whoever asks takes queues over (asks for their lock, if they are consumed in order, and for the group's
//! offset), gives them up (commits, unlocks), and tells how that went. Times are those of one monotonic clock.
//!
//! # Source
//! `RebalanceImpl.updateProcessQueueTableInRebalance` 4.9.7 (read). There a queue is taken over within the call; here that
//! takes its time, and so does giving it up, and the share may change meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::protocol::body::queue_table::MessageQueue;

/// A queue from which nothing was pulled for so long is given up and taken anew: whatever holds its pulls up may be over then.
pub const PULLED_WITHIN: Duration = Duration::from_secs(120);

/// What is to be done about a queue.
///
/// See the example of [`OwnedQueues`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Stop pulling from it, commit how far the group has come, let others have it, and say so with [`OwnedQueues::given_up`].
    GiveUp(MessageQueue),
    /// Take it over, and say how that went with [`OwnedQueues::taken_over`] or [`OwnedQueues::not_taken_over`].
    TakeOver(MessageQueue),
}

/// The queues of one member, of all its topics.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use ferromq::client::owned_queues::{Change, OwnedQueues};
/// use ferromq::protocol::body::queue_table::MessageQueue;
///
/// let queue = MessageQueue { broker_name: "a".into(), queue_id: 0, topic: "Invoices".into() };
/// let (mut owned, now) = (OwnedQueues::default(), Duration::ZERO);
/// assert_eq!(owned.assign("Invoices", &[queue.clone()], now), [Change::TakeOver(queue.clone())]);
/// assert!(!owned.owns(&queue), "the broker has yet to say where to begin");
/// // While that is asked, another member comes, and the queue is that one's.
/// assert!(owned.assign("Invoices", &[], now).is_empty());
/// assert_eq!(owned.taken_over(&queue, now), Some(Change::GiveUp(queue.clone())));
/// assert_eq!(owned.given_up(&queue), None);
/// assert!(owned.is_empty());
/// ```
#[derive(Debug, Default)]
pub struct OwnedQueues {
    queues: BTreeMap<MessageQueue, Hold>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It is being taken over,
    Coming,
    /// and will be given up at once, as the share has changed meanwhile.
    Unwanted,
    /// Messages are pulled from it; when last.
    Owned { pulled_at: Duration },
    /// It is being given up, and will be taken over again if it is wanted by then: not before, as its last call may still be
    /// under way, and what that gives back would be what was taken anew.
    Going { is_wanted: bool },
}

impl OwnedQueues {
    /// Takes in the member's share of a topic. What it has beyond that is given up first.
    pub fn assign(&mut self, topic: &str, share: &[MessageQueue], now: Duration) -> Vec<Change> {
        let share: BTreeSet<&MessageQueue> = share.iter().filter(|queue| queue.topic == topic).collect();
        let mut changes = Vec::new();
        let of_topic: Vec<_> = self.queues.keys().filter(|queue| queue.topic == topic).cloned().collect();
        for queue in of_topic {
            let is_wanted = share.contains(&queue);
            match self.queues.get(&queue) {
                Some(Hold::Coming | Hold::Unwanted) => {
                    let hold = if is_wanted { Hold::Coming } else { Hold::Unwanted };
                    self.queues.insert(queue, hold);
                }
                Some(Hold::Owned { pulled_at }) if is_wanted && now.saturating_sub(*pulled_at) <= PULLED_WITHIN => {}
                Some(Hold::Going { .. }) => {
                    self.queues.insert(queue, Hold::Going { is_wanted });
                }
                // One that nothing was pulled from is taken anew afterwards.
                Some(Hold::Owned { .. }) | None => {
                    self.queues.insert(queue.clone(), Hold::Going { is_wanted });
                    changes.push(Change::GiveUp(queue));
                }
            }
        }
        for queue in share {
            if !self.queues.contains_key(queue) {
                self.queues.insert(queue.clone(), Hold::Coming);
                changes.push(Change::TakeOver(queue.clone()));
            }
        }
        changes
    }

    /// A queue was taken over: messages may be pulled from it, unless it is to be given up again.
    #[must_use]
    pub fn taken_over(&mut self, queue: &MessageQueue, now: Duration) -> Option<Change> {
        match self.queues.get_mut(queue) {
            Some(hold @ Hold::Coming) => {
                *hold = Hold::Owned { pulled_at: now };
                None
            }
            Some(Hold::Owned { .. } | Hold::Going { .. }) => None,
            Some(Hold::Unwanted) | None => {
                self.queues.insert(queue.clone(), Hold::Going { is_wanted: false });
                Some(Change::GiveUp(queue.clone()))
            }
        }
    }

    /// A queue could not be taken over; the next [`OwnedQueues::assign`] tries again.
    pub fn not_taken_over(&mut self, queue: &MessageQueue) {
        if matches!(self.queues.get(queue), Some(Hold::Coming | Hold::Unwanted)) {
            self.queues.remove(queue);
        }
    }

    /// A queue was given up, as it was said; it is taken over again if it is wanted again.
    #[must_use]
    pub fn given_up(&mut self, queue: &MessageQueue) -> Option<Change> {
        match self.queues.get(queue) {
            Some(Hold::Going { is_wanted: true }) => {
                self.queues.insert(queue.clone(), Hold::Coming);
                Some(Change::TakeOver(queue.clone()))
            }
            Some(Hold::Going { is_wanted: false }) => {
                self.queues.remove(queue);
                None
            }
            _ => None,
        }
    }

    /// Something was asked of a queue's broker: its pulls go on.
    pub fn pulled(&mut self, queue: &MessageQueue, now: Duration) {
        if let Some(Hold::Owned { pulled_at }) = self.queues.get_mut(queue) {
            *pulled_at = now;
        }
    }

    /// Gives up a queue out of turn, as when another member has its lock; the next [`OwnedQueues::assign`] takes it anew. `None` if
    /// it is not owned.
    pub fn give_up(&mut self, queue: &MessageQueue) -> Option<Change> {
        self.owns(queue).then(|| {
            self.queues.insert(queue.clone(), Hold::Going { is_wanted: false });
            Change::GiveUp(queue.clone())
        })
    }

    /// Has a queue that is owned given up and taken over again, as when it is to go on elsewhere. Gives whether it is owned:
    /// the caller gives it up, and says so.
    #[must_use]
    pub fn take_anew(&mut self, queue: &MessageQueue) -> bool {
        let is_owned = self.owns(queue);
        if is_owned {
            self.queues.insert(queue.clone(), Hold::Going { is_wanted: true });
        }
        is_owned
    }

    /// Gives up everything, of topics that are not subscribed to any more or of all of them. What is being taken over is
    /// given up when that has come to its end.
    pub fn give_up_all(&mut self, is_meant: impl Fn(&str) -> bool) -> Vec<Change> {
        let topics: BTreeSet<String> = self.queues.keys().map(|queue| queue.topic.clone()).collect();
        let meant = topics.into_iter().filter(|topic| is_meant(topic));
        meant.flat_map(|topic| self.assign(&topic, &[], Duration::ZERO)).collect()
    }

    /// Whether messages are pulled from a queue.
    #[must_use]
    pub fn owns(&self, queue: &MessageQueue) -> bool {
        matches!(self.queues.get(queue), Some(Hold::Owned { .. }))
    }

    /// Whether there is none that the member has, or is about to have or to give up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The queues from which messages are pulled, by topic's brokers.
    pub fn owned(&self) -> impl Iterator<Item = &MessageQueue> {
        self.queues.iter().filter(|(_, hold)| matches!(hold, Hold::Owned { .. })).map(|(queue, _)| queue)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn queue(number: i32) -> MessageQueue {
        MessageQueue { broker_name: "b".into(), queue_id: number, topic: "T".into() }
    }

    fn share(numbers: &[i32]) -> Vec<MessageQueue> {
        numbers.iter().copied().map(queue).collect()
    }

    fn give_up(number: i32) -> Change {
        Change::GiveUp(queue(number))
    }

    fn take_over(number: i32) -> Change {
        Change::TakeOver(queue(number))
    }

    fn owning(numbers: &[i32]) -> OwnedQueues {
        let mut owned = OwnedQueues::default();
        owned.assign("T", &share(numbers), S(0));
        for number in numbers {
            assert_eq!(owned.taken_over(&queue(*number), S(0)), None);
        }
        owned
    }

    #[test]
    fn what_is_no_longer_in_the_share_goes_before_what_is_new_comes() {
        let mut owned = owning(&[0, 1]);
        assert_eq!(owned.assign("T", &share(&[1, 2]), S(1)), [give_up(0), take_over(2)]);
        assert!(owned.owns(&queue(1)) && !owned.owns(&queue(2)), "it is still coming");
        assert_eq!(owned.assign("T", &share(&[1, 2]), S(2)), [], "and asked for once");
        assert_eq!(owned.taken_over(&queue(2), S(2)), None);
        assert_eq!(owned.owned().cloned().collect::<Vec<_>>(), share(&[1, 2]));
        assert_eq!(owned.assign("another topic", &[], S(3)), []);
    }

    #[test]
    fn what_could_not_be_taken_over_is_tried_again_with_the_next_share() {
        let mut owned = OwnedQueues::default();
        assert_eq!(owned.assign("T", &share(&[0]), S(0)), [take_over(0)]);
        owned.not_taken_over(&queue(0));
        assert_eq!(owned.assign("T", &share(&[0]), S(20)), [take_over(0)]);
    }

    #[test]
    fn a_share_may_change_while_a_queue_is_coming() {
        let mut owned = OwnedQueues::default();
        owned.assign("T", &share(&[0, 1]), S(0));
        assert_eq!(owned.assign("T", &[], S(1)), [], "nothing is given up that one does not have");
        assert_eq!(owned.assign("T", &share(&[1]), S(2)), [], "it is coming already");
        assert_eq!(owned.taken_over(&queue(0), S(3)), Some(give_up(0)));
        assert_eq!(owned.taken_over(&queue(1), S(3)), None);
    }

    #[test]
    fn a_queue_whose_pulls_have_stopped_is_taken_anew() {
        let mut owned = owning(&[0, 1]);
        owned.pulled(&queue(1), S(30));
        assert_eq!(owned.assign("T", &share(&[0, 1]), PULLED_WITHIN), []);
        assert_eq!(owned.assign("T", &share(&[0, 1]), PULLED_WITHIN + S(1)), [give_up(0)]);
        assert_eq!(owned.given_up(&queue(0)), Some(take_over(0)));
    }

    #[test]
    fn everything_is_given_up_at_the_end_and_a_reset_queue_before() {
        let mut owned = owning(&[0, 1]);
        assert_eq!(owned.give_up(&queue(1)), Some(give_up(1)));
        assert_eq!(owned.give_up(&queue(1)), None);
        assert_eq!(owned.assign("T", &share(&[0, 1]), S(1)), []);
        assert_eq!(owned.given_up(&queue(1)), Some(take_over(1)));
        assert!(!owned.take_anew(&queue(1)), "it is not there yet");
        assert_eq!(owned.give_up_all(|topic| topic == "U"), []);
        assert_eq!(owned.give_up_all(|_| true), [give_up(0)]);
        assert_eq!(owned.taken_over(&queue(1), S(2)), Some(give_up(1)));
        assert_eq!(owned.owned().count(), 0);
        assert!(!owned.is_empty(), "they are on their way");
        assert_eq!([0, 1].map(|number| owned.given_up(&queue(number))), [None, None]);
        assert!(owned.is_empty());
    }

    #[test]
    fn a_queue_that_goes_on_elsewhere_is_not_taken_over_twice() {
        let mut owned = owning(&[0, 1]);
        assert!(owned.take_anew(&queue(0)) && owned.take_anew(&queue(1)));
        assert_eq!(owned.assign("T", &share(&[0]), S(1)), [], "it is going");
        assert_eq!(owned.given_up(&queue(0)), Some(take_over(0)));
        assert_eq!(owned.given_up(&queue(1)), None, "the share has changed meanwhile");
        assert_eq!(owned.taken_over(&queue(0), S(2)), None);
        assert_eq!(owned.owned().cloned().collect::<Vec<_>>(), share(&[0]));
    }

    #[test]
    fn a_queue_that_comes_back_is_not_taken_over_before_it_is_given_up() {
        let mut owned = owning(&[0]);
        assert_eq!(owned.assign("T", &[], S(1)), [give_up(0)]);
        assert_eq!(owned.assign("T", &share(&[0]), S(2)), [], "its last call may be under way");
        assert_eq!(owned.given_up(&queue(0)), Some(take_over(0)));
        assert_eq!(owned.given_up(&queue(0)), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Assign(Vec<bool>),
        GivenUp(i32),
        TakenOver(i32),
        Refused(i32),
    }

    proptest! {
        /// Each queue that is taken over is given up exactly once before it is taken over again, whatever comes between.
        #[test]
        fn taking_and_giving_take_turns(steps in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<bool>(), 3).prop_map(Step::Assign),
            (0..3).prop_map(Step::TakenOver),
            (0..3).prop_map(Step::GivenUp),
            (0..3).prop_map(Step::Refused),
        ], 1..80)) {
            let mut owned = OwnedQueues::default();
            // Of each queue: is it being taken over, and does the broker think that it is ours?
            let (mut coming, mut ours, mut going) = ([false; 3], [false; 3], [false; 3]);
            let mut wanted = vec![false; 3];
            for (at, step) in steps.into_iter().enumerate() {
                let now = S(at as u64);
                let changes = match step {
                    Step::Assign(which) => {
                        wanted = which;
                        let share: Vec<_> = (0..3).filter(|number| wanted[*number as usize]).map(queue).collect();
                        owned.assign("T", &share, now)
                    }
                    Step::TakenOver(number) if coming[number as usize] => {
                        (coming[number as usize], ours[number as usize]) = (false, true);
                        owned.taken_over(&queue(number), now).into_iter().collect()
                    }
                    Step::Refused(number) if coming[number as usize] => {
                        coming[number as usize] = false;
                        owned.not_taken_over(&queue(number));
                        Vec::new()
                    }
                    Step::GivenUp(number) if std::mem::take(&mut going[number as usize]) => {
                        owned.given_up(&queue(number)).into_iter().collect()
                    }
                    Step::TakenOver(_) | Step::Refused(_) | Step::GivenUp(_) => Vec::new(),
                };
                for change in changes {
                    match change {
                        Change::GiveUp(queue) => {
                            let number = queue.queue_id as usize;
                            prop_assert!(std::mem::take(&mut ours[number]));
                            prop_assert!(!std::mem::replace(&mut going[number], true));
                        }
                        Change::TakeOver(queue) => {
                            let number = queue.queue_id as usize;
                            prop_assert!(wanted[number] && !ours[number] && !going[number]);
                            prop_assert!(!std::mem::replace(&mut coming[number], true));
                        }
                    }
                }
                for number in 0..3 {
                    prop_assert_eq!(owned.owns(&queue(number)), ours[number as usize]);
                }
            }
        }
    }
}
