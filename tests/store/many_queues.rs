//! A start holds few files, however many queues there are.

use std::fs;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::QueueId;
use ferromq::store::disk::FileDisk;
use ferromq::store::{StoreOptions, open};
use tempfile::TempDir;

use crate::append_and_reopen::{message, put};
use crate::fault_disk::FaultDisk;

const QUEUES: u32 = 600;
/// Files that are open at once at most, those of log and index included; each of the queues has one.
const OPEN_MAX: usize = 350;

fn options(directory: &TempDir) -> StoreOptions {
    StoreOptions { log_segment_bytes: 1 << 20, ..crate::append_and_reopen::options(directory) }
}

/// Two messages in each queue, in turns, and then a kill.
fn filled() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
    for number in 0..2 * QUEUES {
        put(&mut store, message("T", number % QUEUES, &number.to_be_bytes()), 1).unwrap();
    }
    directory
}

/// Which entries of a killed broker have reached the disk in part only nothing would tell: all are made again.
fn opens_with_few_files(directory: &TempDir) {
    let disk = FaultDisk::sound();
    let mut store = open(disk.clone(), options(directory), &mut |_| {}).unwrap();
    assert!(disk.most_open() < OPEN_MAX, "{} files were open", disk.most_open());
    assert_eq!(store.report.entries_added, u64::from(2 * QUEUES));
    for queue in 0..QUEUES {
        let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(queue)).unwrap();
        assert_eq!(queue.max_offset().0, 2);
        queue.close_idle();
    }
}

#[test]
fn after_a_kill() {
    opens_with_few_files(&filled());
}

#[test]
fn when_the_ends_of_all_queues_are_looked_at() {
    let directory = filled();
    fs::remove_file(directory.path().join("store/ferromq.state")).unwrap();
    opens_with_few_files(&directory);
}

#[test]
fn when_all_queues_are_built_again() {
    let directory = filled();
    fs::remove_dir_all(directory.path().join("store/consumequeue")).unwrap();
    opens_with_few_files(&directory);
}
