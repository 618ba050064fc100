//! Requests that are answered by a reply message.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
mod replies_reach_who_asked;
#[path = "../support/mod.rs"]
mod support;
