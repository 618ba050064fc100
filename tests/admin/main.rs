//! What administrators ask a broker about consumer groups, and have done to them; through sockets. Answers are those of a
//! 4.9.7 broker that was asked the same.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_group_goes_on_where_another_is;
mod a_group_is_sent_elsewhere;
mod a_queue_is_shown_entry_by_entry;
mod consumer;
mod consumers_are_asked_for_administrators;
mod it_is_told_how_far_groups_have_come;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
