//! Any bytes in place of a body: an error or a body that is written as it reads, never a panic.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;

use ferromq::protocol::body::Body;
use ferromq::protocol::body::cluster::ClusterInfo;
use ferromq::protocol::body::connection::{Connection, ConsumerConnection, ProducerConnection, ProducerTableInfo};
use ferromq::protocol::body::data_version::DataVersion;
use ferromq::protocol::body::heartbeat::HeartbeatData;
use ferromq::protocol::body::kv::KvTable;
use ferromq::protocol::body::lists::{ConsumerList, GroupList, TopicList};
use ferromq::protocol::body::lock::{LockBatchRequestBody, LockBatchResponseBody};
use ferromq::protocol::body::offsets::{
    ConsumerOffsetTable, ConsumerStatusBody, CorrectionOffsets, ResetOffsetBody, ResetOffsetList,
};
use ferromq::protocol::body::queue_table::QueueTable;
use ferromq::protocol::body::register::RegisterBrokerBody;
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::body::stats::{BrokerStatsData, ConsumeStats, ConsumeStatsList, TopicStatsTable};
use ferromq::protocol::body::subscription::{CheckClientRequestBody, SubscriptionData};
use ferromq::protocol::body::subscription_group::{SubscriptionGroupConfig, SubscriptionGroupTable};
use ferromq::protocol::body::topic_config::{TopicConfig, TopicConfigTable};
use proptest::prelude::*;
use proptest::sample::Index;

use super::Fixture;

/// Reads bytes as one kind of body; what is read must be written so that it reads back.
type Reader = fn(&[u8]);

/// Every kind of body with a recording of it, or a text where there is none.
const BODIES: [(&str, Reader); 35] = [
    ("broker_stats", read::<BrokerStatsData>),
    ("check_client", read::<CheckClientRequestBody>),
    ("cluster_info", read::<ClusterInfo>),
    ("consume_stats", read::<ConsumeStats>),
    ("consume_stats_list", read::<ConsumeStatsList>),
    ("consumer_connection", read::<ConsumerConnection>),
    ("consumer_list", read::<ConsumerList>),
    ("consumer_offset", read::<ConsumerOffsetTable>),
    ("consumer_status", read::<ConsumerStatusBody>),
    ("consumer_status_admin", read::<ConsumerStatusBody>),
    ("correction_offset", read::<CorrectionOffsets>),
    ("data_version", read::<DataVersion>),
    ("fastjson_ref", read::<TopicStatsTable>),
    ("group_list", read::<GroupList>),
    ("heartbeat", read::<HeartbeatData>),
    ("kv_table", read::<KvTable>),
    ("local_offsets", read::<ResetOffsetBody>),
    ("lock_batch_request", read::<LockBatchRequestBody>),
    ("lock_batch_response", read::<LockBatchResponseBody>),
    ("producer_connection", read::<ProducerConnection>),
    ("producer_table", read::<ProducerTableInfo>),
    ("register_broker", read::<RegisterBrokerBody>),
    ("reset_offset", read::<ResetOffsetBody>),
    ("reset_offset_for_c", read::<ResetOffsetList>),
    ("route_legacy", read_route),
    ("route_order_conf", read_route),
    ("route_standard", read_route),
    ("subscription_group_config", read::<SubscriptionGroupConfig>),
    ("subscription_group_wrapper", read::<SubscriptionGroupTable>),
    ("subscription_tag", read::<SubscriptionData>),
    ("topic_config_wrapper", read::<TopicConfigTable>),
    ("topic_list", read::<TopicList>),
    ("topic_stats", read::<TopicStatsTable>),
    (r#"{"clientAddr":"127.0.0.1:1","clientId":"c","language":"GO","version":317}"#, read::<Connection>),
    (
        r#"{"order":true,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T"}"#,
        read::<TopicConfig>,
    ),
];

fn read<T: Body + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(body) = T::decode(bytes) {
        assert_eq!(T::decode(&body.encode()).unwrap(), body, "{}", bytes.escape_ascii());
    }
}

fn read_route(bytes: &[u8]) {
    read::<TopicRouteData>(bytes);
    if let Ok(route) = TopicRouteData::decode(bytes) {
        assert_eq!(TopicRouteData::decode(&route.encode_bare()).unwrap(), route, "{}", bytes.escape_ascii());
    }
}

fn recorded(name: &str) -> Vec<u8> {
    if name.starts_with('{') { name.into() } else { Fixture::load(name).bytes() }
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
    fn a_recorded_body_that_was_changed((name, read) in prop::sample::select(&BODIES[..]), edits in prop::collection::vec(edit(), 1..5)) {
        read(&changed(recorded(name), &edits));
    }

    #[test]
    fn any_bytes((_, read) in prop::sample::select(&BODIES[..]), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        read(&bytes);
    }
}

#[test]
fn every_body_as_it_was_recorded() {
    for (name, read) in BODIES {
        read(&recorded(name));
    }
    let names: BTreeSet<&str> = BODIES.iter().map(|(name, _)| *name).collect();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/body")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let name = file.trim_start_matches("body_").trim_end_matches(".json");
        // What is not JSON has tests of its own.
        assert!(names.contains(name) || name == "register_broker_compressed", "{file} is not in the list");
    }
    read::<QueueTable<i64>>(&Fixture::load("local_offsets").bytes());
}
