//! Topics that store each send once only, however often it comes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod asked_for;
#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/messages.rs"]
mod messages;
mod outlives_kills;
#[path = "../support/raw.rs"]
mod raw;
mod stored_once;
#[path = "../support/mod.rs"]
mod support;
mod topics;
