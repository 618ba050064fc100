//! Messages from a producer to a consumer, through real sockets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/raw.rs"]
mod raw;
mod send_and_pull;
#[path = "../support/mod.rs"]
mod support;
mod survives_kill;
mod topic_stats;
