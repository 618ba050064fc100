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
    /// Whether one ends a half message that was passed already: a copy of it may be met later.
    late: bool,
}

impl Done {
    /// Takes in the half messages that the op messages from `first` on end. `begins` is the first half message that is still
    /// looked at.
    pub fn take(&mut self, first: QueueOffset, halves: impl IntoIterator<Item = QueueOffset>, begins: QueueOffset) {
        let mut read = Read { first, last_half: QueueOffset(0), late: false };
        for half in halves {
            *self.words.entry(half.0 / BITS).or_default() |= 1 << (half.0 % BITS);
            read.last_half = read.last_half.max(half);
            read.late |= half < begins;
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
        let needed = |read: &&Read| read.last_half >= next_half || (read.late && !saw_all);
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
        done.take(at(0), [at(3), at(64), at(1 << 40)], at(0));
        for (half, expected) in [(3, true), (4, false), (64, true), (0, false), (1 << 40, true), (u64::MAX, false)] {
            assert_eq!(done.contains(at(half)), expected, "{half}");
        }
    }

    #[test]
    fn op_messages_are_read_again_while_their_half_message_is_to_come() {
        let mut done = Done::default();
        done.take(at(10), [at(5), at(6)], at(5));
        done.take(at(12), [at(9)], at(5));
        assert_eq!(done.read_from(at(6), at(13), true), at(10));
        assert_eq!(done.read_from(at(7), at(13), true), at(12));
        assert_eq!(done.read_from(at(10), at(13), true), at(13));
    }

    #[test]
    fn a_late_one_is_kept_until_every_copy_was_met() {
        let mut done = Done::default();
        done.take(at(0), [at(1)], at(3));
        assert_eq!(done.read_from(at(4), at(1), false), at(0));
        assert_eq!(done.read_from(at(4), at(1), true), at(1));
    }
}
