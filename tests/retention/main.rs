//! What is old goes, and when there is no room nothing is taken.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod answers_outlive_their_segments;
#[path = "../support/binary.rs"]
mod binary;
mod keeper;
#[path = "../support/messages.rs"]
mod messages;
mod old_segments_go;
#[allow(dead_code, reason = "half messages are begun and ended here")]
#[path = "../transaction/producer.rs"]
mod producer;
#[path = "../support/raw.rs"]
mod raw;
mod room_on_a_real_file_system;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "not every call is looked at")]
#[path = "../support/watched_disk.rs"]
mod watched_disk;
mod what_waits_in_segments_that_go;
mod without_room_nothing_is_taken;
