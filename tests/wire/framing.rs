//! How frames are told apart, and what is refused.

use bytes::{Bytes, BytesMut};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::error::ProtocolError;
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX, HEADER_BYTES_MAX};
use ferromq::protocol::units::Opaque;

use crate::support::{decode_all, encode};

/// Three frames of different sizes, and where each of them ends.
fn three_frames() -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for (opaque, body) in [(1, "first"), (2, ""), (3, "the third")] {
        let command = Command::request(34).with_opaque(Opaque(opaque)).with_body(Bytes::from(body));
        bytes.extend(encode(&command, if opaque == 2 { Serialization::Binary } else { Serialization::Json }));
        ends.push(bytes.len());
    }
    (bytes, ends)
}

#[test]
fn a_stream_that_is_cut_anywhere_gives_the_same_frames() {
    let (bytes, ends) = three_frames();
    let (whole, left, outcome) = decode_all(&bytes);
    assert_eq!((whole.len(), left, outcome), (3, 0, Ok(())));
    for cut in 0..=bytes.len() {
        let (mut buffer, mut frames) = (BytesMut::from(&bytes[..cut]), Vec::new());
        frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames).unwrap();
        let complete = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(frames.len(), complete, "cut at {cut}");
        assert_eq!(buffer.len(), cut - complete.checked_sub(1).map_or(0, |last| ends[last]), "cut at {cut}");
        buffer.extend_from_slice(&bytes[cut..]);
        frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames).unwrap();
        assert_eq!((frames, buffer.len()), (whole.clone(), 0), "cut at {cut}");
    }
}

#[test]
fn all_frames_of_a_read_share_one_block() {
    let (bytes, ends) = three_frames();
    let (frames, ..) = decode_all(&bytes);
    let start = frames[0].header.as_ptr() as usize - frame::PREFIX_BYTES;
    assert_eq!(frames[2].body.as_ptr() as usize + frames[2].body.len(), start + ends[2]);
}

#[test]
fn what_is_needed_is_known_with_the_fourth_byte() {
    assert_eq!(frame::needed(&[0, 0, 1]), None);
    assert_eq!(frame::needed(&[0, 0, 1, 0]), Some(260));
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let check = |bytes: &[u8], expected: ProtocolError| assert_eq!(decode_all(bytes).2, Err(expected), "{bytes:02x?}");
    check(&[0xff; 4], ProtocolError::FrameTooShort { length: -1 });
    check(&[0, 0, 0, 3], ProtocolError::FrameTooShort { length: 3 });
    check(b"GET / HTTP", ProtocolError::FrameTooLong { length: 0x4745_5420 + 4, limit: FRAME_BYTES_MAX });
    check(&[0, 0xff, 0xff, 0xfd], ProtocolError::FrameTooLong { length: FRAME_BYTES_MAX + 1, limit: FRAME_BYTES_MAX });
    check(&[0, 0, 0, 8, 2, 0, 0, 0], ProtocolError::UnknownSerialization(2));
    check(&[0, 0, 0, 8, 0, 0, 0, 5], ProtocolError::HeaderTooLong { length: 5, limit: 4 });
    let header = ProtocolError::HeaderTooLong { length: HEADER_BYTES_MAX + 1, limit: HEADER_BYTES_MAX };
    check(&[0, 0xff, 0xff, 0xfc, 0, 0x20, 0, 1], header);
}

#[test]
fn the_largest_frame_is_waited_for() {
    let (frames, left, outcome) = decode_all(&[0, 0xff, 0xff, 0xfc, 0, 0, 0, 5]);
    assert_eq!((frames.len(), left, outcome), (0, 8, Ok(())));
}

#[test]
fn frames_ahead_of_garbage_are_not_lost() {
    let (mut bytes, ends) = three_frames();
    bytes.truncate(ends[1]);
    bytes.extend([0xff; 20]);
    let (frames, left, outcome) = decode_all(&bytes);
    assert_eq!((frames.len(), left), (2, 20));
    assert_eq!(outcome, Err(ProtocolError::FrameTooShort { length: -1 }));
}

#[test]
fn a_prefix_and_a_body_written_by_somebody_else_are_a_frame() {
    for serialization in [Serialization::Json, Serialization::Binary] {
        let command = Command::reply(0, Opaque(4)).with_remark("FOUND").with_body(Bytes::from("messages"));
        let mut out = BytesMut::new();
        frame::encode_prefix(&command, serialization, 8, &mut out);
        out.extend_from_slice(b"messages");
        assert_eq!(out, encode(&command, serialization));
    }
}
