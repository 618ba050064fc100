//! The name server through sockets: brokers that register by hand, and what clients and tools are told of them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod brokers_leave;
mod brokers_register;
mod brokers_that_fall_silent;
mod by_hand;
mod data_versions_are_compared;
#[path = "../support/raw.rs"]
mod raw;
mod routes_and_lists;
mod settings_are_shown_and_changed;
#[path = "../support/mod.rs"]
mod support;
mod what_is_not_served;
