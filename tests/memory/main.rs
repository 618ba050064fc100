//! What clients cost, measured as the memory of this process: so there is one test in this binary and no other beside it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/good_client.rs"]
mod good_client;
#[path = "../support/raw.rs"]
mod raw;
mod readers_who_never_read_cost_little;
#[path = "../support/mod.rs"]
mod support;
