//! Messages from a producer to a consumer, through real sockets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_queue_that_lies_cold_holds_nobody_up;
mod groups_far_apart;
#[path = "../support/held_disk.rs"]
mod held_disk;
mod members_of_a_group;
#[path = "../support/messages.rs"]
mod messages;
mod more_queues_than_files;
mod moved_offsets_are_told_of;
mod power;
#[path = "../support/raw.rs"]
mod raw;
mod send_and_pull;
#[path = "../support/mod.rs"]
mod support;
mod survives_kill;
mod survives_power_cut;
mod the_last_words_count;
mod topic_stats;
#[path = "../support/watched_disk.rs"]
mod watched_disk;
mod with_queue_extensions;
