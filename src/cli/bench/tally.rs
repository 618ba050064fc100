//! What came back: replies by code, and how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::protocol::codes::response;

/// Longest time that is told apart; longer ones count as this.
const LATENCY_MAX: Duration = Duration::from_secs(60);
/// Digits to which times are kept.
const PRECISION: u8 = 3;

/// Counts and times of one measurement.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests answered, by response code.
    pub codes: BTreeMap<i32, u64>,
    /// Messages stored, or received.
    pub messages: u64,
    /// Replies to nothing that was asked, and requests of the server.
    pub stray: u64,
    /// Requests without a reply when the measurement was over and the wait for stragglers too.
    pub unanswered: u64,
    times: Histogram<u64>,
}

/// Times of one measurement at the points that reports give.
///
/// # Units
/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How many times these are taken from.
    pub count: u64,
    /// Half took no longer.
    pub p50: u64,
    /// Nine of ten took no longer.
    pub p90: u64,
    /// All but one in a hundred.
    pub p99: u64,
    /// All but one in a thousand.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// How a reply counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored or found, be it with a remark on how safely.
    Ok,
    /// The broker has no room now.
    Busy,
    /// Anything else.
    Error,
}

impl Outcome {
    /// What a response code to a send counts as.
    #[must_use]
    pub fn of_send(code: i32) -> Self {
        match code {
            response::SUCCESS
            | response::FLUSH_DISK_TIMEOUT
            | response::SLAVE_NOT_AVAILABLE
            | response::FLUSH_SLAVE_TIMEOUT => Self::Ok,
            response::SYSTEM_BUSY | response::FLOW_CONTROL => Self::Busy,
            _ => Self::Error,
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        let times = Histogram::new_with_bounds(1, LATENCY_MAX.as_micros() as u64, PRECISION)
            .expect("the bounds are constants that the histogram accepts");
        Self { codes: BTreeMap::new(), messages: 0, stray: 0, unanswered: 0, times }
    }
}

impl Tally {
    /// Notes an answered request that stands for `messages` messages if it went well.
    pub fn reply(&mut self, code: i32, messages: u64, nanos: u64) {
        *self.codes.entry(code).or_default() += 1;
        if Outcome::of_send(code) == Outcome::Ok {
            self.messages += messages;
            self.time(nanos);
        }
    }

    /// Notes a time. Only what went well is timed: a refusal is quick for the wrong reason.
    pub fn time(&mut self, nanos: u64) {
        self.times.saturating_record(nanos.div_ceil(1_000));
    }

    /// Requests that were answered in one way.
    #[must_use]
    pub fn requests(&self, outcome: Outcome) -> u64 {
        self.codes.iter().filter(|(code, _)| Outcome::of_send(**code) == outcome).map(|(_, count)| count).sum()
    }

    /// The times so far.
    #[must_use]
    pub fn times(&self) -> Times {
        let at = |quantile| self.times.value_at_quantile(quantile);
        let (count, max) = (self.times.len(), self.times.max());
        // A bucket's upper end may lie above the longest time that fell into it.
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|quantile| at(quantile).min(max));
        Times { count, p50, p90, p99, p999, max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_microseconds_and_refusals_have_none() {
        let mut tally = Tally::default();
        (1..=1_000).for_each(|micros| tally.reply(response::SUCCESS, 1, micros * 1_000));
        tally.reply(response::SYSTEM_BUSY, 1, 5);
        tally.reply(response::TOPIC_NOT_EXIST, 1, 5);
        let times = tally.times();
        assert_eq!((times.count, times.p50, times.p99, times.max), (1_000, 500, 990, 1_000));
        assert_eq!(tally.messages, 1_000);
        assert_eq!([Outcome::Ok, Outcome::Busy, Outcome::Error].map(|o| tally.requests(o)), [1_000, 1, 1]);
    }

    #[test]
    fn stored_with_a_remark_is_stored_and_a_batch_counts_its_messages() {
        let mut tally = Tally::default();
        tally.reply(response::FLUSH_DISK_TIMEOUT, 32, 10);
        assert_eq!((tally.messages, tally.requests(Outcome::Ok), tally.times().max), (32, 1, 1));
    }

    #[test]
    fn what_takes_longer_than_can_be_told_apart_still_counts() {
        let mut tally = Tally::default();
        tally.time(u64::MAX);
        assert_eq!(tally.times().count, 1);
        assert_eq!(Tally::default().times(), Times { count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
    }
}
