//! Stores of a Java broker open with the contents and answers that the Java broker gave.

use std::collections::BTreeMap;

use ferromq::protocol::units::{PhysicalOffset, StoreTime};

use crate::fixture::{Fixture, check_entry, check_unit, entries, message_at, queue_of, store_time};

/// Opens a fixture and compares everything; `like` names the fixture whose manifest is to be met.
pub(crate) fn check(name: &str, like: &str) {
    let fixture = Fixture::unpack(name);
    let expected = Fixture::unpack(like);
    let mut store = fixture.open();
    assert_eq!(store.report.unclean, fixture.manifest["abortFilePresent"], "{name}");
    let bounds = &expected.manifest["expectedAfterOpen"];
    assert_eq!(store.report.log_min.0, bounds["commitLogMinOffset"].as_u64().unwrap(), "{name}: log min");
    assert_eq!(store.report.log_end.0, bounds["commitLogMaxOffset"].as_u64().unwrap(), "{name}: log end");
    check_contents(name, &expected, &mut store);
    check_search_by_time(name, &expected, &mut store);
}

/// Compares everything but what depends on the times of the files.
pub(crate) fn check_contents(name: &str, expected: &Fixture, store: &mut ferromq::store::OpenStore) {
    check_queues(expected, store);
    check_messages(expected, store);
    check_index(name, expected, store);
}

fn check_queues(expected: &Fixture, store: &mut ferromq::store::OpenStore) {
    for row in expected.rows("queues") {
        let (topic, queue_id) = queue_of(row);
        let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
        let found = (queue.min_offset().0, queue.max_offset().0, queue.max_physical().0);
        let number = |key: &str| row[key].as_u64().unwrap();
        assert_eq!(found, (number("minOffset"), number("maxOffset"), number("maxPhysicOffset")), "{topic} {queue_id}");
    }
    for (key, next) in expected.manifest["topicQueueTable"].as_object().unwrap() {
        let (topic, queue_id) = key.rsplit_once('-').unwrap();
        let (topic, queue_id) =
            queue_of(&serde_json::json!({"topic": topic, "queueId": queue_id.parse::<u32>().unwrap()}));
        assert_eq!(store.log.offsets().next(&topic, queue_id).0, next.as_u64().unwrap(), "next offset of {key}");
    }
}

fn check_messages(expected: &Fixture, store: &mut ferromq::store::OpenStore) {
    let mut rows = BTreeMap::new();
    for row in expected.rows("messages") {
        let (topic, queue_id) = queue_of(row);
        let offset = row["queueOffset"].as_u64().unwrap();
        rows.entry((topic, queue_id)).or_insert_with(Vec::new).push((offset, row));
    }
    assert!(!rows.is_empty());
    for ((topic, queue_id), rows) in rows {
        let entries = entries(store, &topic, queue_id);
        let offsets: Vec<u64> = entries.iter().map(|(offset, _)| offset.0).collect();
        assert_eq!(offsets, rows.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), "{topic} {queue_id}");
        for ((_, entry), (_, row)) in entries.iter().zip(rows) {
            let message = message_at(store, entry).unwrap();
            check_entry(row, entry, &message);
            check_unit(row, entry, store.queues.queue_mut(&topic, queue_id).unwrap());
        }
    }
}

fn check_search_by_time(name: &str, expected: &Fixture, store: &mut ferromq::store::OpenStore) {
    let (log_min, time_of) = (store.report.log_min, store_time(store));
    for row in expected.rows("offsetByTimestamp") {
        let (topic, queue_id) = queue_of(row);
        let time = StoreTime(row["timestamp"].as_i64().unwrap());
        let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
        let found = queue.snapshot().offset_by_time(time, log_min, &time_of).unwrap();
        assert_eq!(found.0, row["offset"].as_u64().unwrap(), "{name}: {topic} {queue_id} at {time}");
    }
}

fn check_index(name: &str, expected: &Fixture, store: &ferromq::store::OpenStore) {
    let index = store.index.as_ref().unwrap();
    // Built again up to the cut, the index has other files, within which times count in seconds from the file's begin,
    // and it does not spend places of a limited answer on records that are gone.
    let rebuilt = name == "c6-log-shorter-than-queues";
    for row in expected.rows("queryByKey") {
        if rebuilt && (row["begin"] != 0 || row["maxNum"] != 64) {
            continue;
        }
        let (topic, key) = (row["topic"].as_str().unwrap(), row["key"].as_str().unwrap());
        let [begin, end] = ["begin", "end"].map(|field| StoreTime(row[field].as_i64().unwrap()));
        let found = index.lookup(topic, key, row["maxNum"].as_u64().unwrap() as usize, begin, end).unwrap();
        let mut wanted: Vec<PhysicalOffset> =
            row["physicalOffsets"].as_array().unwrap().iter().map(|at| PhysicalOffset(at.as_u64().unwrap())).collect();
        // Java indexes the record at the border of a replay twice and answers with it twice.
        wanted.dedup();
        // Removed with their segment; the broker answers with those that it can read.
        let readable: Vec<_> = found.records.into_iter().filter(|at| *at >= store.report.log_min).collect();
        assert_eq!(readable, wanted, "{name}: {topic} {key}");
        if !rebuilt && !wanted.is_empty() {
            let newest = (found.newest_time.0, found.newest.0 as i64);
            let number = |field: &str| row[field].as_i64().unwrap();
            let wanted = (number("indexLastUpdateTimestamp"), number("indexLastUpdatePhyoffset"));
            assert_eq!(newest, wanted, "{name}: {topic} {key}");
        }
    }
}

#[test]
fn after_a_clean_stop() {
    check("a-clean", "a-clean");
}

#[test]
fn with_many_segments() {
    check("b0-clean-many-files", "b0-clean-many-files");
}

#[test]
fn after_a_kill() {
    check("b1-killed", "b1-killed");
}

#[test]
fn with_a_torn_last_record() {
    check("c1-torn-tail-abort", "c1-torn-tail-abort");
}

#[test]
fn with_a_damaged_body_above_the_durable_position() {
    check("c3-body-flip-abort", "c3-body-flip-abort");
}

#[test]
fn with_an_old_damage_that_nobody_looks_at() {
    check("c4-body-flip-old-file-clean", "c4-body-flip-old-file-clean");
}

#[test]
fn without_queues_and_index() {
    check("c5-queues-and-index-missing", "c5-queues-and-index-missing");
}

#[test]
fn without_the_last_segment() {
    check("c6-log-shorter-than-queues", "c6-log-shorter-than-queues");
}

#[test]
fn with_rubbish_behind_the_last_record() {
    check("c8-garbage-tail-abort", "c8-garbage-tail-abort");
}

#[test]
fn after_segments_were_deleted() {
    check("d-segments-deleted", "d-segments-deleted");
}

#[test]
fn with_queue_extensions() {
    check("e-queue-ext", "e-queue-ext");
}

#[test]
fn with_every_shape_of_record() {
    check("f-record-shapes", "f-record-shapes");
}
