//! The client and the load generator against a broker that does exactly what each test tells it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_group_has_an_offset_or_none;
#[path = "../support/authority.rs"]
mod authority;
mod brokers_that_do_badly_are_passed_over;
mod connections_are_encrypted;
#[path = "../support/fake_broker.rs"]
mod fake_broker;
mod groups_share_queues_as_rocketmq;
mod name_servers_are_found;
mod names_and_places_are_rocketmqs;
mod one_connection_carries_many_requests;
mod producers_choose_retry_and_give_up;
mod pulls_give_back_what_was_sent;
mod requests_are_signed;
mod routes_become_queues;
mod subscriptions_say_what_is_wanted;
mod the_load_generator_counts_what_is_answered;
mod traces_are_as_rocketmqs;
mod traces_hold_nothing_up;
