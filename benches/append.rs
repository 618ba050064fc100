//! Appending to the log: time per record, by body size and by how the bytes get into the segment.
//!
//! The goal for a record of 128 bytes through the mapping is under 100 ns, from the message to the mapping, checksum
//! included. Pages are made ahead, as the broker does; a segment that is rolled over is made within the measured time.

mod log;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, StoreTime};
use ferromq::store::{Appender, MappedAppender, PutBatch, StagedAppender};

use crate::log::{message, store};

/// Records per publication, as the commit log actor appends what one read of a socket brought.
const BATCH: usize = 64;
/// More than the iterations of one sample write.
const AHEAD_BYTES: u64 = 32 << 20;
const BODY_BYTES: [usize; 3] = [0, 128, 4096];

fn main() {
    divan::main();
}

#[divan::bench(sample_size = 20, args = BODY_BYTES)]
fn mapped(bencher: Bencher<'_, '_>, body_bytes: usize) {
    append(bencher, body_bytes, || Box::new(MappedAppender::default()));
}

#[divan::bench(sample_size = 20, args = BODY_BYTES)]
fn staged(bencher: Bencher<'_, '_>, body_bytes: usize) {
    append(bencher, body_bytes, || Box::new(StagedAppender::default()));
}

fn append(bencher: Bencher<'_, '_>, body_bytes: usize, appender: impl Fn() -> Box<dyn Appender>) {
    let (topic, body) = (Topic::parse("TopicTest").expect("a legal name"), vec![7; body_bytes]);
    let messages: Vec<_> = (0..BATCH).map(|number| message(&topic, number as u32 % 8, &body)).collect();
    let (directory, mut store) = store(appender());
    let (view, mut populator) = (store.log.view(), store.log.populator());
    let mut placed = Vec::with_capacity(BATCH);
    bencher
        .counter(ItemsCount::new(BATCH))
        .counter(BytesCount::new(BATCH * body_bytes))
        .with_inputs(|| {
            // What retention and the populating thread do in the broker, outside the measured time.
            while view.segments().all().len() > 2 {
                let removed = view.segments().pop_oldest().expect("there are three");
                std::fs::remove_file(removed.path()).expect("its file is there");
            }
            populator.advance(PhysicalOffset(view.written().0 + AHEAD_BYTES));
        })
        .bench_local_values(|()| {
            placed.clear();
            let mut batch = PutBatch::with_capacity(BATCH, BATCH * (body_bytes + 256));
            for message in &messages {
                batch.push(black_box(message)).expect("its properties are short");
            }
            for put in batch.iter() {
                store.log.append(put, StoreTime(1), &mut placed).expect("there is room");
            }
            store.log.publish().expect("the mapping takes it")
        });
    drop(directory);
}
