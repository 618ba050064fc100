//! Queues and index that are built again from the log are, byte for byte, the files that the Java broker wrote.

use std::fs;
use std::path::Path;

use ferromq::store::layout::QUEUE_ENTRY_BYTES;
use ferromq::store::{QueueEntry, StoreOptions};

use crate::fixture::{Fixture, queue_of};
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
    fixture.open().close().unwrap();
    (Fixture::unpack(name), fixture)
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

#[test]
fn of_stores_that_were_closed_in_order() {
    for name in ["a-clean", "b0-clean-many-files", "f-record-shapes"] {
        let (was, is) = rebuilt(name);
        check_queues(name, &was, &is);
        check_index(name, &was, &is);
    }
}
