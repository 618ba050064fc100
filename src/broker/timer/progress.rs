//! How far a broker has come with delivery times, and how much of that may be written down.

use serde::{Deserialize, Serialize};

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

    /// Whether an entry of a queue is done with.
    #[must_use]
    pub fn is_done(&self, offset: QueueOffset, taken_in: u64, fire_ms: i64) -> bool {
        offset.0 < taken_in && fire_ms <= self.done_until_ms
    }
}
