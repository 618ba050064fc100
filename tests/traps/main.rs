//! The traps of the protocol that clients fall into, each through a socket, numbered as in the specification.
//!
//! | trap | where |
//! |---|---|
//! | 1 numbers and booleans in fields | here |
//! | 2 route bodies are compact | here |
//! | 4 LITE_PULL_MESSAGE is a pull | here |
//! | 5 replies that Java dereferences | here |
//! | 6 checksums without their top bit | here; the compressed form in `tests/body/registration.rs` |
//! | 8 a held pull | here |
//! | 11 message ids lead to the broker | here |
//!
//! Those that do not apply yet concern requests that are refused or not known so far: 3 (resetting a client's offsets),
//! 7 and 13 (ACL), 9 (transactional, delayed and retried messages), 10 and 12 (sending back, dead letters), 14 (slaves).
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/fast_port.rs"]
mod fast_port;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod trap_01_numbers_in_fields;
mod trap_02_routes_are_compact;
mod trap_04_lite_pull;
mod trap_05_replies_that_java_dereferences;
mod trap_06_checksums;
mod trap_08_held_pulls;
mod trap_11_message_ids;
mod who_is_answered_and_how;
