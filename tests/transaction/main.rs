//! Messages that are seen when their transaction is committed.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod ask_producers;
mod begun_and_ended;
#[path = "../support/binary.rs"]
mod binary;
mod kills_in_every_state;
#[path = "../support/messages.rs"]
mod messages;
mod producer;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
