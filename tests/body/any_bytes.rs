//! Any bytes in place of a body: an error or a body that is written as it reads, never a panic.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;

use ferromq::protocol::body::Body;
use ferromq::protocol::body::connection::Connection;
use ferromq::protocol::body::queue_table::QueueTable;
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::body::topic_config::TopicConfig;
use proptest::prelude::*;
use proptest::sample::Index;

use super::Fixture;
use super::kinds::KINDS;

/// Reads bytes as one kind of body; what is read must be written so that it reads back.
type Reader = fn(&[u8]);

/// A text of every kind of body, recorded but for two that are no bodies of their own.
fn bodies() -> Vec<(Vec<u8>, Reader)> {
    let recorded = KINDS.map(|kind| (Fixture::load(kind.name).bytes(), kind.read));
    let connection = r#"{"clientAddr":"127.0.0.1:1","clientId":"c","language":"GO","version":317}"#;
    let topic = r#"{"order":true,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T"}"#;
    let others: [(&str, Reader); 2] = [(connection, read::<Connection>), (topic, read::<TopicConfig>)];
    recorded.into_iter().chain(others.map(|(text, read)| (text.into(), read))).collect()
}

pub(crate) fn read<T: Body + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(body) = T::decode(bytes) {
        assert_eq!(T::decode(&body.encode()).unwrap(), body, "{}", bytes.escape_ascii());
    }
}

pub(crate) fn read_route(bytes: &[u8]) {
    read::<TopicRouteData>(bytes);
    if let Ok(route) = TopicRouteData::decode(bytes) {
        assert_eq!(TopicRouteData::decode(&route.encode_bare()).unwrap(), route, "{}", bytes.escape_ascii());
    }
}

/// A change to a text, at a place of it.
#[derive(Clone, Debug)]
enum Edit {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let telling = prop::sample::select(&b"{}[]\",:\\0-+.eEtfn u\x00\x80"[..]);
    let byte = prop_oneof![3 => telling, 1 => any::<u8>()];
    let value = prop_oneof![
        Just("null"),
        Just("-1"),
        Just("99999999999999999999"),
        Just("1e400"),
        Just("\"1\""),
        Just("[{}]"),
        Just("{{}:1}"),
        Just("{0:1}"),
        Just(r#"{"$ref":"$"}"#),
        Just(r#""\ud800""#),
        Just("true"),
    ];
    prop_oneof![
        4 => (any::<Index>(), byte).prop_map(|(at, byte)| Edit::Put(at, byte)),
        2 => (any::<Index>(), value).prop_map(|(at, value)| Edit::Insert(at, value.into())),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (any::<Index>(), 1..40usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (any::<Index>(), 1..40usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn changed(mut text: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let (Edit::Put(at, _) | Edit::Insert(at, _) | Edit::Remove(at, _) | Edit::Repeat(at, _)) = edit;
        let at = at.index(text.len() + 1);
        let until = |length: &usize| (at + length).min(text.len());
        match edit {
            Edit::Put(_, byte) => text.splice(at..until(&1), [*byte]).for_each(drop),
            Edit::Insert(_, bytes) => text.splice(at..at, bytes.clone()).for_each(drop),
            Edit::Remove(_, length) => text.drain(at..until(length)).for_each(drop),
            Edit::Repeat(_, length) => text.extend_from_within(at..until(length)),
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_recorded_body_that_was_changed((body, read) in prop::sample::select(bodies()), edits in prop::collection::vec(edit(), 1..5)) {
        read(&changed(body, &edits));
    }

    #[test]
    fn any_bytes((_, read) in prop::sample::select(bodies()), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        read(&bytes);
    }
}

#[test]
fn every_body_as_it_was_recorded() {
    for (body, read) in bodies() {
        read(&body);
    }
    let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/body")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let name = file.trim_start_matches("body_").trim_end_matches(".json");
        // What is not JSON has tests of its own.
        assert!(names.contains(name) || name == "register_broker_compressed", "{file} is not in the list");
    }
    read::<QueueTable<i64>>(&Fixture::load("local_offsets").bytes());
}
