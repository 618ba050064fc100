//! How far a broker has come with delivery times, and how much of that may be written down.

use serde::{Deserialize, Serialize};

use super::wheel::{SECOND_MS, start_of};
use crate::protocol::body::{BodyError, lenient, pretty};
use crate::protocol::units::QueueOffset;

/// What is done with, as `ferromq.timer.json` keeps it: of the entries before the offsets, those that were to be looked at
/// up to that time. Everything else is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TimerProgress {
    /// In milliseconds since the epoch.
    pub done_until_ms: i64,
    /// Messages that were taken in.
    pub messages: u64,
    /// Cancellations that were taken in.
    pub cancellations: u64,
}

impl TimerProgress {
    /// Reads the content of the file.
    ///
    /// # Errors
    /// Text that is no such file.
    pub fn load(text: &str) -> Result<Self, BodyError> {
        lenient::read(text.as_bytes())
    }

    /// The content of the file.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(self)
    }

    /// What is known now, if it reaches as far. What was late when it came does not take back what is done with: it was taken in
    /// later, so it counts as pending by what was known before.
    #[must_use]
    pub fn or_further(self, now: Option<Self>) -> Self {
        now.filter(|now| now.done_until_ms >= self.done_until_ms).unwrap_or(self)
    }

    /// Whether a message's entry is done with.
    #[must_use]
    pub fn is_done(&self, entry: QueueOffset, fire_ms: i64) -> bool {
        entry.0 < self.messages && fire_ms <= self.done_until_ms
    }

    /// Whether a cancellation's entry is: what it may cancel comes up to a second later.
    #[must_use]
    pub fn is_over(&self, entry: QueueOffset, fire_ms: i64) -> bool {
        entry.0 < self.cancellations && start_of(fire_ms, SECOND_MS) + SECOND_MS <= self.done_until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: TimerProgress = TimerProgress { done_until_ms: 10_700, messages: 5, cancellations: 5 };

    #[test]
    fn done_is_what_was_taken_in_and_lies_before_the_time() {
        assert!(PROGRESS.is_done(QueueOffset(4), 10_700));
        assert!(!PROGRESS.is_done(QueueOffset(4), 10_701));
        assert!(!PROGRESS.is_done(QueueOffset(5), 10_700));
    }

    #[test]
    fn a_cancellation_counts_until_its_second_is_over() {
        assert!(!PROGRESS.is_over(QueueOffset(4), 10_000));
        assert!(PROGRESS.is_over(QueueOffset(4), 9_999));
        assert!(!PROGRESS.is_over(QueueOffset(5), 9_000));
    }

    #[test]
    fn what_comes_late_takes_nothing_back() {
        let further = TimerProgress { messages: 9, ..PROGRESS };
        assert_eq!(PROGRESS.or_further(Some(further)), further);
        assert_eq!(PROGRESS.or_further(Some(TimerProgress { done_until_ms: -1, ..further })), PROGRESS);
        assert_eq!(PROGRESS.or_further(None), PROGRESS);
        assert!(!PROGRESS.is_done(QueueOffset(7), 3), "what was taken in since");
    }

    #[test]
    fn the_file_reads_back() {
        assert_eq!(TimerProgress::load(&PROGRESS.to_json()).ok(), Some(PROGRESS));
    }
}
