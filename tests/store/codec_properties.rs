//! The binary files of a store, each on its own, with any bytes in it: what is read is bounded, and nothing panics.

use std::fs;
use std::sync::Arc;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::index::Trust;
use ferromq::store::layout::file_name;
use ferromq::store::state::{State, StateFile};
use ferromq::store::{Checkpoint, ConsumeQueue, Extension, Index, QueueEntry, StoreOptions, Unit, UnitAddress};
use proptest::prelude::*;
use tempfile::TempDir;

/// Header 40, slots 4 each, entries 20 each.
const INDEX_FILE_BYTES: usize = 40 + 3 * 4 + 4 * 20;
/// Two or three short units.
const UNIT_FILE_BYTES: usize = 70;

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

/// What stands in an entry in place of its tag code: units of a small extension, units far away, a tag code.
fn named() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0..3 * UNIT_FILE_BYTES).prop_map(|offset| i64::MIN + offset as i64),
        1 => any::<i64>(),
        1 => Just(i64::from(i32::MIN) - 1),
        1 => Just(7),
    ]
}

fn unit_of(queue: &mut ConsumeQueue, tags_code: i64) -> Option<(i64, StoreTime, Vec<u8>)> {
    let owned = |unit: Unit<'_>| (unit.tags_code, unit.store_time, unit.bit_map.to_vec());
    let address = UnitAddress::of_tags_code(tags_code)?;
    let read = queue.snapshot().unit_reader().unwrap().unit(address).unwrap().map(owned);
    assert_eq!(queue.unit(address).unwrap().map(owned), read);
    read
}

proptest! {
    #[test]
    fn the_files_of_an_extension(
        units in prop::collection::vec(bytes(UNIT_FILE_BYTES), 0..3), names in prop::collection::vec(named(), 0..6),
        map_bytes in 0..60usize, first in 0..3u64,
    ) {
        let (_directory, options) = options();
        let options = Arc::new(StoreOptions {
            queue_file_bytes: 200,
            queue_ext_enabled: true,
            queue_ext_file_bytes: UNIT_FILE_BYTES as u64,
            ..StoreOptions::clone(&options)
        });
        let (topic, queue_id) = (Topic::parse("T").unwrap(), QueueId(0));
        let entry = |number: usize, tags_code| {
            QueueEntry { physical: PhysicalOffset(100 * number as u64 + 100), size: 100, tags_code }
        };
        let mut entries: Vec<u8> =
            names.iter().enumerate().flat_map(|(number, name)| entry(number, *name).encode()).collect();
        entries.resize(200, 0);
        let (queue_dir, units_dir) = (options.queue_dir(&topic, queue_id), options.queue_ext_dir(&topic, queue_id));
        fs::create_dir_all(&queue_dir).unwrap();
        fs::write(queue_dir.join(file_name(0)), entries).unwrap();
        fs::create_dir_all(&units_dir).unwrap();
        for (number, bytes) in (first..).zip(&units) {
            fs::write(units_dir.join(file_name(number * UNIT_FILE_BYTES as u64)), bytes).unwrap();
        }
        let mut queue = ConsumeQueue::new(FileDisk::shared(), Arc::clone(&options), topic.clone(), queue_id);
        queue.recover().unwrap();
        let before: Vec<_> = names.iter().map(|name| unit_of(&mut queue, *name)).collect();
        let extension = Extension { store_time: StoreTime(1), bit_map: vec![9; map_bytes] };
        for number in names.len()..names.len() + 3 {
            queue.append_extended(entry(number, 8), QueueOffset(number as u64), Some(&extension)).unwrap();
        }
        for _ in 0..2 {
            let now: Vec<_> = names.iter().map(|name| unit_of(&mut queue, *name)).collect();
            prop_assert_eq!(&now, &before, "no unit comes to lie where another is looked for");
            for number in names.len()..names.len() + 3 {
                let tags_code = queue.entry(QueueOffset(number as u64)).unwrap().unwrap().tags_code;
                let unit = unit_of(&mut queue, tags_code);
                prop_assert!(tags_code == 8 || unit == Some((8, StoreTime(1), extension.bit_map.clone())));
            }
            queue = ConsumeQueue::new(FileDisk::shared(), Arc::clone(&options), topic.clone(), queue_id);
            queue.recover().unwrap();
        }
    }

    #[test]
    fn a_unit(bytes in bytes(64)) {
        if let Some(unit) = Unit::decode(&bytes) {
            let mut encoded = Vec::new();
            unit.encode(&mut encoded);
            prop_assert_eq!(&encoded[..], &bytes[..unit.size()]);
        }
    }

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
        // One for the name, and one for an index file that cannot have been written so.
        prop_assert!((1..=2).contains(&warnings.len()), "{:?}", warnings);
        for (begin, end) in [range, (StoreTime(0), StoreTime(i64::MAX)), (StoreTime(i64::MIN), StoreTime(i64::MAX))] {
            prop_assert!(index.lookup("T", &key, 64, begin, end).unwrap().records.len() <= 64);
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
