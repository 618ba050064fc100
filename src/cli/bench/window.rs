//! Which requests of one connection are under way, and since when.
//!
//! A ring addressed by the request's running number: opening and closing a request touches one slot and allocates
//! nothing. Replies may come in any order; when one stays away so long that the ring comes round to its slot, sending
//! waits for it, so a slot never belongs to two requests.

/// How many slots there are for each request that may be under way, so that one late reply does not stop the others.
const SLOTS_PER_REQUEST: usize = 4;

/// The requests under way on one connection.
///
/// # Units
/// Times are nanoseconds of the bench's own clock.
#[derive(Debug)]
pub struct Window {
    slots: Vec<Slot>,
    limit: usize,
    under_way: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sequence: u32,
    started_ns: u64,
    busy: bool,
}

impl Window {
    /// A window of at most `limit` requests.
    ///
    /// # Panics
    /// If `limit` is zero, with which nothing could ever be sent.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "a window of no requests");
        let slots = (limit * SLOTS_PER_REQUEST).next_power_of_two();
        Self { slots: vec![Slot::default(); slots], limit, under_way: 0 }
    }

    /// How many requests are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether the request of this running number may be sent now.
    #[must_use]
    pub fn has_room(&self, sequence: u32) -> bool {
        self.under_way < self.limit && !self.slots[self.index(sequence)].busy
    }

    /// Notes that a request is sent.
    pub fn open(&mut self, sequence: u32, started_ns: u64) {
        let index = self.index(sequence);
        debug_assert!(!self.slots[index].busy, "the slot still belongs to another request");
        self.slots[index] = Slot { sequence, started_ns, busy: true };
        self.under_way += 1;
    }

    /// Notes a reply; gives when its request was sent, or `None` for a reply to nothing that is under way.
    pub fn close(&mut self, sequence: u32) -> Option<u64> {
        let index = self.index(sequence);
        let slot = &mut self.slots[index];
        if !slot.busy || slot.sequence != sequence {
            return None;
        }
        slot.busy = false;
        self.under_way -= 1;
        Some(slot.started_ns)
    }

    /// The slot of a running number. Its count is a power of two, and so is that of the running numbers, so
    /// consecutive numbers have different slots also where the numbers start again from zero.
    fn index(&self, sequence: u32) -> usize {
        sequence as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_matched_in_any_order_and_only_once() {
        let mut window = Window::new(3);
        for sequence in 0..3 {
            assert!(window.has_room(sequence));
            window.open(sequence, 100 + u64::from(sequence));
        }
        assert!(!window.has_room(3), "three is the limit");
        assert_eq!(window.close(1), Some(101));
        assert_eq!(window.close(1), None, "answered already");
        assert_eq!(window.close(77), None, "never sent");
        assert!(window.has_room(3));
        assert_eq!((window.close(2), window.close(0), window.under_way()), (Some(102), Some(100), 0));
    }

    #[test]
    fn a_reply_that_stays_away_keeps_its_slot() {
        let mut window = Window::new(2);
        window.open(0, 7);
        let slots = window.slots.len() as u32;
        for sequence in 1..slots {
            assert!(window.has_room(sequence));
            window.open(sequence, 8);
            assert_eq!(window.close(sequence), Some(8));
        }
        assert!(!window.has_room(slots), "its slot is that of request 0");
        assert_eq!(window.close(slots), None, "same slot, other request");
        assert_eq!(window.close(0), Some(7));
        assert!(window.has_room(slots));
    }
}
