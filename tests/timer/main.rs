//! Messages with a delivery time of their own, by the property names of RocketMQ 5.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod at_their_own_time;
#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod times_outlive_kills;
mod what_is_refused;
