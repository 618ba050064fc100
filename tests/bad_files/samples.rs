//! Small stores of each kind, and what they hold.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::config::FilterSettings;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{
    Extension, NewMessage, OpenStore, Placed, PutBatch, SharedDisk, StoreError, StoreOptions, dispatch,
    open as open_store,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::raw::{Raw, ask_for, send_to, with};
use crate::support::small;

/// Messages that are sent to each topic.
const MESSAGES: i64 = 45;

/// A store at rest, which is copied before anything happens to it.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    directory: TempDir,
    options: StoreOptions,
    pub(crate) contents: Contents,
    /// Whether it was ferromq that wrote it.
    pub(crate) ours: bool,
    /// Whether it was closed in order.
    pub(crate) clean: bool,
    /// Up to where the log is known to be on the disk.
    pub(crate) durable: PhysicalOffset,
}

/// What can be read of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// By topic, queue and number there: where the record lies, and its body.
    pub(crate) messages: BTreeMap<(String, u32, u64), (u64, Vec<u8>)>,
    /// The number that the next message of each queue gets.
    pub(crate) next: BTreeMap<(String, u32), u64>,
    /// How many records the index finds by a key of the sample.
    pub(crate) indexed: usize,
}

impl Contents {
    /// Reads all that a store has.
    ///
    /// # Errors
    /// In the words of the store: files are opened when they are needed.
    pub(crate) fn of(store: &mut OpenStore) -> Result<Self, String> {
        let queues: Vec<_> = store.queues.known().map(|(topic, queue_id)| (topic.clone(), queue_id)).collect();
        let (view, mut contents) = (store.log.view(), Self::default());
        for (topic, queue_id) in queues {
            let queue = store.queues.queue_mut(&topic, queue_id).map_err(said)?;
            let name = topic.as_str().to_owned();
            // A queue without entries and without a past is as good as none.
            if queue.max_offset() > QueueOffset(0) {
                contents.next.insert((name.clone(), queue_id.0), queue.max_offset().0);
            }
            for offset in queue.min_offset().0..queue.max_offset().0 {
                let entry = queue.entry(QueueOffset(offset)).map_err(said)?.unwrap();
                let record = view.slice(entry.physical, entry.size as u32).filter(|_| !entry.is_blank());
                let Some((message, _)) = record.and_then(|record| message::decode(&record).ok()) else { continue };
                let place = (message.topic.as_str(), message.queue_id, message.queue_offset.0);
                assert_eq!(place, (&*name, queue_id, offset), "an entry points to another queue's record");
                let key = (name.clone(), queue_id.0, offset);
                contents.messages.insert(key, (entry.physical.0, message.body.to_vec()));
            }
        }
        let found = |index: &ferromq::store::Index| index.lookup("A", "all", 1_000, StoreTime(0), StoreTime(i64::MAX));
        if let Some(index) = &store.index {
            contents.indexed = found(index).map_err(said)?.records.len();
        }
        Ok(contents)
    }
}

impl Sample {
    fn at(name: &'static str, directory: TempDir, options: StoreOptions, ours: bool) -> Self {
        let clean = !options.file("abort").exists();
        let (contents, durable) = (Contents::default(), PhysicalOffset(0));
        let mut sample = Self { name, directory, options, contents, ours, clean, durable };
        let copy = sample.copy();
        let mut store = open_store(FileDisk::shared(), sample.options_in(&copy), &mut |_| {}).unwrap();
        sample.contents = Contents::of(&mut store).unwrap();
        // What was closed in order is all on the disk.
        sample.durable = if clean { store.report.log_end } else { store.report.walked_from };
        sample
    }

    /// A copy to be damaged, with the times of its files.
    pub(crate) fn copy(&self) -> TempDir {
        let copy = directory();
        copy_all(self.directory.path(), copy.path());
        copy
    }

    pub(crate) fn options_in(&self, copy: &TempDir) -> StoreOptions {
        StoreOptions { root: copy.path().join("store"), ..self.options.clone() }
    }

    /// Every file, by its path below the root.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(&self.options.root)
            .into_iter()
            .map(|path| path.strip_prefix(&self.options.root).unwrap().into())
            .collect()
    }

    /// Of a file of the log, which part of the log it holds.
    pub(crate) fn part_of_log(&self, file: &Path) -> Option<std::ops::Range<u64>> {
        let base: u64 = file.strip_prefix("commitlog").ok()?.to_str()?.parse().ok()?;
        Some(base..base + self.options.log_segment_bytes)
    }
}

/// One of the stores that RocketMQ wrote.
pub(crate) fn javas(name: &'static str) -> Sample {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store");
    let directory = directory();
    let packed = File::open(folder.join(format!("{name}.tar.gz"))).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(directory.path()).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap();
    let size = |key: &str| manifest["storeConfig"][key].as_u64().unwrap();
    let options = StoreOptions {
        log_segment_bytes: size("mappedFileSizeCommitLog"),
        queue_file_bytes: size("mappedFileSizeConsumeQueue"),
        queue_ext_enabled: manifest["storeConfig"]["enableConsumeQueueExt"].as_bool().unwrap(),
        queue_ext_file_bytes: size("mappedFileSizeConsumeQueueExt"),
        index_slots: size("maxHashSlotNum") as u32,
        index_entries: size("maxIndexNum") as u32,
        ..StoreOptions::at(directory.path().join("store"))
    };
    Sample::at(name, directory, options, false)
}

/// One that a broker of ours has stopped in order.
pub(crate) fn ours_clean() -> Sample {
    let directory = directory();
    actix::System::new().block_on(fill(&directory));
    let options = broker_options(&directory).store;
    Sample::at("ours, clean", directory, options, true)
}

/// The same, written to further by a process that was killed.
pub(crate) fn ours_killed(clean: &Sample) -> Sample {
    let directory = clean.copy();
    let options = clean.options_in(&directory);
    let mut store = open_store(FileDisk::shared(), options.clone(), &mut |_| {}).unwrap();
    for number in 0..12 {
        put(&mut store, "A", number % 2, format!("after the start {number}").as_bytes());
    }
    drop(store);
    Sample::at("ours, killed", directory, options, true)
}

/// Options under which a few dozen messages fill several files of each kind.
pub(crate) fn broker_options(directory: &TempDir) -> BrokerOptions {
    let options = small(directory);
    let store = StoreOptions {
        log_segment_bytes: 16 << 10,
        queue_file_bytes: 300,
        queue_ext_enabled: true,
        queue_ext_file_bytes: 600,
        index_slots: 20,
        index_entries: 60,
        ..options.store
    };
    let filters = FilterSettings { enabled: true, bit_maps: true, ..options.filters };
    let timer = Some(TimerRules { ahead_ms_max: 86_400_000 });
    BrokerOptions { store, filters, timer, ..options }
}

/// Messages of every kind, and settings in every file, some of them changed, so that there are copies.
async fn fill(directory: &TempDir) {
    for round in 0..2 {
        let broker = Broker::builder(broker_options(directory)).start().await.unwrap();
        let mut client = Raw::connect(broker.address()).await;
        for (topic, count) in [("A", MESSAGES), ("B", 5), ("Deleted", 3)] {
            for number in 0..count {
                let properties = format!("TAGS\u{1}t{}\u{2}KEYS\u{1}all k{number}", number % 3);
                let body = format!("{topic} {round} {number} {}", "x".repeat(200));
                taken(&mut client, send_to(topic, (number % 2) as i32, &properties, body)).await;
            }
        }
        taken(&mut client, send_to("A", 0, "DELAY\u{1}18", "in two hours")).await;
        taken(&mut client, send_to("A", 0, "TIMER_DELAY_MS\u{1}7200000", "in two hours as well")).await;
        let half = "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG\u{2}UNIQ_KEY\u{1}id";
        taken(&mut client, with(send_to("A", 0, half, "half"), "f", 4)).await;
        for (group, offset) in [("G1", 3 + round), ("G2", 7 + round)] {
            taken(&mut client, commit("A", group, 0, offset)).await;
            taken(&mut client, heartbeat(group)).await;
        }
        let topic: [(&str, &dyn Display); 1] = [("topic", &"Deleted")];
        taken(&mut client, ask_for(request::DELETE_TOPIC_IN_BROKER, &topic)).await;
        broker.stop().await.unwrap();
    }
}

async fn taken(client: &mut Raw, command: Command) {
    let reply = client.ask(command).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
}

fn commit(topic: &str, group: &str, queue_id: i32, offset: i64) -> Command {
    let fields: [(&str, &dyn Display); 4] =
        [("consumerGroup", &group), ("topic", &topic), ("queueId", &queue_id), ("commitOffset", &offset)];
    ask_for(request::UPDATE_CONSUMER_OFFSET, &fields)
}

/// A group that takes what meets a condition, and writes the settings of groups and conditions.
fn heartbeat(group: &str) -> Command {
    let subscription = json!({"classFilterMode": false, "codeSet": [], "expressionType": "SQL92",
        "subString": "a = 1", "subVersion": 1, "tagsSet": [], "topic": "A"});
    let consumer = json!({"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": [subscription], "unitMode": false});
    let body = json!({"clientID": group, "consumerDataSet": [consumer], "producerDataSet": []});
    ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())
}

fn said(error: StoreError) -> String {
    error.to_string()
}

/// Opens a copy on a disk.
pub(crate) fn opened(disk: SharedDisk, options: StoreOptions) -> Result<OpenStore, String> {
    open_store(disk, options, &mut |_| {}).map_err(said)
}

/// Stores a message and dispatches it, as a broker does.
pub(crate) fn put(store: &mut OpenStore, topic: &str, queue_id: u32, body: &[u8]) -> Placed {
    let topic = Topic::parse(topic).unwrap();
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    let plain = NewMessage::plain(&topic, QueueId(queue_id), BornTime(1), host, body);
    let message = NewMessage { properties: b"KEYS\x01all", ..plain };
    let mut placed = Vec::new();
    let now = store.log.positions().newest_store_time();
    let batch = PutBatch::of(&message).unwrap();
    batch.iter().for_each(|put| store.log.append(put, now, &mut placed).unwrap());
    let written = store.log.publish().unwrap();
    store.log.positions().advance_visible(written);
    let (view, at) = (store.log.view(), placed[0].physical);
    let queue = store.queues.queue_mut(&topic, QueueId(queue_id)).unwrap();
    let index = store.index.as_mut().unwrap();
    view.with_record(at, |record| {
        let entry = dispatch::Marks::of(record).queue_entry(record, &[]).unwrap();
        let extension = Extension { store_time: record.store_time, bit_map: Vec::new() };
        queue.append_extended(entry, record.queue_offset, Some(&extension)).unwrap();
        index.put_record(record).unwrap();
    });
    placed[0]
}

/// In memory where the system has a place for that: thousands of stores are made and thrown away.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Every file and link below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files_below(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            File::options().write(true).open(target).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// What is waited for takes milliseconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
