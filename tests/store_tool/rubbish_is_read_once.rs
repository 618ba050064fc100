//! What lies behind a broken frame is looked through for the next record, and read once, whatever it is.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferromq::store::layout::file_name;
use ferromq::store::{OfflineStore, StoreOptions};

use crate::watched_disk::{Call, Watch, WatchedDisk};

/// Length of the only file of the log.
const LOG_BYTES: u64 = (1 << 20) + (1 << 18);

#[derive(Debug, Default)]
struct Reads(AtomicU64);

impl Watch for Reads {
    fn before(&self, call: Call, _: &Path) -> io::Result<()> {
        self.0.fetch_add(u64::from(call == Call::Read), Ordering::Relaxed);
        Ok(())
    }
}

/// Fills a log and looks at it; gives how often it was read from.
fn reads(fill: impl Fn(u64) -> Vec<u8>) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("commitlog");
    fs::create_dir(&log).unwrap();
    let mut bytes = vec![1; 8];
    while (bytes.len() as u64) < LOG_BYTES {
        bytes.extend(fill(bytes.len() as u64));
    }
    bytes.truncate(LOG_BYTES as usize);
    fs::write(log.join(file_name(0)), bytes).unwrap();
    let reads = Arc::new(Reads::default());
    let disk = Arc::new(WatchedDisk(Arc::clone(&reads)));
    let store = OfflineStore::open(disk, &StoreOptions::at(directory.path())).unwrap();
    assert!(!store.verify(&[], &mut |_| {}).unwrap().is_sound());
    reads.0.load(Ordering::Relaxed)
}

#[test]
fn though_every_eighth_byte_begins_a_record_it_seems() {
    // A MiB long, and nothing but further ones in it.
    let frame = [0x0010_0000_u32.to_be_bytes(), 0xDAA3_20A7_u32.to_be_bytes()].concat();
    let many = reads(|_| frame.clone());
    assert!(many < 4 * LOG_BYTES / 4096, "{many} reads");
}

#[test]
fn though_they_say_to_lie_where_they_lie() {
    let frame = [0x0010_0000_u32.to_be_bytes(), 0xDAA3_20A7_u32.to_be_bytes()].concat();
    let many = reads(|at| [frame.as_slice(), &[0; 20], &at.to_be_bytes()].concat());
    assert!(many < 4 * LOG_BYTES / 4096, "{many} reads");
}
