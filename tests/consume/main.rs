//! Consumers that are brought messages, against a broker and a name server of this process.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod each_message_comes_to_the_group;
mod inbox;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
