//! A repair that is ended at any moment leaves a store that opens with everything it had, in whatever broker.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ferromq::store::checkpoint::Checkpoint;
use ferromq::store::disk::FileDisk;
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{SharedDisk, StoreOptions};

use crate::fault_disk::{CALLS, Call, FaultDisk};
use crate::fixture::Fixture;
use crate::tool::{check_opened, pulled, untold};
use crate::watched_disk::{Watch, WatchedDisk};

/// Whichever call to the operating system fails, `check` looks at what is left.
fn check_each_end(name: &str, check: impl Fn(&Fixture)) {
    for call in CALLS {
        for nth in 0.. {
            let fixture = Fixture::unpack(name);
            let (disk, fault) = FaultDisk::failing(call, nth, io::ErrorKind::Other);
            let disk: SharedDisk = disk;
            let outcome = repair::repair(disk, &untold(&fixture), Request::default(), None, &mut |_| {});
            if !fault.struck() {
                outcome.unwrap();
                break;
            }
            assert!(nth < 500, "{call:?} goes on and on");
            check(&fixture);
        }
    }
}

#[test]
fn the_store_opens_with_everything_that_it_had() {
    let whole = Fixture::unpack("b0-clean-many-files");
    check_each_end("c7-one-queue-behind", |fixture| check_opened(fixture, &whole, 160));
}

/// Of a record near the beginning the body is damaged, which only a start finds that reads it. It must not be taken for a torn tail.
#[test]
fn nothing_is_cut_behind_a_damaged_record() {
    let whole = Fixture::unpack("b0-clean-many-files");
    check_each_end("c4-body-flip-old-file-clean", |fixture| {
        let pulled = pulled(&mut fixture.open(), &whole).len();
        assert!(pulled == 159 || pulled == 160, "{pulled}");
    });
}

/// Looks what the checkpoint says whenever a directory of the store gets another name.
#[derive(Debug)]
struct Swaps {
    options: StoreOptions,
    synced: Mutex<bool>,
    renamed: Mutex<Vec<PathBuf>>,
}

impl Watch for Swaps {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        if call == Call::Rename {
            let checkpoint = Checkpoint::load(&FileDisk, &self.options).unwrap();
            assert!(checkpoint.log.0 > 0, "the log is there for sure");
            assert_eq!((checkpoint.queues.0, checkpoint.index.0), (0, 0), "as {} is made", path.display());
            assert!(*self.synced.lock().unwrap(), "nothing says that the names of what vouches are on the disk");
            self.renamed.lock().unwrap().push(path.file_name().unwrap().into());
        }
        Ok(())
    }

    fn after(&self, call: Call, path: &Path) {
        let mut synced = self.synced.lock().unwrap();
        match call {
            Call::Write if path.parent() == Some(self.options.root()) => *synced = false,
            Call::SyncDir if path == self.options.root() => *synced = true,
            _ => {}
        }
    }
}

/// Between two of its steps Java's broker may be started, which begins where the checkpoint says that its queues are whole.
#[test]
fn nothing_vouches_for_queues_that_are_on_their_way() {
    for name in ["b0-clean-many-files", "b1-killed", "c3-body-flip-abort"] {
        let fixture = Fixture::unpack(name);
        let before = Checkpoint::load(&FileDisk, &fixture.options()).unwrap();
        assert!(before.queues.0 > 0, "{name}");
        let options = fixture.options();
        let swaps = Arc::new(Swaps { options: options.clone(), synced: Mutex::default(), renamed: Mutex::default() });
        let disk: SharedDisk = Arc::new(WatchedDisk(Arc::clone(&swaps)));
        repair::repair(disk, &untold(&fixture), Request::default(), None, &mut |_| {}).unwrap();
        let renamed = swaps.renamed.lock().unwrap();
        assert_eq!(renamed.len(), 4, "{renamed:?}");
        let after = Checkpoint::load(&FileDisk, &options).unwrap();
        assert!(after.queues >= before.queues && after.index.0 > 0, "{name}: in the end all is vouched for");
    }
}
