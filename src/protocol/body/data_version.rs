//! The version of a broker's topic or group table.

use serde::{Deserialize, Serialize};

use super::plain_body;

/// When a table was last changed and how often; two tables are the same when both agree.
///
/// # Units
/// `timestamp` in milliseconds since the epoch, by the broker's clock.
///
/// # Source
/// `org.apache.rocketmq.common.DataVersion` 4.9.7 (read). 5.x adds `stateVersion`, which does not count here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataVersion {
    /// How many changes there were.
    pub counter: i64,
    /// When the last one was.
    pub timestamp: i64,
}

plain_body!(DataVersion);

impl DataVersion {
    /// The version of a table that has just been made and never changed.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self { counter: 0, timestamp: now_ms }
    }

    /// Counts a change.
    pub fn change(&mut self, now_ms: i64) {
        self.counter += 1;
        self.timestamp = now_ms;
    }
}
