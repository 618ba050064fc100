//! What was stored and what was promised of it, and whether a store that was opened keeps to that.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::dispatch::Marks;
use ferromq::store::index::key_hash;
use ferromq::store::{LogView, OpenStore, Placed, StoreOptions};

/// A message that was given to the log.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) topic: Topic,
    pub(crate) queue_id: QueueId,
    pub(crate) placed: Placed,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: String,
    pub(crate) keys: Vec<String>,
    /// With its topic.
    pub(crate) deleted: bool,
}

/// What must be there after a crash, whatever it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promises {
    /// Before here everything was acknowledged under SYNC_FLUSH, or is known to have been synced.
    pub(crate) lasting: PhysicalOffset,
    /// Before here everything exists for readers.
    pub(crate) published: PhysicalOffset,
    /// Before here consumers have been shown everything, under SYNC_FLUSH.
    pub(crate) shown: PhysicalOffset,
}

/// All of it, in the order of the log.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) sent: Vec<Sent>,
    pub(crate) promises: Promises,
    /// Where the log begins: at least as far as segments are gone for good, at most as far as they were to go.
    pub(crate) min: Range<PhysicalOffset>,
    /// The last offsets that were written down, and the last that were to be.
    pub(crate) offsets: Range<u64>,
    /// Topics that are deleted for good, each with the end of the log at that time.
    pub(crate) deleted: Vec<(Topic, PhysicalOffset)>,
}

impl Default for Model {
    fn default() -> Self {
        let begin = PhysicalOffset(0);
        Self { sent: Vec::new(), promises: Promises::default(), min: begin..begin, offsets: 0..0, deleted: Vec::new() }
    }
}

impl Model {
    /// Looks at all that a store holds, and forgets what a crash has taken with it.
    ///
    /// # Panics
    /// When anything is missing, or there that should not be.
    pub(crate) fn check(&mut self, store: &mut OpenStore, options: &StoreOptions, least: PhysicalOffset) {
        let view = store.log.view();
        let (least_min, most_min) = (self.min.start, self.min.end);
        assert!(
            (least_min..=most_min).contains(&view.min()),
            "the log begins at {}, not in {:?}",
            view.min(),
            self.min
        );
        self.min = view.min()..most_min;
        let kept = self.check_log(&view);
        let end = view.written();
        assert!(end >= least, "the log ends at {end}, before {least}; {:?}", store.report);
        self.sent.truncate(kept);
        self.promises = Promises { lasting: end, published: end, shown: end };
        let view = store.log.view();
        for (topic, below) in &mut self.deleted {
            // Records that come to lie where lost ones have lain are others.
            *below = end.min(*below);
            let last = PhysicalOffset(below.0.saturating_sub(1));
            let is_there = view.min() >= *below || store.deleted.covers(topic.as_str(), last);
            assert!(is_there, "{topic} was deleted up to {below}, and is back; {:?}", store.deleted);
        }
        for sent in &mut self.sent {
            // The store forgets of a deletion when the log begins behind it.
            let (topic, at) = (&sent.topic, sent.placed.physical);
            sent.deleted |= store.deleted.covers(topic.as_str(), at);
            sent.deleted |= self.deleted.iter().any(|(deleted, below)| deleted == topic && at < *below);
        }
        self.check_queues(store, options, &view);
        self.check_index(store);
    }

    /// Where the last record with keys lies of those before a place; the beginning where none has any.
    pub(crate) fn last_with_keys(&self, before: PhysicalOffset) -> PhysicalOffset {
        let mut with_keys = self.sent.iter().filter(|sent| !sent.keys.is_empty()).map(|sent| sent.placed.physical);
        with_keys.rfind(|physical| *physical < before).unwrap_or_default()
    }

    /// The log is a first part of what was sent. Tells how many records it has, with those that have expired.
    fn check_log(&self, view: &LogView) -> usize {
        let mut cursor = view.cursor(view.min());
        let mut number = self.sent.partition_point(|sent| sent.placed.physical < view.min());
        while let Some(record) = cursor.next(view.written()).expect("every record of the log can be read") {
            let sent = self.sent.get(number).expect("nothing is in the log that was not sent");
            let found = (record.physical_offset, record.queue_offset, record.topic, record.queue_id);
            let placed = sent.placed;
            assert_eq!(found, (placed.physical, placed.queue_offset, sent.topic.as_str(), sent.queue_id));
            assert!(record.body == sent.body, "the body of the record at {} is another", placed.physical);
            assert_eq!(record.properties, sent.properties, "at {}", placed.physical);
            number += 1;
        }
        number
    }

    fn check_queues(&self, store: &mut OpenStore, options: &StoreOptions, view: &LogView) {
        let mut rows: BTreeMap<(Topic, QueueId), Vec<&Sent>> = BTreeMap::new();
        for sent in self.sent.iter().filter(|sent| !sent.deleted) {
            rows.entry((sent.topic.clone(), sent.queue_id)).or_default().push(sent);
        }
        for (topic, queue_id) in store.queues.known().map(|(topic, id)| (topic.clone(), id)).collect::<Vec<_>>() {
            rows.entry((topic, queue_id)).or_default();
        }
        for ((topic, queue_id), row) in rows {
            let name = format!("{topic}-{}", queue_id.0);
            let expired = row.partition_point(|sent| sent.placed.physical < view.min());
            let (min, max) = (QueueOffset(expired as u64), QueueOffset(row.len() as u64));
            assert_eq!(
                store.log.offsets().next(&topic, queue_id),
                max,
                "the next offset of {name}; {:?}",
                store.report
            );
            let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
            assert_eq!((queue.min_offset(), queue.max_offset()), (min, max), "{name}");
            for (number, sent) in row.into_iter().enumerate().skip(expired) {
                let offset = QueueOffset(number as u64);
                assert_eq!(sent.placed.queue_offset, offset, "{name}: numbers are dense");
                let found = queue.entry(offset).unwrap().unwrap();
                let made = view.with_record(sent.placed.physical, |record| {
                    let marks = Marks::of(record);
                    (marks.queue_entry(record, &options.delay_levels_ms).unwrap(), record.store_time)
                });
                let (entry, store_time) = made.expect("was found in the log");
                let where_to = (found.physical, found.size);
                assert_eq!(where_to, (entry.physical, entry.size), "{name} {number}");
                match found.unit_address() {
                    Some(address) => {
                        let unit = queue.unit(address).unwrap().expect("a unit that is named is there");
                        assert_eq!((unit.tags_code, unit.store_time), (entry.tags_code, store_time), "{name} {number}");
                    }
                    None => assert_eq!(found.tags_code, entry.tags_code, "the tag of {name} {number}"),
                }
            }
            queue.close_idle();
        }
    }

    /// Each key leads to its records and to no others.
    fn check_index(&self, store: &OpenStore) {
        let Some(index) = &store.index else { return };
        let log_min = store.log.view().min();
        // Whether a deleted message is found by its key is nobody's affair.
        let of_deleted = self.sent.iter().filter(|sent| sent.deleted);
        let deleted: BTreeSet<_> = of_deleted.map(|sent| sent.placed.physical).collect();
        let mut by_hash: BTreeMap<i32, (String, String, Vec<PhysicalOffset>)> = BTreeMap::new();
        for sent in &self.sent {
            for key in sent.keys.iter().collect::<BTreeSet<_>>() {
                let hash = key_hash(sent.topic.as_str(), key);
                let row = by_hash.entry(hash).or_insert_with(|| (sent.topic.to_string(), key.clone(), Vec::new()));
                row.2.push(sent.placed.physical);
            }
        }
        for (topic, key, expected) in by_hash.into_values() {
            let found = index.lookup(&topic, &key, usize::MAX, StoreTime(0), StoreTime(i64::MAX)).unwrap();
            // A record that has a key twice may be found twice.
            let counts = |record: &PhysicalOffset| *record >= log_min && !deleted.contains(record);
            let records: BTreeSet<_> = found.records.into_iter().filter(counts).collect();
            let expected = expected.into_iter().filter(counts).collect();
            assert_eq!(records, expected, "{topic} {key}; {:?}", store.report);
        }
    }
}
