//! The store on a simulated disk: crashes and faults at any moment, thousands of them, each of which can be had again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod broker;
mod damage;
mod disk;
mod housekeeping;
mod model;
mod run;
#[path = "../support/seeds.rs"]
mod seeds;
mod world;

use std::panic::catch_unwind;
use std::path::Path;

use crate::seeds::{asked_or_first, each};
use crate::world::Crash;

/// Which syncs do nothing.
type Deaf = fn(&Path) -> bool;

/// Nothing acknowledged is lost, nothing seen is taken back, and queues, index and log agree, whatever happens when.
#[test]
fn crashes_at_any_moment() {
    each(asked_or_first(700), run::with_crashes);
}

#[test]
fn checkpoints_that_are_forgotten() {
    each(asked_or_first(150), run::with_forgotten_checkpoints);
}

#[test]
fn calls_that_fail() {
    each(asked_or_first(300), run::with_failures);
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    each(asked_or_first(200), run::on_a_small_disk);
}

/// Queue and index files are made again, also by a start that is itself cut short.
#[test]
fn files_that_are_gone() {
    each(asked_or_first(150), damage::with_lost_files);
}

#[test]
fn bits_that_flip() {
    each(asked_or_first(300), damage::with_a_flipped_bit);
}

#[test]
fn listings_that_lack_an_entry() {
    each(asked_or_first(200), damage::with_a_short_listing);
}

/// Each call of a store that is opened, worked with, closed and opened again is the last one once.
#[test]
fn each_call_is_the_last() {
    for (seed, crash) in [(1, Crash::Kill), (2, Crash::PowerCut), (3, Crash::PowerCut)] {
        let calls = run::crash_at(seed, None, crash);
        each(1..(calls + 1), |call| {
            run::crash_at(seed, Some(call), crash);
        });
    }
}

/// A disk that does not sync what it is told to is found out: the checks above can fail, and each of these syncs is needed.
#[test]
fn syncs_that_do_nothing_are_noticed() {
    // What is not synced, and from which seed on one is looked for that notices: some are rare.
    const DEAF: [(&str, u64, Deaf); 9] = [
        ("the log", 0, |path| is_file_in(path, &["commitlog", "log1", "log2"])),
        ("queues", 0, |path| is_file_in(path, &["consumequeue"])),
        ("extensions of queues", 0, |path| is_file_in(path, &["consumequeue_ext"])),
        ("the index", 0, |path| is_file_in(path, &["index"])),
        ("the names of segments", 0, |path| ["commitlog", "log1", "log2"].iter().any(|name| path.ends_with(name))),
        ("the names of queue files", 1_045, |path| {
            path.ancestors().nth(2).is_some_and(|up| up.ends_with("consumequeue"))
        }),
        ("the names of queues", 1_782, |path| path.ancestors().nth(1).is_some_and(|up| up.ends_with("consumequeue"))),
        ("the names of topics", 234, |path| path.ends_with("consumequeue")),
        ("the names in the root", 0, |path| path.ends_with("store")),
    ];
    for (what, from, deaf) in DEAF {
        let found = (from..from + 2_000).find(|seed| catch_unwind(|| run::with_deaf_syncs(*seed, deaf)).is_err());
        assert!(found.is_some(), "syncs of {what} can be left out, and nobody notices");
    }
}

fn is_file_in(path: &Path, directories: &[&str]) -> bool {
    let is_file =
        path.file_name().is_some_and(|name| name.len() >= 17 && name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    is_file && path.components().any(|part| directories.iter().any(|name| part.as_os_str() == *name))
}
