//! Which half messages are done with, as the op messages of one round say.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::units::QueueOffset;

const BITS: u64 = u64::BITS as u64;

/// Half messages that have an op message, and how far the op messages were read.
///
/// With many transactions there are millions of them in one round, so each is a bit.
#[derive(Clone, Debug, Default)]
pub struct Done {
    words: BTreeMap<u64, u64>,
    /// What was read, in its order.
    reads: VecDeque<Read>,
}

/// Some op messages that were read together.
#[derive(Clone, Copy, Debug)]
struct Read {
    first: QueueOffset,
    /// The last half message that one of them ends.
    last_half: QueueOffset,
    late: Late,
}

/// Whether one ends a half message that was passed already: a copy of it may be met later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    /// None does.
    No,
    /// In this round, as far as it comes.
    InThisRound,
    /// In the next one: this round had made copies when it was read.
    InTheNext,
}

impl Done {
    /// Takes in the half messages that the op messages from `first` on end, when those before `next` were looked at, and the
    /// round `has_copied` some of them.
    pub fn take(
        &mut self,
        first: QueueOffset,
        halves: impl IntoIterator<Item = QueueOffset>,
        next: QueueOffset,
        has_copied: bool,
    ) {
        let mut read = Read { first, last_half: QueueOffset(0), late: Late::No };
        for half in halves {
            *self.words.entry(half.0 / BITS).or_default() |= 1 << (half.0 % BITS);
            read.last_half = read.last_half.max(half);
            if half < next {
                read.late = if has_copied { Late::InTheNext } else { Late::InThisRound };
            }
        }
        self.reads.push_back(read);
    }

    /// Whether a half message has an op message.
    #[must_use]
    pub fn contains(&self, half: QueueOffset) -> bool {
        self.words.get(&(half.0 / BITS)).is_some_and(|word| word & (1 << (half.0 % BITS)) != 0)
    }

    /// Where the op messages have to be read from next time, when the half messages are from `next_half` on and op messages
    /// were read up to `read_to`. `saw_all` says that every half message was looked at that there was.
    #[must_use]
    pub fn read_from(&self, next_half: QueueOffset, read_to: QueueOffset, saw_all: bool) -> QueueOffset {
        let needed = |read: &&Read| {
            read.last_half >= next_half
                || match read.late {
                    Late::No => false,
                    Late::InThisRound => !saw_all,
                    Late::InTheNext => true,
                }
        };
        self.reads.iter().find(needed).map_or(read_to, |read| read.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> QueueOffset {
        QueueOffset(offset)
    }

    #[test]
    fn each_half_message_is_remembered() {
        let mut done = Done::default();
        done.take(at(0), [at(3), at(64), at(1 << 40)], at(0), false);
        for (half, expected) in [(3, true), (4, false), (64, true), (0, false), (1 << 40, true), (u64::MAX, false)] {
            assert_eq!(done.contains(at(half)), expected, "{half}");
        }
    }

    #[test]
    fn op_messages_are_read_again_while_their_half_message_is_to_come() {
        let mut done = Done::default();
        done.take(at(10), [at(5), at(6)], at(5), false);
        done.take(at(12), [at(9)], at(5), false);
        assert_eq!(done.read_from(at(6), at(13), true), at(10));
        assert_eq!(done.read_from(at(7), at(13), true), at(12));
        assert_eq!(done.read_from(at(10), at(13), true), at(13));
    }

    #[test]
    fn a_late_one_is_kept_until_every_copy_was_met() {
        let mut done = Done::default();
        done.take(at(0), [at(1)], at(3), false);
        assert_eq!(done.read_from(at(4), at(1), false), at(0));
        assert_eq!(done.read_from(at(4), at(1), true), at(1));
    }

    /// The copy was made after this round began: only the next one looks at it.
    #[test]
    fn one_that_ends_what_was_copied_in_this_round_is_kept_for_the_next() {
        let mut done = Done::default();
        done.take(at(0), [at(5)], at(6), true);
        done.take(at(1), [at(9)], at(6), true);
        assert_eq!(done.read_from(at(9), at(2), true), at(0));
        assert_eq!(Done::default().read_from(at(9), at(2), true), at(2));
    }
}
