//! What is in a store, as Java's broker told it.

use std::fs;

use ferromq::store::disk::FileDisk;
use ferromq::store::layout::file_name;
use ferromq::store::offline::KnownBy;
use ferromq::store::{OfflineStore, QueueEntry, StoreOptions};
use serde_json::Value;

use crate::binary::Ferromq;
use crate::fixture::Fixture;
use crate::tool::{look, untold};

const SOUND: [&str; 6] =
    ["a-clean", "b0-clean-many-files", "b1-killed", "d-segments-deleted", "e-queue-ext", "f-record-shapes"];

#[test]
fn queues_begin_and_end_where_java_said() {
    for name in SOUND {
        let fixture = Fixture::unpack(name);
        let survey = look(&fixture).survey(&mut |_| {}).unwrap();
        assert_eq!(survey.queues.len(), fixture.rows("queues").len(), "{name}");
        for row in fixture.rows("queues") {
            let is_its = |topic: &str, queue: u32| row["topic"] == topic && row["queueId"] == queue;
            let queue = survey.queues.iter().find(|queue| is_its(&queue.topic, queue.queue)).unwrap();
            let number = |key: &str| row[key].as_u64().unwrap();
            assert_eq!((queue.min_offset, queue.max_offset), (number("minOffset"), number("maxOffset")), "{row}");
            assert_eq!(queue.first_stored, row["earliestStoreTimestamp"].as_i64().unwrap(), "{row}");
        }
        let log = |key: &str| fixture.manifest["expectedAfterOpen"][key].as_u64().unwrap();
        assert_eq!((survey.log.min, survey.log.end), (log("commitLogMinOffset"), log("commitLogMaxOffset")), "{name}");
        let times = || fixture.rows("messages").iter().filter_map(|row| row["storeTimestamp"].as_i64());
        assert_eq!(Some(survey.log.last_stored), times().max(), "{name}: when the last message was stored");
    }
}

/// The entry of a damaged record is blank, and says nothing about what lies before it.
#[test]
fn queues_begin_there_whatever_entry_is_blank() {
    let fixture = Fixture::unpack("d-segments-deleted");
    let first = |fixture: &Fixture| look(fixture).survey(&mut |_| {}).unwrap().queues.remove(0);
    let queue = first(&fixture);
    assert_eq!((queue.topic.as_str(), queue.queue, queue.min_offset), ("FixPlain", 0, 72));
    let path = fixture.options().root.join("consumequeue/FixPlain/0").join(file_name(0));
    let whole = fs::read(&path).unwrap();
    for number in 73..100 {
        let mut bytes = whole.clone();
        bytes[number * 20..][..20].copy_from_slice(&QueueEntry::BLANK.encode());
        fs::write(&path, bytes).unwrap();
        assert_eq!(first(&fixture), queue, "entry {number} is blank");
    }
}

#[test]
fn sizes_are_told_by_the_files() {
    for name in SOUND {
        let fixture = Fixture::unpack(name);
        let (found, made_with) = (look(&fixture), fixture.options());
        let options = StoreOptions { queue_ext_file_bytes: made_with.queue_ext_file_bytes, ..found.options().clone() };
        assert_eq!(options, made_with, "{name}");
        assert_eq!(
            (found.sizes().log, found.sizes().queue, found.sizes().index),
            (KnownBy::Files, KnownBy::Files, KnownBy::Files)
        );
    }
    let extended = look(&Fixture::unpack("e-queue-ext"));
    assert_eq!(extended.options().queue_ext_file_bytes, 1024);
}

/// A file of other slots and entries whose length is the same is told by what is in it, and a configuration that fits wins.
#[test]
fn an_index_that_tells_nothing_is_said_to_be_unknown() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let index = fixture.options().index_dir();
    for file in fs::read_dir(&index).unwrap() {
        fs::write(file.unwrap().path(), vec![0; 8440]).unwrap();
    }
    assert_eq!(look(&fixture).sizes().index, KnownBy::Nothing);
    let configured = StoreOptions { index_slots: 100, index_entries: 400, ..untold(&fixture) };
    let store = OfflineStore::open(FileDisk::shared(), &configured).unwrap();
    assert_eq!((store.sizes().index, store.options().index_slots), (KnownBy::Configuration, 100));
}

/// A broker's file says where the store is, and what no file of it tells.
#[test]
fn a_configuration_says_where_it_is_and_whether_there_is_an_index() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let root = fixture.options().root;
    let ferromq = Ferromq::new().with_file("broker.conf", &format!("storePathRootDir={}\n", root.display()));
    assert_eq!(ferromq.run("store verify -c broker.conf").code, 0);
    fs::remove_dir_all(root.join("index")).unwrap();
    let ran = ferromq.run("store verify -c broker.conf");
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("the keys of 160 records are in no index file"), "{}", ran.out);
    let lines = format!("storePathRootDir={}\nmessageIndexEnable=false\n", root.display());
    let ran = ferromq.with_file("broker.conf", &lines).run("store verify -c broker.conf");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
}

/// The broker's file may name more directories than the one that was named.
#[test]
fn a_log_in_two_directories_is_found_as_configured() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let root = fixture.options().root;
    let (log, other) = (root.join("commitlog"), fixture.directory.path().join("second"));
    fs::create_dir(&other).unwrap();
    for base in [32_768, 98_304, 163_840] {
        let name = file_name(base);
        fs::rename(log.join(&name), other.join(&name)).unwrap();
    }
    let lines = format!("storePathCommitLog={},{}\n", log.display(), other.display());
    let ferromq = Ferromq::new().with_file("broker.conf", &lines);
    let ran = ferromq.run(&format!("store verify -c broker.conf {}", root.display()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    // A copy of that store has all of its log in one place, and the file still names the old ones.
    let copy = Fixture::unpack("b0-clean-many-files");
    let ran = ferromq.run(&format!("store verify -c broker.conf {}", copy.options().root.display()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
}

#[test]
fn as_a_table_and_as_json() {
    let fixture = Fixture::unpack("d-segments-deleted");
    let root = fixture.options().root;
    let ran = Ferromq::new().run(&format!("store inspect {}", root.display()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let row = ran.out.lines().find(|line| line.trim_start().starts_with("FixPlain")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[1..4], ["0", "72", "107"], "{row}");
    assert!(ran.out.contains("mappedFileSizeCommitLog=131072, by the files"), "{}", ran.out);
    // The directory above it is what servers are told.
    let ran = Ferromq::new().run(&format!("store inspect --json {}", fixture.directory.path().display()));
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(value["log"]["min"], 262_144);
    assert_eq!(value["closedInOrder"], true);
    assert_eq!(value["queues"].as_array().unwrap().len(), fixture.rows("queues").len());
}
