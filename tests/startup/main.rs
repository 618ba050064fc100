//! What a broker refuses to start on: with one clear line, and with everything left as it was. How a start follows a stop.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_process_leaves_damaged_settings_alone;
mod a_process_says_what_keeps_it_from_starting;
#[path = "../support/binary.rs"]
mod binary;
mod damaged_settings_are_not_written_over;
#[path = "../support/raw.rs"]
mod raw;
mod refused_with_one_clear_line;
mod stops_in_order_and_starts_again;
#[path = "../support/mod.rs"]
mod support;
