//! Pulls at the ends, in the middle and by tag: how they go and what they give is what the Java broker recorded.

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::filter::{ConsumerFilters, Filter, SqlFilter, TagFilter};
use ferromq::broker::pull::{PullStatus, QueueBounds, Selection, begin, entries_max, select};
use ferromq::protocol::units::{ConsumedOffset, QueueOffset};
use ferromq::store::{FileDisk, OpenStore, QueueEntry, QueueRead, StoreOptions, open};
use serde_json::{Value, json};

use crate::fixture::{ALL, Fixture, consumer_filters, queue_of};

/// What marks an expression of the manifests that is no tag expression.
const SQL: &str = "SQL92:";
/// Records that bit maps spare.
const SPARED: usize = 58;

/// The filter of a row that brings its own.
fn own_filter(row: &Value) -> Filter {
    let Some(text) = row["expression"].as_str() else { return Filter::all() };
    match text.strip_prefix(SQL) {
        Some(condition) => Filter::Properties(SqlFilter::parse(condition).unwrap()),
        None => TagFilter::parse(text).unwrap().into(),
    }
}

/// The bounds of a row's queue, what a pull gets there, and how many records were read to choose among them.
fn pull(store: &mut OpenStore, row: &Value, filter: &Filter) -> (QueueBounds, Selection, usize) {
    let (topic, queue_id) = queue_of(row);
    let view = store.log.view();
    let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
    let (min, max) = (queue.min_offset(), queue.max_offset());
    let bounds = QueueBounds { min, max, log_min: view.min(), log_end: view.visible() };
    let wanted = row["maxMsgNums"].as_u64().unwrap() as u32;
    let offset = match begin(ConsumedOffset(row["offset"].as_i64().unwrap()), &bounds) {
        Ok(offset) => offset,
        Err(nothing) => return (bounds, nothing, 0),
    };
    let mut entries = Vec::new();
    if let QueueRead::NoFile { next } = queue.read(offset, entries_max(wanted), &mut entries).unwrap() {
        return (bounds, Selection::empty(PullStatus::OffsetFoundNull, next), 0);
    }
    let mut records_read = 0;
    let passes = |entry: &QueueEntry| {
        let unit = entry.unit_address().and_then(|address| queue.unit(address).unwrap());
        filter.passes(entry, unit, |passes| {
            records_read += 1;
            view.with_record(entry.physical, |record| passes(record.properties))
        })
    };
    let selection = select(offset, wanted, passes, &entries, &bounds, &BrokerOptions::at("").pull_limits);
    (bounds, selection, records_read)
}

/// A row of `getMessage` as ours would have written it.
fn answer(store: &mut OpenStore, row: &Value, filter: &Filter) -> Value {
    let (bounds, selection, _) = pull(store, row, filter);
    let view = store.log.view();
    let offset_of = |at| view.with_record(at, |record| record.queue_offset).unwrap();
    let offsets: Vec<QueueOffset> = selection.records.iter().map(|(at, _)| offset_of(*at)).collect();
    json!({
        "topic": row["topic"],
        "queueId": row["queueId"],
        "offset": row["offset"],
        "maxMsgNums": row["maxMsgNums"],
        "expression": row["expression"],
        "status": selection.status.name(),
        "nextBeginOffset": selection.next.0,
        "minOffset": bounds.min.0,
        "maxOffset": bounds.max.0,
        "count": selection.records.len(),
        "bytes": selection.bytes,
        // There are no slaves to pull from.
        "suggestPullingFromSlave": false,
        "queueOffsets": offsets.iter().map(|offset| offset.0).collect::<Vec<_>>(),
    })
}

#[test]
fn at_every_offset_and_with_every_expression() {
    for (name, like) in ALL {
        let (fixture, expected) = (Fixture::unpack(name), Fixture::unpack(like));
        let mut store = fixture.open();
        for row in expected.rows("getMessage") {
            assert_eq!(answer(&mut store, row, &own_filter(row)), *row, "{name}");
        }
    }
}

/// The filter of the group that registered a condition.
fn group_filter(filters: &ConsumerFilters, condition: &str) -> Filter {
    let text = filters.to_json();
    let table: Value = serde_json::from_str(&text).unwrap();
    let groups = table["filterDataByTopic"]["FixSql"]["groupFilterData"].as_object().unwrap();
    let (group, _) = groups.iter().find(|(_, filter)| filter["expression"] == condition).unwrap();
    Filter::Group(filters.find("FixSql", group).unwrap().clone())
}

/// The groups whose conditions Java knew when the messages came: their bit maps spare them most of the records.
#[test]
fn of_groups_whose_condition_is_in_the_bit_maps() {
    let fixture = Fixture::unpack("e-queue-ext");
    let filters = consumer_filters(&fixture);
    let mut store = fixture.open();
    let mut spared = 0;
    for row in fixture.rows("getMessage") {
        let Some(condition) = row["expression"].as_str().and_then(|text| text.strip_prefix(SQL)) else { continue };
        let filter = group_filter(&filters, condition);
        assert_eq!(answer(&mut store, row, &filter), *row);
        let (_, _, with_maps) = pull(&mut store, row, &filter);
        let (_, _, without) = pull(&mut store, row, &own_filter(row));
        let passed = row["nextBeginOffset"].as_u64().unwrap() as usize;
        assert_eq!(without, passed, "without bit maps each record is read");
        spared += without - with_maps;
    }
    // As counted in the manifest: bit maps in which a bit of the group is missing.
    assert_eq!(spared, SPARED);
}

/// Without the key the extensions are not looked at, as by Java's broker: what may have the tag is given, and consumers
/// look again at what they are given.
#[test]
fn entries_with_extensions_pass_whatever_the_tag_while_those_are_off() {
    let fixture = Fixture::unpack("e-queue-ext");
    let options = StoreOptions { queue_ext_enabled: false, ..fixture.options() };
    let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    let mut by_tag = 0;
    for row in fixture.rows("getMessage") {
        let expression = row["expression"].as_str();
        if expression.is_none_or(|text| text == "*" || text.starts_with(SQL)) {
            assert_eq!(answer(&mut store, row, &own_filter(row)), *row);
            continue;
        }
        let (given, everything) = (answer(&mut store, row, &own_filter(row)), answer(&mut store, row, &Filter::all()));
        assert_eq!(given, everything);
        assert_eq!(given["status"], "FOUND");
        by_tag += 1;
    }
    assert!(by_tag > 0);
}
