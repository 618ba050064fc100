//! The oldest segments go, then what queues, extensions and index have about them. The process may die at each call of the
//! disk, or each call may fail: whatever is left, the next start finds every message that is still in the log, under its
//! number, and none that is not.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::retention::remove_oldest;
use ferromq::store::{MappedAppender, OpenStore, SharedDisk, StoreError, StoreOptions, open_with};
use tempfile::TempDir;

use crate::append_and_reopen::{message, options as small, put};
use crate::fault_disk::{Call, FaultDisk};
use crate::watched_disk::{Watch, WatchedDisk};

/// Segments that go.
const SEGMENTS: usize = 5;

/// A disk of a process that dies: from one call on nothing is done any more.
#[derive(Debug)]
struct Dies {
    calls: AtomicUsize,
    after: AtomicUsize,
}

impl Watch for Dies {
    fn before(&self, call: Call, _: &Path) -> io::Result<()> {
        if call == Call::Close {
            return Ok(());
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if number < self.after.load(Ordering::SeqCst) { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    }
}

fn options(root: &Path) -> StoreOptions {
    let directory = TempDir::new_in(root.parent().unwrap()).unwrap();
    StoreOptions { root: root.into(), queue_ext_enabled: true, queue_ext_file_bytes: 110, ..small(&directory) }
}

fn opened(disk: SharedDisk, root: &Path) -> Result<OpenStore, StoreError> {
    open_with(disk, options(root), Box::new(MappedAppender::default()), None, &mut |_| {})
}

/// Three queues: one goes on to the end, one ends within the segments that go, one begins behind them.
fn filled(root: &Path) {
    let mut store = opened(FileDisk::shared(), root).unwrap();
    for number in 0..100_u8 {
        let queue = if number < 30 { u32::from(number) % 2 } else { 2 * (u32::from(number) % 2) };
        put(&mut store, message("T", queue, &[number; 300]), 1_000_000 + 1_000 * i64::from(number)).unwrap();
    }
    assert!(store.log.view().segments().all().len() > SEGMENTS + 2);
    store.close().unwrap();
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// As the broker does it: what fails is left to the next round, but nothing goes before what was to go first.
fn clean(store: &mut OpenStore, disk: &SharedDisk) -> Result<(), StoreError> {
    let view = store.log.view();
    let mut outcome = Ok(());
    while view.min().0 < 4096 * SEGMENTS as u64 && outcome.is_ok() {
        outcome = remove_oldest(&**disk, view.segments()).map(|_| ());
    }
    for queue_id in 0..3 {
        let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(queue_id)).unwrap();
        outcome = queue.clean(view.min()).map(|_| ()).and(outcome);
    }
    let index = store.index.as_mut().unwrap().clean(view.min()).map(|_| ());
    outcome.and(index)
}

/// Where each message lies, by queue and number.
fn in_the_log(store: &OpenStore) -> BTreeMap<(u32, u64), PhysicalOffset> {
    let view = store.log.view();
    let mut cursor = view.cursor(view.min());
    let mut found = BTreeMap::new();
    while let Some(record) = cursor.next(view.visible()).unwrap() {
        found.insert((record.queue_id.0, record.queue_offset.0), record.physical_offset);
    }
    found
}

/// Everything that is in the log is in its queue and in the index, and numbers go on.
fn check(root: &Path, at: &str) {
    let mut store = opened(FileDisk::shared(), root).unwrap_or_else(|error| panic!("{at}: {error}"));
    let (messages, log_min) = (in_the_log(&store), store.log.view().min());
    for (queue_id, max) in [(0, 50), (1, 15), (2, 35)] {
        let topic = Topic::parse("T").unwrap();
        let queue = store.queues.queue_mut(&topic, QueueId(queue_id)).unwrap();
        assert_eq!(queue.max_offset(), QueueOffset(max), "{at}: queue {queue_id}");
        let min = queue.min_offset();
        let first = messages.keys().find(|(id, _)| *id == queue_id).map_or(max, |(_, number)| *number);
        assert_eq!(min, QueueOffset(first), "{at}: queue {queue_id} over a log from {log_min} on");
        for number in min.0..max {
            let entry = queue.entry(QueueOffset(number)).unwrap().unwrap();
            assert_eq!(Some(&entry.physical), messages.get(&(queue_id, number)), "{at}: {number} of queue {queue_id}");
            let unit = entry.unit_address().expect("entries name units");
            assert!(queue.unit(unit).unwrap().is_some(), "{at}: the unit of {number} of queue {queue_id}");
        }
        assert_eq!(store.log.offsets().next(&topic, QueueId(queue_id)), QueueOffset(max), "{at}");
    }
    let index = store.index.as_ref().unwrap();
    for ((_, _), physical) in &messages {
        let time = store.log.view().with_record(*physical, |record| record.store_time).unwrap();
        // Times in the index are exact to some seconds.
        let [begin, end] = [time.0 - 2_000, time.0 + 2_000].map(StoreTime);
        let found = index.lookup("T", "k1", 64, begin, end).unwrap();
        assert!(found.records.contains(physical), "{at}: the key of the record at {physical}");
    }
    // And the round that was cut short can be made up for.
    let disk = FileDisk::shared();
    clean(&mut store, &disk).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(store.log.view().min().0, 4096 * SEGMENTS as u64);
    let next = put(&mut store, message("T", 1, b"next"), 2_000_000).unwrap();
    assert_eq!(next.queue_offset, QueueOffset(15), "{at}: no number is given out twice");
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(1)).unwrap();
    assert_eq!((queue.min_offset(), queue.max_offset()), (QueueOffset(15), QueueOffset(16)), "{at}");
    store.close().unwrap();
    drop(opened(FileDisk::shared(), root).unwrap_or_else(|error| panic!("{at}, after the rest: {error}")));
}

#[test]
fn at_the_death_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let filled_root = directory.path().join("filled");
    filled(&filled_root);
    for after in 0.. {
        let root = directory.path().join("cut");
        copied(&filled_root, &root);
        let dies = Arc::new(Dies { calls: AtomicUsize::new(0), after: AtomicUsize::new(usize::MAX) });
        let disk: SharedDisk = Arc::new(WatchedDisk(Arc::clone(&dies)));
        let mut store = opened(Arc::clone(&disk), &root).unwrap();
        dies.calls.store(0, Ordering::SeqCst);
        dies.after.store(after, Ordering::SeqCst);
        let outcome = clean(&mut store, &disk);
        drop(store);
        let at = format!("dead after {after} calls");
        check(&root, &at);
        fs::remove_dir_all(&root).unwrap();
        if outcome.is_ok() {
            assert!(after > 30, "{after} calls for all of it");
            break;
        }
    }
}

#[test]
fn at_a_call_that_fails_once() {
    let directory = tempfile::tempdir().unwrap();
    let filled_root = directory.path().join("filled");
    filled(&filled_root);
    for call in [Call::Remove, Call::SyncDir] {
        for nth in 0.. {
            let root = directory.path().join("failed");
            copied(&filled_root, &root);
            drop(opened(FileDisk::shared(), &root).unwrap());
            let mut store = opened(FileDisk::shared(), &root).unwrap();
            drop(store.queues);
            let (disk, fault) = FaultDisk::failing(call, nth, io::ErrorKind::Other);
            let disk: SharedDisk = disk;
            store.queues =
                ferromq::store::Queues::load(Arc::clone(&disk), Arc::new(options(&root)), &mut Vec::new()).unwrap();
            let first = clean(&mut store, &disk);
            assert_eq!(first.is_err(), fault.struck(), "{call:?} {nth}");
            clean(&mut store, &disk).unwrap();
            drop(store);
            check(&root, &format!("{call:?} {nth}"));
            fs::remove_dir_all(&root).unwrap();
            if !fault.struck() {
                assert!(nth > 10, "{call:?} {nth}");
                break;
            }
        }
    }
}

/// It was taken before, and files are gone since.
#[test]
fn who_looks_into_an_older_snapshot_of_a_queue_misses_what_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    filled(&root);
    let mut store = opened(FileDisk::shared(), &root).unwrap();
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
    let before = queue.snapshot();
    let last = before.entry(QueueOffset(49)).unwrap().unwrap();
    assert!(before.entry(QueueOffset(0)).unwrap().is_some());
    clean(&mut store, &FileDisk::shared()).unwrap();
    assert_eq!((before.entry(QueueOffset(0)).unwrap(), before.entries(QueueOffset(3), 5).unwrap()), (None, Vec::new()));
    assert_eq!(before.entry(QueueOffset(49)).unwrap(), Some(last));
    let log = store.log.view();
    let time_of = |physical, _| log.with_record(physical, |record| record.store_time);
    before.offset_by_time(StoreTime(1_003_000), log.min(), time_of).unwrap();
}

#[test]
fn who_holds_bytes_of_a_segment_that_is_gone_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    filled(&root);
    let mut store = opened(FileDisk::shared(), &root).unwrap();
    let view = store.log.view();
    let size = view.record_size(PhysicalOffset(0)).unwrap();
    let before = view.message(PhysicalOffset(0)).unwrap().unwrap();
    let held = view.slice(PhysicalOffset(0), size).unwrap();
    let segment = Arc::downgrade(&view.segments().all()[0]);
    let disk = FileDisk::shared();
    clean(&mut store, &disk).unwrap();
    assert_eq!(view.slice(PhysicalOffset(0), size), None);
    assert_eq!(ferromq::protocol::message::decode(&held).unwrap().0.body, before.body);
    assert_eq!(segment.strong_count(), 1, "those bytes alone hold it");
    drop(held);
    assert_eq!(segment.strong_count(), 0, "and nothing does now");
}
