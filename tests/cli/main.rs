//! What the binary says and returns, run as a user would run it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod as_rocketmq;
#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/binary.rs"]
mod binary;
mod configuration;
#[path = "../support/fake_broker.rs"]
mod fake_broker;
mod help;
mod keys_and_encryption;
mod namesrv_settings;
#[path = "../support/raw.rs"]
mod raw;
mod readme;
mod ready_lines;
