//! Slow, failing, panicking and deaf actors in a broker that serves real sockets under load.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod a_broken_writer_ends_the_broker_and_loses_nothing;
mod a_deaf_actor_leaves_no_request_unanswered;
mod a_disk_that_stumbles_loses_nothing;
mod a_failing_writer_is_heard_of_and_spares_the_others;
mod a_full_disk_holds_consumers_up_and_loses_nothing;
mod a_slow_writer_delays_answers_or_is_busy;
mod an_actor_that_panics_goes_on_with_nothing_lost;
mod an_application_embeds_all_and_stops_it_in_order;
mod an_index_that_falls_behind_is_waited_for;
mod fragile;
mod hooks_are_told_of_everything_and_disturb_nobody;
mod load;
mod nobody_sees_what_is_not_synced;
mod permits_that_run_out_hold_producers_up;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/watched_disk.rs"]
mod watched_disk;
mod writers;
