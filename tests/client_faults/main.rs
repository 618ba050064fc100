//! Clients whose name servers, brokers, networks, clocks and listeners do what they should not.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_broker_that_contradicts_itself_is_asked_calmly;
mod a_broker_that_dies_in_the_middle;
mod a_broker_that_restarts_loses_nothing;
mod a_call_ends_within_its_time;
mod a_consumer_stops_at_any_moment;
mod a_delivery_that_waited_for_too_long_is_not_made;
mod a_listener_that_panics_leaves_the_others_their_turn;
mod a_message_that_cannot_be_sent_back;
mod any_answer_is_survived;
#[path = "../support/fake_broker.rs"]
mod fake_broker;
mod fake_cluster;
#[path = "../support/inbox.rs"]
mod inbox;
mod members_that_want_different_things_are_told_of;
mod name_servers_that_forget_stop_nobody;
mod panics;
#[path = "../support/raw.rs"]
mod raw;
#[allow(dead_code, reason = "these seeds need a runtime each, and run one after the other")]
#[path = "../support/seeds.rs"]
mod seeds;
#[path = "../support/mod.rs"]
mod support;
mod the_last_offset_is_stored_last;
mod what_is_wanted_anew_is_newer_whatever_the_clock_says;
