//! Consumers that are brought messages, against a broker and a name server of this process.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod all_members_get_everything;
mod brokers_are_listened_to;
mod each_message_comes_to_the_group;
#[path = "../support/inbox.rs"]
mod inbox;
mod members_share_the_queues;
mod order_is_kept;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod the_application_asks_for_messages;
mod what_is_not_consumed_comes_again;
mod what_is_wanted_comes;
