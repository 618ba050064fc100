//! Queue extensions: what is put is read back, by everybody and after every kind of end, and no entry ever names the unit of
//! another record.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ferromq::protocol::names::Topic;
use ferromq::protocol::properties::{self, keys, tags_code};
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::layout::file_name;
use ferromq::store::retention::remove_oldest;
use ferromq::store::{
    BitMaps, ConsumeQueue, Extension, LogFlush, MappedAppender, OpenStore, QueueEntry, StoreError, StoreOptions, Unit,
    open_with,
};
use tempfile::TempDir;

use crate::append_and_reopen::{Message, message, put};
use crate::fault_disk::{Call, FaultDisk};

/// Units of the tests have 24 bytes: four of them and the end mark fit a file.
const UNIT_BYTES: u64 = 24;
const FILE_BYTES: u64 = 110;

fn options(directory: &TempDir) -> StoreOptions {
    StoreOptions {
        queue_ext_enabled: true,
        queue_ext_file_bytes: FILE_BYTES,
        ..crate::append_and_reopen::options(directory)
    }
}

/// The bit maps that [`put`] gives to records: the letters of their tags.
fn bit_maps() -> Option<Box<BitMaps>> {
    Some(Box::new(|_, text| Some(properties::find(text, keys::TAGS)?.as_bytes().to_vec())))
}

fn opened(options: StoreOptions) -> OpenStore {
    open_with(FileDisk::shared(), options, Box::new(MappedAppender::default()), bit_maps(), &mut |_| {}).unwrap()
}

fn tagged(number: usize) -> (String, Message) {
    let tag = format!("T{:03}", number % 1_000);
    let mut tagged = message("T", 0, format!("message {number}").as_bytes());
    tagged.properties = format!("TAGS\u{1}{tag}").into_bytes();
    (tag, tagged)
}

/// Puts messages numbered like this, one after the other in one queue.
fn put_all(store: &mut OpenStore, numbers: std::ops::Range<usize>) {
    for number in numbers {
        put(store, tagged(number).1, 1_000 + number as i64).unwrap();
    }
}

fn queue(store: &mut OpenStore) -> &mut ConsumeQueue {
    store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap()
}

/// What an entry's unit says, as both readers find it: the tag code, the time and the letters.
fn unit_of(queue: &mut ConsumeQueue, entry: &QueueEntry) -> Option<(i64, i64, Vec<u8>)> {
    let address = entry.unit_address().expect("the entry names a unit");
    let mut reader = queue.snapshot().unit_reader().unwrap();
    let read = reader.unit(address).unwrap().map(|unit| (unit.tags_code, unit.store_time.0, unit.bit_map.to_vec()));
    let owned = queue.unit(address).unwrap().map(|unit| (unit.tags_code, unit.store_time.0, unit.bit_map.to_vec()));
    assert_eq!(read, owned);
    owned
}

fn expected(number: usize) -> (i64, i64, Vec<u8>) {
    let (tag, _) = tagged(number);
    (tags_code(&tag), 1_000 + number as i64, tag.into_bytes())
}

/// Every entry names the unit of its own record; of those that `may_lack` it, it may be missing.
fn check_units(store: &mut OpenStore, count: usize, may_lack: impl Fn(usize) -> bool) {
    let queue = queue(store);
    assert_eq!(queue.max_offset().0 as usize, count);
    for number in queue.min_offset().0 as usize..count {
        let entry = queue.entry(QueueOffset(number as u64)).unwrap().unwrap();
        let unit = unit_of(queue, &entry);
        assert!(unit.is_some() || may_lack(number), "the unit of {number} is missing");
        assert!(unit.is_none_or(|unit| unit == expected(number)), "{number} names the unit of another record");
    }
}

/// The files of the queue's extension, with their contents.
fn unit_files(directory: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = options(directory).queue_ext_dir(&Topic::parse("T").unwrap(), QueueId(0));
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = found.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn names(directory: &TempDir) -> Vec<u64> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    unit_files(directory).iter().map(|(path, _)| name(path)).collect()
}

fn all_units(directory: &TempDir) -> Vec<u8> {
    unit_files(directory).into_iter().flat_map(|(_, bytes)| bytes).collect()
}

#[test]
fn files_are_filled_up_to_a_mark_and_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..9);
    check_units(&mut store, 9, |_| false);
    let files = unit_files(&directory);
    assert_eq!(names(&directory), [0, 110, 220]);
    for (_, bytes) in &files[..2] {
        assert_eq!(bytes[96..], [0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(files[2].1[24..], [0; 86]);
    let last = queue(&mut store).entry(QueueOffset(8)).unwrap().unwrap();
    assert_eq!(last.tags_code, i64::MIN + 220);
    store.close().unwrap();
    let mut store = opened(options(&directory));
    assert_eq!(store.report.entries_added, 0);
    put_all(&mut store, 9..14);
    check_units(&mut store, 14, |_| false);
    assert_eq!(names(&directory), [0, 110, 220, 330]);
}

#[test]
fn what_recovery_makes_again_is_what_dispatch_made() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..30);
    store.close().unwrap();
    let before = all_units(&directory);
    for parts in [&["consumequeue", "consumequeue_ext"][..], &["consumequeue"]] {
        for part in parts {
            fs::remove_dir_all(directory.path().join("store").join(part)).unwrap();
        }
        let mut store = opened(options(&directory));
        assert_eq!(store.report.entries_added, 30);
        check_units(&mut store, 30, |_| false);
        store.close().unwrap();
        assert_eq!(all_units(&directory), before, "without {parts:?}");
    }
    // A queue whose files are there and hold nothing names no unit either.
    let folder = options(&directory).queue_dir(&Topic::parse("T").unwrap(), QueueId(0));
    for file in fs::read_dir(folder).unwrap() {
        fs::write(file.unwrap().path(), [0; 200]).unwrap();
    }
    let mut store = opened(options(&directory));
    check_units(&mut store, 30, |_| false);
    store.close().unwrap();
    assert_eq!(all_units(&directory), before);
}

/// A unit of which a power cut took a part away looks whole. All those that were not known to be on the disk are made again.
#[test]
fn after_an_unclean_end_what_was_not_synced_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..6);
    store.close().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 6..11);
    let whole = all_units(&directory);
    // Its log is on the disk, for all that is known, and its queues are not.
    LogFlush::new(store.log.view()).sync().unwrap();
    drop(store);
    let (path, mut bytes) = unit_files(&directory).remove(2);
    // The tag code of one, and all of another.
    bytes[2..10].fill(0);
    bytes[48..72].fill(0);
    fs::write(path, bytes).unwrap();
    let mut store = opened(options(&directory));
    assert!(store.report.unclean);
    check_units(&mut store, 11, |_| false);
    assert_eq!(all_units(&directory), whole);
}

/// Units are lost, of whichever store: their records pass every filter, and the next units lie elsewhere.
#[test]
fn units_that_are_gone_leave_their_places_empty() {
    for (keep, may_lack) in [(0, 0..10), (1, 4..10), (2, 8..10)] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = opened(options(&directory));
        put_all(&mut store, 0..10);
        store.close().unwrap();
        for (path, _) in unit_files(&directory).split_off(keep) {
            fs::remove_file(path).unwrap();
        }
        let mut store = opened(options(&directory));
        put_all(&mut store, 10..20);
        check_units(&mut store, 20, |number| number < 10);
        store.close().unwrap();
        let mut store = opened(options(&directory));
        put_all(&mut store, 20..22);
        check_units(&mut store, 22, |number| number < 10);
        let queue = queue(&mut store);
        let missing = (0..10).filter(|number| {
            let entry = queue.entry(QueueOffset(*number)).unwrap().unwrap();
            unit_of(queue, &entry).is_none()
        });
        let missing: Vec<u64> = missing.collect();
        // Where not all units that are named can be kept in one row, none is.
        assert!(missing.ends_with(&may_lack.collect::<Vec<_>>()), "{missing:?} of {keep} files kept");
    }
}

/// The same within the last file, behind which others may still be there.
#[test]
fn a_hole_before_the_end_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..8);
    store.close().unwrap();
    let (path, mut bytes) = unit_files(&directory).remove(1);
    for lost in [24, 72] {
        bytes[lost..lost + 24].fill(0);
    }
    fs::write(&path, &bytes).unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 8..10);
    check_units(&mut store, 10, |number| [5, 7].contains(&number));
    let found = unit_files(&directory).remove(1).1;
    assert_eq!(found[24..26], [0xff, 0xff], "whoever walks through the file does not take the hole for its end");
    assert_eq!(names(&directory), [0, 110, 220]);
}

#[test]
fn what_is_cut_off_a_queue_is_cut_off_its_extension() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..100);
    store.close().unwrap();
    let first_of_second = {
        let mut store = opened(options(&directory));
        let queue = queue(&mut store);
        let lies_in_first = |number: &u64| queue.entry(QueueOffset(*number)).unwrap().unwrap().physical.0 < 4096;
        let first = (0..100).take_while(lies_in_first).count();
        store.close().unwrap();
        first
    };
    // The log ends with its first segment now. Nothing but the checkpoint says that it did not.
    fs::remove_file(directory.path().join("store/ferromq.state")).unwrap();
    for segment in 1.. {
        if fs::remove_file(options(&directory).segment_path(segment * 4096)).is_err() {
            break;
        }
    }
    let mut store = opened(options(&directory));
    check_units(&mut store, first_of_second, |_| false);
    assert_eq!(names(&directory).len(), first_of_second.div_ceil(4));
    let last = &unit_files(&directory).pop().unwrap().1;
    assert!(last[(first_of_second - 1) % 4 * 24 + 24..].iter().all(|byte| *byte == 0), "rests of what was cut off");
    put_all(&mut store, first_of_second..first_of_second + 3);
    check_units(&mut store, first_of_second + 3, |_| false);
}

#[test]
fn units_go_with_the_log_that_they_tell_of() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..100);
    let before = names(&directory).len();
    remove_oldest(&FileDisk, store.log.view().segments()).unwrap().unwrap();
    let log_min = store.log.view().min();
    queue(&mut store).clean(log_min).unwrap();
    let kept = names(&directory);
    let first = queue(&mut store).min_offset().0 as usize;
    assert!(first > 8 && kept.len() < before, "{first} of 100 are gone and {} of {before} files are there", kept.len());
    assert!(kept[0] + FILE_BYTES >= first as u64 / 4 * FILE_BYTES && kept[1] > kept[0]);
    check_units(&mut store, 100, |_| false);
    store.close().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 100..102);
    check_units(&mut store, 102, |_| false);
}

/// Whoever takes a queue away may leave its extension, which begins too late for the new one.
#[test]
fn what_is_left_of_an_earlier_queue_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    let folder = options(&directory).queue_ext_dir(&Topic::parse("T").unwrap(), QueueId(0));
    fs::create_dir_all(&folder).unwrap();
    for left in [550, 660] {
        fs::write(folder.join(file_name(left)), [1; FILE_BYTES as usize]).unwrap();
    }
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..2);
    assert_eq!(names(&directory), [0]);
    store.close().unwrap();
    check_units(&mut opened(options(&directory)), 2, |_| false);
}

fn alone(options: StoreOptions, disk: Arc<FaultDisk>) -> ConsumeQueue {
    ConsumeQueue::new(disk, Arc::new(options), Topic::parse("T").unwrap(), QueueId(0))
}

fn append(queue: &mut ConsumeQueue, number: u64, map_bytes: usize) -> Result<QueueEntry, StoreError> {
    let entry = QueueEntry { physical: PhysicalOffset(100 * number), size: 100, tags_code: 7 };
    let extension = Extension { store_time: StoreTime(1), bit_map: vec![1; map_bytes] };
    queue.append_extended(entry, QueueOffset(number), Some(&extension))?;
    Ok(queue.entry(QueueOffset(number)).unwrap().unwrap())
}

#[test]
fn a_unit_that_fits_nowhere_leaves_the_tag_code_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { queue_ext_file_bytes: 40_000, ..options(&directory) };
    let mut queue = alone(options, FaultDisk::sound());
    let longest = usize::from(i16::MAX.cast_unsigned()) - 20;
    assert_eq!(append(&mut queue, 0, longest).unwrap().tags_code, i64::MIN);
    assert_eq!(append(&mut queue, 1, longest + 1).unwrap().tags_code, 7);
    assert_eq!(append(&mut queue, 2, 40_000).unwrap().tags_code, 7);
    assert_eq!(
        append(&mut queue, 3, 40_000 - 32_767 - 20 - 4).unwrap().tags_code,
        i64::MIN + 32_767,
        "to the last byte"
    );
    assert_eq!(append(&mut queue, 4, 0).unwrap().tags_code, i64::MIN + 40_000, "in the next file");
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { queue_ext_file_bytes: 43, ..self::options(&directory) };
    let mut queue = alone(options, FaultDisk::sound());
    assert_eq!(append(&mut queue, 0, 20).unwrap().tags_code, 7, "longer than a file");
    assert!(unit_files(&directory).is_empty());
    assert_eq!(append(&mut queue, 1, 19).unwrap().tags_code, i64::MIN);
}

/// Nobody writes such a file; whoever finds one has no room for the mark.
#[test]
fn a_file_that_is_full_to_the_last_byte_is_gone_on_with_in_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { queue_ext_file_bytes: 45, ..options(&directory) };
    let (topic, queue_id) = (Topic::parse("T").unwrap(), QueueId(0));
    append(&mut alone(options.clone(), FaultDisk::sound()), 0, 4).unwrap();
    let mut bytes = Vec::new();
    Unit { tags_code: 7, store_time: StoreTime(1), bit_map: &[1; 24] }.encode(&mut bytes);
    bytes.push(0);
    fs::write(options.queue_ext_dir(&topic, queue_id).join(file_name(0)), bytes).unwrap();
    let mut queue = alone(options, FaultDisk::sound());
    queue.recover().unwrap();
    assert_eq!(append(&mut queue, 1, 4).unwrap().tags_code, i64::MIN + 45);
}

#[test]
fn without_room_on_the_disk_entries_stand_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, fault) = FaultDisk::failing(Call::Allocate, 0, io::ErrorKind::StorageFull);
    let mut queue = alone(options(&directory), disk);
    assert_eq!(append(&mut queue, 0, 4).unwrap().tags_code, 7);
    assert!(fault.struck());
    assert_eq!(append(&mut queue, 1, 4).unwrap().tags_code, i64::MIN);
}

#[test]
fn a_unit_whose_entry_could_not_be_appended_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, fault) = FaultDisk::failing(Call::Allocate, 1, io::ErrorKind::StorageFull);
    let mut queue = alone(options(&directory), disk);
    assert!(matches!(append(&mut queue, 0, 4), Err(StoreError::DiskFull { .. })));
    assert!(fault.struck());
    assert_eq!(append(&mut queue, 0, 4).unwrap().tags_code, i64::MIN);
    assert_eq!(append(&mut queue, 1, 4).unwrap().tags_code, i64::MIN + UNIT_BYTES as i64);
}

#[test]
fn replays_put_no_unit_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut queue = alone(options(&directory), FaultDisk::sound());
    for _ in 0..3 {
        append(&mut queue, 0, 4).unwrap();
    }
    assert_eq!(append(&mut queue, 1, 4).unwrap().tags_code, i64::MIN + UNIT_BYTES as i64);
}

#[test]
fn an_idle_queue_holds_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultDisk::sound();
    let mut queue = alone(options(&directory), Arc::clone(&disk));
    for number in 0..20 {
        append(&mut queue, number, 4).unwrap();
    }
    for number in 0..20 {
        let entry = queue.entry(QueueOffset(number)).unwrap().unwrap();
        assert!(queue.unit(entry.unit_address().unwrap()).unwrap().is_some());
    }
    assert!(queue.is_open() && disk.open_now() <= 4, "{} files of queue and extension", disk.open_now());
    queue.close_idle();
    assert_eq!((queue.is_open(), disk.open_now()), (false, 0));
    let entry = queue.entry(QueueOffset(3)).unwrap().unwrap();
    queue.close_idle();
    assert!(queue.unit(entry.unit_address().unwrap()).unwrap().is_some() && queue.is_open());
}

/// One sync covers both, the units first: an entry that is on the disk finds its unit there.
#[test]
fn units_are_synced_before_the_entries_that_name_them() {
    let directory = tempfile::tempdir().unwrap();
    for (nth, of_units) in [(0, true), (1, false)] {
        let (disk, fault) = FaultDisk::failing(Call::Sync, nth, io::ErrorKind::Other);
        let mut queue = alone(options(&directory), disk);
        append(&mut queue, 0, 4).unwrap();
        let Err(StoreError::Io { path, .. }) = queue.untold().unwrap().sync() else { panic!("the sync fails") };
        assert!(fault.struck());
        assert_eq!(path.starts_with(options(&directory).queue_exts_dir()), of_units, "{}", path.display());
    }
}

#[test]
fn a_topic_that_is_removed_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..9);
    store.queues.detach_topic(&Topic::parse("T").unwrap()).destroy().unwrap();
    for root in [options(&directory).queues_dir(), options(&directory).queue_exts_dir()] {
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "{}", root.display());
    }
}

#[test]
fn files_of_another_length_are_refused_by_the_name_of_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(options(&directory));
    put_all(&mut store, 0..2);
    store.close().unwrap();
    let other = StoreOptions { queue_ext_file_bytes: 111, ..options(&directory) };
    let refused = open_with(FileDisk::shared(), other, Box::new(MappedAppender::default()), None, &mut |_| {});
    let error = refused.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("set mappedFileSizeConsumeQueueExt to the value"), "{error}");
}
