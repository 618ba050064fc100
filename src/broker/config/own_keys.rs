//! Keys that RocketMQ 4.9.7's files do not have.

use crate::properties_file::Key;

/// The keys, in the order in which tools show them.
///
/// # Source
/// RocketMQ 4.9.7 takes both from system properties of the Java machine, `rocketmq.namesrv.domain` and
/// `rocketmq.namesrv.domain.subgroup` (`MixAll.getWSAddr`, read). The names are those that RocketMQ 5 gives them in its files.
pub static OWN_KEYS: &[Key] = &[
    Key::text("rmqAddressServerDomain", "jmenv.tbsite.net").at_start(),
    Key::text("rmqAddressServerSubGroup", "nsaddr").at_start(),
];
