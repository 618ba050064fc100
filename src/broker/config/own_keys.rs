//! The keys that RocketMQ 4.9.7 does not have. Those of delivery times have the names of RocketMQ 5.

use crate::properties_file::Key;

/// The keys, in the order in which tools show them.
pub const OWN_KEYS: &[Key] = &[
    Key::switch("timerWheelEnable", false).at_start(),
    Key::long("timerMaxDelaySec", "2592000").within(0, 1 << 40).at_start(),
];
