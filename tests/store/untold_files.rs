//! What has entries that are not on the disk is told of, once until it is synced.

use std::sync::Arc;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{ConsumeQueue, Index, QueueEntry};

use crate::append_and_reopen::options;

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
