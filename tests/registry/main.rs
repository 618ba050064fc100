//! What a broker knows about those around it: its clients, their groups and offsets, its name servers; through sockets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_broker_tells_about_itself_and_its_queues;
mod clients_come_and_go;
#[path = "../support/fast_port.rs"]
mod fast_port;
mod groups_far_behind_are_switched_off;
mod idle_connections_are_closed;
mod member;
mod members_are_told_of_each_other;
mod offsets_are_kept_by_group;
#[path = "../support/raw.rs"]
mod raw;
mod registered_with_every_name_server;
#[path = "../support/mod.rs"]
mod support;
mod the_fast_port_serves_all_but_pulls;
mod what_a_broker_says_to_a_name_server;
mod what_is_refused_stores_nothing;
