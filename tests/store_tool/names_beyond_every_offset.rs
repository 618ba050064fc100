//! Files whose names are numbers that no offset comes to: they belong to no log and to no queue, and overflow nothing.

use std::fs;
use std::path::Path;

use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::disk::FileDisk;
use ferromq::store::layout::{base_of, file_name};
use ferromq::store::offline::dump::Selection;
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{OfflineError, OfflineStore, StoreError};

use crate::fixture::Fixture;

/// Looks at the store in every way, opens it, and repairs it; gives what the start says.
fn look_and_open(fixture: &Fixture) -> Result<(), StoreError> {
    let options = fixture.options();
    let store = OfflineStore::open(FileDisk::shared(), &options).unwrap();
    store.survey(&mut |_| {}).unwrap();
    store.verify(&[], &mut |_| {}).unwrap();
    store.dump(&Selection::default(), &mut |_| {}, |_| Ok::<_, OfflineError>(())).unwrap();
    for truncate_at in [None, Some(PhysicalOffset(100_000))] {
        // What it says is of no matter here.
        let _ = store.plan(Request { truncate_at }, &mut |_| {});
    }
    drop(store);
    let opened = fixture.try_open().and_then(|store| store.close());
    let _ = repair::repair(FileDisk::shared(), &options, Request::default(), None, &mut |_| {});
    opened
}

/// Gives the last file of a directory another name, with the others and alone.
#[track_caller]
fn check(directory: &str, last: u64, base: u64) {
    for alone in [false, true] {
        let fixture = Fixture::unpack("b0-clean-many-files");
        let directory = fixture.options().root.join(directory);
        let path = |base: u64| directory.join(file_name(base));
        fs::rename(path(last), path(base)).unwrap();
        if alone {
            remove_all_but(&directory, base);
        }
        let opened = look_and_open(&fixture);
        let is_refused = matches!(&opened, Err(StoreError::StrayFile { path, .. }) if path.ends_with(file_name(base)));
        assert!(is_refused || base_of(&file_name(base)).is_some(), "{base} {alone}: {opened:?}");
    }
}

fn remove_all_but(directory: &Path, base: u64) {
    for file in fs::read_dir(directory).unwrap().map(|file| file.unwrap()) {
        if file.file_name() != *file_name(base) {
            fs::remove_file(file.path()).unwrap();
        }
    }
}

/// The multiples of a file's length next to the greatest numbers: of Java, of names, and of what is taken for a name.
fn names(len: u64) -> [u64; 5] {
    let below = |number: u64| number - number % len;
    let last_name = (i64::MAX - (1 << 40)) as u64;
    [below(u64::MAX), below(u64::MAX) - len, below(i64::MAX as u64), below(last_name) + len, below(last_name)]
}

#[test]
fn of_the_log() {
    names(32_768).into_iter().for_each(|base| check("commitlog", 163_840, base));
}

#[test]
fn of_a_queue() {
    names(2_000).into_iter().for_each(|base| check("consumequeue/FixPlain/1", 0, base));
}
