//! Every recorded body reads, and what we write of it is the same body.

use std::fmt::Debug;

use ferromq::protocol::body::cluster::ClusterInfo;
use ferromq::protocol::body::offsets::{ConsumerOffsetTable, CorrectionOffsets, ResetOffsetBody};
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::body::stats::TopicStatsTable;
use ferromq::protocol::body::topic_config::TopicConfigTable;
use ferromq::protocol::body::{Body, lenient};
use serde_json::{Value, json};

use super::Fixture;
use super::kinds::KINDS;

/// What a written body is to be compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written {
    /// The reference's text, byte for byte: nothing in the body has hash order or bare keys.
    SameText,
    /// The reference's values: its text has hash order or keys without quotes.
    SameValues,
    /// The reference's values after this change to them, the only difference that there may be.
    ValuesAfter(fn(&mut Value)),
}

use Written::{SameText, SameValues, ValuesAfter};

/// A body as values, whatever they are written like: keys that are objects become their text without blanks.
fn values(body: &[u8]) -> Value {
    fn compact_keys(value: Value) -> Value {
        match value {
            Value::Object(members) => members
                .into_iter()
                .map(|(key, value)| {
                    let key =
                        serde_json::from_str(&key).ok().filter(Value::is_object).map_or(key, |key| key.to_string());
                    (key, compact_keys(value))
                })
                .collect(),
            Value::Array(values) => values.into_iter().map(compact_keys).collect(),
            other => other,
        }
    }
    compact_keys(lenient::read(body).unwrap())
}

/// There are peers that know the flag of a topic by its old name only, so that ours writes both.
pub(crate) fn with_both_names_of_the_flag(route: &mut Value) {
    for queues in route["queueDatas"].as_array_mut().unwrap() {
        queues["topicSynFlag"] = queues["topicSysFlag"].clone();
    }
}

/// The reference adds texts that it makes of the times.
pub(crate) fn without_times_as_texts(spans: &mut Value) {
    for span in spans["consumeTimeSpanSet"].as_array_mut().unwrap() {
        span.as_object_mut().unwrap().retain(|name, _| !name.ends_with("Str"));
    }
}

/// A reference to an object that was written before is not followed: defaults stand there.
pub(crate) fn with_defaults_for_the_reference(stats: &mut Value) {
    let queues = stats["offsetTable"].as_object_mut().unwrap().values_mut();
    let mut references = queues.filter(|held| held.get("$ref").is_some());
    *references.next().unwrap() = json!({"lastUpdateTimestamp": 0, "maxOffset": 0, "minOffset": 0});
}

pub(crate) fn check<T: Body + PartialEq + Debug>(name: &str, written: Written) {
    let fixture = Fixture::load(name);
    let bytes = fixture.bytes();
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), fixture.text, "{name}: text and bytes of the fixture");
    let read = T::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let encoded = read.encode();
    assert_eq!(T::decode(&encoded).unwrap(), read, "{name}: read again");
    match written {
        SameText => assert_eq!(std::str::from_utf8(&encoded).unwrap(), fixture.text, "{name}: written"),
        SameValues => assert_eq!(values(&encoded), values(&bytes), "{name}: written"),
        ValuesAfter(change) => {
            let mut wanted = values(&bytes);
            change(&mut wanted);
            assert_eq!(values(&encoded), wanted, "{name}: written");
        }
    }
}

#[test]
fn every_recorded_body_reads_and_is_written_as_it_was() {
    for kind in KINDS {
        (kind.check)(kind.name, kind.written);
    }
}

#[test]
fn values_arrive_in_the_fields_they_belong_to() {
    let cluster = ClusterInfo::decode(&Fixture::load("cluster_info").bytes()).unwrap();
    assert_eq!(cluster.broker_addr_table["broker-b"].broker_addrs[&1], "127.0.0.1:11911");
    assert_eq!(cluster.cluster_addr_table["DefaultCluster"].len(), 2);

    let offsets = ConsumerOffsetTable::decode(&Fixture::load("consumer_offset").bytes()).unwrap();
    assert_eq!(offsets.offset_table["TopicTest@CG_TEST"], [(0, 100), (1, 7)].into());

    let topics = TopicConfigTable::decode(&Fixture::load("topic_config_wrapper").bytes()).unwrap();
    assert_eq!((topics.data_version.counter, topics.topic_config_table["TBW102"].perm.0), (3, 7));

    let stats = TopicStatsTable::decode(&Fixture::load("topic_stats").bytes()).unwrap();
    let ends: Vec<_> = stats.offset_table.iter().map(|(queue, held)| (queue.queue_id, held.max_offset)).collect();
    assert_eq!(ends, [(0, 100), (1, 9)]);

    let local = ResetOffsetBody::decode(&Fixture::load("local_offsets").bytes()).unwrap();
    assert_eq!(local.offset_table.values().collect::<Vec<_>>(), [&5]);

    let corrections = CorrectionOffsets::decode(&Fixture::load("correction_offset").bytes()).unwrap();
    assert_eq!(corrections.correction_offsets, [(0, 5)].into());
}

#[test]
fn both_forms_of_a_route_are_the_same_route() {
    let standard = TopicRouteData::decode(&Fixture::load("route_standard").bytes()).unwrap();
    let legacy = TopicRouteData::decode(&Fixture::load("route_legacy").bytes()).unwrap();
    let ordered = TopicRouteData::decode(&Fixture::load("route_order_conf").bytes()).unwrap();
    assert_eq!(standard, legacy);
    // Only the names of the flag differ from what the reference wrote.
    let one_name = |route: &TopicRouteData| {
        String::from_utf8(route.encode_bare().to_vec()).unwrap().replace(r#""topicSynFlag":0,"#, "")
    };
    assert_eq!(one_name(&legacy), Fixture::load("route_legacy").text);
    assert_eq!(ordered.order_topic_conf.as_deref(), Some("broker-a:4;broker-b:2"));
    assert_eq!(TopicRouteData::decode(&ordered.encode_bare()).unwrap(), ordered);
    assert_eq!(TopicRouteData { order_topic_conf: None, ..ordered }.broker_datas, standard.broker_datas);
}

#[test]
fn a_reference_to_an_object_already_written_is_tolerated() {
    let stats = TopicStatsTable::decode(&Fixture::load("fastjson_ref").bytes()).unwrap();
    let ends: Vec<_> = stats.offset_table.iter().map(|(queue, held)| (queue.queue_id, held.max_offset)).collect();
    assert_eq!(ends, [(0, 0), (1, 100)]);
}
