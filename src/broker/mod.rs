//! What the broker does with a request: state and input in, decision out.
//!
//! No socket, no file, no clock: `actors/` hands in what was read and the time, and carries out what is decided.

pub mod ask_consumer;
pub mod clients;
pub mod config;
pub mod consume_stats;
pub mod digest;
pub mod duplicates;
pub mod filter;
pub mod groups;
pub mod hold;
pub mod name_servers;
pub mod offsets;
pub mod promises;
pub mod pull;
pub mod queue_locks;
pub mod reply;
pub mod reset_offset;
pub mod retention;
pub mod rules;
pub mod runtime_info;
pub mod schedule;
pub mod send;
pub mod send_back;
pub mod stats;
pub mod timer;
pub mod topics;
pub mod transaction;
