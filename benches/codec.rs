//! The wire codec on one core: nanoseconds per header or reply, and items per second.
//!
//! One item is one frame. The send is a SEND_MESSAGE_V2 as a Java client writes it,
//! with a body of 128 bytes.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot begin has nothing to report")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use divan::Bencher;
use divan::counter::ItemsCount;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX, Frame, Frames, HeaderScratch};
use ferromq::protocol::headers::send::SendHeader;
use ferromq::protocol::replies::{PullAnswer, SendAnswer, SendForm};
use ferromq::protocol::units::{Opaque, PhysicalOffset, QueueId, QueueOffset};

fn main() {
    divan::main();
}

const BOTH: [Serialization; 2] = [Serialization::Json, Serialization::Binary];

const SEND_HEADER: &str = concat!(
    r#"{"code":310,"extFields":{"a":"PG_TEST","b":"TopicTest","c":"TBW102","d":"4","e":"1","f":"0","g":"1700000000000","#,
    r#""h":"0","i":"TAGS\u0001TagA\u0002UNIQ_KEY\u00017F00000100002A139A0B5BB0B8B00001\u0002WAIT\u0001true","#,
    r#""j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":8,"#,
    r#""serializeTypeCurrentRPC":"JSON","version":407}"#,
);

fn send(serialization: Serialization) -> Frame {
    let json = Frame { serialization: Serialization::Json, header: SEND_HEADER.into(), body: vec![b'x'; 128].into() };
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    match serialization {
        Serialization::Json => return json,
        Serialization::Binary => frame::encode(&json.command().unwrap(), serialization, &mut buffer),
    }
    frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames).unwrap();
    frames.remove(0)
}

/// Header bytes to a command that can be kept.
#[divan::bench(args = BOTH)]
fn decode_send_header(bencher: Bencher<'_, '_>, serialization: Serialization) {
    let frame = send(serialization);
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| black_box(&frame).command().unwrap());
}

/// Fields to the typed header.
#[divan::bench(args = BOTH)]
fn parse_send_fields(bencher: Bencher<'_, '_>, serialization: Serialization) {
    let command = send(serialization).command().unwrap();
    bencher
        .counter(ItemsCount::new(1u32))
        .bench_local(|| black_box(SendHeader::parse(black_box(&command.ext)).unwrap().queue_id));
}

/// 64 sends of one read to their typed headers, in place, as the broker reads them.
#[divan::bench(args = BOTH)]
fn read_64_sends(bencher: Bencher<'_, '_>, serialization: Serialization) {
    let command = send(serialization).command().unwrap();
    let mut read = BytesMut::new();
    for opaque in 0..64 {
        frame::encode(&command.clone().with_opaque(Opaque(1000 + opaque)), serialization, &mut read);
    }
    let mut scratch = HeaderScratch::default();
    bencher.counter(ItemsCount::new(64u32)).bench_local(|| {
        let mut frames = Frames::of(black_box(&read), FRAME_BYTES_MAX);
        let mut queues = 0;
        while let Some(frame) = frames.next_frame().unwrap() {
            let command = frame.command(&mut scratch).unwrap();
            queues += SendHeader::parse(command.ext).unwrap().queue_id;
        }
        queues
    });
}

/// The same header by a general decoder, to see what the one written by hand is worth.
#[divan::bench]
fn decode_send_header_with_serde_json(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(1u32))
        .bench_local(|| serde_json::from_slice::<serde_json::Value>(black_box(SEND_HEADER.as_bytes())).unwrap());
}

/// The answer to a send.
#[divan::bench(args = BOTH)]
fn encode_send_answer(bencher: Bencher<'_, '_>, serialization: Serialization) {
    let answer =
        SendAnswer { code: 0, opaque: Opaque(123_456), queue_id: QueueId(3), queue_offset: QueueOffset(1_234_567) };
    let form = SendForm::new("10.0.0.7:10911".parse().unwrap(), "DefaultRegion", true);
    let mut out = BytesMut::with_capacity(1 << 16);
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        out.clear();
        form.write(black_box(&answer), [PhysicalOffset(1 << 33)].into_iter(), serialization, &mut out);
    });
}

/// The head of the answer to a pull.
#[divan::bench(args = BOTH)]
fn encode_pull_answer(bencher: Bencher<'_, '_>, serialization: Serialization) {
    let (next, min, max) = (QueueOffset(1_234_567), QueueOffset(0), QueueOffset(2_345_678));
    let answer = PullAnswer { code: 0, remark: "FOUND", suggested_broker: 0, next, min, max };
    let mut out = BytesMut::with_capacity(1 << 16);
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        out.clear();
        black_box(&answer).write(Opaque(123_456), 8192, serialization, &mut out);
    });
}

/// A request with its fields, the general way.
#[divan::bench(args = BOTH)]
fn encode_send_request(bencher: Bencher<'_, '_>, serialization: Serialization) {
    let received = send(serialization).command().unwrap();
    let header = SendHeader::parse(&received.ext).unwrap();
    let body = Bytes::from(vec![b'x'; 128]);
    let mut out = BytesMut::with_capacity(1 << 16);
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        out.clear();
        let mut ext = ferromq::protocol::command::ExtFields::builder();
        black_box(&header).write(&mut ext);
        let request = Command::request(310).with_ext(ext.build()).with_body(body.clone());
        frame::encode(&request, serialization, &mut out);
    });
}
