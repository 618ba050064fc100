//! The worked examples of `docs/format/` are what the code writes and reads.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ferromq::broker::config::FilterSettings;
use ferromq::protocol::message::{RecordHead, decode};
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::{FileDisk, SharedDisk};
use ferromq::store::index::Trust;
use ferromq::store::layout::file_name;
use ferromq::store::{ConsumeQueue, Extension, Index, QueueEntry, StoreOptions, Unit, UnitAddress, dispatch};

/// The bytes of the example on a page: two digits each, what follows a `;` is an explanation.
fn example(page: &str) -> Vec<u8> {
    nth_example(page, 0)
}

fn nth_example(page: &str, nth: usize) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format").join(page);
    let text = fs::read_to_string(path).unwrap();
    let block = text.split("```hex\n").nth(1 + nth).unwrap().split("```").next().unwrap();
    let digits: String = block.lines().flat_map(|line| line.split(';').next().unwrap().split_whitespace()).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_record_of_the_commitlog_page() {
    let bytes = Bytes::from(example("commitlog.md"));
    let (message, size) = decode(&bytes).unwrap();
    assert_eq!(size, 190);
    assert_eq!(&bytes[size..], [0, 0, 0, 8, 0xCB, 0xD4, 0x31, 0x94], "the blank behind it");
    message.check_body().unwrap();
    assert_eq!((message.topic.as_str(), &message.body[..]), ("TopicTest", &b"hello"[..]));
    assert_eq!((message.queue_id, message.queue_offset), (QueueId(1), QueueOffset(17)));
    assert_eq!((message.tags(), message.keys()), (Some("TagA"), Some("k1 k2")));
    let mut encoded = Vec::new();
    message.encode(&mut encoded).unwrap();
    assert_eq!(encoded, bytes[..size]);
}

#[test]
fn the_entry_of_the_consumequeue_page() {
    let record = example("commitlog.md");
    let head = RecordHead::parse(&record).unwrap();
    let entry = dispatch::Marks::of(&head).queue_entry(&head, &[]).unwrap();
    let bytes = example("consumequeue.md");
    assert_eq!(QueueEntry::decode(&bytes), entry);
    assert_eq!(entry.encode(), bytes[..20]);
    assert_eq!(QueueEntry::decode(&bytes[20..]), QueueEntry::BLANK);
}

#[test]
fn the_extension_of_the_consumequeue_page() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { queue_ext_enabled: true, queue_ext_file_bytes: 60, ..StoreOptions::at(directory.path()) };
    let page = nth_example("consumequeue.md", 1);
    let (topic, queue_id) = (Topic::parse("TopicTest").unwrap(), QueueId(1));
    let record = example("commitlog.md");
    let head = RecordHead::parse(&record).unwrap();
    let entry = dispatch::Marks::of(&head).queue_entry(&head, &[]).unwrap();
    let bloom = FilterSettings::default().bloom;
    let mut bit_map = bloom.empty_map();
    bloom.bits_of("CG_sql_1", "FixSql").set_in(&mut bit_map);
    let mut queue = ConsumeQueue::new(FileDisk::shared(), Arc::new(options.clone()), topic.clone(), queue_id);
    for (number, bit_map) in [Vec::new(), bit_map, Vec::new()].into_iter().enumerate() {
        let physical = PhysicalOffset(110 + 190 * number as u64);
        let extension = Extension { store_time: StoreTime(head.store_time.0 + number as i64), bit_map };
        queue.append_extended(QueueEntry { physical, ..entry }, QueueOffset(number as u64), Some(&extension)).unwrap();
    }
    let written = fs::read(options.queue_ext_dir(&topic, queue_id).join(file_name(0))).unwrap();
    assert_eq!(written[..56], page[..56]);
    let named = queue.entry(QueueOffset(1)).unwrap().unwrap();
    assert_eq!(named, QueueEntry::decode(&page[56..]));
    assert_eq!(named.unit_address(), UnitAddress::of_offset(20));
    let unit = Unit::decode(&page[20..]).unwrap();
    assert_eq!((unit.tags_code, unit.store_time.0, unit.bit_map.len()), (2_598_919, 1_700_000_000_006, 14));
}

#[test]
fn the_file_of_the_index_page() {
    let directory = tempfile::tempdir().unwrap();
    let options = Arc::new(StoreOptions { index_slots: 3, index_entries: 4, ..StoreOptions::at(directory.path()) });
    let disk: SharedDisk = FileDisk::shared();
    let record = example("commitlog.md");
    let mut index = Index::new(Arc::clone(&disk), Arc::clone(&options));
    index.put_record(&RecordHead::parse(&record).unwrap()).unwrap();
    let path = options.index_dir().join("20231114221320005");
    let written: Vec<String> = fs::read(&path).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let page: Vec<String> = example("index.md").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written, page, "written: {}", written.concat());
    let read = Index::load(disk, options, Trust::Whole, &mut Vec::new()).unwrap();
    for key in ["k1", "k2", "7F00000100002A139A0B5BB0B8B00001"] {
        let found = read.lookup("TopicTest", key, 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
        assert_eq!(found.records, [PhysicalOffset(300)], "{key}");
    }
}

/// Java counts the seconds of a further file's first entry from the end of the file before.
#[test]
fn the_first_entry_of_a_further_index_file() {
    let directory = tempfile::tempdir().unwrap();
    // Entry 0 of a file is not used, which leaves room for one.
    let options = Arc::new(StoreOptions { index_slots: 3, index_entries: 2, ..StoreOptions::at(directory.path()) });
    let mut index = Index::new(FileDisk::shared(), Arc::clone(&options));
    let (before, time) = (StoreTime(1_700_000_000_005), StoreTime(1_700_000_005_005));
    index.put(7, PhysicalOffset(300), before).unwrap();
    index.put(7, PhysicalOffset(490), time).unwrap();
    let mut files: Vec<_> = fs::read_dir(options.index_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let bytes = fs::read(&files[1]).unwrap();
    assert_eq!(bytes[..8], time.0.to_be_bytes(), "the file begins with its own first entry");
    let entry = &bytes[40 + 3 * 4 + 20..];
    assert_eq!(entry[12..16], 5_i32.to_be_bytes());
}
