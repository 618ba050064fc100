//! What is said of each fixture: the sound ones are sound, and of the others each fault is named.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferromq::protocol::names::Topic;
use ferromq::protocol::properties;
use ferromq::protocol::units::{BornTime, QueueId, StoreTime};
use ferromq::store::{NewMessage, OfflineStore, PutBatch};
use serde_json::{Value, json};

use crate::binary::Ferromq;
use crate::fixture::Fixture;
use crate::tool::{check_sound, found, patch, verify, with_lost_queue};
use crate::watched_disk::{Call, Watch, WatchedDisk};

#[test]
fn stores_that_java_left_in_order_are_sound() {
    for name in ["a-clean", "b0-clean-many-files", "b1-killed", "d-segments-deleted", "e-queue-ext"] {
        let fixture = Fixture::unpack(name);
        check_sound(&fixture);
        let checked = verify(&fixture).checked;
        let messages = fixture.rows("messages").len() as u64;
        assert_eq!((checked.queue_entries, checked.blank_entries), (messages, 0), "{name}");
        let end = fixture.manifest["expectedAfterOpen"]["commitLogMaxOffset"].as_u64().unwrap();
        assert_eq!(checked.log_end, end, "{name}");
    }
    check_sound(&with_lost_queue(Fixture::unpack("f-record-shapes")));
}

#[test]
fn units_of_extensions_are_looked_at() {
    let checked = verify(&Fixture::unpack("e-queue-ext")).checked;
    assert_eq!((checked.units, checked.queue_entries), (45, 45));
}

/// Where ours notes when a message is due Java puts the code of its tag, and a broker takes the time from the record.
#[test]
fn timer_entries_that_java_made_anew_are_told_and_are_no_fault() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let (topic, due) = (Topic::parse("rmq_sys_wheel_timer").unwrap(), 1_795_000_000_000_i64);
    let properties = properties::with(b"TAGS\x01T", &[("TIMER_OUT_MS", &due.to_string())]);
    let plain = NewMessage::plain(&topic, QueueId(0), BornTime(due), "127.0.0.1:1".parse().unwrap(), b"body");
    let batch = PutBatch::of(&NewMessage { properties: &properties, ..plain }).unwrap();
    let mut store = fixture.open();
    for _ in 0..2 {
        batch.iter().for_each(|put| store.log.append(put, StoreTime(due), &mut Vec::new()).unwrap());
    }
    store.log.publish().unwrap();
    drop(store);
    // It makes the entries, with the time.
    fixture.open().close().unwrap();
    check_sound(&fixture);
    let entries = "consumequeue/rmq_sys_wheel_timer/0/00000000000000000000";
    let tags_code = |entry: u64, code: i64| patch(&fixture, entries, entry * 20 + 12, &code.to_be_bytes());
    tags_code(1, properties::tags_code("T"));
    let told = "note: topic rmq_sys_wheel_timer queue 0: 1 entries that RocketMQ made anew say no time: ";
    let lines = found(&fixture);
    assert!(lines.len() == 1 && lines[0].starts_with(told), "{lines:#?}");
    assert!(verify(&fixture).is_sound());
    // Any other code is of nothing.
    tags_code(0, properties::tags_code("U"));
    let lines = found(&fixture);
    assert!(lines.len() == 2 && lines[0].contains("offset 0: tag code 85, "), "{lines:#?}");
    assert!(!verify(&fixture).is_sound());
}

/// Compares what is found with the beginnings of what should be.
#[track_caller]
fn check(name: &str, expected: &[&str]) {
    let found = found(&Fixture::unpack(name));
    assert_eq!(found.len(), expected.len(), "{name}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{name}: expected {expected}\n found {found}");
    }
}

#[test]
fn the_command_tells_it_in_its_exit_code_and_in_json() {
    for (name, code, faults) in
        [("b0-clean-many-files", 0, 0), ("c7-one-queue-behind", 1, 1), ("c8-garbage-tail-abort", 0, 0)]
    {
        let fixture = Fixture::unpack(name);
        let ran = Ferromq::new().run(&format!("store verify --json {}", fixture.options().root.display()));
        assert_eq!((ran.code, ran.err.lines().count()), (code, code as usize), "{name}: {}", ran.err);
        let value: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&value["sound"], &value["faults"]), (&json!(code == 0), &json!(faults)), "{name}");
        assert_eq!(value["checked"]["records"], 160, "{name}");
        if faults > 0 {
            let finding = &value["findings"][0];
            let place = (&finding["byte"], &finding["logOffset"], &finding["queue"], &finding["queueOffset"]);
            assert_eq!(place, (&json!(960), &json!(179_425), &json!(1), &json!(48)));
            assert_eq!((&finding["severity"], &finding["part"]), (&json!("fault"), &json!("queue")));
        }
    }
}

/// Nobody was promised what a crash has torn, and the next start cuts it off.
#[test]
fn torn_tails_are_told_and_are_no_fault() {
    check(
        "c1-torn-tail-abort",
        &[
            "note: commitlog/00000000000000163840 byte 28379, log offset 192219: a torn tail",
            "note: index/20261121055106595 byte 7460: from here on 2 entries point behind the end of the log at 192219",
            "note: consumequeue/FixPlain/0/00000000000000000000 byte 1060, topic FixPlain queue 0 offset 53: from here on 1",
        ],
    );
    check(
        "c8-garbage-tail-abort",
        &["note: commitlog/00000000000000163840 byte 29559, log offset 193399: a torn tail"],
    );
    for name in ["c1-torn-tail-abort", "c8-garbage-tail-abort"] {
        assert!(verify(&Fixture::unpack(name)).is_sound(), "{name}");
    }
}

#[test]
fn damaged_bodies_are_named_with_topic_queue_and_offset() {
    check(
        "c3-body-flip-abort",
        &["fault: commitlog/00000000000000098304 byte 28202, log offset 126506, topic FixPlain queue 1 offset 35: \
           body checksum 0x26bae760, stored with 0x023978df; the next start of a broker would cut the log here"],
    );
    check(
        "c4-body-flip-old-file-clean",
        &["fault: commitlog/00000000000000000000 byte 1343, log offset 1343, topic FixPlain queue 0 offset 1: \
           body checksum 0x1493fcb9, stored with 0x60ba61e6"],
    );
}

#[test]
fn what_is_missing_is_named_once_for_each_queue() {
    let missing = "no entries for 5 records, 48 to 52, the first one at 179425";
    let place =
        "consumequeue/FixPlain/1/00000000000000000000 byte 960, log offset 179425, topic FixPlain queue 1 offset 48";
    check("c7-one-queue-behind", &[&format!("fault: {place}: {missing}")]);
    check(
        "c5-queues-and-index-missing",
        &[
            "fault: consumequeue/FixPlain/0, log offset 0, topic FixPlain queue 0 offset 0: no entries for 54 records, 0 to 53",
            "fault: consumequeue/FixPlain/1, log offset 422, topic FixPlain queue 1 offset 0: no entries for 53 records",
            "fault: consumequeue/FixPlain/2, log offset 864, topic FixPlain queue 2 offset 0: no entries for 53 records",
            "fault: commitlog/00000000000000000000 byte 0, log offset 0: from here on the keys of 160 records are in no",
        ],
    );
    // The archive of the fixture itself has lost a queue.
    check("f-record-shapes", &["fault: consumequeue/ttt"]);
}

#[test]
fn a_log_that_is_too_short_is_told_by_everything_that_points_behind_it() {
    check(
        "c6-log-shorter-than-queues",
        &[
            "fault: index/20261121055106595 byte 6280: from here on 61 entries point behind the end of the log at 163332",
            "fault: checkpoint: says that records stored up to 1795240267341 are on the disk",
            "fault: consumequeue/FixPlain/0/00000000000000000000 byte 880, topic FixPlain queue 0 offset 44: from here on 10",
            "fault: consumequeue/FixPlain/1/00000000000000000000 byte 880, topic FixPlain queue 1 offset 44: from here on 9",
            "fault: consumequeue/FixPlain/2/00000000000000000000 byte 880, topic FixPlain queue 2 offset 44: from here on 9",
        ],
    );
}

/// Counts how often the list of topics is opened.
#[derive(Debug, Default)]
struct Lists(AtomicUsize);

impl Watch for Lists {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let is_list = call == Call::Open && path.ends_with("config/topics.json");
        self.0.fetch_add(usize::from(is_list), Ordering::Relaxed);
        Ok(())
    }
}

/// Of a topic that Java's broker has deleted there may be a thousand queues in the log.
#[test]
fn queues_of_deleted_topics_are_looked_up_in_a_list_that_is_read_once() {
    let fixture = Fixture::unpack("c5-queues-and-index-missing");
    fs::create_dir_all(fixture.options().config_dir()).unwrap();
    fs::write(fixture.options().config_dir().join("topics.json"), "{\"topicConfigTable\":{\"Other\":{}}}").unwrap();
    let lists = Arc::new(Lists::default());
    let disk = Arc::new(WatchedDisk(Arc::clone(&lists)));
    let verified = OfflineStore::open(disk, &fixture.options()).unwrap().verify(&[], &mut |_| {}).unwrap();
    let told = |part: &str| verified.findings.listed().iter().filter(|found| found.problem.contains(part)).count();
    assert_eq!(told("the topic is not in topics.json: it was deleted, it seems"), 3);
    assert_eq!(lists.0.load(Ordering::Relaxed), 1);
}
