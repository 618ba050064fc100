//! Messages are found by their keys.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod by_key;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
