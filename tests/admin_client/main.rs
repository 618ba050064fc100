//! The administration client: every function of `ferromq::admin` against a broker and a name server of ours, and the commands
//! of `ferromq admin` as a user runs them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod accounts_are_told_of_and_changed;
mod brokers_and_name_servers_tell_and_take_settings;
mod consumers_and_producers_are_told_of;
mod fixtures;
mod groups_are_made_and_deleted;
mod messages_and_queue_entries_are_found;
mod offsets_are_told_of_and_moved;
mod servers_that_fail_are_told_of;
mod shell;
mod shell_asks_consumers;
mod shell_changes_and_shows;
mod shell_goes_on_without_brokers;
mod shell_reads_and_sends;
mod shell_says_what_is_wrong;
mod shell_shows_messages_whose_consumers_are_unknown;
mod shell_shows_traces;
mod topics_come_and_go;

#[path = "../support/binary.rs"]
mod binary;
#[allow(dead_code, reason = "the tests of name servers say more with it")]
#[path = "../namesrv/by_hand.rs"]
mod by_hand;
#[allow(dead_code, reason = "the tests of what brokers answer say more with it")]
#[path = "../admin/consumer.rs"]
mod consumer;
#[path = "../support/fake_broker.rs"]
mod fake_broker;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
