//! Framed TCP by itself: what a listener, a router and handles to answer with do together, whatever the requests mean.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod acknowledgements_overtake;
mod large_frames_take_turns;
mod no_more_connections_than_may_be;
#[path = "../support/raw.rs"]
mod raw;
mod requests_of_the_server;
mod served;
mod who_takes_much_leaves_others_their_turn;
