//! The real binary under load, killed again and again: what it acknowledged is there, once and where it said.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod at_any_moment;
#[path = "../support/binary.rs"]
mod binary;
mod image;
mod ledger;
mod load;
#[path = "../support/messages.rs"]
mod messages;
mod power_cuts;
#[path = "../support/raw.rs"]
mod raw;
mod rounds;
