//! What a connection's headers teach never changes what the next one is read as.

use bytes::Bytes;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::error::ProtocolError;
use ferromq::protocol::frame::{FrameRef, HeaderScratch};
use ferromq::protocol::headers::send::SendHeader;
use proptest::prelude::*;

use crate::support::{decode_one, fixture, unhex};

type Read = Result<(Command, Option<String>), ProtocolError>;

/// Reads a header, and its fields as those of a send.
fn read(header: &[u8], scratch: &mut HeaderScratch) -> Read {
    let frame = FrameRef { serialization: Serialization::Json, header, body: &[] };
    let command = frame.command(scratch)?;
    let send = SendHeader::parse(command.ext).ok().map(|send| format!("{send:?}"));
    Ok((command.to_command(Bytes::new()), send))
}

/// Reads headers one after the other as one connection does; each is read as if it were the first.
fn check(headers: &[Vec<u8>]) {
    let mut scratch = HeaderScratch::default();
    for header in headers {
        let alone = read(header, &mut HeaderScratch::default());
        assert_eq!(read(header, &mut scratch), alone, "{}", String::from_utf8_lossy(header));
    }
}

fn header_of(name: &str) -> Vec<u8> {
    decode_one(&unhex(fixture(name)["hex"].as_str().unwrap())).header.to_vec()
}

fn send_header() -> Vec<u8> {
    header_of("frame_json_send_v2")
}

/// Sends with short and with long names of their fields, and both mixed, are sends however often they come.
#[test]
fn fields_are_found_again_whatever_their_names_are() {
    let short = String::from_utf8(send_header()).unwrap();
    let mixed = short.replacen(r#""b":"#, r#""topic":"#, 1);
    assert_ne!(mixed, short);
    for header in [short.into_bytes(), header_of("frame_json_send_v1"), mixed.into_bytes()] {
        let mut scratch = HeaderScratch::default();
        for _ in 0..4 {
            assert!(read(&header, &mut scratch).unwrap().1.is_some(), "{}", String::from_utf8_lossy(&header));
        }
    }
}

/// Every byte of a header in turn is replaced by each of these.
#[test]
fn one_byte_that_is_another_is_noticed() {
    let header = send_header();
    let mut headers = vec![header.clone(), header.clone()];
    for place in 0..header.len() {
        for byte in *b"a7\"\\,:{} \n\x01\x7f\x80-" {
            let mut other = header.clone();
            other[place] = byte;
            headers.push(other);
        }
        headers.push(header.clone());
    }
    check(&headers);
}

#[test]
fn numbers_texts_and_escapes_that_differ_are_read_as_they_are() {
    let with_number = |opaque: &str, value: &str, number: &str| {
        let ext = format!(r#"{{"b":"{value}","e":"1","x":{number}}}"#);
        format!(r#"{{"code":310,"extFields":{ext},"flag":0,"opaque":{opaque}}}"#).into_bytes()
    };
    let with = |opaque: &str, value: &str| with_number(opaque, value, "7");
    check(&[
        with("11", "topic-1"),
        with("12", "topic-1"),
        with("13", "topic-1"),
        with("1-", "topic-2"),
        with("14", "top\\n-3"),
        with("15", "top\\n-4"),
        with("16", "top\\n-5"),
        with("17", "topä-6"),
        with("2147483647", "t"),
        with("2147483647", "t"),
        with("2147483646", "t"),
        with("2147483648", "t"),
        with("01", "topic-1"),
        with_number("18", "topic-1", "8"),
        with_number("19", "topic-1", "a"),
        with_number("20", "topic-1", "}"),
    ]);
}

proptest! {
    #[test]
    fn changed_headers_are_read_as_if_nothing_was_known(
        texts in prop::collection::vec("[a-zA-Z0-9ä\\\\\"\u{1}{},: ]{0,12}", 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"a0\"\\,:{}\x01\xc3n-"[..])), 1..8),
    ) {
        let mut ext = ferromq::protocol::command::ExtFields::builder();
        for (name, text) in ["a", "topic", "i", "z", "b"].iter().zip(&texts) {
            ext.push(name, text);
        }
        let command = Command::request(310).with_ext(ext.build());
        let frame = crate::support::encode(&command, Serialization::Json);
        let header = frame[8..].to_vec();
        let mut headers = vec![header.clone(), header.clone(), header.clone()];
        for (place, byte) in changes {
            let mut other = headers[headers.len() - 1].clone();
            let place = place.index(other.len());
            other[place] = byte;
            headers.extend([other, header.clone()]);
        }
        check(&headers);
    }
}
