//! Consumers that choose messages by a condition on their properties.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod by_properties;
mod conditions_of_groups;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
