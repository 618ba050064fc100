#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashSet;

use super::*;
use crate::protocol::message::decode_batch;

fn shape(serialization: Serialization) -> Shape {
    Shape {
        properties: vec![("a".into(), "b".into())],
        sys_flag: 0,
        topic: "T".into(),
        group: "G".into(),
        queues: 12,
        body_bytes: 128,
        keys: 50,
        tag: Some("tag".into()),
        batch: 1,
        oneway: false,
        serialization,
        instance: 0xABCD,
        first_counter: 0xFFFF_FFF0,
    }
}

/// Stamps `count` requests and reads them back with the codec.
fn stamped(template: &mut Template, count: u32) -> Vec<Command> {
    let mut out = Vec::new();
    (0..count).for_each(|request| template.stamp(request % 12, &mut out));
    let (mut bytes, mut frames) = (BytesMut::from(&out[..]), Vec::new());
    frame::decode_all(&mut bytes, usize::MAX, &mut frames).unwrap();
    assert!(bytes.is_empty());
    frames.iter().map(|frame| frame.command().unwrap()).collect()
}

#[test]
fn each_request_has_its_own_opaque_queue_and_id() {
    for serialization in [Serialization::Json, Serialization::Binary] {
        let mut template = Template::new(&shape(serialization));
        template.set_born(1_700_000_000_123);
        template.set_body_head(b"head");
        let commands = stamped(&mut template, 40);
        let mut ids = HashSet::new();
        for (at, command) in commands.iter().enumerate() {
            assert_eq!((command.code, command.flag), (request::SEND_MESSAGE_V2, 0));
            assert_eq!(Template::sequence_of(command.opaque.0), Some(at as u32));
            assert_eq!(command.ext.int32("e").unwrap(), at as i32 % 12);
            assert_eq!(command.ext.int64("g").unwrap(), 1_700_000_000_123);
            assert_eq!(command.ext.required("b").unwrap(), "T");
            assert!(command.body.starts_with(b"head") && command.body.len() == 128);
            let text = command.ext.required("i").unwrap();
            let find = |name| properties::find(&text, name).unwrap().to_owned();
            assert_eq!((find(keys::WAIT).as_str(), find(keys::TAGS).as_str()), ("true", "tag"));
            assert!(find(keys::KEYS).strip_prefix("key-").unwrap().parse::<u32>().unwrap() < 50);
            let id = find(keys::UNIQ_KEY);
            assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
            assert!(ids.insert(id), "an id came twice");
        }
    }
}

#[test]
fn running_numbers_start_again_where_ten_digits_end() {
    let mut template = Template::new(&shape(Serialization::Json));
    template.sequence = SEQUENCES - 1;
    let opaques: Vec<i32> = stamped(&mut template, 2).iter().map(|command| command.opaque.0).collect();
    assert_eq!(opaques, [OPAQUE_FIRST + SEQUENCES as i32 - 1, OPAQUE_FIRST]);
    assert_eq!(Template::sequence_of(OPAQUE_FIRST - 1), None);
    assert_eq!(Template::sequence_of(OPAQUE_FIRST + SEQUENCES as i32), None);
    assert_eq!(Template::sequence_of(i32::MIN), None);
}

#[test]
fn a_batch_holds_messages_of_their_own_ids() {
    let shape = Shape { batch: 32, ..shape(Serialization::Json) };
    let mut template = Template::new(&shape);
    let mut ids = HashSet::new();
    for command in stamped(&mut template, 2) {
        assert_eq!(command.code, request::SEND_BATCH_MESSAGE);
        assert!(command.ext.bool("m").unwrap());
        let items = decode_batch(command.body).unwrap();
        assert_eq!(items.len(), 32);
        for item in items {
            assert_eq!(item.body.len(), 128);
            assert!(ids.insert(properties::find(item.properties.as_str(), keys::UNIQ_KEY).unwrap().to_owned()));
        }
    }
    assert_eq!(ids.len(), 64);
}

#[test]
fn without_replies_and_keys_the_frame_says_so() {
    let shape = Shape { oneway: true, keys: 0, tag: None, queues: 1, ..shape(Serialization::Binary) };
    let command = stamped(&mut Template::new(&shape), 1).remove(0);
    assert!(command.is_oneway());
    assert_eq!(properties::find(&command.ext.required("i").unwrap(), keys::KEYS), None);
}
