//! Consumers in order: who may consume which queue.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod across_a_restart;
#[path = "../support/binary.rs"]
mod binary;
mod locks_of_queues;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
