//! What the log says while a start walks the store: a long one must not look like one that hangs.

use std::time::Duration;

use crate::store::Progress;
use crate::time::SharedClock;

const EVERY: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// Lets a line pass once a second.
pub(super) struct RecoveryLines {
    clock: SharedClock,
    begun: Duration,
    told: Duration,
}

impl RecoveryLines {
    pub(super) fn new(clock: SharedClock) -> Self {
        let now = clock.elapsed();
        Self { clock, begun: now, told: now }
    }

    /// The line, if it is time for one.
    pub(super) fn line(&mut self, progress: Progress) -> Option<String> {
        let now = self.clock.elapsed();
        if now < self.told + EVERY {
            return None;
        }
        self.told = now;
        let (done, total) = (progress.done / MIB, progress.total / MIB);
        let per_second = progress.done as f64 / MIB as f64 / (now - self.begun).as_secs_f64();
        Some(format!("recovery: {done} of at most {total} MiB of the log walked, {per_second:.0} MiB/s"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn there_is_a_line_each_second() {
        let clock = ManualClock::at(1_000_000);
        let mut lines = RecoveryLines::new(Arc::clone(&clock) as SharedClock);
        let at = |mib: u64| Progress { done: mib * MIB, total: 4_096 * MIB };
        assert_eq!(lines.line(at(64)), None);
        clock.advance(Duration::from_millis(999));
        assert_eq!(lines.line(at(1_024)), None);
        clock.advance(Duration::from_millis(1));
        let line = "recovery: 2048 of at most 4096 MiB of the log walked, 2048 MiB/s";
        assert_eq!(lines.line(at(2_048)).unwrap(), line);
        assert_eq!(lines.line(at(2_112)), None, "the next one comes after another second");
        clock.advance(Duration::from_secs(1));
        assert!(lines.line(at(4_096)).is_some());
    }
}
