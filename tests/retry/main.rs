//! Messages that consumers could not handle.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
mod sent_back_by_consumers;
#[path = "../support/mod.rs"]
mod support;
