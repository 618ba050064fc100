//! The keys that RocketMQ 4.9.7 does not have. Their names are those of RocketMQ 5 where that has them.

use crate::properties_file::Key;

/// The keys, in the order in which tools show them.
///
/// # Source
/// RocketMQ 4.9.7 takes where the address server is from system properties of the Java machine, `rocketmq.namesrv.domain`
/// and `rocketmq.namesrv.domain.subgroup` (`MixAll.getWSAddr`, read), and the shares of the disk that are too much likewise,
/// as numbers from 0 to 1, from `rocketmq.broker.diskSpaceCleanForciblyRatio` and `rocketmq.broker.diskSpaceWarningLevelRatio`
/// (`DefaultMessageStore.CleanCommitLogService`, read).
pub const OWN_KEYS: &[Key] = &[
    Key::switch("timerWheelEnable", false).at_start(),
    Key::long("timerMaxDelaySec", "2592000").within(0, 1 << 40).at_start(),
    Key::long("duplicateKeysMax", "1000000").within(1, 1 << 30).at_start(),
    Key::int("diskSpaceCleanForciblyRatio", "85").within(0, 100),
    Key::int("diskSpaceWarningLevelRatio", "90").within(0, 100),
    Key::text("rmqAddressServerDomain", "jmenv.tbsite.net").at_start(),
    Key::text("rmqAddressServerSubGroup", "nsaddr").at_start(),
];
