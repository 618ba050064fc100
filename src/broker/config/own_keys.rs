//! The keys that RocketMQ 4.9.7 does not have. Their names are those of RocketMQ 5 where that has them.

use crate::properties_file::Key;

/// The keys, in the order in which tools show them.
///
/// # Source
/// RocketMQ 4.9.7 takes where the address server is from system properties of the Java machine, `rocketmq.namesrv.domain`
/// and `rocketmq.namesrv.domain.subgroup` (`MixAll.getWSAddr`, read).
pub const OWN_KEYS: &[Key] = &[
    Key::switch("timerWheelEnable", false).at_start(),
    Key::long("timerMaxDelaySec", "2592000").within(0, 1 << 40).at_start(),
    Key::long("duplicateKeysMax", "1000000").within(1, 1 << 30).at_start(),
    Key::text("rmqAddressServerDomain", "jmenv.tbsite.net").at_start(),
    Key::text("rmqAddressServerSubGroup", "nsaddr").at_start(),
];
