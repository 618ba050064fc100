//! Pulls at the ends, in the middle and by tag: how they go and what they give is what the Java broker recorded.

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::filter::TagFilter;
use ferromq::broker::pull::{PullStatus, QueueBounds, Selection, begin, entries_max, select};
use ferromq::protocol::units::{ConsumedOffset, QueueOffset};
use ferromq::store::{OpenStore, QueueRead};
use serde_json::{Value, json};

use crate::fixture::{ALL, Fixture, queue_of};

/// What marks an expression of the manifests that is no tag expression.
const SQL: &str = "SQL92:";

/// The bounds of a row's queue, and what a pull gets there.
fn pull(store: &mut OpenStore, row: &Value) -> (QueueBounds, Selection) {
    let (topic, queue_id) = queue_of(row);
    let view = store.log.view();
    let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
    let (min, max) = (queue.min_offset(), queue.max_offset());
    let bounds = QueueBounds { min, max, log_min: view.min(), log_end: view.visible() };
    let wanted = row["maxMsgNums"].as_u64().unwrap() as u32;
    let filter = row["expression"].as_str().map_or_else(TagFilter::all, |text| TagFilter::parse(text).unwrap());
    let offset = match begin(ConsumedOffset(row["offset"].as_i64().unwrap()), &bounds) {
        Ok(offset) => offset,
        Err(nothing) => return (bounds, nothing),
    };
    let mut entries = Vec::new();
    let selection = match queue.read(offset, entries_max(wanted), &mut entries).unwrap() {
        QueueRead::Entries(_) => select(
            offset,
            wanted,
            |entry| filter.passes_entry(entry),
            &entries,
            &bounds,
            &BrokerOptions::at("").pull_limits,
        ),
        QueueRead::NoFile { next } => Selection::empty(PullStatus::OffsetFoundNull, next),
    };
    (bounds, selection)
}

/// A row of `getMessage` as ours would have written it.
fn answer(store: &mut OpenStore, row: &Value) -> Value {
    let (bounds, selection) = pull(store, row);
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
fn at_every_offset_and_with_every_tag_expression() {
    for (name, like) in ALL.into_iter().filter(|(name, _)| !name.starts_with("e-")) {
        let (fixture, expected) = (Fixture::unpack(name), Fixture::unpack(like));
        let mut store = fixture.open();
        for row in expected.rows("getMessage") {
            assert_eq!(answer(&mut store, row), *row, "{name}");
        }
    }
}

/// Java's broker finds the tag in the queue extension. Ours does not read that: it gives what may have the tag, and
/// consumers look again at what they are given.
#[test]
fn entries_with_extensions_pass_whatever_the_tag() {
    let fixture = Fixture::unpack("e-queue-ext");
    let mut store = fixture.open();
    let mut by_tag = 0;
    for row in fixture.rows("getMessage") {
        match row["expression"].as_str() {
            // Pulls by SQL expression are refused before anything is looked at.
            Some(sql) if sql.starts_with(SQL) => {}
            Some(tags) if tags != "*" => {
                let mut all = row.clone();
                all["expression"] = Value::Null;
                let (mut given, everything) = (answer(&mut store, row), answer(&mut store, &all));
                given["expression"] = Value::Null;
                assert_eq!(given, everything, "{tags}");
                assert_eq!(given["status"], "FOUND");
                by_tag += 1;
            }
            _ => assert_eq!(answer(&mut store, row), *row),
        }
    }
    assert!(by_tag > 0);
}
