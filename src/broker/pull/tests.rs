//! Pulls against a queue of five records of 100 bytes.

use super::*;
use crate::broker::filter::TagFilter;
use crate::protocol::properties::tags_code;

const LIMITS: PullLimits = PullLimits {
    count_in_memory: 32,
    bytes_in_memory: 262_144,
    count_on_disk: 8,
    bytes_on_disk: 65_536,
    memory_bytes: 1 << 30,
};

const BOUNDS: QueueBounds = QueueBounds {
    min: QueueOffset(10),
    max: QueueOffset(15),
    log_min: PhysicalOffset(1_000),
    log_end: PhysicalOffset(1_500),
};

fn queue() -> Vec<QueueEntry> {
    let tags = ["A", "B", "A", "", "B"];
    (10u64..)
        .zip(tags)
        .map(|(number, tag)| QueueEntry {
            physical: PhysicalOffset(number * 100),
            size: 100,
            tags_code: if tag.is_empty() { 0 } else { tags_code(tag) },
        })
        .collect()
}

fn pull(asked: i64, wanted: u32, tags: &str, bounds: QueueBounds, limits: PullLimits) -> (PullStatus, u64, Vec<u64>) {
    let selection = begin(ConsumedOffset(asked), &bounds).map_or_else(
        |nothing| nothing,
        |offset| {
            let entries = queue();
            let from = (offset.0 - 10) as usize;
            let tags = TagFilter::parse(tags).unwrap();
            select(offset, wanted, |entry| tags.passes_entry(entry), &entries[from..], &bounds, &limits)
        },
    );
    (selection.status, selection.next.0, selection.records.iter().map(|(physical, _)| physical.0).collect())
}

#[test]
fn offsets_outside_the_queue_say_where_to_go_on() {
    for (offset, status, next, code) in [
        (-1, PullStatus::OffsetTooSmall, 10, response::PULL_OFFSET_MOVED),
        (9, PullStatus::OffsetTooSmall, 10, response::PULL_OFFSET_MOVED),
        (15, PullStatus::OffsetOverflowOne, 15, response::PULL_NOT_FOUND),
        (16, PullStatus::OffsetOverflowBadly, 15, response::PULL_OFFSET_MOVED),
    ] {
        assert_eq!(pull(offset, 32, "*", BOUNDS, LIMITS), (status, next, vec![]), "offset {offset}");
        assert_eq!(status.code(ConsumedOffset(offset)), code);
    }
    let empty = QueueBounds { min: QueueOffset(0), max: QueueOffset(0), ..BOUNDS };
    assert_eq!(pull(7, 32, "*", empty, LIMITS), (PullStatus::NoMessageInQueue, 0, vec![]));
    assert_eq!(PullStatus::NoMessageInQueue.code(ConsumedOffset(7)), response::PULL_OFFSET_MOVED);
    assert_eq!(PullStatus::NoMessageInQueue.code(ConsumedOffset(0)), response::PULL_NOT_FOUND);
}

#[test]
fn records_come_up_to_the_count_and_the_bytes() {
    assert_eq!(pull(11, 2, "*", BOUNDS, LIMITS), (PullStatus::Found, 13, vec![1_100, 1_200]));
    let narrow = PullLimits { bytes_in_memory: 250, ..LIMITS };
    assert_eq!(pull(10, 32, "*", BOUNDS, narrow), (PullStatus::Found, 12, vec![1_000, 1_100]));
    let tiny = PullLimits { bytes_in_memory: 1, ..LIMITS };
    assert_eq!(
        pull(10, 32, "*", BOUNDS, tiny),
        (PullStatus::Found, 11, vec![1_000]),
        "the first comes whatever its size"
    );
    let far = PullLimits { memory_bytes: 0, count_on_disk: 3, ..LIMITS };
    assert_eq!(pull(10, 32, "*", BOUNDS, far), (PullStatus::Found, 13, vec![1_000, 1_100, 1_200]));
}

#[test]
fn tags_are_filtered_and_what_was_passed_over_counts() {
    assert_eq!(pull(10, 32, "B", BOUNDS, LIMITS), (PullStatus::Found, 15, vec![1_100, 1_400]));
    assert_eq!(pull(10, 1, "B", BOUNDS, LIMITS), (PullStatus::Found, 12, vec![1_100]));
    assert_eq!(pull(10, 32, "C", BOUNDS, LIMITS), (PullStatus::NoMatchedMessage, 15, vec![]));
}

/// The consumer compares the tag once more; what is passed over here it never sees.
#[test]
fn an_entry_that_tells_no_tag_passes() {
    // Where a queue extension begins, in the form in which Java's broker puts it into the entry.
    let entry = QueueEntry { physical: PhysicalOffset(1_000), size: 100, tags_code: i64::MIN };
    let tags = TagFilter::parse("A").unwrap();
    let selection = select(QueueOffset(10), 32, |entry| tags.passes_entry(entry), &[entry], &BOUNDS, &LIMITS);
    assert_eq!((selection.status, selection.records), (PullStatus::Found, vec![(PhysicalOffset(1_000), 100)]));
}

#[test]
fn records_that_were_deleted_are_passed_over() {
    let later = QueueBounds { log_min: PhysicalOffset(1_300), ..BOUNDS };
    assert_eq!(pull(10, 32, "*", later, LIMITS), (PullStatus::Found, 15, vec![1_300, 1_400]));
    let gone = QueueBounds { log_min: PhysicalOffset(9_000), ..BOUNDS };
    assert_eq!(pull(10, 32, "*", gone, LIMITS), (PullStatus::MessageWasRemoving, 15, vec![]));
}

#[test]
fn the_scan_is_bounded() {
    assert_eq!((entries_max(32), entries_max(1_000), entries_max(u32::MAX)), (800, 1_000, 65_536));
}
