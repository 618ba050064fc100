//! Queues and index that are built again from the log are, byte for byte, the files that the Java broker wrote.

use std::fs;
use std::path::Path;

use ferromq::protocol::properties::{self, keys};
use ferromq::store::layout::QUEUE_ENTRY_BYTES;
use ferromq::store::{BitMaps, FileDisk, MappedAppender, QueueEntry, StoreOptions, open_with};

use crate::fixture::{Fixture, consumer_filters, queue_of};
use crate::opens_java_stores;

/// Whole files, in the order of their names.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// A fixture whose queues and index were removed and built again, beside the one that it was.
fn rebuilt(name: &str) -> (Fixture, Fixture) {
    let fixture = Fixture::unpack(name);
    let options = fixture.options();
    fs::remove_dir_all(options.queues_dir()).unwrap();
    fs::remove_dir_all(options.index_dir()).unwrap();
    let bit_maps = options.queue_ext_enabled.then(|| as_when_sent(&fixture));
    let appender = Box::new(MappedAppender::default());
    open_with(FileDisk::shared(), options, appender, bit_maps, &mut |_| {}).unwrap().close().unwrap();
    (Fixture::unpack(name), fixture)
}

/// The bit maps that the records got when they were sent: the first five came before there was any condition.
fn as_when_sent(fixture: &Fixture) -> Box<BitMaps> {
    let filters = consumer_filters(fixture);
    Box::new(move |topic, properties| {
        let came_before = properties::find(properties, keys::KEYS).is_some_and(|key| key.starts_with("before"));
        if came_before { None } else { filters.bit_map(topic, properties) }
    })
}

fn queue_files(options: &StoreOptions, row: &serde_json::Value) -> Vec<(String, Vec<u8>)> {
    let (topic, queue_id) = queue_of(row);
    contents(&options.queue_dir(&topic, queue_id))
}

/// The files of a queue, one behind the other.
fn joined(options: &StoreOptions, row: &serde_json::Value) -> Vec<u8> {
    queue_files(options, row).into_iter().flat_map(|(_, bytes)| bytes).collect()
}

fn check_queues(name: &str, was: &Fixture, is: &Fixture) {
    for row in was.rows("queues") {
        assert_eq!(queue_files(&is.options(), row), queue_files(&was.options(), row), "{name}: {row}");
    }
}

/// Bytes with their first difference: what a failure shows.
fn check_bytes(ours: &[u8], java: &[u8], what: &str) {
    let differs = ours.iter().zip(java).position(|(ours, java)| ours != java);
    assert_eq!((differs, ours.len()), (None, java.len()), "{what}");
}

/// Their names apart, which tell when they were made.
fn check_index(name: &str, was: &Fixture, is: &Fixture) {
    let (java, ours) = (contents(&was.options().index_dir()), contents(&is.options().index_dir()));
    assert_eq!(ours.len(), java.len(), "{name}");
    for (number, ((_, ours), (_, java))) in ours.iter().zip(&java).enumerate() {
        check_bytes(ours, java, &format!("{name}: index file {number}"));
    }
}

#[test]
fn of_a_store_whose_first_segments_are_gone() {
    let (name, first) = ("d-segments-deleted", 72);
    let (was, is) = rebuilt(name);
    for row in was.rows("queues").iter().filter(|row| row["minOffset"] == first) {
        let (ours, java) = (joined(&is.options(), row), joined(&was.options(), row));
        let begin = (first * QUEUE_ENTRY_BYTES) as usize;
        check_bytes(&ours[begin..], &java[begin..], &format!("{name}: {row}"));
        // Of the records before that nothing is known but that there were some.
        assert_eq!(ours[..begin], QueueEntry::BLANK.encode().repeat(first as usize));
    }
    // Java's index still holds keys of what is gone, so that its files are others.
    opens_java_stores::check_contents(name, &was, &mut is.open());
}

/// With and without the old extensions beside them, which nobody names any more.
#[test]
fn of_a_store_with_queue_extensions() {
    let name = "e-queue-ext";
    let (was, is) = rebuilt(name);
    check_extensions(&was, &is);
    fs::remove_dir_all(is.options().queue_exts_dir()).unwrap();
    fs::remove_dir_all(is.options().queues_dir()).unwrap();
    let maps = Some(as_when_sent(&is));
    let appender = Box::new(MappedAppender::default());
    open_with(FileDisk::shared(), is.options(), appender, maps, &mut |_| {}).unwrap().close().unwrap();
    check_extensions(&was, &is);
    check_index(name, &was, &is);
}

fn check_extensions(was: &Fixture, is: &Fixture) {
    check_queues("e-queue-ext", was, is);
    for row in was.rows("queues") {
        let (topic, queue_id) = queue_of(row);
        let units = |fixture: &Fixture| contents(&fixture.options().queue_ext_dir(&topic, queue_id));
        assert_eq!(units(is), units(was), "{row}");
    }
}

#[test]
fn of_stores_that_were_closed_in_order() {
    for name in ["a-clean", "b0-clean-many-files", "f-record-shapes"] {
        let (was, is) = rebuilt(name);
        check_queues(name, &was, &is);
        check_index(name, &was, &is);
    }
}

#[test]
fn of_a_queue_that_lags_behind_where_the_walk_begins() {
    let name = "b0-clean-many-files";
    let (was, is) = (Fixture::unpack(name), Fixture::unpack(name));
    let lagging = &was.rows("queues")[0];
    let (topic, queue_id) = queue_of(lagging);
    let (file, mut bytes) = queue_files(&is.options(), lagging).remove(0);
    bytes[3 * QUEUE_ENTRY_BYTES as usize..].fill(0);
    fs::write(is.options().queue_dir(&topic, queue_id).join(file), bytes).unwrap();
    let store = is.open();
    assert!(store.report.entries_added > 3, "{name}: it was filled");
    store.close().unwrap();
    check_queues(name, &was, &is);
}
