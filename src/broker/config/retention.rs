//! What the configuration says about removing what is old.

use std::time::Duration;

use crate::broker::retention::RetentionRules;
use crate::properties_file::{Settings, SettingsError};

/// What RocketMQ makes of a `diskMaxUsedSpaceRatio` beyond.
const USED_MIN: u32 = 10;
const USED_MAX: u32 = 95;
/// A message with a delivery time waits for a day before it is stored again. Its segment must outlive that, and a stop of the
/// broker as well.
const KEPT_HOURS_FOR_TIMES: u64 = 48;

/// Removing what is old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// What may change while the broker runs.
    pub rules: RetentionRules,
    /// When it is looked whether there is something to be removed, and whether there is room.
    pub times: RetentionTimes,
    /// `destroyMapedFileIntervalForcibly`: a client that takes nothing of an answer for so long is let go, so that it pins no
    /// removed segment.
    pub stall_limit: Duration,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        let stall_limit = Duration::from_secs(120);
        Self { rules: RetentionRules::default(), times: RetentionTimes::default(), stall_limit }
    }
}

/// When the RetentionActor looks. All but `rounds_every` is fixed in RocketMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionTimes {
    /// From the start to the first round.
    pub first_round: Duration,
    /// `cleanResourceInterval`: between two rounds.
    pub rounds_every: Duration,
    /// From the start to the first look whether there is room.
    pub first_check: Duration,
    /// Between two of these.
    pub checks_every: Duration,
}

impl Default for RetentionTimes {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { first_round: seconds(60), rounds_every: seconds(10), first_check: seconds(1), checks_every: seconds(10) }
    }
}

pub(super) fn retention(settings: &Settings) -> Result<RetentionSettings, SettingsError> {
    let hours = settings.text("deleteWhen").split(';').map(str::trim).filter(|hour| !hour.is_empty());
    let hours: Option<Vec<u8>> = hours.map(|hour| hour.parse().ok().filter(|hour| *hour < 24)).collect();
    let kept_hours: u64 = settings.number("fileReservedTime");
    if settings.switch("timerWheelEnable") && kept_hours < KEPT_HOURS_FOR_TIMES {
        return Err(settings.wrong("fileReservedTime", "48 or more with timerWheelEnable: messages would be lost"));
    }
    let rules = RetentionRules {
        hours: hours.ok_or_else(|| settings.wrong("deleteWhen", "hours from 00 to 23, such as \"04\" or \"03;15\""))?,
        keep: Duration::from_secs(kept_hours * 3_600),
        used_max: settings.number::<u32>("diskMaxUsedSpaceRatio").clamp(USED_MIN, USED_MAX),
        forces: settings.switch("cleanFileForciblyEnable"),
        force_above: settings.number("diskSpaceCleanForciblyRatio"),
        refuse_above: settings.number("diskSpaceWarningLevelRatio"),
        segment_pause: settings.millis("deleteCommitLogFilesInterval"),
        queue_pause: settings.millis("deleteConsumeQueueFilesInterval"),
        pinned_limit: settings.millis("redeleteHangedFileInterval"),
    };
    let times = RetentionTimes { rounds_every: settings.millis("cleanResourceInterval"), ..RetentionTimes::default() };
    Ok(RetentionSettings { rules, times, stall_limit: settings.millis("destroyMapedFileIntervalForcibly") })
}
