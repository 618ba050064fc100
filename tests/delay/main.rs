//! Messages that are delivered later.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/binary.rs"]
mod binary;
mod deliveries_outlive_kills;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod when_their_time_has_come;
