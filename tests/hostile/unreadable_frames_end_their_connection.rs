//! What cannot be a frame, or a frame without a readable header, ends its connection and no other.

use bytes::BufMut;
use ferromq::protocol::frame::{FRAME_BYTES_MAX, HEADER_BYTES_MAX};

use crate::good_client::GoodClient;
use crate::raw::Raw;
use crate::support::Cluster;

/// A frame with these four numbers, whatever is true.
fn frame_saying(length: i32, serialization: u8, header_length: u32, header: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i32(length);
    out.put_u8(serialization);
    out.put_uint(header_length.into(), 3);
    out.put_slice(header);
    out
}

/// A frame whose lengths are true.
fn frame_of(serialization: u8, header: &[u8]) -> Vec<u8> {
    frame_saying(4 + header.len() as i32, serialization, header.len() as u32, header)
}

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let over_the_limit = FRAME_BYTES_MAX as i32 - 4 + 1;
    let long_header = HEADER_BYTES_MAX as u32 + 1;
    vec![
        ("a frame over the limit", frame_saying(over_the_limit, 0, 2, b"{}")),
        ("the largest length", frame_saying(i32::MAX, 0, 2, b"{}")),
        ("a negative length", frame_saying(-1, 0, 2, b"{}")),
        ("a length that overflows", frame_saying(i32::MIN, 0, 2, b"{}")),
        ("no room for the header word", frame_saying(3, 0, 0, b"")),
        ("length zero", frame_saying(0, 0, 0, b"")),
        ("a header longer than its frame", frame_saying(4 + 2, 0, 3, b"{}")),
        ("a header longer than any", frame_saying(over_the_limit - 1, 0, long_header, b"{")),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
        ("an unknown serialization", frame_of(2, b"{\"code\":105}")),
        ("the highest serialization", frame_of(255, b"{\"code\":105}")),
        ("an empty JSON header", frame_of(0, b"")),
        ("an empty binary header", frame_of(1, b"")),
        ("no JSON", frame_of(0, b"code=105")),
        ("JSON that is cut", frame_of(0, b"{\"code\":105,\"opaque\":1")),
        ("JSON that is no object", frame_of(0, b"[105]")),
        ("a code that is no number", frame_of(0, b"{\"code\":\"many\",\"opaque\":1}")),
        ("JSON nested deeply", frame_of(0, "[".repeat(100_000).as_bytes())),
        ("text that is not UTF-8", frame_of(0, b"{\"code\":105,\"remark\":\"\xff\xfe\",\"opaque\":1}")),
        ("a binary header that is cut", frame_of(1, &[0, 105, 0, 1])),
        ("binary fields that overflow", frame_of(1, &binary_header(i32::MAX))),
        ("binary fields of negative length", frame_of(1, &binary_header(-1))),
    ]
}

/// A binary header whose fields are said to have this many bytes.
fn binary_header(fields_length: i32) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i16(105);
    out.put_u8(0);
    out.put_i16(407);
    out.put_i32(1);
    out.put_i32(0);
    out.put_i32(0);
    out.put_i32(fields_length);
    out
}

#[actix::test]
async fn unreadable_frames_end_their_connection() {
    let cluster = Cluster::start().await;
    let mut good = GoodClient::connect(&cluster, "Good").await;
    for address in [cluster.broker.address(), cluster.namesrv.address()] {
        for (case, bytes) in cases() {
            let mut bad = Raw::connect(address).await;
            bad.write(&bytes).await;
            assert!(bad.is_closed().await, "{case}");
            good.is_served().await;
        }
    }
    cluster.stop().await;
}
