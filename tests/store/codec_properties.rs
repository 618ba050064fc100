//! The binary files of a store, each on its own, with any bytes in it: what is read is bounded, and nothing panics.

use std::fs;
use std::sync::Arc;

use ferromq::protocol::units::{PhysicalOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::index::{RESULTS_MAX, Trust};
use ferromq::store::state::{State, StateFile};
use ferromq::store::{Checkpoint, Index, QueueEntry, StoreOptions};
use proptest::prelude::*;
use tempfile::TempDir;

/// Header 40, slots 4 each, entries 20 each.
const INDEX_FILE_BYTES: usize = 40 + 3 * 4 + 4 * 20;

fn options() -> (TempDir, Arc<StoreOptions>) {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { index_slots: 3, index_entries: 4, ..StoreOptions::at(directory.path()) };
    (directory, Arc::new(options))
}

fn trust() -> impl Strategy<Value = Trust> {
    prop_oneof![
        Just(Trust::Whole),
        time().prop_map(Trust::UpTo),
        any::<u64>().prop_map(|offset| Trust::Before(PhysicalOffset(offset))),
    ]
}

/// Bytes of which many are such that numbers made of them are small.
fn bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![4 => Just(0), 2 => 0..4u8, 1 => any::<u8>()], length)
}

fn time() -> impl Strategy<Value = StoreTime> {
    prop_oneof![2 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX), 1 => 0..2_000_000_000_000i64]
        .prop_map(StoreTime)
}

proptest! {
    #[test]
    fn an_entry_of_a_queue(bytes in any::<[u8; 20]>(), cut in 0..20usize) {
        let entry = QueueEntry::decode(&bytes);
        prop_assert_eq!(entry.encode(), bytes);
        prop_assert!(!entry.is_valid() || entry.end() > entry.physical);
        prop_assert!(!QueueEntry::decode(&bytes[..cut]).is_valid());
    }

    #[test]
    fn an_index_file(
        bytes in bytes(INDEX_FILE_BYTES), trust in trust(), key in "[ab]", hash in -4..4i32, range in (time(), time()),
        physical in 0..1_000u64, stored in time(),
    ) {
        let (_directory, options) = options();
        fs::create_dir_all(options.index_dir()).unwrap();
        fs::write(options.index_dir().join("20231114221320005"), bytes).unwrap();
        // More digits than a time has: the next name after it would be no number.
        fs::write(options.index_dir().join(u64::MAX.to_string()), "").unwrap();
        let mut warnings = Vec::new();
        let mut index = Index::load(FileDisk::shared(), options, trust, &mut warnings).unwrap();
        prop_assert_eq!(warnings.len(), 1);
        for (begin, end) in [range, (StoreTime(0), StoreTime(i64::MAX)), (StoreTime(i64::MIN), StoreTime(i64::MAX))] {
            prop_assert!(index.lookup("T", &key, RESULTS_MAX, begin, end).unwrap().records.len() <= RESULTS_MAX);
        }
        let _ = index.newest();
        index.put(hash, PhysicalOffset(physical), stored).unwrap();
        index.put(hash, PhysicalOffset(physical), StoreTime(i64::MAX)).unwrap();
    }

    #[test]
    fn a_checkpoint(bytes in prop::collection::vec(any::<u8>(), 0..64), times in [time(), time(), time()]) {
        let (_directory, options) = options();
        fs::write(options.file("checkpoint"), bytes).unwrap();
        let disk = FileDisk::shared();
        let _ = Checkpoint::load(&*disk, &options).unwrap().durable_time();
        let [log, queues, index] = times;
        let checkpoint = Checkpoint { log, queues, index };
        checkpoint.save(&*disk, &options).unwrap();
        prop_assert_eq!(Checkpoint::load(&*disk, &options).unwrap(), checkpoint);
        prop_assert!(checkpoint.durable_time() <= log.max(StoreTime(0)));
    }

    #[test]
    fn the_state(bytes in prop::collection::vec(any::<u8>(), 0..1_100), numbers in any::<(u64, u64, i64)>(), cut in 0..60usize) {
        let (_directory, options) = options();
        let disk = FileDisk::shared();
        fs::write(options.file("ferromq.state"), bytes).unwrap();
        prop_assert_eq!(StateFile::open(&*disk, &options).unwrap().1, None, "no bytes by chance have the right check sum");
        let (durable, dispatched, newest) = numbers;
        let state = State::new(PhysicalOffset(durable), PhysicalOffset(dispatched), StoreTime(newest), &Checkpoint::default());
        StateFile::open(&*disk, &options).unwrap().0.save(state).unwrap();
        let read = StateFile::open(&*disk, &options).unwrap().1.unwrap();
        prop_assert_eq!((read.durable().0, read.dispatched().0, read.newest().0), numbers);
        // The first state of a file is written to its second half.
        fs::OpenOptions::new().write(true).open(options.file("ferromq.state")).unwrap().set_len(512 + cut as u64).unwrap();
        let cut_off = StateFile::open(&*disk, &options).unwrap().1;
        prop_assert!(cut_off.is_none() || cut_off == Some(read));
    }
}
