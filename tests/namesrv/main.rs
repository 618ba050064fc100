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
mod tools_change_what_brokers_said;
mod topics_are_listed_for_tools;
mod values_are_kept_by_namespace;
mod what_is_not_served;
mod wrong_requests_of_tools_are_told_what_is_wrong;
