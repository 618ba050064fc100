//! Messages, properties, ids and batches against bytes that RocketMQ 4.9.7 wrote, and against arbitrary ones.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod any_bytes;
mod like_the_reference;
