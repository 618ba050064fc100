//! Queues and index that a repair makes are those of Java's broker, and what was there before is kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ferromq::protocol::names::Topic;
use ferromq::protocol::properties::{self, keys};
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::layout::{QUEUE_ENTRY_BYTES, file_name};
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{NewMessage, PutBatch, QueueEntry};

use crate::fixture::{Fixture, consumer_filters, entries, queue_of};
use crate::tool::{
    check_opened, check_sound, found, look, patch, patch_log, repair, snapshot, untold, verify, with_lost_queue,
};

/// Whole files under a directory.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let names = snapshot(root).into_keys().filter(|name| root.join(name).is_file());
    names.map(|name| (name.clone(), fs::read(root.join(name)).unwrap())).collect()
}

/// Index files, whose names tell when they were made.
fn contents(root: &Path) -> Vec<Vec<u8>> {
    tree(root).into_values().collect()
}

#[track_caller]
fn check_same(made: &Path, was: &Path) {
    let (made, was) = (tree(made), tree(was));
    assert_eq!(made.keys().collect::<Vec<_>>(), was.keys().collect::<Vec<_>>());
    for (name, bytes) in &made {
        assert!(*bytes == was[name], "{} differs", name.display());
    }
}

#[test]
fn sound_stores_get_the_files_that_they_had() {
    for name in ["a-clean", "b0-clean-many-files", "b1-killed", "f-record-shapes"] {
        let fixture = Fixture::unpack(name);
        let fixture = if name == "f-record-shapes" { with_lost_queue(fixture) } else { fixture };
        let root = fixture.options().root;
        let log = tree(&root.join("commitlog"));
        repair(&fixture);
        check_same(&root.join("consumequeue"), &root.join("consumequeue.before-repair-1"));
        assert!(contents(&root.join("index")) == contents(&root.join("index.before-repair-1")), "{name}");
        assert!(tree(&root.join("commitlog")) == log, "{name}: the log is only read");
        assert_eq!(root.join("abort").exists(), name == "b1-killed", "{name}: it is as clean as it was");
        check_sound(&fixture);
        let report = fixture.open().report;
        assert_eq!((report.entries_added, report.queues_cut, report.torn), (0, 0, None), "{name}");
    }
}

/// Of records that are gone nothing is known but that there were some.
#[test]
fn a_store_without_its_first_segments_keeps_its_offsets() {
    let fixture = Fixture::unpack("d-segments-deleted");
    repair(&fixture);
    let root = fixture.options().root;
    for row in fixture.rows("queues").iter().filter(|row| row["minOffset"] == 72) {
        let (topic, queue_id) = queue_of(row);
        let files =
            |queues: &str| contents(&root.join(queues).join(topic.as_str()).join(queue_id.to_string())).concat();
        let (made, was) = (files("consumequeue"), files("consumequeue.before-repair-1"));
        let begin = (72 * QUEUE_ENTRY_BYTES) as usize;
        assert!(made[begin..] == was[begin..], "{row}");
        assert_eq!(made[..begin], QueueEntry::BLANK.encode().repeat(72));
    }
    check_sound(&fixture);
}

#[test]
fn extensions_are_made_with_the_conditions_that_consumers_left() {
    let fixture = Fixture::unpack("e-queue-ext");
    let filters = consumer_filters(&fixture);
    // The first five records came before there was any condition.
    let maps = move |topic: &str, text: &str| {
        let came_before = properties::find(text, keys::KEYS).is_some_and(|key| key.starts_with("before"));
        if came_before { None } else { filters.bit_map(topic, text) }
    };
    repair::repair(FileDisk::shared(), &untold(&fixture), Request::default(), Some(&maps), &mut |_| {}).unwrap();
    let root = fixture.options().root;
    for name in ["consumequeue", "consumequeue_ext"] {
        check_same(&root.join(name), &root.join(format!("{name}.before-repair-1")));
    }
    check_sound(&fixture);
}

#[test]
fn queues_that_were_lost_or_lag_are_those_of_the_whole_store() {
    let whole = Fixture::unpack("b0-clean-many-files");
    for name in ["c5-queues-and-index-missing", "c7-one-queue-behind"] {
        let fixture = Fixture::unpack(name);
        // Of the sizes nothing is left in one of them.
        repair::repair(FileDisk::shared(), &fixture.options(), Request::default(), None, &mut |_| {}).unwrap();
        check_same(&fixture.options().queues_dir(), &whole.options().queues_dir());
        let index = |fixture: &Fixture| contents(&fixture.options().index_dir());
        assert!(index(&fixture) == index(&whole), "{name}");
        check_sound(&fixture);
        check_opened(&fixture, &whole, 160);
    }
}

/// A start would cut the first of them at its damaged record: a repair vouches for what lies behind it.
#[test]
fn damaged_records_cost_one_message_each() {
    let whole = Fixture::unpack("b0-clean-many-files");
    for (name, queue, number) in [("c3-body-flip-abort", 1, 35), ("c4-body-flip-old-file-clean", 0, 1)] {
        let fixture = Fixture::unpack(name);
        let plan = repair(&fixture);
        let planned = plan.queues[&(Topic::parse("FixPlain").unwrap(), QueueId(queue))];
        assert_eq!((planned.blank, plan.findings.faults()), (1, 1), "{name}");
        let checked = verify(&fixture).checked;
        assert_eq!((checked.queue_entries, checked.blank_entries), (159, 1), "{name}");
        let lines = found(&fixture);
        assert!(
            lines.len() == 1 && lines[0].contains(&format!("queue {queue} offset {number}: body checksum")),
            "{lines:?}"
        );
        check_opened(&fixture, &whole, 159);
    }
}

#[test]
fn torn_tails_stay_until_the_next_start_cuts_them() {
    for (name, end) in [("c1-torn-tail-abort", 192_219), ("c8-garbage-tail-abort", 193_399)] {
        let fixture = Fixture::unpack(name);
        let plan = repair(&fixture);
        assert_eq!((plan.log_end.0, plan.findings.notes()), (end, 1), "{name}");
        assert!(fixture.options().file("abort").exists());
        let store = fixture.open();
        assert_eq!((store.report.log_end.0, store.report.torn.is_some()), (end, true), "{name}");
        store.close().unwrap();
        check_sound(&fixture);
    }
}

/// Behind the end of a log that was closed in order there is to be nothing: the next start must look, and clear it.
#[test]
fn rubbish_behind_a_closed_log_is_left_to_the_next_start() {
    let fixture = Fixture::unpack("c8-garbage-tail-abort");
    let abort = fixture.options().file("abort");
    fs::remove_file(&abort).unwrap();
    let lines = found(&fixture);
    assert!(
        lines.len() == 1 && lines[0].contains("something lies behind the last record, though the store was closed")
    );
    repair(&fixture);
    assert!(abort.exists());
    fixture.open().close().unwrap();
    check_sound(&fixture);
}

#[test]
fn a_log_that_lost_its_end_gets_queues_that_end_with_it() {
    let fixture = Fixture::unpack("c6-log-shorter-than-queues");
    repair(&fixture);
    check_sound(&fixture);
    let queues = look(&fixture).survey(&mut |_| {}).unwrap().queues;
    assert_eq!(queues.iter().map(|queue| queue.max_offset).collect::<Vec<_>>(), [44, 44, 44]);
}

#[test]
fn deleted_topics_stay_deleted() {
    let fixture = Fixture::unpack("a-clean");
    let end = fixture.manifest["expectedAfterOpen"]["commitLogMaxOffset"].as_u64().unwrap();
    let deleted = fixture.rows("queues")[0]["topic"].as_str().unwrap().to_owned();
    let path = fixture.options().config_dir().join("ferromq.deletedTopics.json");
    fs::write(path, format!("{{\"{deleted}\":{end}}}")).unwrap();
    let before = look(&fixture).survey(&mut |_| {}).unwrap().queues;
    repair(&fixture);
    let after = look(&fixture).survey(&mut |_| {}).unwrap().queues;
    let others: Vec<_> = before.into_iter().filter(|queue| queue.topic != deleted).collect();
    assert_eq!(after, others);
    check_sound(&fixture);
}

/// Otherwise its next message would get a number that its consumers are far beyond.
#[test]
fn a_queue_whose_records_are_gone_keeps_the_number_that_comes_next() {
    let fixture = Fixture::unpack("d-segments-deleted");
    let (topic, queue_id) = (Topic::parse("Expired").unwrap(), QueueId(3));
    let directory = fixture.options().queue_dir(&topic, queue_id);
    fs::create_dir_all(&directory).unwrap();
    let entry = |number: u64| QueueEntry { physical: PhysicalOffset(number * 100), size: 100, tags_code: 0 }.encode();
    let mut bytes: Vec<u8> = (0..5).flat_map(entry).collect();
    bytes.resize(2000, 0);
    fs::write(directory.join("00000000000000002000"), bytes).unwrap();
    let plan = repair(&fixture);
    assert!(plan.queues[&(topic.clone(), queue_id)].is_expired);
    check_sound(&fixture);
    let mut store = fixture.open();
    let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
    assert_eq!((queue.min_offset().0, queue.max_offset().0), (105, 105), "its next number is what it was");
    assert_eq!(entries(&mut store, &topic, queue_id), []);
}

#[test]
fn each_repair_keeps_what_the_one_before_it_made() {
    let fixture = Fixture::unpack("c7-one-queue-behind");
    let root = fixture.options().root;
    let first = tree(&root.join("consumequeue"));
    let moves = |number: u32| {
        let name = |name: &str| (root.join(name), root.join(format!("{name}.before-repair-{number}")));
        vec![name("consumequeue"), name("index")]
    };
    for number in [1, 2] {
        let planned = look(&fixture).plan(Request::default(), &mut |_| {}).unwrap();
        let done = repair(&fixture);
        assert_eq!(
            (planned.moves.clone(), planned.queues.clone()),
            (done.moves, done.queues),
            "what was planned is done"
        );
        let pairs: Vec<_> = planned.moves.into_iter().map(|moved| (moved.from, moved.to)).collect();
        assert_eq!(pairs, moves(number));
    }
    assert!(tree(&root.join("consumequeue.before-repair-1")) == first);
    check_same(&root.join("consumequeue"), &root.join("consumequeue.before-repair-2"));
    let left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("ferromq.repair")), "{left:?}");
}

/// Cuts one sector out of the properties of a record that nobody was promised; all that is behind it goes too if `is_last`. Tells
/// where it lies, and its queue and number.
fn lose_sector(fixture: &Fixture, is_last: bool) -> (u64, u64, u64) {
    const SECTOR: u64 = 512;
    patch(fixture, "checkpoint", 0, &[0; 24]);
    let number = |row: &serde_json::Value, key: &str| row[key].as_u64().unwrap();
    let end = |row: &serde_json::Value| number(row, "physicalOffset") + number(row, "storeSize");
    // Of its properties the last sixty bytes at least are in a sector of their own.
    let is_apart = |row: &&serde_json::Value| (1..60).contains(&(end(row) % SECTOR));
    let row = fixture.rows("messages").iter().skip(100).find(is_apart).unwrap();
    patch_log(fixture, end(row) - end(row) % SECTOR, &vec![0; (end(row) % SECTOR) as usize]);
    if is_last {
        let segment = fixture.options().log_segment_bytes;
        patch_log(fixture, end(row), &vec![0; (segment - end(row) % segment) as usize]);
        for base in (0..1 << 20).step_by(segment as usize).filter(|base| *base > end(row)) {
            let _ = fs::remove_file(fixture.options().root.join("commitlog").join(file_name(base)));
        }
    }
    (number(row, "physicalOffset"), number(row, "queueId"), number(row, "queueOffset"))
}

/// After a power cut a record may lack one of its sectors, which its checksum does not tell: it is damaged, and at the end of the log torn.
#[test]
fn records_that_lack_a_sector_are_damaged() {
    let problem = "a part of its topic or properties was never written";
    let fixture = Fixture::unpack("b1-killed");
    let (_, queue, number) = lose_sector(&fixture, false);
    assert!(found(&fixture).iter().any(|line| line.contains(problem)), "{:#?}", found(&fixture));
    let plan = repair(&fixture);
    let lines: Vec<String> = plan.findings.listed().iter().map(ToString::to_string).collect();
    assert!(lines.len() == 1 && lines[0].contains(problem), "{lines:#?}");
    let topic = Topic::parse("FixPlain").unwrap();
    assert_eq!(plan.queues[&(topic.clone(), QueueId(queue as u32))].blank, 1);
    let entry =
        fixture.open().queues.queue_mut(&topic, QueueId(queue as u32)).unwrap().entry(QueueOffset(number)).unwrap();
    assert_eq!(entry, Some(QueueEntry::BLANK));

    let fixture = Fixture::unpack("b1-killed");
    let (at, ..) = lose_sector(&fixture, true);
    let plan = repair(&fixture);
    assert_eq!((plan.log_end.0, plan.findings.notes(), plan.findings.faults()), (at, 1, 0));
    let store = fixture.open();
    assert_eq!((store.report.log_end.0, store.report.torn.is_some()), (at, true), "as a start sees it");
}

/// Light message queues have entries of records that are of another topic.
#[test]
fn queues_that_are_not_made_anew_are_told_of() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let topic = Topic::parse("Parent").unwrap();
    let properties = properties::with(b"", &[("INNER_MULTI_DISPATCH", "%LMQ%a")]);
    let plain = NewMessage::plain(&topic, QueueId(0), BornTime(1), "127.0.0.1:1".parse().unwrap(), b"body");
    let batch = PutBatch::of(&NewMessage { properties: &properties, ..plain }).unwrap();
    let mut store = fixture.open();
    let mut stored = Vec::new();
    batch.iter().for_each(|put| store.log.append(put, StoreTime(1_795_240_300_000), &mut stored).unwrap());
    store.log.publish().unwrap();
    drop(store);
    fixture.open().close().unwrap();
    let queues = fixture.options().queues_dir();
    fs::create_dir(queues.join("%LMQ%a")).unwrap();
    fs::create_dir(queues.join("%LMQ%a/0")).unwrap();
    fs::copy(queues.join("Parent/0").join(file_name(0)), queues.join("%LMQ%a/0").join(file_name(0))).unwrap();
    check_sound(&fixture);
    let plan = repair(&fixture);
    let lines: Vec<String> = plan.findings.listed().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].starts_with("fault: ") && lines[0].contains("%LMQ%a queue 0 offset 0: its entries lead"),
        "{lines:#?}"
    );
    assert!(lines[1].starts_with("note: ") && lines[1].contains("1 records name further queues"), "{lines:#?}");
    assert!(fixture.options().root.join("consumequeue.before-repair-1/%LMQ%a/0").exists());
}
