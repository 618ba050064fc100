//! A broker's store, driven a step at a time by one thread: what its actors do, in any order that they may do it in.

use std::collections::HashSet;
use std::net::SocketAddr;

use fastrand::Rng;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::census::weight_of;
use ferromq::store::dispatch::Marks;
use ferromq::store::index::key_hash;
use ferromq::store::lock::StoreLock;
use ferromq::store::{
    CommitLog, DeletedTopics, Extension, Flusher, Index, LogFlush, NewMessage, OpenStore, PutBatch, QueueEntry, Queues,
    RecordCursor, Settled, StoreError, StoreOptions,
};

use crate::disk::SimDisk;
use crate::model::{Model, Sent};

/// Whether producers wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Sync,
    Async,
}

/// What a run is made with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) policy: Policy,
    pub(crate) options: StoreOptions,
    pub(crate) topics: usize,
    pub(crate) queues: u32,
    pub(crate) body_bytes: usize,
    /// Whether old segments go.
    pub(crate) retention: bool,
    /// Whether topics are deleted.
    pub(crate) deletion: bool,
}

/// An entry on its way into its queue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) topic: Topic,
    queue_id: QueueId,
    offset: QueueOffset,
    entry: QueueEntry,
    extension: Option<Extension>,
}

/// The parts of an open store, with what is between them.
pub(crate) struct SimBroker {
    pub(crate) disk: SimDisk,
    pub(crate) plan: Plan,
    pub(crate) log: CommitLog,
    pub(crate) queues: Queues,
    pub(crate) index: Option<Index>,
    pub(crate) flusher: Flusher,
    pub(crate) deleted: DeletedTopics,
    /// Their queues could not all be removed.
    pub(crate) closed: HashSet<Topic>,
    cursor: RecordCursor,
    pub(crate) entries: Vec<Entry>,
    keys: Vec<(i32, PhysicalOffset, StoreTime)>,
    newest: StoreTime,
    /// What was dispatched weighs in the census.
    weight: u64,
    settled: Settled,
    vouched: PhysicalOffset,
    _lock: StoreLock,
}

impl Plan {
    pub(crate) fn of(rng: &mut Rng, root: &str) -> Self {
        let mut options = StoreOptions {
            log_segment_bytes: *rng.choice(&[4_096, 8_192, 16_384]).unwrap(),
            queue_file_bytes: *rng.choice(&[200, 800, 2_000]).unwrap(),
            queue_ext_enabled: rng.u8(..) < 64,
            queue_ext_file_bytes: *rng.choice(&[100, 700]).unwrap(),
            index_slots: *rng.choice(&[20, 200]).unwrap(),
            index_entries: *rng.choice(&[15, 60, 500]).unwrap(),
            index_enabled: rng.u8(..) < 230,
            ..StoreOptions::at(root)
        };
        if rng.u8(..) < 40 {
            options.log_dirs = vec![options.root.join("log1"), options.root.join("log2")];
        }
        let policy = if rng.bool() { Policy::Sync } else { Policy::Async };
        let body_bytes = *rng.choice(&[20, 300, 1_500]).unwrap();
        let (topics, queues, retention, deletion) = (rng.usize(1..4), rng.u32(1..4), rng.bool(), rng.bool());
        Self { policy, options, topics, queues, body_bytes, retention, deletion }
    }
}

impl SimBroker {
    /// Takes over a store that was opened.
    pub(crate) fn new(disk: &SimDisk, plan: &Plan, store: OpenStore) -> Self {
        let OpenStore { lock, log, queues, index, durable, deleted, .. } = store;
        let view = log.view();
        let end = view.written();
        let newest = view.positions().newest_store_time();
        let flusher = Flusher::new(LogFlush::new(view.clone()), durable, log.preparation());
        Self {
            disk: disk.clone(),
            plan: plan.clone(),
            cursor: view.cursor(end),
            log,
            queues,
            index,
            flusher,
            deleted,
            closed: HashSet::new(),
            entries: Vec::new(),
            keys: Vec::new(),
            newest,
            weight: 0,
            settled: Settled { up_to: end, newest, weight: 0 },
            vouched: end,
            _lock: lock,
        }
    }

    /// One step of one of the actors.
    pub(crate) fn step(&mut self, model: &mut Model, rng: &mut Rng) -> Result<(), StoreError> {
        match self.act(model, rng) {
            // Tried again by whoever it was, when there is room.
            Err(error) if error.is_shortage() => Ok(()),
            acted => acted,
        }
    }

    fn act(&mut self, model: &mut Model, rng: &mut Rng) -> Result<(), StoreError> {
        match rng.u8(..100) {
            0..35 => self.send(model, rng),
            35..50 => self.sync_log(model),
            50..68 => self.dispatch(model, rng.usize(1..8)),
            68..78 => self.put_keys(),
            78..82 => {
                self.flusher.begin_round(self.settled);
                Ok(())
            }
            82..92 => self.go_on_syncing(model, rng.usize(1..4)),
            92..94 => self.log.preparation().prepare_next().map(|_| ()),
            94..97 => self.keep_house(model, rng),
            97..98 => {
                self.disk.write_back();
                Ok(())
            }
            _ => {
                self.queues.idle_mut().for_each(ferromq::store::ConsumeQueue::close_idle);
                Ok(())
            }
        }
    }

    /// Up to where everything is on the disk, as was written down there.
    pub(crate) fn vouched(&self) -> PhysicalOffset {
        self.vouched
    }

    /// Stops in order.
    pub(crate) fn close(&mut self, model: &mut Model) -> Result<(), StoreError> {
        self.sync_log(model)?;
        self.dispatch(model, usize::MAX)?;
        self.put_keys()?;
        let current = self.index.as_ref().and_then(Index::current);
        self.flusher.close(self.settled, current.as_ref())?;
        let is_marked = self.disk.bytes(&self.plan.options.file("abort")).is_some();
        assert_eq!(is_marked, self.settled.up_to < self.log.end(), "who has not done all says so");
        Ok(())
    }

    /// A few producers' messages in one batch, some of them batches themselves.
    fn send(&mut self, model: &mut Model, rng: &mut Rng) -> Result<(), StoreError> {
        let now = StoreTime(self.disk.now_ms());
        for _ in 0..rng.usize(1..4) {
            let messages: Vec<Sent> = self.put(rng);
            let Sent { topic, queue_id, .. } = messages[0].clone();
            if self.closed.contains(&topic) {
                continue;
            }
            let mut batch = PutBatch::default();
            let mut writer = batch.begin(&topic, queue_id);
            for message in &messages {
                let host = SocketAddr::from(([127, 0, 0, 1], 10911));
                let plain = NewMessage::plain(&topic, queue_id, BornTime(now.0), host, &message.body);
                writer.add(&NewMessage { properties: message.properties.as_bytes(), ..plain })?;
            }
            writer.finish();
            for put in batch.iter() {
                let mut placed = Vec::new();
                let appended = self.log.append(put, now, &mut placed);
                let stored = messages.iter().zip(placed).map(|(sent, placed)| Sent { placed, ..sent.clone() });
                model.sent.extend(stored);
                match appended {
                    Err(StoreError::TooLarge { .. }) => {}
                    Err(error) if error.is_shortage() => {}
                    appended => appended?,
                }
            }
        }
        let end = self.log.publish()?;
        model.promises.published = end;
        if self.plan.policy == Policy::Async {
            self.log.positions().advance_visible(end);
        }
        Ok(())
    }

    pub(crate) fn topic(&self, rng: &mut Rng) -> Topic {
        Topic::parse(&format!("Topic{}", rng.usize(..self.plan.topics))).unwrap()
    }

    /// Messages of one put: mostly one.
    fn put(&self, rng: &mut Rng) -> Vec<Sent> {
        let topic = self.topic(rng);
        let queue_id = QueueId(rng.u32(..self.plan.queues));
        let count = if rng.u8(..) < 40 { rng.usize(2..4) } else { 1 };
        let one = |rng: &mut Rng| {
            let body = (0..rng.usize(..self.plan.body_bytes)).map(|_| rng.u8(..)).collect();
            let keys: Vec<String> = (0..rng.usize(..3)).map(|_| format!("key{}", rng.u8(..20))).collect();
            let mut properties = Vec::new();
            if !keys.is_empty() {
                properties.push(format!("KEYS\u{1}{}", keys.join(" ")));
            }
            if rng.bool() {
                properties.push(format!("TAGS\u{1}Tag{}", rng.u8(..5)));
            }
            if rng.u8(..) < 50 {
                properties.push(format!("long\u{1}{}", "x".repeat(rng.usize(1..700))));
            }
            let keys = keys.into_iter().filter(|_| self.plan.options.index_enabled).collect();
            let placed = ferromq::store::Placed { physical: PhysicalOffset(0), size: 0, queue_offset: QueueOffset(0) };
            Sent {
                topic: topic.clone(),
                queue_id,
                placed,
                body,
                properties: properties.join("\u{2}"),
                keys,
                deleted: false,
            }
        };
        (0..count).map(|_| one(rng)).collect()
    }

    fn go_on_syncing(&mut self, model: &Model, files: usize) -> Result<(), StoreError> {
        let in_round = self.flusher.is_in_round();
        if !self.flusher.go_on(files)? && in_round {
            self.vouched = self.flusher.queues_synced().min(model.promises.lasting);
        }
        Ok(())
    }

    /// A sync of the log, which keeps the promises up to there.
    fn sync_log(&mut self, model: &mut Model) -> Result<(), StoreError> {
        let synced = self.flusher.sync_log()?;
        model.promises.lasting = model.promises.lasting.max(synced.up_to);
        if self.plan.policy == Policy::Sync {
            self.log.positions().advance_visible(synced.up_to);
        }
        Ok(())
    }

    /// Reads what may be seen, and gives it to queues and index.
    fn dispatch(&mut self, model: &mut Model, records: usize) -> Result<(), StoreError> {
        self.put_entries()?;
        let view = self.log.view();
        for _ in 0..records {
            let record = match self.cursor.next(view.visible()) {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(unreadable) => panic!("what was published can be read: {unreadable:?}"),
            };
            self.newest = record.store_time;
            let marks = Marks::of(&record);
            if self.index.is_some() {
                let place = (record.physical_offset, record.store_time);
                let key = |key: &str| (key_hash(record.topic, key), place.0, place.1);
                self.keys.extend(marks.index_keys(&record).map(key));
            }
            if self.deleted.covers(record.topic, record.physical_offset) {
                continue;
            }
            let entry = marks.queue_entry(&record, &self.plan.options.delay_levels_ms).unwrap();
            let extension = self
                .plan
                .options
                .queue_ext_enabled
                .then(|| Extension { store_time: record.store_time, bit_map: Vec::new() });
            let (topic, queue_id) = (Topic::parse(record.topic).unwrap(), record.queue_id);
            let offset = record.queue_offset;
            self.weight = self.weight.wrapping_add(weight_of(&topic, queue_id));
            self.entries.push(Entry { topic, queue_id, offset, entry, extension });
        }
        self.put_entries()?;
        self.settle();
        if self.plan.policy == Policy::Sync {
            model.promises.shown = model.promises.shown.max(self.cursor.position());
        }
        Ok(())
    }

    fn put_entries(&mut self) -> Result<(), StoreError> {
        while let Some(Entry { topic, queue_id, offset, entry, extension }) = self.entries.first() {
            let queue = self.queues.queue_mut(topic, *queue_id)?;
            let put = queue.append_extended(*entry, *offset, extension.as_ref());
            if let Some(sync) = queue.untold() {
                self.flusher.note_queue(sync);
            }
            match put {
                Err(error) if error.is_shortage() => return Ok(()),
                put => put?,
            };
            self.entries.remove(0);
        }
        Ok(())
    }

    fn put_keys(&mut self) -> Result<(), StoreError> {
        let Some(index) = &mut self.index else { return Ok(()) };
        while let Some((hash, physical, time)) = self.keys.first().copied() {
            let put = index.put(hash, physical, time);
            for sync in index.take_untold() {
                self.flusher.note_index(sync);
            }
            match put {
                Err(error) if error.is_shortage() => return Ok(()),
                put => put?,
            }
            self.keys.remove(0);
        }
        self.settle();
        Ok(())
    }

    /// Queues and index have everything that was read.
    fn settle(&mut self) {
        if self.entries.is_empty() && self.keys.is_empty() {
            self.settled = Settled { up_to: self.cursor.position(), newest: self.newest, weight: self.weight };
        }
    }
}
