//! Time as an argument: what asks for the time holds a [`Clock`], and only this file reads the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time of day and the time that has passed.
///
/// The two are apart because the time of day may jump: what is written down uses [`Clock::now_ms`],
/// what is waited for uses [`Clock::elapsed`].
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// Time since this clock was made; never goes back.
    fn elapsed(&self) -> Duration;

    /// The hour of the day, 0 to 23, of the place where the clock stands; that of UTC if it stands nowhere.
    fn hour_of_day(&self) -> u8 {
        self.now_ms().div_euclid(3_600_000).rem_euclid(24) as u8
    }
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// The same, ready to be handed around.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now_ms(&self) -> i64 {
        // A clock set before 1970 counts as 1970: the wire has no use for negative store times.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn hour_of_day(&self) -> u8 {
        // The zone is looked up again from time to time. Where the system names none that is known, it is UTC.
        let zone = jiff::tz::TimeZone::system();
        let now = jiff::Timestamp::from_millisecond(self.now_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        now.to_zoned(zone).hour().unsigned_abs()
    }
}

/// A clock that moves only when it is told to: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    started_ms: i64,
}

impl ManualClock {
    /// A clock that stands at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Arc<Self> {
        Arc::new(Self { now_ms: AtomicI64::new(now_ms), started_ms: now_ms })
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis((self.now_ms() - self.started_ms).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This very test once more, in a process that stands in another place.
    #[test]
    fn the_hour_is_that_of_the_place() {
        const FAR_EAST: &str = "ABC-14";
        if std::env::var("TZ").is_ok_and(|zone| zone == FAR_EAST) {
            let clock = SystemClock::new();
            let of_utc = |clock: &SystemClock| clock.now_ms() / 3_600_000 % 24;
            let (before, hour, after) = (of_utc(&clock), i64::from(clock.hour_of_day()), of_utc(&clock));
            assert!([before, after].iter().any(|of_utc| (of_utc + 14) % 24 == hour), "{before} {hour} {after}");
            return;
        }
        let program = std::env::current_exe().expect("this test runs from a file");
        let run = std::process::Command::new(program).arg("the_hour_is_that_of_the_place").env("TZ", FAR_EAST).output();
        let run = run.expect("this program runs");
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(1_000);
        assert_eq!((clock.now_ms(), clock.elapsed()), (1_000, Duration::ZERO));
        clock.advance(Duration::from_millis(250));
        assert_eq!((clock.now_ms(), clock.elapsed()), (1_250, Duration::from_millis(250)));
        assert_eq!(clock.hour_of_day(), 0);
        clock.advance(Duration::from_secs(23 * 3_600 + 3_598));
        assert_eq!(clock.hour_of_day(), 23);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.hour_of_day(), 0);
    }
}
