//! Which queue a message goes to that must follow others: those of one order, say, into one queue.

use crate::protocol::properties::java_hash;

/// The place of a queue among `queues` for whatever has this hash: the same for the same hash, as long as their number
/// stays; `None` if there are none.
///
/// # Source
/// `SelectMessageQueueByHash` 4.9.7, compared with its results: the absolute value of the remainder.
#[must_use]
pub fn place_by_hash(hash: i32, queues: usize) -> Option<usize> {
    let queues = i32::try_from(queues).ok().filter(|queues| *queues > 0)?;
    usize::try_from((hash % queues).unsigned_abs()).ok()
}

/// The same for a key as text: a Java client and this one choose the same queue for it.
#[must_use]
pub fn place_by_key(key: &str, queues: usize) -> Option<usize> {
    place_by_hash(java_hash(key), queues)
}

/// The same for a number that Java clients have as `Long`.
#[must_use]
pub fn place_by_number(key: i64, queues: usize) -> Option<usize> {
    let bits = key as u64;
    place_by_hash((bits ^ (bits >> 32)) as i32, queues)
}
