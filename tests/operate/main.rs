//! What operators see of a broker and do to it: figures, topics that go, settings that change; through sockets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod deleted_topics_are_gone;
mod deletions_go_with_a_slow_or_failing_disk;
mod figures_tell_what_passed_through;
#[allow(dead_code, reason = "shared with tests that ask for more")]
#[path = "../registry/member.rs"]
mod member;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/raw.rs"]
mod raw;
mod settings_change_while_it_runs;
mod single_settings_are_told;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "not every call is looked at")]
#[path = "../support/watched_disk.rs"]
mod watched_disk;
