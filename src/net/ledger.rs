//! What is owed to one connection: a line per request, struck when it is answered.
//!
//! A reply that comes twice, or after its line was struck for lateness, finds no line and goes nowhere; a line that nobody
//! strikes is found by the sweep. What is deliberately absent: the bytes of replies, sockets, and waking anybody.

use std::time::Duration;

use smallvec::SmallVec;

use crate::protocol::command::Serialization;
use crate::protocol::units::Opaque;

/// Places of struck lines that are kept for the next ones.
const LINES_KEPT: usize = 1024;

/// Names a line for as long as it is open; the number of a struck line is given out again with another serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    index: u32,
    serial: u32,
}

/// Lines that are answered together; mostly one or many.
pub(super) type Lines = SmallVec<[Option<Line>; 2]>;

/// What opens a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owing {
    pub(super) opaque: Opaque,
    pub(super) serialization: Serialization,
    pub(super) oneway: bool,
    pub(super) code: i32,
    /// The lane that the request went down, which says how long it may wait; none for a code that nobody serves.
    pub(super) lane: Option<u8>,
    /// What the request holds until it is answered.
    pub(super) bytes: usize,
    /// Whether a budget has lent these bytes,
    pub(super) lent: bool,
    /// and that it is the one of all lanes without their own.
    pub(super) common: bool,
}

/// An open line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    serial: u32,
    pub(super) owing: Owing,
    /// Whether its bytes count among those that the connection has in flight.
    counted: bool,
    pub(super) since: Duration,
    /// When it is answered for whoever has not; none for a request that may wait for ever.
    pub(super) due: Option<Duration>,
    pub(super) waiting: Waiting,
}

/// Why a line is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Somebody is at work on it.
    Served,
    /// It is a question that waits for something to happen. Nobody misses it when the connection ends.
    Parked,
}

/// The lines of one connection.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lines: Vec<Option<Owed>>,
    vacant: Vec<u32>,
    next_serial: u32,
    bytes: usize,
    /// Those of them that the common budget has lent.
    common_bytes: usize,
}

impl Ledger {
    /// Opens a line.
    pub(super) fn open(&mut self, owing: Owing, now: Duration, patience: Option<Duration>) -> Line {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.count(&owing);
        let due = patience.map(|limit| now + limit);
        let owed = Owed { serial, owing, counted: true, since: now, due, waiting: Waiting::Served };
        let index = match self.vacant.pop() {
            Some(index) => index,
            None => {
                self.lines.push(None);
                (self.lines.len() - 1) as u32
            }
        };
        if let Some(slot) = self.lines.get_mut(index as usize) {
            *slot = Some(owed);
        }
        Line { index, serial }
    }

    /// A line that is still open.
    pub(super) fn owed(&mut self, line: Line) -> Option<&mut Owed> {
        self.lines.get_mut(line.index as usize)?.as_mut().filter(|owed| owed.serial == line.serial)
    }

    /// Strikes a line, if it is still open.
    pub(super) fn strike(&mut self, line: Line) -> Option<Owed> {
        let slot = self.lines.get_mut(line.index as usize)?;
        let owed = slot.take_if(|owed| owed.serial == line.serial)?;
        self.vacant.push(line.index);
        if owed.counted {
            self.uncount(&owed.owing);
        }
        // A burst leaves no table behind that every sweep walks through.
        if self.vacant.len() == self.lines.len() && self.lines.len() > LINES_KEPT {
            (self.lines, self.vacant) = (Vec::new(), Vec::new());
        }
        Some(owed)
    }

    /// Takes the bytes from a line that stays open: they are given back before it is answered.
    pub(super) fn release(&mut self, line: Line) -> Option<Owing> {
        self.relieve(line);
        let owed = self.owed(line)?;
        let released = owed.owing;
        (owed.owing.bytes, owed.owing.lent) = (0, false);
        Some(released)
    }

    /// Counts the bytes of a line no longer among those that the connection has in flight; its permits it keeps.
    pub(super) fn relieve(&mut self, line: Line) {
        let Some(owed) = self.owed(line) else { return };
        if std::mem::replace(&mut owed.counted, false) {
            let owing = owed.owing;
            self.uncount(&owing);
        }
    }

    fn count(&mut self, owing: &Owing) {
        self.bytes += owing.bytes;
        self.common_bytes += if owing.common { owing.bytes } else { 0 };
    }

    fn uncount(&mut self, owing: &Owing) {
        self.bytes -= owing.bytes;
        self.common_bytes -= if owing.common { owing.bytes } else { 0 };
    }

    /// Takes the bytes from every line: the connection has ended, and nobody will be answered. Lines stay open, so that what
    /// was not answered for lateness can be told from what was.
    pub(super) fn release_all(&mut self) -> Vec<Owing> {
        (self.bytes, self.common_bytes) = (0, 0);
        let open = self.lines.iter_mut().flatten();
        open.map(|owed| {
            let released = owed.owing;
            (owed.owing.bytes, owed.owing.lent, owed.counted) = (0, false, false);
            released
        })
        .collect()
    }

    /// Lines that are due.
    pub(super) fn overdue(&self, now: Duration) -> Vec<(Line, Owed)> {
        let open = (0u32..).zip(&self.lines).filter_map(|(index, owed)| Some((index, (*owed)?)));
        open.filter(|(_, owed)| owed.due.is_some_and(|due| due <= now))
            .map(|(index, owed)| (Line { index, serial: owed.serial }, owed))
            .collect()
    }

    /// Whether somebody is at work for this connection, who should be waited for when it ends.
    pub(super) fn is_served(&self) -> bool {
        self.lines.iter().flatten().any(|owed| owed.due.is_some() && owed.waiting == Waiting::Served)
    }

    /// Bytes that all open requests hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Those of them that the common budget has lent.
    pub(super) fn common_bytes(&self) -> usize {
        self.common_bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn owing(opaque: i32) -> Owing {
        Owing {
            opaque: Opaque(opaque),
            serialization: Serialization::Json,
            oneway: false,
            code: 0,
            lane: Some(0),
            bytes: 10,
            lent: true,
            common: true,
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_line_is_struck_once_even_when_its_place_has_a_new_one() {
        let mut ledger = Ledger::default();
        let first = ledger.open(owing(1), at(0), None);
        assert_eq!(ledger.strike(first).unwrap().owing.opaque, Opaque(1));
        let second = ledger.open(owing(2), at(0), None);
        assert!(ledger.strike(first).is_none() && ledger.owed(first).is_none());
        assert_eq!(ledger.strike(second).unwrap().owing.opaque, Opaque(2));
        assert_eq!((ledger.bytes(), ledger.common_bytes(), ledger.lines.len()), (0, 0, 1));
    }

    #[test]
    fn what_is_relieved_counts_no_more_and_is_lent_still() {
        let mut ledger = Ledger::default();
        let (relieved, other) = (ledger.open(owing(1), at(0), None), ledger.open(owing(2), at(0), None));
        ledger.relieve(relieved);
        ledger.relieve(relieved);
        assert_eq!((ledger.bytes(), ledger.common_bytes()), (10, 10));
        let struck = ledger.strike(relieved).unwrap().owing;
        assert_eq!((struck.bytes, struck.lent, ledger.bytes()), (10, true, 10));
        ledger.strike(other);
        assert_eq!(ledger.bytes(), 0);
    }

    #[test]
    fn what_is_released_is_owed_but_holds_nothing() {
        let mut ledger = Ledger::default();
        let line = ledger.open(owing(1), at(0), Some(at(3)));
        assert_eq!(ledger.release(line).map(|owing| (owing.bytes, owing.lent)), Some((10, true)));
        assert_eq!((ledger.bytes(), ledger.is_served()), (0, true));
        ledger.owed(line).unwrap().waiting = Waiting::Parked;
        assert!(!ledger.is_served());
        assert_eq!(ledger.strike(line).unwrap().owing.bytes, 0);
    }

    #[test]
    fn lines_are_due_when_their_patience_ends() {
        let mut ledger = Ledger::default();
        let (soon, never) = (ledger.open(owing(1), at(1), Some(at(3))), ledger.open(owing(2), at(1), None));
        assert!(ledger.overdue(at(3)).is_empty());
        assert_eq!(ledger.overdue(at(4)).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [soon]);
        assert_eq!(ledger.release_all().len(), 2);
        assert!(ledger.owed(never).is_some() && ledger.bytes() == 0);
    }
}
