//! A copy of a fixture store and what the Java broker said about it.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;

use bytes::BytesMut;
use ferromq::broker::config::FilterSettings;
use ferromq::broker::filter::ConsumerFilters;
use ferromq::protocol::message::{self, Message};
use ferromq::protocol::names::Topic;
use ferromq::protocol::properties;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{ConsumeQueue, OpenStore, QueueEntry, StoreError, StoreOptions, Unit, open};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Every fixture, and the one whose manifest its contents are to meet: of c7 ours makes what b0 was.
pub(crate) const ALL: [(&str, &str); 13] = [
    ("a-clean", "a-clean"),
    ("b0-clean-many-files", "b0-clean-many-files"),
    ("b1-killed", "b1-killed"),
    ("c1-torn-tail-abort", "c1-torn-tail-abort"),
    ("c3-body-flip-abort", "c3-body-flip-abort"),
    ("c4-body-flip-old-file-clean", "c4-body-flip-old-file-clean"),
    ("c5-queues-and-index-missing", "c5-queues-and-index-missing"),
    ("c6-log-shorter-than-queues", "c6-log-shorter-than-queues"),
    ("c7-one-queue-behind", "b0-clean-many-files"),
    ("c8-garbage-tail-abort", "c8-garbage-tail-abort"),
    ("d-segments-deleted", "d-segments-deleted"),
    ("e-queue-ext", "e-queue-ext"),
    ("f-record-shapes", "f-record-shapes"),
];

/// An unpacked fixture.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) manifest: Value,
}

impl Fixture {
    /// Unpacks a fixture, file times included: searches by time look at them.
    pub(crate) fn unpack(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store");
        let directory = tempfile::tempdir().unwrap();
        let packed = File::open(folder.join(format!("{name}.tar.gz"))).unwrap();
        tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(directory.path()).unwrap();
        let manifest = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        Self { directory, manifest: serde_json::from_slice(&manifest).unwrap() }
    }

    /// The sizes that it was made with.
    pub(crate) fn options(&self) -> StoreOptions {
        let size = |key: &str| self.manifest["storeConfig"][key].as_u64().unwrap();
        StoreOptions {
            log_segment_bytes: size("mappedFileSizeCommitLog"),
            queue_file_bytes: size("mappedFileSizeConsumeQueue"),
            queue_ext_enabled: self.manifest["storeConfig"]["enableConsumeQueueExt"].as_bool().unwrap(),
            queue_ext_file_bytes: size("mappedFileSizeConsumeQueueExt"),
            index_slots: size("maxHashSlotNum") as u32,
            index_entries: size("maxIndexNum") as u32,
            ..StoreOptions::at(self.directory.path().join("store"))
        }
    }

    pub(crate) fn open(&self) -> OpenStore {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<OpenStore, StoreError> {
        open(FileDisk::shared(), self.options(), &mut |_| {})
    }

    pub(crate) fn rows(&self, section: &str) -> &[Value] {
        self.manifest[section].as_array().unwrap()
    }
}

/// What every row of the manifest begins with.
pub(crate) fn queue_of(row: &Value) -> (Topic, QueueId) {
    (Topic::parse(row["topic"].as_str().unwrap()).unwrap(), QueueId(row["queueId"].as_u64().unwrap() as u32))
}

/// Every entry of a queue that pulls would look at, with its offset.
pub(crate) fn entries(store: &mut OpenStore, topic: &Topic, queue_id: QueueId) -> Vec<(QueueOffset, QueueEntry)> {
    let queue = store.queues.queue_mut(topic, queue_id).unwrap();
    let (min, max) = (queue.min_offset().0, queue.max_offset().0);
    (min..max)
        .map(|offset| (QueueOffset(offset), queue.entry(QueueOffset(offset)).unwrap().unwrap()))
        .filter(|(_, entry)| !entry.is_blank())
        .collect()
}

/// The message that an entry points to.
pub(crate) fn message_at(store: &OpenStore, entry: &QueueEntry) -> Option<Message> {
    let view = store.log.view();
    let slice = view.slice(entry.physical, entry.size as u32)?;
    let mut copied = BytesMut::new();
    assert!(view.copy_into(entry.physical, entry.size as u32, &mut copied));
    let mut cold = BytesMut::new();
    assert!(view.read_cold(entry.physical, entry.size as u32, &mut cold).unwrap());
    assert!(slice == copied && copied == cold, "the three ways of reading agree");
    Some(message::decode(&slice).unwrap().0)
}

/// Compares an entry and its message with a row of the manifest.
pub(crate) fn check_entry(row: &Value, entry: &QueueEntry, message: &Message) {
    assert_eq!(i64::from(entry.size), row["cqSize"].as_i64().unwrap(), "{row}");
    assert_eq!(entry.tags_code, row["tagsCode"].as_i64().unwrap(), "{row}");
    check_message(row, message);
}

/// Compares the unit that an entry names with the row of the manifest, read by the queue's owner and by another thread.
pub(crate) fn check_unit(row: &Value, entry: &QueueEntry, queue: &mut ConsumeQueue) {
    let json = |unit: Unit<'_>| {
        let bit_map = (!unit.bit_map.is_empty()).then(|| hex(unit.bit_map));
        json!({
            "size": unit.size(), "tagsCode": unit.tags_code, "msgStoreTime": unit.store_time.0, "bitMap": bit_map
        })
    };
    let Some(address) = entry.unit_address() else { return assert!(row.get("ext").is_none(), "{row}") };
    let mut reader = queue.snapshot().unit_reader().unwrap();
    assert_eq!(reader.unit(address).unwrap().map(json).as_ref(), row.get("ext"), "{row}");
    assert_eq!(queue.unit(address).unwrap().map(json).as_ref(), row.get("ext"), "{row}");
}

/// The conditions of the groups that filtered the fixture's messages.
pub(crate) fn consumer_filters(fixture: &Fixture) -> ConsumerFilters {
    let text = std::fs::read_to_string(fixture.options().config_dir().join("consumerFilter.json")).unwrap();
    let (filters, left_out) = ConsumerFilters::load(&text, FilterSettings::default().bloom, i64::MAX).unwrap();
    assert_eq!(left_out, []);
    filters
}

/// Compares a message with a row of the manifest.
pub(crate) fn check_message(row: &Value, message: &Message) {
    let number = |key: &str| row[key].as_i64().unwrap();
    let what = format!("{} {} {}", row["topic"], row["queueId"], row["queueOffset"]);
    assert_eq!(message.topic.as_str(), row["topic"].as_str().unwrap(), "{what}");
    assert_eq!(i64::from(message.queue_id.0), number("queueId"), "{what}");
    assert_eq!(message.physical_offset.0 as i64, number("physicalOffset"), "{what}");
    assert_eq!(message.stored_size() as i64, number("storeSize"), "{what}");
    assert_eq!(message.queue_offset.0 as i64, number("queueOffset"), "{what}");
    assert_eq!(message.offset_id(), row["msgId"].as_str().unwrap(), "{what}");
    assert_eq!(i64::from(message.body_crc), number("bodyCRC"), "{what}");
    assert_eq!(i64::from(message.flag), number("flag"), "{what}");
    assert_eq!(i64::from(message.sys_flag), number("sysFlag"), "{what}");
    assert_eq!(message.born_time.0, number("bornTimestamp"), "{what}");
    assert_eq!(message.store_time.0, number("storeTimestamp"), "{what}");
    assert_eq!(message.born_host, host(row, "bornHost"), "{what}");
    assert_eq!(message.store_host, host(row, "storeHost"), "{what}");
    assert_eq!(i64::from(message.reconsume_times), number("reconsumeTimes"), "{what}");
    assert_eq!(message.prepared_transaction_offset, number("preparedTransactionOffset"), "{what}");
    assert_eq!(message.body.len() as i64, number("bodyLength"), "{what}");
    assert_eq!(digest(&message.body), row["bodySha256"].as_str().unwrap(), "{what}");
    if let Some(digits) = row["bodyHex"].as_str() {
        assert_eq!(hex(&message.body), digits, "{what}");
    }
    // Java's broker keeps the last of several values of one name.
    let properties: BTreeMap<_, _> = properties::pairs(&message.properties).collect();
    let wanted = row["properties"].as_object().unwrap();
    assert_eq!(properties.len(), wanted.len(), "{what}: {properties:?}");
    for (name, value) in wanted {
        assert_eq!(message.property(name), value.as_str(), "{what}: {name}");
    }
    let mut block = Vec::new();
    message.encode(&mut block).unwrap();
    assert_eq!(block.len(), message.stored_size(), "{what}");
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the manifests tell of bodies: the first half of their SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..16])
}

/// The store time of the record that an entry points to.
pub(crate) fn store_time(store: &OpenStore) -> impl Fn(PhysicalOffset, i32) -> Option<StoreTime> + use<> {
    let view = store.log.view();
    move |at, _| view.with_record(at, |head| head.store_time)
}

fn host(row: &Value, key: &str) -> SocketAddr {
    let (address, port) = row[key].as_str().unwrap().split_once('|').unwrap();
    SocketAddr::new(address.parse().unwrap(), port.parse().unwrap())
}
