//! Producers of every kind, against a broker and a name server of this process.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_transaction_is_seen_when_it_is_committed;
#[path = "../support/fast_port.rs"]
mod fast_port;
#[path = "../support/inbox.rs"]
mod inbox;
mod many_messages_at_once;
#[path = "../support/raw.rs"]
mod raw;
mod requests_are_answered;
#[path = "../support/mod.rs"]
mod support;
mod what_is_said_of_a_message_arrives;
