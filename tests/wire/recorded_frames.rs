//! Frames that RocketMQ 4.9.7 wrote.

use std::collections::BTreeMap;

use bytes::Bytes;
use ferromq::protocol::command::{Command, Language, Serialization};
use ferromq::protocol::headers::send::SendHeader;
use ferromq::protocol::units::Opaque;
use serde_json::Value;

use crate::support::{decode_one, encode, fixture, fixtures, unhex};

#[test]
fn every_frame_is_read_as_the_reference_reads_it() {
    for case in fixtures("frame") {
        let name = case["name"].as_str().unwrap();
        let frame = decode_one(&unhex(case["hex"].as_str().unwrap()));
        let command = frame.command().unwrap();
        check(name, &command, &case["decoded"]);
        assert_eq!(command.body, unhex(case["bodyHex"].as_str().unwrap()), "{name}");
        let binary = case["serializeType"] == "ROCKETMQ";
        assert_eq!(frame.serialization == Serialization::Binary, binary, "{name}");
    }
}

fn check(name: &str, command: &Command, expected: &Value) {
    let number = |field: &str| expected[field].as_i64().unwrap() as i32;
    assert_eq!(command.code, number("code"), "{name}");
    assert_eq!(command.language, Language::of_name(expected["language"].as_str().unwrap()), "{name}");
    assert_eq!(command.version, number("version"), "{name}");
    assert_eq!(command.opaque, Opaque(number("opaque")), "{name}");
    assert_eq!(command.flag, number("flag"), "{name}");
    assert_eq!(command.is_reply(), expected["isResponse"].as_bool().unwrap(), "{name}");
    assert_eq!(command.is_oneway(), expected["isOneway"].as_bool().unwrap(), "{name}");
    assert_eq!(command.remark.as_deref(), expected["remark"].as_str(), "{name}");
    assert_eq!(ext_of(command), ext_expected(&expected["extFields"]), "{name}");
}

fn ext_of(command: &Command) -> BTreeMap<String, String> {
    command.ext.iter().map(|(key, value)| (key.to_owned(), value.into_owned())).collect()
}

fn ext_expected(fields: &Value) -> BTreeMap<String, String> {
    let fields = fields.as_object().into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

#[test]
fn a_binary_frame_is_written_again_byte_by_byte() {
    for case in fixtures("frame").into_iter().filter(|case| case["serializeType"] == "ROCKETMQ") {
        let bytes = unhex(case["hex"].as_str().unwrap());
        let command = decode_one(&bytes).command().unwrap();
        assert_eq!(encode(&command, Serialization::Binary), bytes, "{}", case["name"]);
    }
}

#[test]
fn either_encoding_says_the_same() {
    for case in fixtures("frame") {
        let command = decode_one(&unhex(case["hex"].as_str().unwrap())).command().unwrap();
        for serialization in [Serialization::Json, Serialization::Binary] {
            let again = decode_one(&encode(&command, serialization)).command().unwrap();
            assert_eq!(again, command, "{} as {serialization:?}", case["name"]);
        }
    }
}

#[test]
fn ext_fields_that_are_no_strings_keep_their_text() {
    for case in fixtures("frame-decode") {
        let command = decode_one(&unhex(case["hex"].as_str().unwrap())).command().unwrap();
        assert_eq!(ext_of(&command), ext_expected(&case["decodedExtFields"]), "{}", case["name"]);
        assert_eq!(command.version, case["version"].as_i64().unwrap() as i32);
        let header = SendHeader::parse(&command.ext).unwrap();
        assert_eq!((header.default_topic_queue_nums, header.unit_mode), (4, false));
        assert_eq!((header.properties, header.max_reconsume_times), (Some("".into()), None));
    }
}

#[test]
fn the_long_and_the_short_form_of_a_send_are_one_header() {
    let read = |name: &str| decode_one(&unhex(fixture(name)["hex"].as_str().unwrap())).command().unwrap();
    let (long, short, binary) = (read("frame_json_send_v1"), read("frame_json_send_v2"), read("frame_bin_send_v2"));
    let header = SendHeader::parse(&long.ext).unwrap();
    assert_eq!(header, SendHeader::parse(&short.ext).unwrap());
    assert_eq!(header, SendHeader::parse(&binary.ext).unwrap());
    assert_eq!((&*header.topic.text(), header.queue_id, header.born_timestamp), ("TopicTest", 1, 1_700_000_000_000));
    assert!(header.properties.unwrap().text().starts_with("KEYS\u{1}k1 k2\u{2}"));
    assert_eq!((long.body, short.body), (Bytes::from("hello"), Bytes::from("hello")));
}
