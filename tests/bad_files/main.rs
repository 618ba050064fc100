//! Every file of a store in turn, damaged in every way that files get damaged: the store opens with all that is whole, or
//! says in one line which file keeps it from that. It never panics, hangs, or takes away what it cannot make again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_broker_starts_or_says_why_not;
mod a_store_opens_or_says_why_not;
mod damage;
mod samples;

#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/watched_disk.rs"]
mod watched_disk;
