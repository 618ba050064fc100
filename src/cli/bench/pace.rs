//! When the next request is due, for loads of a given rate.
//!
//! An open load: arrivals do not wait for answers, so a broker that stalls is charged for every request that came due
//! meanwhile. Only the times are here; who sleeps and sends is elsewhere.

use clap::ValueEnum;

const NANOS_PER_SECOND: f64 = 1e9;

/// How arrivals are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arrivals {
    /// Evenly spaced.
    Even,
    /// Independent of each other (exponential gaps), as from many users.
    Poisson,
}

impl Arrivals {
    /// The name used in options and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Poisson => "poisson",
        }
    }
}

/// The times at which requests are due, in nanoseconds since the start, one after the other.
#[derive(Debug)]
pub struct Schedule {
    arrivals: Arrivals,
    gap_ns: f64,
    next_ns: f64,
    random: fastrand::Rng,
}

impl Schedule {
    /// Arrivals at `per_second`, the same ones for the same seed.
    #[must_use]
    pub fn new(per_second: f64, arrivals: Arrivals, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { arrivals, gap_ns: NANOS_PER_SECOND / per_second, next_ns: 0.0, random }
    }

    /// When the next request is due; each call moves on by one request.
    pub fn next_due_ns(&mut self) -> u64 {
        let due = self.next_ns;
        self.next_ns += match self.arrivals {
            Arrivals::Even => self.gap_ns,
            // 1 - x lies in (0, 1], whose logarithm is finite.
            Arrivals::Poisson => -(1.0 - self.random.f64()).ln() * self.gap_ns,
        };
        due as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_arrivals_keep_their_distance_and_do_not_drift() {
        let mut schedule = Schedule::new(3_000.0, Arrivals::Even, 1);
        let first: Vec<u64> = (0..4).map(|_| schedule.next_due_ns()).collect();
        assert_eq!(first, [0, 333_333, 666_666, 1_000_000]);
        let last = (4..=3_000_000).map(|_| schedule.next_due_ns()).last();
        assert!(last.is_some_and(|due| due.abs_diff(1_000_000_000_000) < 1_000), "{last:?}");
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread() {
        let mut schedule = Schedule::new(1_000.0, Arrivals::Poisson, 7);
        let dues: Vec<u64> = (0..100_001).map(|_| schedule.next_due_ns()).collect();
        let gaps: Vec<f64> = dues.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.02, "mean gap {mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "deviation of exponential gaps equals their mean");
    }
}
