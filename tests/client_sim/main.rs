//! Members of one group over a network that delays and loses what they say, thousands of simulated seconds of it: every choice comes
//! from one seed, which a failure prints and `FERROMQ_SEED` has again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod broker;
mod invariants;
mod member;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::world::{Order, World};

/// The seeds of a test: the one that the environment names, or so many.
fn each_seed(count: u64, run: impl Fn(u64)) {
    let seeds = match std::env::var("FERROMQ_SEED") {
        Ok(seed) => seed.parse().map(|seed| seed..seed + 1).unwrap(),
        Err(_) => 0..count,
    };
    for seed in seeds {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("seed {seed} failed; it does so again with FERROMQ_SEED={seed}");
            std::panic::resume_unwind(failure);
        }
    }
}

#[test]
fn in_order_no_queue_has_two_members_and_nothing_is_skipped() {
    each_seed(200, |seed| World::new(seed, Order::Queue).run());
}

#[test]
fn as_they_come_nothing_is_skipped_either() {
    each_seed(100, |seed| World::new(seed, Order::None).run());
}
