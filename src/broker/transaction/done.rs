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
    end: QueueOffset,
    /// The last half message that one of them ends.
    last_half: QueueOffset,
    /// Whether one ends a half message that was passed already: a copy of it may be met later.
    late: bool,
}

impl Done {
    /// Takes in the half messages that the op messages from `first` to `end` end, when those before `next` were looked at.
    pub fn take(
        &mut self,
        (first, end): (QueueOffset, QueueOffset),
        halves: impl IntoIterator<Item = QueueOffset>,
        next: QueueOffset,
    ) {
        let mut read = Read { first, end, last_half: QueueOffset(0), late: false };
        for half in halves {
            *self.words.entry(half.0 / BITS).or_default() |= 1 << (half.0 % BITS);
            read.last_half = read.last_half.max(half);
            read.late |= half < next;
        }
        self.reads.push_back(read);
    }

    /// Whether a half message has an op message.
    #[must_use]
    pub fn contains(&self, half: QueueOffset) -> bool {
        self.words.get(&(half.0 / BITS)).is_some_and(|word| word & (1 << (half.0 % BITS)) != 0)
    }

    /// Where the op messages have to be read from next time, when the half messages are from `next_half` on and op messages
    /// were read up to `read_to`.
    #[must_use]
    pub fn read_from(&self, next_half: QueueOffset, read_to: QueueOffset, known: &FirstReads) -> QueueOffset {
        let has_unaware_copies = |read: &Read| known.copies_end(read.end).is_none_or(|end| next_half < end);
        let needed = |read: &&Read| read.last_half >= next_half || (read.late && has_unaware_copies(read));
        self.reads.iter().find(needed).map_or(read_to, |read| read.first)
    }
}

/// Rows of [`FirstReads`]; with more, every other one is left out, and some op messages are read a little longer.
const ROWS_MAX: usize = 1_024;

/// When op messages were read first. A copy of a half message that was made without knowing of its op message lies before where
/// the half messages ended then.
#[derive(Clone, Debug, Default)]
pub struct FirstReads {
    /// Up to which op message, and where the half messages ended, both in order.
    rows: VecDeque<(QueueOffset, QueueOffset)>,
}

impl FirstReads {
    /// Notes that the op messages before `ops_end` are known from now on, with half messages and copies before `halves_end`.
    pub fn note(&mut self, ops_end: QueueOffset, halves_end: QueueOffset) {
        if self.rows.back().is_some_and(|(known, _)| *known >= ops_end) {
            return;
        }
        if self.rows.len() == ROWS_MAX {
            let mut is_later = true;
            self.rows.retain(|_| {
                is_later = !is_later;
                is_later
            });
        }
        self.rows.push_back((ops_end, halves_end));
    }

    /// Forgets what belongs to op messages before `op`: they are read no more.
    pub fn forget_before(&mut self, op: QueueOffset) {
        let over = self.rows.partition_point(|(ops_end, _)| *ops_end <= op);
        self.rows.drain(..over);
    }

    /// Before which half message all copies lie that were made without knowing of the op messages before `ops_end`.
    fn copies_end(&self, ops_end: QueueOffset) -> Option<QueueOffset> {
        let row = self.rows.partition_point(|(known, _)| *known < ops_end);
        self.rows.get(row).map(|(_, halves_end)| *halves_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> QueueOffset {
        QueueOffset(offset)
    }

    fn known(rows: &[(u64, u64)]) -> FirstReads {
        let mut known = FirstReads::default();
        rows.iter().for_each(|(ops_end, halves_end)| known.note(at(*ops_end), at(*halves_end)));
        known
    }

    #[test]
    fn each_half_message_is_remembered() {
        let mut done = Done::default();
        done.take((at(0), at(3)), [at(3), at(64), at(1 << 40)], at(0));
        for (half, expected) in [(3, true), (4, false), (64, true), (0, false), (1 << 40, true), (u64::MAX, false)] {
            assert_eq!(done.contains(at(half)), expected, "{half}");
        }
    }

    #[test]
    fn op_messages_are_read_again_while_their_half_message_is_to_come() {
        let mut done = Done::default();
        done.take((at(10), at(12)), [at(5), at(6)], at(5));
        done.take((at(12), at(13)), [at(9)], at(5));
        let known = known(&[(13, 5)]);
        assert_eq!(done.read_from(at(6), at(13), &known), at(10));
        assert_eq!(done.read_from(at(7), at(13), &known), at(12));
        assert_eq!(done.read_from(at(10), at(13), &known), at(13));
    }

    /// Whichever round made them, and however many rounds have ended at a message that is too young since.
    #[test]
    fn a_late_one_is_read_until_every_copy_was_met_that_was_made_before() {
        let mut done = Done::default();
        done.take((at(0), at(1)), [at(1)], at(3));
        assert_eq!(done.read_from(at(4), at(1), &FirstReads::default()), at(0), "nobody knows when it was read first");
        let known = known(&[(1, 8), (5, 20)]);
        assert_eq!(done.read_from(at(7), at(5), &known), at(0));
        assert_eq!(done.read_from(at(8), at(5), &known), at(5));
    }

    #[test]
    fn when_op_messages_were_read_first_is_known_as_long_as_they_are_read() {
        let mut known = known(&[(2, 10), (2, 99), (4, 20)]);
        let ends = |known: &FirstReads| [1, 2, 3, 4, 5].map(|op| known.copies_end(at(op)).map(|end| end.0));
        assert_eq!(ends(&known), [Some(10), Some(10), Some(20), Some(20), None]);
        known.forget_before(at(2));
        assert_eq!(ends(&known), [Some(20), Some(20), Some(20), Some(20), None]);
        // What is left out is taken for later, never for earlier.
        for row in 0..2 * ROWS_MAX as u64 {
            known.note(at(10 + row), at(100 + row));
        }
        assert!(known.rows.len() <= ROWS_MAX);
        for op in [10, 500, 1_500, 2_050] {
            assert!(known.copies_end(at(op)).unwrap() >= at(90 + op), "{op}");
        }
    }
}
