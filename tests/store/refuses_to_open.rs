//! Directories that would be misread are refused, with an error that says what to do.

use std::fs;
use std::os::unix::fs::FileExt;

use ferromq::store::disk::FileDisk;
use ferromq::store::{StoreError, StoreOptions, open};

use crate::append_and_reopen::{message, options, put};
use crate::fixture::Fixture;

fn refusal(options: StoreOptions) -> StoreError {
    open(FileDisk::shared(), options, &mut |_| {}).unwrap_err()
}

#[test]
fn other_sizes_than_it_was_made_with() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let error = refusal(StoreOptions { log_segment_bytes: 1 << 20, ..fixture.options() });
    assert!(error.to_string().contains("32768 bytes, mappedFileSizeCommitLog asks for 1048576"), "{error}");
    let error = refusal(StoreOptions { queue_file_bytes: 6_000_000, ..fixture.options() });
    assert!(error.to_string().contains("mappedFileSizeConsumeQueue"), "{error}");
    let error = refusal(StoreOptions { index_slots: 5_000_000, ..fixture.options() });
    assert!(error.to_string().contains("maxHashSlotNum"), "{error}");
    assert!(!fixture.open().report.unclean, "a refused store is as clean as before");
}

#[test]
fn a_missing_segment_in_the_middle() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    fs::remove_file(fixture.options().segment_path(2 * 32_768)).unwrap();
    let error = fixture.try_open().unwrap_err();
    assert!(matches!(error, StoreError::StrayFile { .. }), "{error}");
}

#[test]
fn a_store_of_another_kind() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(options(&directory).file("dledger-n0/data")).unwrap();
    let error = refusal(options(&directory));
    assert!(error.to_string().contains("DLedger"), "{error}");
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(options(&directory).file("batchconsumequeue/T/0")).unwrap();
    let error = refusal(options(&directory));
    assert!(error.to_string().contains("inner batches"), "{error}");
}

/// The log alone of a store of RocketMQ 5, in which a batch is one record.
#[test]
fn a_log_with_an_inner_batch() {
    for (sys_flag, properties, refused) in
        [(0xC0, "INNER_NUM\u{1}3", true), (0xC0, "TAGS\u{1}a", false), (0, "INNER_NUM\u{1}3", false)]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
        let first = put(&mut store, message("T", 0, b"a message"), 1).unwrap();
        let mut record = message("Batches", 0, b"x");
        record.properties = properties.into();
        put(&mut store, record, 1).unwrap();
        store.close().unwrap();
        // No put of ours has this flag, which stands behind the offsets.
        let log =
            fs::File::options().write(true).open(options(&directory).file("commitlog/00000000000000000000")).unwrap();
        log.write_all_at(&u32::to_be_bytes(sys_flag), u64::from(first.size) + 36).unwrap();
        fs::remove_dir_all(options(&directory).queues_dir()).unwrap();
        fs::remove_dir_all(options(&directory).index_dir()).unwrap();
        let opened = open(FileDisk::shared(), options(&directory), &mut |_| {});
        let said = opened.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let at = format!("00000000000000000000 holds an inner batch of topic Batches at byte {}", first.size);
        assert_eq!((opened.is_err(), said.contains(&at)), (refused, refused), "{sys_flag:x} {properties}: {said}");
    }
}

#[test]
fn a_store_that_is_open_already() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
    let error = refusal(options(&directory));
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert_eq!(fs::read(options(&directory).file("lock")).unwrap(), b"lock");
    store.close().unwrap();
    open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
}

/// A frame that is broken below the durable position: cutting there would lose acknowledged messages in silence.
#[test]
fn a_broken_frame_below_the_durable_position() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
    for number in 0..10 {
        put(&mut store, message("T", 0, &[number; 300]), 1).unwrap();
    }
    let second = put(&mut store, message("T", 0, b"x"), 1).unwrap().physical;
    store.close().unwrap();
    let options = options(&directory);
    // Without queues and index the whole log is walked.
    fs::remove_dir_all(options.queues_dir()).unwrap();
    fs::remove_dir_all(options.index_dir()).unwrap();
    let segment = options.segment_path(second.0 - second.0 % 4096);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[(second.0 % 4096) as usize + 4] ^= 1;
    fs::write(&segment, bytes).unwrap();
    for _ in 0..2 {
        let error = refusal(options.clone());
        assert!(matches!(&error, StoreError::BrokenFrame { offset, .. } if *offset == second.0), "{error}");
        assert!(error.to_string().contains("ferromq store repair"), "{error}");
    }
}

/// The last segment of a store of ours is gone: what was in it was acknowledged.
#[test]
fn a_log_that_is_shorter_than_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
    for number in 0..40 {
        put(&mut store, message("T", 0, &[number; 300]), 1).unwrap();
    }
    let last = store.log.end().0 / 4096 * 4096;
    store.close().unwrap();
    fs::remove_file(options(&directory).segment_path(last)).unwrap();
    let error = refusal(options(&directory));
    assert!(matches!(&error, StoreError::BrokenFrame { offset, durable, .. } if offset < durable), "{error}");
}
