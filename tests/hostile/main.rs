//! Clients that send what nobody should send: the answers they get, and that nobody else notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod any_bytes_on_any_port_disturb_nobody;
#[path = "../support/fast_port.rs"]
mod fast_port;
#[path = "../support/good_client.rs"]
mod good_client;
mod half_a_frame_waits_for_the_rest;
mod messages_that_cannot_be_stored_are_refused;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod too_many_pulls_wait_for_nothing;
mod unreadable_frames_end_their_connection;
mod wrong_requests_are_told_what_is_wrong;
