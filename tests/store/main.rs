//! The store against files that a RocketMQ 4.9.7 broker wrote, against faults of the disk, and against itself.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_cleaning_may_end_anywhere;
mod a_record_that_panics;
mod answers_better_than_java;
mod any_bytes;
mod append_and_reopen;
mod bodies_are_whole;
mod calls;
mod clients_are_answered_as_by_java;
mod codec_properties;
mod config_files;
mod cut_entries_stay_away;
mod fault_disk;
mod faults;
mod files_after_opening;
mod fixture;
mod formats;
mod many_queues;
#[path = "../support/messages.rs"]
mod messages;
mod opens_java_stores;
mod pending_delays_of_java_are_delivered;
mod pulls_get_what_java_gave;
mod queue_extensions;
mod queues_and_index_are_made_anew;
#[path = "../support/raw.rs"]
mod raw;
mod records_are_javas;
mod refuses_to_open;
#[path = "../support/mod.rs"]
mod support;
mod torn_index;
mod untold_files;
#[path = "../support/watched_disk.rs"]
mod watched_disk;
