//! A log in a temporary directory, and messages for it.
#![allow(dead_code, reason = "not every benchmark that includes this fills the log")]

use std::net::SocketAddr;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, QueueId, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{Appender, MappedAppender, NewMessage, OpenStore, PutBatch, StoreOptions, open_with};
use tempfile::TempDir;

/// Queues that messages are spread over.
pub(crate) const QUEUES: u32 = 8;

pub(crate) fn store(appender: Box<dyn Appender>) -> (TempDir, OpenStore) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = StoreOptions { log_segment_bytes: 256 << 20, ..StoreOptions::at(directory.path()) };
    let store = open_with(FileDisk::shared(), options, appender, None, &mut |_| {}).expect("an empty store opens");
    (directory, store)
}

/// A message as a Java client sends it, with its id for a key.
pub(crate) fn message<'a>(topic: &'a Topic, queue: u32, body: &'a [u8]) -> NewMessage<'a> {
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    let plain = NewMessage::plain(topic, QueueId(queue), BornTime(1), host, body);
    NewMessage {
        properties: b"UNIQ_KEY\x017F00000100002A139A0B5BB0B8B00001\x02CLUSTER\x01DefaultCluster\x02TAGS\x01TagA",
        ..plain
    }
}

/// A log with `count` messages of `body_bytes`, spread over [`QUEUES`] queues.
pub(crate) fn filled(topic: &Topic, count: usize, body_bytes: usize) -> (TempDir, OpenStore) {
    let (directory, mut store) = store(Box::new(MappedAppender::default()));
    let (body, mut placed) = (vec![7; body_bytes], Vec::new());
    for number in 0..count {
        let batch = PutBatch::of(&message(topic, number as u32 % QUEUES, &body)).expect("its properties are short");
        for put in batch.iter() {
            store.log.append(put, StoreTime(1), &mut placed).expect("there is room");
        }
    }
    let written = store.log.publish().expect("the mapping takes it");
    store.log.positions().advance_visible(written);
    (directory, store)
}
