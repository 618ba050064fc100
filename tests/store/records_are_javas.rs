//! What Java's broker was sent, sent to ours in the same order at the same times: the log is the same, byte for byte.

use std::fs;

use bytes::Bytes;
use ferromq::protocol::message::{Message, RecordError, decode};
use ferromq::protocol::names::Topic;
use ferromq::store::disk::FileDisk;
use ferromq::store::{NewMessage, OpenStore, PutBatch, StoreOptions, open};

use crate::fixture::Fixture;

/// The messages of a log, in its order.
fn messages(options: &StoreOptions, segments: u64) -> Vec<Message> {
    let mut messages = Vec::new();
    for segment in 0..segments {
        let mut rest = Bytes::from(fs::read(options.segment_path(segment * options.log_segment_bytes)).unwrap());
        loop {
            match decode(&rest) {
                Ok((message, size)) => {
                    messages.push(message);
                    drop(rest.split_to(size));
                }
                Err(RecordError::Magic { .. } | RecordError::Cut { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    messages
}

fn put_again(store: &mut OpenStore, message: &Message) {
    let topic = Topic::parse(message.topic.as_str()).unwrap();
    let put = NewMessage {
        flag: message.flag,
        sys_flag: message.sys_flag,
        born_host: message.born_host,
        store_host: message.store_host,
        reconsume_times: message.reconsume_times,
        prepared_transaction_offset: message.prepared_transaction_offset as u64,
        properties: message.properties.as_str().as_bytes(),
        ..NewMessage::plain(&topic, message.queue_id, message.born_time, message.born_host, &message.body)
    };
    let batch = PutBatch::of(&put).unwrap();
    for put in batch.iter() {
        store.log.append(put, message.store_time, &mut Vec::new()).unwrap();
    }
    store.log.publish().unwrap();
}

fn check(name: &str, up_to: u64) {
    let fixture = Fixture::unpack(name);
    let theirs = fixture.options();
    let segments = (0..).take_while(|segment| theirs.segment_path(segment * theirs.log_segment_bytes).exists()).count();
    let messages = messages(&theirs, segments as u64);
    let messages: Vec<_> = messages.into_iter().filter(|message| message.physical_offset.0 < up_to).collect();
    assert!(messages.len() > 20, "{name}: {} messages", messages.len());
    let directory = tempfile::tempdir().unwrap();
    let ours = StoreOptions { log_segment_bytes: theirs.log_segment_bytes, ..StoreOptions::at(directory.path()) };
    let mut store = open(FileDisk::shared(), ours.clone(), &mut |_| {}).unwrap();
    messages.iter().for_each(|message| put_again(&mut store, message));
    let end = store.log.positions().written().0;
    store.close().unwrap();
    for base in (0..end).step_by(theirs.log_segment_bytes as usize) {
        let [ours, theirs] = [&ours, &theirs].map(|options| fs::read(options.segment_path(base)).unwrap());
        let used = (end - base).min(theirs.len() as u64) as usize;
        let differs = ours[..used].iter().zip(&theirs[..used]).position(|(ours, theirs)| ours != theirs);
        assert_eq!(differs, None, "{name}: segment {base} of {end} bytes");
    }
}

#[test]
fn of_every_kind_of_message() {
    check("a-clean", u64::MAX);
}

#[test]
fn over_many_segments() {
    check("b0-clean-many-files", u64::MAX);
}

#[test]
fn of_a_store_with_queue_extensions() {
    check("e-queue-ext", u64::MAX);
}

#[test]
fn of_every_shape_of_record() {
    // There Java began a segment for a message that fits none, which ours refuses.
    check("f-record-shapes", 226_353);
}
