//! Which brokers were slow lately, and for how long they are passed over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// From this latency on a broker is passed over for so long, in milliseconds.
///
/// # Source
/// `org.apache.rocketmq.client.latency.MQFaultStrategy` 4.9.7 (read).
const PASSED_OVER_MS: [(u64, u64); 7] =
    [(50, 0), (100, 0), (550, 30_000), (1_000, 60_000), (2_000, 120_000), (3_000, 180_000), (15_000, 600_000)];
/// A send that failed counts as one that took so long.
const FAILED_MS: u64 = 30_000;

/// What became of a send, as far as its broker can help it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// The broker answered.
    Answered,
    /// It did not, or the way to it failed.
    Failed,
}

/// The table. Times are those of one monotonic clock.
#[derive(Debug, Default)]
pub(super) struct LatencyFaults {
    brokers: HashMap<Arc<str>, Fault>,
    turn: usize,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    latency: Duration,
    available_at: Duration,
}

impl LatencyFaults {
    /// Takes in how long a send to a broker took.
    pub(super) fn note(&mut self, broker: &Arc<str>, latency: Duration, outcome: SendOutcome, now: Duration) {
        let counted_ms = match outcome {
            SendOutcome::Answered => u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            SendOutcome::Failed => FAILED_MS,
        };
        let row = PASSED_OVER_MS.iter().rev().find(|(from_ms, _)| counted_ms >= *from_ms);
        let passed_over = Duration::from_millis(row.map_or(0, |(_, for_ms)| *for_ms));
        self.brokers.insert(Arc::clone(broker), Fault { latency, available_at: now + passed_over });
    }

    /// Whether a broker is to be sent to.
    #[must_use]
    pub(super) fn is_available(&self, broker: &str, now: Duration) -> bool {
        self.brokers.get(broker).is_none_or(|fault| now >= fault.available_at)
    }

    /// One of the better half of the brokers that are known here, in turn: for when none is available.
    pub(super) fn least_bad(&mut self, now: Duration) -> Option<Arc<str>> {
        let mut known: Vec<_> = self.brokers.iter().collect();
        known.sort_by_key(|(name, fault)| {
            (now < fault.available_at, fault.latency, fault.available_at, Arc::clone(name))
        });
        let better = (known.len() / 2).max(1);
        let (chosen, _) = known.get(self.turn % better)?;
        self.turn = self.turn.wrapping_add(1);
        Some(Arc::clone(chosen))
    }

    /// Forgets a broker that no route names any more.
    pub(super) fn forget(&mut self, broker: &str) {
        self.brokers.remove(broker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn passed_over(latency_ms: u64, outcome: SendOutcome) -> u64 {
        let (mut faults, broker) = (LatencyFaults::default(), Arc::from("b"));
        faults.note(&broker, MS(latency_ms), outcome, MS(7));
        let until = (0..=600_007).find(|now_ms| *now_ms >= 7 && faults.is_available("b", MS(*now_ms)));
        until.map_or(u64::MAX, |until| until - 7)
    }

    #[test]
    fn a_broker_is_passed_over_for_longer_the_slower_it_was() {
        use SendOutcome::{Answered, Failed};
        let rows = [(0, 0), (99, 0), (549, 0), (550, 30_000), (999, 30_000), (1_000, 60_000), (2_999, 120_000)];
        for (latency_ms, for_ms) in rows.into_iter().chain([(3_000, 180_000), (14_999, 180_000), (15_000, 600_000)]) {
            assert_eq!(passed_over(latency_ms, Answered), for_ms, "{latency_ms}");
        }
        assert_eq!(passed_over(1, Failed), 600_000);
        assert!(LatencyFaults::default().is_available("unknown", MS(0)));
    }

    #[test]
    fn when_none_is_available_the_better_half_take_turns() {
        let mut faults = LatencyFaults::default();
        assert_eq!(faults.least_bad(MS(0)), None);
        for (broker, latency_ms) in [("d", 4_000), ("b", 2_000), ("c", 3_000), ("a", 1_000)] {
            faults.note(&Arc::from(broker), MS(latency_ms), SendOutcome::Failed, MS(0));
        }
        let chosen: Vec<_> = (0..4).filter_map(|_| faults.least_bad(MS(1))).collect();
        assert_eq!(chosen, [Arc::from("a"), Arc::from("b"), Arc::from("a"), Arc::<str>::from("b")]);
        // Whoever may be sent to again comes first, however slow it was.
        faults.note(&Arc::from("d"), MS(5_000), SendOutcome::Answered, MS(0));
        let later = MS(180_000);
        let chosen: Vec<_> = (0..2).filter_map(|_| faults.least_bad(later)).collect();
        assert_eq!(chosen, [Arc::from("d"), Arc::<str>::from("a")]);
        faults.forget("d");
        assert_eq!((0..3).filter_map(|_| faults.least_bad(later)).count(), 3);
    }
}
