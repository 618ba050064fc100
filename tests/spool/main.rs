//! Messages that are kept on the disk while no broker can be reached, and sent when one can.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_full_spool_says_so_and_drops_nothing;
#[allow(dead_code, reason = "the spool needs less of a disk than the store")]
#[path = "../sim/disk.rs"]
mod disk;
mod every_crash_leaves_what_was_acknowledged;
#[path = "../support/fake_broker.rs"]
mod fake_broker;
#[path = "../support/inbox.rs"]
mod inbox;
mod letters;
mod messages_wait_in_order_until_the_cluster_is_back;
mod no_damage_is_passed_over;
mod nothing_is_stored_twice;
mod one_producer_has_a_directory;
mod place;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/seeds.rs"]
mod seeds;
#[path = "../support/mod.rs"]
mod support;
mod the_page_of_the_format;
#[allow(dead_code, reason = "topics are made here, and not sent to")]
#[path = "../duplicates/topics.rs"]
mod topics;
mod what_brokers_refuse_is_not_spooled;
mod what_was_spooled_outlives_a_kill;
#[allow(dead_code, reason = "the spool needs less of a disk than the store")]
#[path = "../sim/world.rs"]
mod world;
