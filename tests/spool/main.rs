//! Messages that are kept on the disk while no broker can be reached, and sent when one can.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "the spool needs less of a disk than the store")]
#[path = "../sim/disk.rs"]
mod disk;
mod every_crash_leaves_what_was_acknowledged;
mod letters;
mod no_damage_is_passed_over;
#[allow(dead_code, reason = "the spool needs less of a disk than the store")]
#[path = "../sim/world.rs"]
mod world;
