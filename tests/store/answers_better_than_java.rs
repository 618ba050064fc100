//! Where the contents differ from what the Java broker makes of the same files, and why that is better.

use ferromq::store::StoreError;

use crate::fixture::{Fixture, entries, message_at, queue_of};

/// The last five entries of one queue are zeros. Java gives their offsets out a second time; here the queue is built
/// again from the log, which makes the store the one that it was before the damage.
#[test]
fn a_queue_that_lags_is_built_again() {
    crate::opens_java_stores::check("c7-one-queue-behind", "b0-clean-many-files");
}

/// Without a log Java deletes all queues.
#[test]
fn an_empty_log_beside_queues_is_refused() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let log = fixture.options().log_dirs().remove(0);
    for file in std::fs::read_dir(log).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let error = fixture.try_open().unwrap_err();
    assert!(matches!(error, StoreError::LogMissing { .. }), "{error}");
    assert!(!fixture.options().file("abort").exists(), "a store that was clean stays so");
}

/// Below the durable position one damaged body costs one message; Java drops everything behind it.
#[test]
fn damage_below_the_durable_position_costs_one_record() {
    let fixture = Fixture::unpack("c3-body-flip-abort");
    let whole = Fixture::unpack("b0-clean-many-files");
    // Java kept what lies before the flipped bit, so this is the damaged record. The checkpoint vouches for times less
    // three seconds: this one makes it and nothing later durable.
    let damaged = &whole.rows("messages")[fixture.rows("messages").len()];
    let time = damaged["storeTimestamp"].as_i64().unwrap() + 3_000;
    let checkpoint = fixture.options().file("checkpoint");
    let mut bytes = std::fs::read(&checkpoint).unwrap();
    bytes[..16].copy_from_slice(&[time.to_be_bytes(), time.to_be_bytes()].concat());
    std::fs::write(&checkpoint, bytes).unwrap();
    let mut store = fixture.open();
    assert_eq!(store.report.damaged.len(), 1, "{:?}", store.report);
    assert_eq!(store.report.damaged[0].at.0, damaged["physicalOffset"].as_u64().unwrap());
    let damaged = store.report.damaged[0].clone();
    let end = whole.manifest["expectedAfterOpen"]["commitLogMaxOffset"].as_u64().unwrap();
    assert_eq!(store.report.log_end.0, end, "everything behind the damage is there");
    let mut kept = 0;
    for row in whole.rows("queues") {
        let (topic, queue_id) = queue_of(row);
        for (offset, entry) in entries(&mut store, &topic, queue_id) {
            let message = message_at(&store, &entry).unwrap();
            assert_eq!(message.queue_offset, offset);
            message.check_body().unwrap();
            kept += 1;
        }
    }
    assert_eq!(kept, whole.rows("messages").len() - 1);
    let topic = ferromq::protocol::names::Topic::parse(&damaged.topic).unwrap();
    let queue = store.queues.queue_mut(&topic, damaged.queue_id).unwrap();
    let blank = queue.entry(damaged.queue_offset).unwrap().unwrap();
    assert!(blank.is_blank() && blank.is_valid(), "Java goes on behind it too");
    assert!(queue.max_offset() > damaged.queue_offset);
}
