//! What is appended is there, in the log and in the queues, before and after the store is opened again.

use std::net::SocketAddr;

use bytes::Bytes;
use ferromq::protocol::message;
use ferromq::protocol::names::Topic;
use ferromq::protocol::properties::{self, keys};
use ferromq::protocol::sys_flag::TRANSACTION_PREPARED;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::retention::remove_oldest;
use ferromq::store::{
    Appender, Extension, LogFlush, MappedAppender, NewMessage, OpenStore, Placed, Placement, PutBatch, StagedAppender,
    StoreError, StoreOptions, dispatch, open, open_with,
};
use tempfile::TempDir;

/// Small sizes, so that files roll over soon.
pub(crate) fn options(directory: &TempDir) -> StoreOptions {
    StoreOptions {
        log_segment_bytes: 4096,
        queue_file_bytes: 200,
        index_slots: 20,
        index_entries: 60,
        ..StoreOptions::at(directory.path().join("store"))
    }
}

/// A message with what the tests change of it.
pub(crate) struct Message {
    topic: Topic,
    queue_id: QueueId,
    pub(crate) sys_flag: i32,
    pub(crate) properties: Vec<u8>,
    body: Vec<u8>,
}

pub(crate) fn message(topic: &str, queue_id: u32, body: &[u8]) -> Message {
    let properties = Vec::from(b"KEYS\x01k1 k2\x02TAGS\x01TagA");
    Message {
        topic: Topic::parse(topic).unwrap(),
        queue_id: QueueId(queue_id),
        sys_flag: 0,
        properties,
        body: body.into(),
    }
}

impl Message {
    fn as_new(&self) -> NewMessage<'_> {
        let host = SocketAddr::from(([127, 0, 0, 1], 10911));
        let plain = NewMessage::plain(&self.topic, self.queue_id, BornTime(1), host, &self.body);
        NewMessage { sys_flag: self.sys_flag, properties: &self.properties, ..plain }
    }
}

/// Appends one message, publishes it, and gives it to its queue and the index, as the actors do.
pub(crate) fn put(store: &mut OpenStore, message: Message, now: i64) -> Result<Placed, StoreError> {
    let mut placed = Vec::new();
    let batch = PutBatch::of(&message.as_new())?;
    for put in batch.iter() {
        store.log.append(put, StoreTime(now), &mut placed)?;
    }
    let written = store.log.publish()?;
    store.log.positions().advance_visible(written);
    dispatch_from(store, placed[0].physical)?;
    Ok(placed[0])
}

/// Follows the log from a place on; tells how many entries were added.
pub(crate) fn dispatch_from(store: &mut OpenStore, from: PhysicalOffset) -> Result<usize, StoreError> {
    let view = store.log.view();
    let mut cursor = view.cursor(from);
    let mut added = 0;
    while let Some(record) = cursor.next(view.visible()).unwrap() {
        let Some(entry) = dispatch::Marks::of(&record).queue_entry(&record, &[]) else { continue };
        let topic = Topic::parse(record.topic).unwrap();
        let queue = store.queues.queue_mut(&topic, record.queue_id)?;
        // What the actors compute from the conditions of consumers is here a bit map of the tag's letters.
        let bit_map = properties::find(record.properties, keys::TAGS).unwrap_or_default().as_bytes().to_vec();
        let extension = Extension { store_time: record.store_time, bit_map };
        let placed = queue.append_extended(entry, record.queue_offset, Some(&extension))?;
        added += usize::from(placed != Placement::Duplicate);
        if let Some(index) = &mut store.index {
            index.put_record(&record)?;
        }
    }
    Ok(added)
}

fn bodies(store: &mut OpenStore, topic: &str, queue_id: u32) -> Vec<Bytes> {
    let topic = Topic::parse(topic).unwrap();
    let entries = crate::fixture::entries(store, &topic, QueueId(queue_id));
    entries
        .iter()
        .map(|(offset, entry)| {
            let message = crate::fixture::message_at(store, entry).unwrap();
            assert_eq!(message.queue_offset, *offset);
            message.check_body().unwrap();
            message.body
        })
        .collect()
}

fn reopen(directory: &TempDir) -> OpenStore {
    open(FileDisk::shared(), options(directory), &mut |_| {}).unwrap()
}

fn fills_and_reopens(appender: Box<dyn Appender>, clean: bool) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(FileDisk::shared(), options(&directory), appender, None, &mut |_| {}).unwrap();
    let mut sent = [Vec::new(), Vec::new()];
    for number in 0..200usize {
        let body = vec![number as u8; number * 7 % 500];
        let placed = put(&mut store, message("T", number as u32 % 2, &body), number as i64).unwrap();
        assert_eq!(placed.queue_offset, QueueOffset(number as u64 / 2));
        sent[number % 2].push(Bytes::from(body));
    }
    let end = store.log.end();
    assert!(end.0 > 8 * 4096, "several segments were filled");
    match clean {
        true => store.close().unwrap(),
        // What a killed process leaves: nothing was synced, nothing written down.
        false => drop(store),
    }
    let mut store = reopen(&directory);
    assert_eq!((store.report.unclean, store.log.end()), (!clean, end));
    // What nobody vouches for may be on the disk in part, and is made again.
    assert_eq!(store.report.entries_added, if clean { 0 } else { 200 });
    assert_eq!([bodies(&mut store, "T", 0), bodies(&mut store, "T", 1)], sent);
    let found = store.index.as_ref().unwrap().lookup("T", "k2", 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
    assert_eq!(found.records.len(), 64);
    let next = put(&mut store, message("T", 1, b"next"), 1_000).unwrap();
    assert_eq!((next.physical, next.queue_offset), (end, QueueOffset(100)));
}

#[test]
fn through_the_mapping_with_a_clean_stop() {
    fills_and_reopens(Box::new(MappedAppender::default()), true);
}

#[test]
fn through_the_mapping_after_a_kill() {
    fills_and_reopens(Box::new(MappedAppender::default()), false);
}

#[test]
fn staged_with_a_clean_stop() {
    fills_and_reopens(Box::new(StagedAppender::default()), true);
}

#[test]
fn staged_after_a_kill() {
    fills_and_reopens(Box::new(StagedAppender::default()), false);
}

/// A file is made and then given its length: a broker may be killed in between.
#[test]
fn files_that_had_just_been_made_are_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    // Ten entries fill a queue file, thirty messages with two keys each more than an index file.
    for number in 0..30 {
        put(&mut store, message("T", 0, b"body"), number).unwrap();
    }
    drop(store);
    let root = directory.path().join("store");
    std::fs::write(root.join("consumequeue/T/0/00000000000000000600"), b"").unwrap();
    std::fs::write(root.join("index/29991231235959999"), b"").unwrap();
    let mut store = reopen(&directory);
    assert_eq!(bodies(&mut store, "T", 0).len(), 30);
    put(&mut store, message("T", 0, b"next"), 30).unwrap();
    assert_eq!(bodies(&mut store, "T", 0).len(), 31);
    let found = store.index.as_ref().unwrap().lookup("T", "k2", 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
    assert_eq!(found.records.len(), 31);
}

#[test]
fn a_put_is_one_piece() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    let mut placed = Vec::new();
    let mut batch = PutBatch::default();
    for _ in 0..2 {
        let mut put = batch.begin(&Topic::parse("T").unwrap(), QueueId(5));
        for number in 0..3 {
            put.add(&message("T", 5, &[number; 900]).as_new()).unwrap();
        }
        put.finish();
    }
    // The second put does not fit the rest of the first segment and goes to the next one whole.
    for (put, now) in batch.iter().zip([7, 8]) {
        store.log.append(put, StoreTime(now), &mut placed).unwrap();
    }
    assert_eq!(store.log.view().written(), PhysicalOffset(0), "nothing is there before it is published");
    store.log.publish().unwrap();
    let places: Vec<u64> = placed.iter().map(|place| place.physical.0).collect();
    assert_eq!(places[3], 4096);
    assert_eq!(placed.iter().map(|place| place.queue_offset.0).collect::<Vec<_>>(), (0..6).collect::<Vec<_>>());
    for place in &placed {
        let block = store.log.view().slice(place.physical, place.size).unwrap();
        let (message, size) = message::decode(&block).unwrap();
        assert_eq!((size as u32, message.physical_offset), (place.size, place.physical));
    }
}

/// What is begun and not finished is not there, and what is split off is as it was.
#[test]
fn a_batch_holds_whole_puts() {
    let (first, second) = (message("T", 0, b"first"), message("U", 1, b"second"));
    let mut batch = PutBatch::of(&first.as_new()).unwrap();
    let bytes = batch.bytes();
    let mut given_up = batch.begin(&second.topic, second.queue_id);
    given_up.add(&second.as_new()).unwrap();
    let mut long = message("U", 1, b"");
    long.properties = vec![b'p'; 32_768];
    assert!(given_up.add(&long.as_new()).is_err());
    drop(given_up);
    assert_eq!((batch.len(), batch.bytes()), (1, bytes));
    batch.push(&second.as_new()).unwrap();
    let puts = |batch: &PutBatch| -> Vec<_> {
        batch.iter().map(|put| (put.topic.clone(), put.queue_id, put.records.to_vec())).collect()
    };
    let whole = puts(&batch);
    assert_eq!(whole.iter().map(|put| put.0.as_str()).collect::<Vec<_>>(), ["T", "U"]);
    assert_eq!(batch.into_each().iter().flat_map(puts).collect::<Vec<_>>(), whole);
}

#[test]
fn a_put_that_fits_no_segment_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    put(&mut store, message("T", 0, b"one"), 1).unwrap();
    let end = store.log.end();
    let error = put(&mut store, message("T", 0, &[0; 4096]), 2).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 4088, .. }), "{error}");
    let mut long = message("T", 0, b"");
    long.properties = vec![b'p'; 32_768];
    let error = put(&mut store, long, 2).unwrap_err();
    assert!(matches!(error, StoreError::PropertiesTooLong { length: 32_768 }), "{error}");
    assert_eq!(store.log.end(), end);
    assert_eq!(put(&mut store, message("T", 0, b"two"), 3).unwrap().queue_offset, QueueOffset(1));
}

/// A record and the least blank behind it fill a segment to the byte.
#[test]
fn a_record_may_leave_exactly_the_least_blank() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    let empty = put(&mut store, message("T", 0, b""), 1).unwrap().size as usize;
    let fitting = 4096 - 8 - 2 * empty;
    assert_eq!(put(&mut store, message("T", 0, &vec![1; fitting]), 2).unwrap().physical.0, empty as u64);
    assert_eq!(store.log.end().0, 4088);
    assert_eq!(put(&mut store, message("T", 0, b""), 3).unwrap().physical.0, 4096);
}

#[test]
fn half_messages_count_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    put(&mut store, message("T", 0, b"a"), 1).unwrap();
    let mut half = message("T", 0, b"half");
    half.sys_flag = TRANSACTION_PREPARED;
    assert_eq!(put(&mut store, half, 2).unwrap().queue_offset, QueueOffset(0));
    assert_eq!(put(&mut store, message("T", 0, b"b"), 3).unwrap().queue_offset, QueueOffset(1));
    assert_eq!(bodies(&mut store, "T", 0), ["a", "b"]);
}

#[test]
fn one_sync_covers_everything_published_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    for number in 0..30 {
        put(&mut store, message("T", 0, &[1; 300]), number).unwrap();
    }
    let view = store.log.view();
    assert!(view.positions().synced() < view.written());
    let synced = LogFlush::new(view.clone()).sync().unwrap();
    assert_eq!((synced.up_to, synced.newest), (view.written(), StoreTime(29)));
    assert_eq!(view.positions().synced(), view.written());
}

#[test]
fn segments_and_pages_are_made_ahead() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    let preparation = store.log.preparation();
    let mut populator = store.log.populator();
    put(&mut store, message("T", 0, b"first"), 1).unwrap();
    assert!(std::thread::spawn(move || preparation.prepare_next().unwrap()).join().unwrap());
    assert!(!store.log.preparation().prepare_next().unwrap(), "it is there");
    populator.advance(PhysicalOffset(100_000));
    assert_eq!(populator.position().0, 8192, "as far as there are segments");
    let second = options(&directory).segment_path(4096);
    assert!(second.exists());
    store.close().unwrap();
    assert!(!second.exists(), "a clean stop removes what was not used");
}

/// Space for a hundred thousand queues must be found in memory alone.
#[test]
fn idle_queues_hold_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    for queue in 0..300 {
        put(&mut store, message("T", queue, b"x"), 1).unwrap();
    }
    store.queues.idle_mut().for_each(|queue| {
        queue.sync_handle().sync().unwrap();
        queue.close_idle();
    });
    let queues_dir = options(&directory).queues_dir();
    let open_files =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    assert_eq!(open_files.filter(|path| path.starts_with(&queues_dir)).count(), 0);
    assert_eq!(bodies(&mut store, "T", 299), ["x"], "and are opened again when they are read");
}

#[test]
fn a_queue_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    let topic = Topic::parse("T").unwrap();
    let owned = store.queues.open_queue(&topic, QueueId(0)).unwrap();
    let error = store.queues.open_queue(&topic, QueueId(0)).unwrap_err();
    assert!(matches!(error, StoreError::QueueTaken { .. }), "{error}");
    store.queues.give_back(owned);
    store.queues.open_queue(&topic, QueueId(0)).unwrap();
}

/// A queue whose entries are all gone with the first segments begins where the log begins.
#[test]
fn queues_rebuilt_from_a_log_whose_beginning_is_gone_keep_their_offsets() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    for number in 0..60 {
        put(&mut store, message("T", 0, &[number; 300]), 1).unwrap();
    }
    store.close().unwrap();
    let options = options(&directory);
    for base in [0, 4096] {
        std::fs::remove_file(options.segment_path(base)).unwrap();
    }
    std::fs::remove_dir_all(options.queues_dir()).unwrap();
    std::fs::remove_dir_all(options.index_dir()).unwrap();
    let mut store = reopen(&directory);
    let topic = Topic::parse("T").unwrap();
    let queue = store.queues.queue_mut(&topic, QueueId(0)).unwrap();
    assert_eq!(queue.max_offset(), QueueOffset(60));
    let min = queue.min_offset();
    assert!(min.0 > 0);
    assert_eq!(bodies(&mut store, "T", 0).first().map(|body| body[0]), Some(min.0 as u8));
}

/// Deleting the oldest segment moves the beginning of log, queues and index.
#[test]
fn cleaning_follows_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = reopen(&directory);
    for number in 0..100 {
        put(&mut store, message("T", 0, &[number; 300]), i64::from(number)).unwrap();
    }
    let view = store.log.view();
    let held = view.slice(PhysicalOffset(0), 100).unwrap();
    for _ in 0..5 {
        let removed = remove_oldest(&FileDisk, view.segments()).unwrap().unwrap();
        assert!(!removed.path().exists());
    }
    let log_min = view.min();
    assert_eq!(log_min.0, 5 * 4096);
    assert_eq!(view.slice(PhysicalOffset(0), 100), None);
    assert_eq!(held.len(), 100, "who holds bytes of a removed segment keeps them");
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
    assert!(queue.clean(log_min).unwrap() > 0);
    let first = queue.entry(queue.min_offset()).unwrap().unwrap();
    assert!(first.physical >= log_min && first.physical.0 < log_min.0 + 500);
    assert!(store.index.as_mut().unwrap().clean(log_min).unwrap() > 0);
    store.close().unwrap();
    let mut store = reopen(&directory);
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
    assert_eq!((queue.entry(queue.min_offset()).unwrap(), queue.max_offset()), (Some(first), QueueOffset(100)));
}

/// After a loss of power any page that was written since the last sync may be missing: here all of the index's slots,
/// and its later entries.
#[test]
fn the_index_is_whole_after_a_loss_of_power() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { index_entries: 1_000, ..options(&directory) };
    let mut store = open(FileDisk::shared(), options.clone(), &mut |_| {}).unwrap();
    for number in 0..100 {
        put(&mut store, message("T", 0, b"x"), 1_000_000 + 1_000 * number).unwrap();
        if number == 49 {
            let synced = LogFlush::new(store.log.view()).sync().unwrap();
            store.index.as_ref().unwrap().current().unwrap().sync().unwrap();
            store.durable.note_log(synced);
            let weight = store.queues.weight();
            store.durable.note_queues(synced.up_to, synced.newest, weight);
            store.durable.save().unwrap();
        }
    }
    drop(store);
    let file = std::fs::read_dir(options.index_dir()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let entries = 40 + 4 * 20;
    bytes[40..entries].fill(0);
    // Each message has two keys; entry 0 is not used.
    bytes[entries + 20 * 101..].fill(0);
    std::fs::write(&file, bytes).unwrap();
    let store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    assert!(store.report.walked_from.0 > 0, "the first half was not indexed again");
    let index = store.index.as_ref().unwrap();
    for number in 0..100 {
        let [begin, end] = [1_000_000 + 1_000 * number, 1_000_999 + 1_000 * number].map(StoreTime);
        let found = index.lookup("T", "k2", 64, begin, end).unwrap();
        assert_eq!(found.records.len(), 1, "message {number}");
        let time = store.log.view().with_record(found.records[0], |head| head.store_time);
        assert_eq!(time, Some(begin));
    }
}
