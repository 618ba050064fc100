//! Messages that are delivered later.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/binary.rs"]
mod binary;
mod deliveries_outlive_kills;
#[path = "../support/held_disk.rs"]
mod held_disk;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "not every call is looked at")]
#[path = "../support/watched_disk.rs"]
mod watched_disk;
mod what_is_not_synced_is_not_noted;
mod when_their_time_has_come;
