//! What the configuration says about messages that do not simply go into their queue and out again: filters, transactions,
//! delivery times.

use std::time::Duration;

use crate::broker::filter::BloomFilter;
use crate::broker::timer::TimerRules;
use crate::properties_file::{Settings, SettingsError};

/// Longest bit map: with what stands before it its length is a signed 16-bit number.
const BIT_MAP_BYTES_MAX: usize = 32_000;

/// Filters by properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterSettings {
    /// `enablePropertyFilter`: consumers may choose messages by a condition on their properties.
    pub enabled: bool,
    /// `filterSupportRetry`: what is tried again is filtered as it was first.
    pub retried: bool,
    /// `enableCalcFilterBitMap`: the extension of a queue entry tells which conditions its record meets.
    pub bit_maps: bool,
    /// `maxErrorRateOfBloomFilter` and `expectConsumerNumUseFilter`: how bit maps are made.
    pub bloom: BloomFilter,
    /// `filterDataCleanTimeSpan`: how long a condition is kept that nobody wants any more.
    pub keep_dead: Duration,
}

impl Default for FilterSettings {
    fn default() -> Self {
        let bloom = BloomFilter::new(20, 32).expect("RocketMQ's defaults make a bit map");
        Self { enabled: false, retried: false, bit_maps: false, bloom, keep_dead: Duration::from_secs(86_400) }
    }
}

/// Transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionSettings {
    /// `rejectTransactionMessage`: half messages are refused.
    pub reject: bool,
    /// `transactionTimeOut`: how long a half message is left to its producer before that is asked.
    pub timeout: Duration,
    /// `transactionCheckMax`: how often it is asked.
    pub check_max: u32,
    /// `transactionCheckInterval`: between two rounds of asking.
    pub check_interval: Duration,
    /// How long a half message may be asked about: as long as messages are kept (`fileReservedTime`).
    pub keep: Duration,
}

impl Default for TransactionSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            reject: false,
            timeout: seconds(6),
            check_max: 15,
            check_interval: seconds(60),
            keep: seconds(72 * 3_600),
        }
    }
}

pub(super) fn filters(settings: &Settings) -> Result<FilterSettings, SettingsError> {
    let (error_rate, groups) =
        (settings.number("maxErrorRateOfBloomFilter"), settings.number("expectConsumerNumUseFilter"));
    let too_large = || settings.wrong("expectConsumerNumUseFilter", "a number whose bit maps fit 32,000 bytes");
    let bloom = BloomFilter::new(error_rate, groups).filter(|bloom| bloom.empty_map().len() <= BIT_MAP_BYTES_MAX);
    Ok(FilterSettings {
        enabled: settings.switch("enablePropertyFilter"),
        retried: settings.switch("filterSupportRetry"),
        bit_maps: settings.switch("enableCalcFilterBitMap"),
        bloom: bloom.ok_or_else(too_large)?,
        keep_dead: settings.millis("filterDataCleanTimeSpan"),
    })
}

pub(super) fn transactions(settings: &Settings) -> TransactionSettings {
    TransactionSettings {
        reject: settings.switch("rejectTransactionMessage"),
        timeout: settings.millis("transactionTimeOut"),
        check_max: settings.number("transactionCheckMax"),
        check_interval: settings.millis("transactionCheckInterval"),
        keep: Duration::from_secs(settings.number::<u64>("fileReservedTime") * 3_600),
    }
}

pub(super) fn timer(settings: &Settings) -> Option<TimerRules> {
    let ahead_ms_max = settings.number::<i64>("timerMaxDelaySec").saturating_mul(1_000);
    settings.switch("timerWheelEnable").then_some(TimerRules { ahead_ms_max })
}
