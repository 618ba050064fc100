//! Any bytes in any file of a store: it opens, or says what is wrong. Nothing panics, and nothing takes the whole disk.

use std::fs;
use std::path::{Path, PathBuf};

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{OpenStore, StoreOptions, open};
use tempfile::TempDir;

use crate::append_and_reopen::{message, options, put};

const SEED: u64 = 20_261_125;
const ROUNDS: usize = 300;
const MESSAGES: usize = 60;
/// Where a record has the highest byte of its number in its queue, big endian.
const QUEUE_OFFSET_AT: usize = 20;
/// The store as it is has a tenth of this.
const BYTES_MAX: u64 = 4 << 20;

/// Small sizes, with queue extensions or without.
fn sized(directory: &TempDir, extended: bool) -> StoreOptions {
    StoreOptions { queue_ext_enabled: extended, queue_ext_file_bytes: 200, ..options(directory) }
}

/// A store with some segments, queue files and index files.
fn filled(extended: bool) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(FileDisk::shared(), sized(&directory, extended), &mut |_| {}).unwrap();
    for number in 0..MESSAGES {
        put(&mut store, message("Any", number as u32 % 2, format!("message {number}").as_bytes()), 1_000).unwrap();
    }
    store.close().unwrap();
    directory
}

fn files_of(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_of(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// Changes a file: some bytes, all of a range, or its length.
fn damage(path: &Path, random: &mut fastrand::Rng) {
    let mut bytes = fs::read(path).unwrap();
    match random.u8(..4) {
        0 => bytes.truncate(random.usize(..=bytes.len())),
        _ if bytes.is_empty() => bytes.extend((0..random.usize(1..64)).map(|_| random.u8(..))),
        1 => {
            let from = random.usize(..bytes.len());
            let until = (from + random.usize(1..64)).min(bytes.len());
            bytes[from..until].iter_mut().for_each(|byte| *byte = random.u8(..));
        }
        _ => {
            // Near the beginning, where headers and the first records are.
            let at = random.usize(..bytes.len().min(512));
            bytes[at] ^= 1 << random.u8(..8);
        }
    }
    fs::write(path, bytes).unwrap();
}

/// Reads whatever the store says that it has.
fn read(store: &mut OpenStore) {
    for queue_id in 0..2 {
        let queue = store.queues.queue_mut(&Topic::parse("Any").unwrap(), QueueId(queue_id)).unwrap();
        let (mut at, mut entries) = (queue.min_offset(), Vec::new());
        while at < queue.max_offset() && queue.read(at, 32, &mut entries).is_ok() {
            at = QueueOffset(at.0 + 32);
        }
        for address in entries.iter().filter_map(|entry| entry.unit_address()) {
            let _ = queue.unit(address);
            let _ = queue.unit_reader().map(|mut reader| reader.unit(address).map(|unit| unit.is_some()));
        }
        let view = store.log.view();
        for entry in entries {
            view.with_record(entry.physical, |record| record.check_body().is_ok());
        }
    }
    if let Some(index) = &store.index {
        let found = index.lookup("Any", "k1", 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
        assert!(found.records.len() <= 64);
    }
}

#[test]
fn a_store_opens_or_says_what_is_wrong() {
    opens_or_says_what_is_wrong(false);
}

#[test]
fn a_store_with_queue_extensions_opens_or_says_what_is_wrong() {
    opens_or_says_what_is_wrong(true);
}

fn opens_or_says_what_is_wrong(extended: bool) {
    let whole = filled(extended);
    let random = &mut fastrand::Rng::with_seed(SEED);
    let mut opened = 0;
    for round in 0..ROUNDS {
        let damaged = tempfile::tempdir().unwrap();
        copy(whole.path(), damaged.path());
        let files = files_of(damaged.path());
        for _ in 0..random.usize(1..3) {
            damage(random.choice(&files).unwrap(), random);
        }
        if random.bool() {
            fs::write(damaged.path().join("store/abort"), "").unwrap();
        }
        match open(FileDisk::shared(), sized(&damaged, extended), &mut |_| {}) {
            Ok(mut store) => {
                opened += 1;
                read(&mut store);
                put(&mut store, message("Any", 0, b"one more"), 2_000).unwrap();
                store.close().unwrap();
            }
            Err(error) => assert!(error.to_string().len() > 20, "{error}"),
        }
        let bytes: u64 = files_of(damaged.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes in round {round} of seed {SEED}");
    }
    assert!(opened > ROUNDS / 4, "most damage is no reason not to start, but {opened} of {ROUNDS} started");
}

/// The number of a record in its queue is not covered by its checksum. One that the log has no room for before the record
/// is reported; its message is not in the queue, and the others are.
#[test]
fn a_number_that_cannot_be_is_not_filled_up_to() {
    let directory = filled(false);
    let options = options(&directory);
    let second = {
        let mut store = open(FileDisk::shared(), options.clone(), &mut |_| {}).unwrap();
        let queue = store.queues.queue_mut(&Topic::parse("Any").unwrap(), QueueId(1)).unwrap();
        let second = queue.entry(QueueOffset(0)).unwrap().unwrap().physical;
        store.close().unwrap();
        second
    };
    let segment = options.segment_path(0);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[second.0 as usize + QUEUE_OFFSET_AT] |= 1;
    fs::write(&segment, bytes).unwrap();
    fs::remove_dir_all(options.root.join("consumequeue")).unwrap();
    fs::write(options.file("abort"), "").unwrap();

    let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    let damaged: Vec<_> = store.report.damaged.iter().map(|damaged| damaged.at).collect();
    assert_eq!(damaged, [second], "{:?}", store.report);
    for (queue_id, messages) in [(0, MESSAGES / 2), (1, MESSAGES / 2)] {
        let queue = store.queues.queue_mut(&Topic::parse("Any").unwrap(), QueueId(queue_id)).unwrap();
        assert_eq!(queue.max_offset().0 as usize, messages);
    }
}
