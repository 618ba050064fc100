//! From the log to queues and index: nanoseconds per record, of each step that the actors take.
//!
//! One item is one record of 128 bytes with one key. Sync and page faults of a cold log are not part of it.
#![allow(missing_docs, reason = "a benchmark has no readers of its items")]

mod log;

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::dispatch::Marks;
use ferromq::store::index::KeyHasher;
use ferromq::store::{ConsumeQueue, Index, QueueEntry};

/// What the dispatch actor takes in one turn.
const TURN: usize = 1024;
const BODY_BYTES: usize = 128;
const RECORD_BYTES: u64 = 300;

fn main() {
    divan::main();
}

/// Reads records, makes their queue entries and hashes their keys.
#[divan::bench]
fn read_the_log(bencher: Bencher<'_, '_>) {
    let topic = Topic::parse("TopicTest").expect("a legal name");
    let (directory, store) = log::filled(&topic, TURN, BODY_BYTES);
    let (view, hasher) = (store.log.view(), KeyHasher::of(topic.as_str()));
    bencher.counter(ItemsCount::new(TURN)).bench_local(|| {
        let mut cursor = view.cursor(PhysicalOffset(0));
        let mut sum = 0;
        while let Some(record) = cursor.next(view.visible()).expect("the log is whole") {
            let marks = Marks::of(&record);
            sum += marks.queue_entry(&record, &[]).map_or(0, |entry| entry.tags_code);
            sum += marks.index_keys(&record).map(|key| i64::from(hasher.hash(key))).sum::<i64>();
        }
        black_box(sum)
    });
    drop(directory);
}

/// Puts entries into a queue, whose files grow and roll over.
#[divan::bench(sample_size = 20)]
fn append_to_a_queue(bencher: Bencher<'_, '_>) {
    let topic = Topic::parse("TopicTest").expect("a legal name");
    let (directory, mut store) = log::filled(&topic, 0, BODY_BYTES);
    let mut queue: ConsumeQueue = store.queues.open_queue(&topic, QueueId(0)).expect("nobody has it");
    let mut next = 0;
    bencher.counter(ItemsCount::new(TURN)).bench_local(|| {
        for _ in 0..TURN {
            let physical = PhysicalOffset(next * RECORD_BYTES);
            let entry = QueueEntry { physical, size: RECORD_BYTES as i32, tags_code: 7 };
            queue.append(entry, QueueOffset(next)).expect("there is room");
            next += 1;
        }
    });
    drop(directory);
}

/// Puts keys, all different, into the index, whose slots they are spread over.
#[divan::bench(sample_size = 20)]
fn put_into_the_index(bencher: Bencher<'_, '_>) {
    let topic = Topic::parse("TopicTest").expect("a legal name");
    let (directory, mut store) = log::filled(&topic, 0, BODY_BYTES);
    let index: &mut Index = store.index.as_mut().expect("it is on by default");
    let mut next = 0_u64;
    bencher.counter(ItemsCount::new(TURN)).bench_local(|| {
        for _ in 0..TURN {
            // Spreads numbers as hashes of keys are spread.
            let hash = (next.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as i32;
            index.put(hash, PhysicalOffset(next * RECORD_BYTES), StoreTime(1)).expect("there is room");
            next += 1;
        }
    });
    drop(directory);
}
