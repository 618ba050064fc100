//! An index file whose pages reached the disk at different times: what is vouched for is found, and stays so.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ferromq::protocol::units::{PhysicalOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::index::{Trust, key_hash};
use ferromq::store::{Index, StoreOptions};
use tempfile::TempDir;

/// Records that are vouched for.
const VOUCHED: u64 = 4;
/// Header 40, slots 4 each.
const SLOTS_END: usize = 40 + 3 * 4;

/// A part of the file that is older than the others.
type Torn = fn(old: &[u8], new: &[u8]) -> Vec<u8>;

const TORN: [Torn; 3] = [
    |old, new| [&old[..40], &new[40..]].concat(),
    |old, new| [&old[..40], &new[40..SLOTS_END], &old[SLOTS_END..]].concat(),
    |old, new| [&new[..40], &old[40..]].concat(),
];

fn put(index: &mut Index, record: u64) {
    index.put(key_hash("T", "k"), PhysicalOffset(100 * record), StoreTime(1_000 * record as i64 + 1)).unwrap();
}

/// A store's index with the one file that [`TORN`] makes of its content after so many records and after two more.
fn torn(torn: Torn) -> (TempDir, Arc<StoreOptions>) {
    let directory = tempfile::tempdir().unwrap();
    let options = Arc::new(StoreOptions { index_slots: 3, index_entries: 9, ..StoreOptions::at(directory.path()) });
    let mut index = Index::new(FileDisk::shared(), Arc::clone(&options));
    let path = || -> PathBuf { fs::read_dir(options.index_dir()).unwrap().next().unwrap().unwrap().path() };
    (1..=VOUCHED).for_each(|record| put(&mut index, record));
    let old = fs::read(path()).unwrap();
    (1..=2).for_each(|more| put(&mut index, VOUCHED + more));
    let new = fs::read(path()).unwrap();
    drop(index);
    fs::write(path(), torn(&old, &new)).unwrap();
    (directory, options)
}

fn found(index: &Index) -> Vec<u64> {
    let found = index.lookup("T", "k", 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
    found.records.iter().map(|record| record.0 / 100).collect()
}

/// Opens it, and puts again what follows what it knows.
fn check(options: &Arc<StoreOptions>, trust: Trust) {
    let mut index = Index::load(FileDisk::shared(), Arc::clone(options), trust, &mut Vec::new()).unwrap();
    let known: Vec<u64> = (1..=VOUCHED).collect();
    assert_eq!(found(&index), known, "{trust:?}");
    let all: Vec<u64> = (1..=VOUCHED + 2).collect();
    (VOUCHED + 1..=VOUCHED + 2).for_each(|record| put(&mut index, record));
    assert_eq!(found(&index), all, "{trust:?}");
}

#[test]
fn keeps_the_records_that_our_state_vouches_for() {
    for tear in TORN {
        let (_directory, options) = torn(tear);
        check(&options, Trust::Before(PhysicalOffset(100 * (VOUCHED + 1))));
    }
}

/// Java's checkpoint knows a time, and the file's own header is to be older than that.
#[test]
fn keeps_the_records_that_the_checkpoint_vouches_for() {
    for tear in &TORN[..2] {
        let (_directory, options) = torn(*tear);
        check(&options, Trust::UpTo(StoreTime(1_000 * VOUCHED as i64 + 1)));
    }
}
