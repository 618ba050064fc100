//! Stores that no broker has open: looked at, judged, read out and repaired.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod any_bytes;
#[path = "../support/binary.rs"]
mod binary;
mod damage_is_named;
mod descriptors_are_few;
mod dumps_are_what_java_read;
#[path = "../store/fault_disk.rs"]
#[allow(dead_code, reason = "the tests of the store use the rest")]
mod fault_disk;
#[path = "../store/fixture.rs"]
#[allow(dead_code, reason = "the tests of the store use the rest")]
mod fixture;
mod fixtures_are_judged;
mod log_is_cut;
mod looking_changes_nothing;
mod names_beyond_every_offset;
mod numbers_are_given_again;
mod refusals;
mod repairs;
mod repairs_end_half_way;
mod rubbish_is_read_once;
mod surveys;
mod tool;
#[path = "../support/watched_disk.rs"]
mod watched_disk;
