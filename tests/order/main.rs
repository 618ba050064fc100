//! Consumers in order: who may consume which queue.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod locks_of_queues;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
