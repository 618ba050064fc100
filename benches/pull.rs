//! Answering a pull from memory: the queue's entries, the choice among them, and the reply's bytes.
//!
//! One item is one message of 128 bytes; the tag passes every one or every eighth.
#![allow(missing_docs, reason = "a benchmark has no readers of its items")]

mod log;

use std::hint::black_box;

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::ItemsCount;
use ferromq::broker::filter::TagFilter;
use ferromq::broker::pull::{PullLimits, QueueBounds, select};
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::names::Topic;
use ferromq::protocol::properties;
use ferromq::protocol::replies::PullAnswer;
use ferromq::protocol::units::{Opaque, PhysicalOffset, QueueId, QueueOffset};
use ferromq::store::QueueEntry;
use ferromq::store::dispatch::Marks;

const MESSAGES: usize = 32;
const BODY_BYTES: usize = 128;
const LIMITS: PullLimits = PullLimits {
    count_in_memory: 32,
    bytes_in_memory: 256 << 10,
    count_on_disk: 8,
    bytes_on_disk: 64 << 10,
    memory_bytes: 1 << 30,
};

fn main() {
    divan::main();
}

/// Chooses what a pull gets out of a queue's entries, every one or every eighth of which has its tag.
#[divan::bench(args = [1, 8])]
fn choose(bencher: Bencher<'_, '_>, one_in: u64) {
    let entry = |number: u64| {
        let tags_code = if number.is_multiple_of(one_in) { properties::tags_code("TagA") } else { 0 };
        QueueEntry { physical: PhysicalOffset(number * 300), size: 300, tags_code }
    };
    let entries: Vec<QueueEntry> = (0..MESSAGES as u64 * one_in).map(entry).collect();
    let (filter, bounds) =
        (TagFilter::parse("TagA").expect("a tag"), bounds(entries.len() as u64, PhysicalOffset(1 << 20)));
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        select(
            QueueOffset(0),
            MESSAGES as u32,
            |entry| filter.passes_entry(entry),
            black_box(&entries),
            &bounds,
            &LIMITS,
        )
    });
}

/// The whole answer, from the queue's mapping to the bytes that leave.
#[divan::bench]
fn answer(bencher: Bencher<'_, '_>) {
    let topic = Topic::parse("TopicTest").expect("a legal name");
    let (directory, mut store) = log::filled(&topic, MESSAGES, BODY_BYTES);
    let view = store.log.view();
    let mut queue = store.queues.open_queue(&topic, QueueId(0)).expect("nobody has it");
    let mut cursor = view.cursor(PhysicalOffset(0));
    // All of them in one queue: entries need not tell whose records they point to.
    for number in 0.. {
        let Some(record) = cursor.next(view.visible()).expect("the log is whole") else { break };
        let entry = Marks::of(&record).queue_entry(&record, &[]).expect("it enters its queue");
        queue.append(entry, QueueOffset(number)).expect("there is room");
    }
    let (filter, bounds) = (TagFilter::parse("TagA").expect("a tag"), bounds(MESSAGES as u64, view.visible()));
    let (mut entries, mut out) = (Vec::new(), BytesMut::with_capacity(1 << 16));
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        entries.clear();
        out.clear();
        queue.read(QueueOffset(0), 2 * MESSAGES, &mut entries).expect("it is open");
        let selection =
            select(QueueOffset(0), MESSAGES as u32, |entry| filter.passes_entry(entry), &entries, &bounds, &LIMITS);
        let answer = PullAnswer {
            code: response::SUCCESS,
            remark: selection.status.name(),
            suggested_broker: 0,
            next: selection.next,
            min: bounds.min,
            max: bounds.max,
        };
        answer.write(Opaque(1), selection.bytes as usize, Serialization::Json, &mut out);
        assert!(selection.records.iter().all(|(physical, size)| view.copy_into(*physical, *size, &mut out)));
        black_box(out.len())
    });
    drop(directory);
}

fn bounds(entries: u64, log_end: PhysicalOffset) -> QueueBounds {
    QueueBounds { min: QueueOffset(0), max: QueueOffset(entries), log_min: PhysicalOffset(0), log_end }
}
