//! What the tests of this folder do with a fixture.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ferromq::protocol::message::Message;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId};
use ferromq::store::consumequeue::QueueEntry;
use ferromq::store::disk::FileDisk;
use ferromq::store::layout::file_name;
use ferromq::store::offline::repair::{self, Plan, Request};
use ferromq::store::offline::verify::Verified;
use ferromq::store::{OfflineError, OfflineStore, OpenStore, StoreOptions};

use crate::fixture::{Fixture, check_entry, digest, entries, message_at, queue_of};

/// What nobody told of the sizes: the files are to say.
pub(crate) fn untold(fixture: &Fixture) -> StoreOptions {
    StoreOptions::at(fixture.options().root)
}

pub(crate) fn look(fixture: &Fixture) -> OfflineStore {
    OfflineStore::open(FileDisk::shared(), &untold(fixture)).unwrap()
}

pub(crate) fn verify(fixture: &Fixture) -> Verified {
    look(fixture).verify(&[], &mut |_| {}).unwrap()
}

/// The findings of a store as lines, without the directory that it lies in.
pub(crate) fn found(fixture: &Fixture) -> Vec<String> {
    let root = format!("{}/", fixture.options().root.display());
    verify(fixture).findings.listed().iter().map(|finding| finding.to_string().replace(&root, "")).collect()
}

#[track_caller]
pub(crate) fn check_sound(fixture: &Fixture) {
    assert_eq!(found(fixture), Vec::<String>::new());
}

pub(crate) fn repair(fixture: &Fixture) -> Plan {
    try_repair(fixture, None).unwrap()
}

pub(crate) fn try_repair(fixture: &Fixture, truncate_at: Option<u64>) -> Result<Plan, OfflineError> {
    let request = Request { truncate_at: truncate_at.map(PhysicalOffset) };
    repair::repair(FileDisk::shared(), &untold(fixture), request, None, &mut |_| {})
}

/// Each file under a directory with the digest of its content and the time of its last change.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, (String, std::time::SystemTime)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            let name = path.strip_prefix(root).unwrap().to_path_buf();
            if path.is_dir() {
                files.insert(name, (String::new(), changed));
                folders.push(path);
            } else {
                files.insert(name, (digest(&fs::read(&path).unwrap()), changed));
            }
        }
    }
    files
}

/// Overwrites bytes of a file of the store.
pub(crate) fn patch(fixture: &Fixture, file: &str, at: u64, bytes: &[u8]) {
    let path = fixture.options().root.join(file);
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

/// Overwrites bytes of the log.
pub(crate) fn patch_log(fixture: &Fixture, at: u64, bytes: &[u8]) {
    let segment = fixture.options().log_segment_bytes;
    patch(fixture, &format!("commitlog/{}", file_name(at - at % segment)), at % segment, bytes);
}

/// Puts the queue into `f-record-shapes` that its archive has lost, as the name of its directory is too long for the format.
pub(crate) fn with_lost_queue(fixture: Fixture) -> Fixture {
    let topic = Topic::parse(&"t".repeat(127)).unwrap();
    let directory = fixture.options().queue_dir(&topic, QueueId(0));
    fs::create_dir_all(&directory).unwrap();
    let entry = QueueEntry { physical: PhysicalOffset(226_133), size: 220, tags_code: 0 };
    let mut bytes = entry.encode().to_vec();
    bytes.resize(400, 0);
    fs::write(directory.join(file_name(0)), bytes).unwrap();
    fixture
}

/// Every record of a store, in the order of the log.
pub(crate) fn records(fixture: &Fixture) -> Vec<Message> {
    let mut messages = Vec::new();
    let selection = ferromq::store::offline::dump::Selection::default();
    let dumped = look(fixture).dump(&selection, &mut |_| {}, |record| {
        messages.push(ferromq::protocol::message::decode(record).unwrap().0);
        Ok::<_, OfflineError>(())
    });
    dumped.unwrap();
    messages
}

/// Opens a store and compares every record that can be pulled with the row of another.
#[track_caller]
pub(crate) fn check_opened(fixture: &Fixture, whole: &Fixture, expected: usize) {
    let mut store = fixture.open();
    let pulled = pulled(&mut store, whole);
    assert_eq!(pulled.len(), expected);
    for row in whole.rows("messages") {
        let (topic, queue_id) = queue_of(row);
        if let Some(entry) = pulled.get(&(topic, queue_id, row["queueOffset"].as_u64().unwrap())) {
            check_entry(row, entry, &message_at(&store, entry).unwrap());
        }
    }
}

/// Everything that can be pulled from the queues of another store.
pub(crate) fn pulled(store: &mut OpenStore, whole: &Fixture) -> HashMap<(Topic, QueueId, u64), QueueEntry> {
    let mut pulled = HashMap::new();
    for row in whole.rows("queues") {
        let (topic, queue_id) = queue_of(row);
        let of_queue = entries(store, &topic, queue_id).into_iter();
        pulled.extend(of_queue.map(|(offset, entry)| ((topic.clone(), queue_id, offset.0), entry)));
    }
    pulled
}
