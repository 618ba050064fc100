//! Queue entries behind a cut never come back. Java's broker cuts them in memory only, and serves pieces out of the
//! middle of other records once the log has grown past the places that they point to.

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::QueueId;
use ferromq::store::OpenStore;
use ferromq::store::layout::file_name;

use crate::append_and_reopen::{message, put};
use crate::fixture::{Fixture, entries, message_at, queue_of};

/// Where a record's body begins, with IPv4 addresses.
const BODY_AT: u64 = 88;

/// Opens a damaged store, appends well past the cut, and opens it twice more, once without a clean stop.
fn check(name: &str) {
    let fixture = Fixture::unpack(name);
    let mut store = fixture.open();
    nothing_lies_behind_the_ends(name, &fixture, &mut store);
    let mut expected = Vec::new();
    for number in 0..200u32 {
        let new = message("FixPlain", number % 3, &vec![number as u8; 113 + number as usize % 50]);
        let placed = put(&mut store, new, 1_795_240_300_000 + i64::from(number)).unwrap();
        expected.push((number % 3, placed.queue_offset, placed.physical));
    }
    store.close().unwrap();
    for _ in 0..2 {
        let mut store = fixture.open();
        let topic = Topic::parse("FixPlain").unwrap();
        let mut found = Vec::new();
        for queue in 0..3 {
            let queue_id = QueueId(queue);
            let entries = entries(&mut store, &topic, queue_id);
            for (offset, entry) in &entries {
                let message = message_at(&store, entry).unwrap();
                assert_eq!((message.queue_id, message.queue_offset), (queue_id, *offset), "{name}");
                found.push((queue, *offset, entry.physical));
            }
        }
        assert!(expected.iter().all(|place| found.contains(place)), "{name}: every new message is found");
        assert_eq!(store.report.queues_cut, 0, "{name}: there is nothing left to be cut");
        // The next round finds `abort`.
        drop(store);
    }
}

/// The files themselves, before the first append: zeros behind the last entry and behind the last record.
fn nothing_lies_behind_the_ends(name: &str, fixture: &Fixture, store: &mut OpenStore) {
    let options = fixture.options();
    let topic = Topic::parse("FixPlain").unwrap();
    for queue in 0..3 {
        let end = store.queues.queue_mut(&topic, QueueId(queue)).unwrap().max_offset().0 * 20;
        let file = options.queue_dir(&topic, QueueId(queue)).join(file_name(end - end % options.queue_file_bytes()));
        let bytes = std::fs::read(file).unwrap();
        assert!(bytes[(end % options.queue_file_bytes()) as usize..].iter().all(|byte| *byte == 0), "{name}: {queue}");
    }
    let end = store.log.end().0;
    let segment = options.segment_path(end - end % options.log_segment_bytes);
    let behind = std::fs::read(segment).map(|bytes| bytes[(end % options.log_segment_bytes) as usize..].to_vec());
    assert!(behind.unwrap_or_default().iter().all(|byte| *byte == 0), "{name}: the log");
}

#[test]
fn after_a_torn_tail() {
    check("c1-torn-tail-abort");
}

#[test]
fn after_damage_in_the_middle() {
    check("c3-body-flip-abort");
}

#[test]
fn after_rubbish_at_the_end() {
    check("c8-garbage-tail-abort");
}

#[test]
fn after_a_lost_segment() {
    check("c6-log-shorter-than-queues");
}

/// After a stop in order nobody mistrusts the queues; what was not written down as lasting is cut off the log all the same.
#[test]
fn after_damage_to_the_last_body_of_a_store_without_checkpoint() {
    let fixture = Fixture::unpack("a-clean");
    let options = fixture.options();
    let last = fixture.rows("messages").iter().max_by_key(|row| row["physicalOffset"].as_u64()).unwrap();
    let end = last["physicalOffset"].as_u64().unwrap() + last["storeSize"].as_u64().unwrap();
    let body = last["physicalOffset"].as_u64().unwrap() + BODY_AT;
    let segment = options.segment_path(body - body % options.log_segment_bytes);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[(body % options.log_segment_bytes) as usize] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    std::fs::remove_file(options.file("checkpoint")).unwrap();

    let mut store = fixture.open();
    assert!(store.log.end().0 < end, "the record is cut off");
    assert_eq!(store.report.queues_cut, 1);
    let (topic, queue_id) = queue_of(last);
    let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
    assert_eq!(queue.max_offset().0, last["queueOffset"].as_u64().unwrap());
}
