//! The texts of GET_BROKER_RUNTIME_INFO that are made from measured numbers.
//!
//! # Source
//! `AdminBrokerProcessor.prepareRuntimeInfo`, `UtilAll.getDiskPartitionSpaceUsedPercent`, `MixAll.humanReadableByteCount`
//! 4.9.7 (read).

use crate::store::disk::Space;

/// Which share of a file system is used, of what this process could have: 0 to 1 in whole hundredths, rounded up.
#[must_use]
pub fn used_ratio(space: Space) -> f64 {
    f64::from(used_percent(space)) / 100.0
}

/// The same in percent.
#[must_use]
pub fn used_percent(space: Space) -> u32 {
    let used = space.total.saturating_sub(space.free);
    match used.saturating_add(space.usable) {
        0 => 0,
        whole => (u128::from(used) * 100).div_ceil(u128::from(whole)) as u32,
    }
}

/// `Total : 1.0 TiB, Free : 12.3 GiB.`
#[must_use]
pub fn room(space: Space) -> String {
    format!("Total : {}, Free : {}.", human_bytes(space.total), human_bytes(space.usable))
}

/// `12 B`, `1.5 KiB`, …
#[must_use]
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_024.0;
    let mut unit = UNITS[0];
    for larger in UNITS.into_iter().skip(1) {
        if value < 1_024.0 {
            break;
        }
        (value, unit) = (value / 1_024.0, larger);
    }
    format!("{value:.1} {unit}")
}

/// `[ 1 days, 2 hours, 3 minutes, 4 seconds ]`
#[must_use]
pub fn run_time(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("[ {days} days, {hours} hours, {minutes} minutes, {} seconds ]", seconds % 60)
}

/// What stands for parts that the Java broker has and this one has not: thread pools and their queues, a lock around the
/// page cache, a pool of buffers; and for times that are not measured here. Tools parse some of them.
pub const WITHOUT_COUNTERPART: [(&str, &str); 20] = [
    ("sendThreadPoolQueueSize", "0"),
    ("sendThreadPoolQueueCapacity", "0"),
    ("sendThreadPoolQueueHeadWaitTimeMills", "0"),
    ("pullThreadPoolQueueSize", "0"),
    ("pullThreadPoolQueueCapacity", "0"),
    ("pullThreadPoolQueueHeadWaitTimeMills", "0"),
    ("queryThreadPoolQueueSize", "0"),
    ("queryThreadPoolQueueCapacity", "0"),
    ("queryThreadPoolQueueHeadWaitTimeMills", "0"),
    ("EndTransactionQueueSize", "0"),
    ("EndTransactionThreadPoolQueueCapacity", "0"),
    ("pageCacheLockTimeMills", "0"),
    ("putMessageEntireTimeMax", "0"),
    ("putMessageFailedTimes", "0"),
    ("putLatency99", "0.00"),
    ("putLatency999", "0.00"),
    ("getMessageEntireTimeMax", "0"),
    ("dispatchMaxBuffer", "0"),
    ("remainTransientStoreBufferNumbs", "2147483647"),
    (
        "putMessageDistributeTime",
        "[<=0ms]:0 [0~10ms]:0 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 [1~2s]:0 [2~3s]:0 \
         [3~4s]:0 [4~5s]:0 [5~10s]:0 [10s~]:0 ",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_hundredths_rounded_up() {
        for (total, free, usable, expected) in [
            (100, 50, 50, 0.5),
            (1_000, 499, 499, 0.51),
            (100, 50, 40, 0.56),
            (100, 100, 100, 0.0),
            (0, 0, 0, 0.0),
            (7, 0, 0, 1.0),
        ] {
            assert_eq!(used_ratio(Space { total, free, usable }), expected, "{total} {free} {usable}");
        }
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(human_bytes(bytes), expected);
        }
        let space = Space { total: 1 << 40, free: 0, usable: 3 << 29 };
        assert_eq!(room(space), "Total : 1.0 TiB, Free : 1.5 GiB.");
    }

    #[test]
    fn the_time_it_has_run_is_told_in_parts() {
        assert_eq!(run_time(93_784_999), "[ 1 days, 2 hours, 3 minutes, 4 seconds ]");
        assert_eq!(run_time(-5), "[ 0 days, 0 hours, 0 minutes, 0 seconds ]");
    }
}
