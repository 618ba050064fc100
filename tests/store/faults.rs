//! The disk fails, at each call of each kind in turn: an error, never a panic, and what was acknowledged is still there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::QueueId;
use ferromq::store::disk::FileDisk;
use ferromq::store::{LogFlush, StoreError, open};

use crate::append_and_reopen::{message, options, put};
use crate::fault_disk::{CALLS, Call, FaultDisk};
use crate::watched_disk::{Watch, WatchedDisk};

/// Opens, appends until several segments, queue files and index files are full, syncs, closes; stops at the first
/// error. Tells how many messages were put and synced before it.
fn run(disk: Arc<FaultDisk>, directory: &tempfile::TempDir) -> (u64, Result<(), StoreError>) {
    let mut acknowledged = 0;
    let result = (|| {
        let mut store = open(disk, options(directory), &mut |_| {})?;
        let mut flush = LogFlush::new(store.log.view());
        for number in 0..40 {
            put(&mut store, message("T", 0, &[number; 300]), i64::from(number))?;
            if number % 4 == 3 {
                flush.sync()?;
                acknowledged = u64::from(number) + 1;
            }
        }
        store.close()
    })();
    (acknowledged, result)
}

#[test]
fn each_call_in_turn() {
    for call in CALLS {
        for nth in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let (disk, fault) = FaultDisk::failing(call, nth, io::ErrorKind::Other);
            let (acknowledged, result) = run(disk, &directory);
            if !fault.struck() {
                result.unwrap();
                assert!(nth > 0 || matches!(call, Call::Rename | Call::Zero), "{call:?} is never called");
                break;
            }
            let mut store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
            let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
            let kept = queue.max_offset().0;
            assert!(
                kept >= acknowledged,
                "{call:?} {nth}: {kept} of {acknowledged} acknowledged are there, {result:?}"
            );
            put(&mut store, message("T", 0, b"goes on"), 1_000).unwrap();
        }
    }
}

/// Names outside of a directory cannot be made to last.
#[derive(Debug)]
struct Outside(PathBuf, io::ErrorKind);

impl Watch for Outside {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let is_refused = call == Call::SyncDir && !path.starts_with(&self.0);
        if is_refused { Err(self.1.into()) } else { Ok(()) }
    }
}

/// Above a store there may be file systems of any kind, and directories of other owners.
#[test]
fn directories_above_the_store_that_cannot_be_synced() {
    use io::ErrorKind::{InvalidInput, Other, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    for kind in [InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported, Other] {
        let directory = tempfile::tempdir().unwrap();
        let root = options(&directory).root().to_path_buf();
        let disk = Arc::new(WatchedDisk(Arc::new(Outside(root, kind))));
        let opened = open(disk, options(&directory), &mut |_| {});
        assert_eq!(opened.is_ok(), kind != Other, "{kind:?}: {:?}", opened.err());
    }
}

#[test]
fn a_full_disk_is_said_before_anything_is_written_and_goes_by() {
    let directory = tempfile::tempdir().unwrap();
    // The first allocation is the first segment's, the second and third its queue's and index's.
    let (disk, fault) = FaultDisk::failing(Call::Allocate, 4, io::ErrorKind::StorageFull);
    let mut store = open(disk, options(&directory), &mut |_| {}).unwrap();
    let (mut put_ok, mut full) = (0, 0);
    for number in 0..60 {
        let end = store.log.end();
        match put(&mut store, message("T", 0, &[1; 300]), number) {
            Ok(_) => put_ok += 1,
            Err(StoreError::DiskFull { .. }) => {
                full += 1;
                assert!(fault.struck());
                // Either the record is not there, or it is and only its queue or the index waits for room.
                assert!(store.log.end() >= end);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((put_ok, full), (59, 1));
}

/// Nobody knows what is on the disk after a failed sync: the next one must not be believed.
#[test]
fn after_a_failed_sync_no_sync_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap().close().unwrap();
    for nth in 0..100 {
        let (disk, fault) = FaultDisk::failing(Call::Sync, nth, io::ErrorKind::Other);
        let Ok(mut store) = open(disk, options(&directory), &mut |_| {}) else { continue };
        // The first put makes a segment, whose length is synced.
        if put(&mut store, message("T", 0, b"x"), 1).is_err() {
            continue;
        }
        let mut flush = LogFlush::new(store.log.view());
        assert!(matches!(flush.sync(), Err(StoreError::Io { action: "sync", .. })), "{nth}");
        assert!(fault.struck());
        assert!(matches!(flush.sync(), Err(StoreError::Poisoned)));
        assert!(store.log.positions().synced() < store.log.end());
        return;
    }
    panic!("no sync of the log was the one to fail");
}
