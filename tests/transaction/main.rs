//! Messages that are seen when their transaction is committed.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod ask_producers;
mod begun_and_ended;
#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/held_disk.rs"]
mod held_disk;
mod kills_in_every_state;
#[path = "../support/messages.rs"]
mod messages;
mod producer;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "not every call is looked at")]
#[path = "../support/watched_disk.rs"]
mod watched_disk;
