//! Members of one group over a network that delays and loses what they say, thousands of simulated seconds of it: every choice comes
//! from one seed, which a failure prints and `FERROMQ_SIM_SEEDS` has again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod broker;
mod invariants;
mod member;
#[path = "../support/seeds.rs"]
mod seeds;
mod world;

use crate::seeds::{asked_or_first, each};
use crate::world::{Order, World};

#[test]
fn in_order_no_queue_has_two_members_and_nothing_is_skipped() {
    each(asked_or_first(200), |seed| World::new(seed, Order::Queue).run());
}

#[test]
fn as_they_come_nothing_is_skipped_either() {
    each(asked_or_first(100), |seed| World::new(seed, Order::None).run());
}
