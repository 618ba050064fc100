//! How a queue went lately: counts of the last minute.

use std::time::Duration;

/// How long one slot counts.
const SLOT: Duration = Duration::from_secs(10);
/// So many of them are a minute.
const SLOTS: usize = 6;

/// What is counted.
///
/// See the example of [`PullActor`](super::actors::pull_actor::PullActor).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pulls that were answered.
    pub pulls: u64,
    /// Time that they took, in milliseconds.
    pub pull_ms: u64,
    /// Messages that they brought.
    pub pulled: u64,
    /// Messages that the application has consumed.
    pub consumed: u64,
    /// Messages that it could not consume.
    pub failed: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.pulls += other.pulls;
        self.pull_ms += other.pull_ms;
        self.pulled += other.pulled;
        self.consumed += other.consumed;
        self.failed += other.failed;
    }
}

/// The counts of the last minute. Times are those of one monotonic clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    slots: [Counts; SLOTS],
    /// The number of the newest slot since the clock began.
    newest: u64,
}

impl Tally {
    /// Counts something.
    pub(super) fn note(&mut self, counts: Counts, now: Duration) {
        self.turn_to(now);
        if let Some(slot) = self.slots.get_mut(self.newest as usize % SLOTS) {
            slot.add(counts);
        }
    }

    /// What was counted within the last minute, to ten seconds.
    #[must_use]
    pub(super) fn last_minute(&self, now: Duration) -> Counts {
        let mut turned = self.clone();
        turned.turn_to(now);
        let mut sum = Counts::default();
        turned.slots.into_iter().for_each(|slot| sum.add(slot));
        sum
    }

    fn turn_to(&mut self, now: Duration) {
        let current = now.as_secs() / SLOT.as_secs();
        let passed = current.saturating_sub(self.newest).min(SLOTS as u64);
        for step in 1..=passed {
            if let Some(slot) = self.slots.get_mut((self.newest + step) as usize % SLOTS) {
                *slot = Counts::default();
            }
        }
        if passed == SLOTS as u64 {
            self.slots = [Counts::default(); SLOTS];
        }
        self.newest = self.newest.max(current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_minute_is_counted_and_forgotten() {
        let mut tally = Tally::default();
        let one = Counts { consumed: 1, ..Counts::default() };
        for second in 0..120 {
            tally.note(one, S(second));
        }
        assert_eq!(tally.last_minute(S(119)).consumed, 60);
        assert_eq!(tally.last_minute(S(120)).consumed, 50, "a new slot begins");
        assert_eq!(tally.last_minute(S(169)).consumed, 10);
        assert_eq!(tally.last_minute(S(170)).consumed, 0);
        assert_eq!(tally.last_minute(S(100_000)).consumed, 0);
        tally.note(one, S(100_000));
        assert_eq!(tally.last_minute(S(100_000)).consumed, 1);
    }
}
