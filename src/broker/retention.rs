//! Which segments of the log are to go, and whether there is room for more: times and usage in, decisions out.
//!
//! ```text
//!            75 %              85 %                  90 %
//!  ── by age ─┼─ by age, at any ─┼─ ten a round, however ─┼─ the same, and nothing is taken ──► used share of the disk
//!             │  hour of the day │  young they are        │  until it is below 85 % or a check finds it below 90 %
//! ```
//!
//! What is deliberately absent: looking at disks and files, and removing anything.
//!
//! # Source
//! `DefaultMessageStore.CleanCommitLogService`, `MappedFileQueue.deleteExpiredFileByTime` 4.9.7 (read).

use std::time::Duration;

use crate::protocol::codes::response;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::PhysicalOffset;
use crate::store::retention::SegmentAge;

/// Most segments that one round removes.
const SEGMENTS_PER_ROUND: usize = 10;
/// Rounds in which a tool's request holds.
const ROUNDS_PER_REQUEST: u32 = 20;

/// What the configuration says. Shares are in percent of what this process could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRules {
    /// `deleteWhen`: hours of the day.
    pub hours: Vec<u8>,
    /// `fileReservedTime`: how long a segment is kept after it was written to last.
    pub keep: Duration,
    /// `diskMaxUsedSpaceRatio`: above it what is old enough goes at any hour.
    pub used_max: u32,
    /// `cleanFileForciblyEnable`: whether segments go that are not old enough,
    pub forces: bool,
    /// `diskSpaceCleanForciblyRatio`: above this.
    pub force_above: u32,
    /// `diskSpaceWarningLevelRatio`: above it nothing is taken.
    pub refuse_above: u32,
    /// `deleteCommitLogFilesInterval`: between two segments.
    pub segment_pause: Duration,
    /// `deleteConsumeQueueFilesInterval`: between two queues of which files were removed.
    pub queue_pause: Duration,
    /// `redeleteHangedFileInterval`: a removed segment that is read for so long is told of, again and again.
    pub pinned_limit: Duration,
}

impl Default for RetentionRules {
    fn default() -> Self {
        Self {
            hours: vec![4],
            keep: Duration::from_secs(72 * 3_600),
            used_max: 75,
            forces: true,
            force_above: 85,
            refuse_above: 90,
            segment_pause: Duration::from_millis(100),
            queue_pause: Duration::from_millis(100),
            pinned_limit: Duration::from_secs(120),
        }
    }
}

/// Used shares of the disks, in whole percent; `None` where it could not be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of each directory of the log.
    pub logs: Vec<Option<u32>>,
    /// Of the queues.
    pub queues: Option<u32>,
    /// Of the index.
    pub index: Option<u32>,
}

impl Usage {
    /// The log's share: while one of its disks has room there is room.
    #[must_use]
    pub fn log(&self) -> Option<u32> {
        self.logs.iter().flatten().min().copied()
    }

    /// The greater one of log and queues.
    fn greatest(&self) -> Option<u32> {
        self.log().max(self.queues)
    }
}

/// Why segments are looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is an hour of [`RetentionRules::hours`].
    Hour,
    /// More than [`RetentionRules::used_max`] is used.
    Space,
    /// A tool wants it.
    Request,
}

/// One round of cleaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Why.
    pub cause: Cause,
    /// Whether segments go that are not old enough.
    pub forced: bool,
}

/// What is remembered from round to round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Rounds in which a request holds.
    requested: u32,
    full: bool,
}

impl Retention {
    /// A tool wants segments removed that are old enough, whatever the hour.
    pub fn request(&mut self) {
        self.requested = ROUNDS_PER_REQUEST;
    }

    /// Whether nothing is to be taken, for want of room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Decides whether there is a round of cleaning now, at an hour of the day where the broker stands.
    pub fn round(&mut self, rules: &RetentionRules, usage: &Usage, hour: u8) -> Option<Round> {
        let used = usage.greatest();
        match used {
            Some(used) if used > rules.refuse_above => self.full = true,
            Some(used) if used <= rules.force_above => self.full = false,
            _ => {}
        }
        let cause = [
            (Cause::Hour, rules.hours.contains(&hour)),
            (Cause::Space, used.is_some_and(|used| used > rules.used_max)),
            (Cause::Request, self.requested > 0),
        ];
        self.requested = self.requested.saturating_sub(1);
        let (cause, _) = cause.into_iter().find(|(_, holds)| *holds)?;
        let forced = rules.forces && used.is_some_and(|used| used > rules.force_above.min(rules.refuse_above));
        Some(Round { cause, forced })
    }

    /// Looks only whether there is room.
    pub fn check(&mut self, rules: &RetentionRules, usage: &Usage) {
        if let Some(used) = usage.greatest() {
            self.full = used > rules.refuse_above;
        }
    }
}

/// How many segments go, of all but the last, oldest first: those that are old enough up to the first that is not, within
/// the bounds of a round. None goes that does not end before `settled`: queues and index could need it.
#[must_use]
pub fn expired(
    round: Round,
    rules: &RetentionRules,
    now_ms: i64,
    settled: PhysicalOffset,
    row: &[SegmentAge],
) -> usize {
    let keep_ms = i64::try_from(rules.keep.as_millis()).unwrap_or(i64::MAX);
    let goes = |segment: &&SegmentAge| {
        let is_old = segment.modified_ms.saturating_add(keep_ms) <= now_ms;
        (is_old || round.forced) && segment.end <= settled
    };
    row.iter().take(SEGMENTS_PER_ROUND).take_while(goes).count()
}

/// What a put is refused with for want of room. Tools and users look for these words.
#[must_use]
pub fn full(usage: &Usage) -> Refusal {
    let share = |percent: Option<u32>| percent.map_or(-1.0, |percent| f64::from(percent) / 100.0);
    let [log, queues, index] = [usage.log(), usage.queues, usage.index].map(share);
    let remark = format!(
        "service not available now. It may be caused by one of the following reasons: the broker's disk is full \
        [CL: {log:5.2} CQ: {queues:5.2} INDEX: {index:5.2}], messages are put to the slave, message store has been shut \
        down, etc."
    );
    Refusal::new(response::SERVICE_NOT_AVAILABLE, remark)
}

#[cfg(test)]
mod tests;
