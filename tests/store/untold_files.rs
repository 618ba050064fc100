//! What has entries that are not on the disk is told of, once until it is synced.

use std::sync::Arc;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{ConsumeQueue, Index, QueueEntry};

use crate::append_and_reopen::options;
use crate::calls::Calls;
use crate::watched_disk::{Call, WatchedDisk};

#[test]
fn an_index_file_once_until_its_sync_and_again_when_it_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let mut index = Index::new(FileDisk::shared(), Arc::new(options(&directory)));
    assert!(index.take_untold().is_empty(), "there is no file");
    let mut next = 0;
    let mut put = |index: &mut Index| {
        next += 1;
        index.put(next, PhysicalOffset(next as u64), StoreTime(i64::from(next))).unwrap();
        next
    };
    put(&mut index);
    let told = index.take_untold();
    assert_eq!(told.iter().map(|sync| sync.is_full).collect::<Vec<_>>(), [false]);
    put(&mut index);
    assert!(index.take_untold().is_empty(), "the sync that is to come covers this one too");
    told[0].sync().unwrap();
    put(&mut index);
    assert_eq!(index.take_untold().len(), 1, "this one came after the sync");
    // It has room for 59 entries, since its first place stays empty.
    while put(&mut index) < 60 {}
    let told: Vec<(bool, i64)> = index.take_untold().iter().map(|sync| (sync.is_full, sync.newest_time.0)).collect();
    assert_eq!(told, [(true, 59), (false, 60)]);
}

#[test]
fn a_queue_once_until_its_sync() {
    let directory = tempfile::tempdir().unwrap();
    let topic = Topic::parse("T").unwrap();
    let mut queue = ConsumeQueue::new(FileDisk::shared(), Arc::new(options(&directory)), topic, QueueId(0));
    let append = |queue: &mut ConsumeQueue, number: u64| {
        let entry = QueueEntry { physical: PhysicalOffset(100 * number), size: 100, tags_code: 0 };
        queue.append(entry, QueueOffset(number)).unwrap();
    };
    assert!(queue.untold().is_none());
    append(&mut queue, 0);
    let told = queue.untold().unwrap();
    append(&mut queue, 1);
    assert!(queue.untold().is_none(), "the sync that is to come covers this one too");
    told.sync().unwrap();
    assert!(queue.untold().is_none(), "there is nothing to be synced");
    append(&mut queue, 2);
    assert!(queue.untold().is_some());
}

/// After a power cut it would be there again, and its entries would be taken for those of other records.
#[test]
fn a_file_that_is_cut_off_a_queue_goes_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let (topic, options, calls) =
        (Topic::parse("T").unwrap(), Arc::new(options(&directory)), Arc::new(Calls::default()));
    let folder = options.queue_dir(&topic, QueueId(0));
    let per_file = options.queue_file_bytes() / 20;
    let mut queue = ConsumeQueue::new(Arc::new(WatchedDisk(Arc::clone(&calls))), options, topic, QueueId(0));
    for number in 0..per_file + 1 {
        let entry = QueueEntry { physical: PhysicalOffset(100 * number), size: 100, tags_code: 0 };
        queue.append(entry, QueueOffset(number)).unwrap();
    }
    queue.sync_handle().sync().unwrap();
    drop(calls.take());
    queue.truncate(PhysicalOffset(100)).unwrap();
    queue.sync_handle().sync().unwrap();
    let calls = calls.take();
    let removed = calls.iter().position(|(call, path)| *call == Call::Remove && path.starts_with(&folder));
    let lasts = calls.iter().rposition(|(call, path)| *call == Call::SyncDir && *path == folder);
    assert!(removed.is_some() && lasts > removed, "{calls:?}");
}
