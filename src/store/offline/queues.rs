//! The files of the consume queues, and reading entries from them in blocks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;

use super::OfflineError;
use super::finding::{Findings, Part, Place};
use super::log::most_common;
use crate::protocol::names::Topic;
use crate::protocol::units::{QueueId, QueueOffset};
use crate::store::consumequeue::QueueEntry;
use crate::store::disk::{Disk, Entry, OpenMode, SharedDisk, SharedFile};
use crate::store::error::StoreError;
use crate::store::layout::{QUEUE_ENTRY_BYTES, StoreOptions, base_of, file_name};
use crate::store::queue_ext::{QueueExtension, Unit, UnitAddress, UnitReader};

/// How much of a queue is read at once by who reads all of it, and by who looks up entries of many queues in turn.
const SCAN_BYTES: usize = 3_200 * QUEUE_ENTRY_BYTES as usize;
const LOOK_UP_BYTES: usize = 200 * QUEUE_ENTRY_BYTES as usize;
/// Queues whose files are held open at once.
const HELD_MAX: usize = 256;

/// One queue on the disk.
#[derive(Clone, Debug)]
pub(super) struct QueueFiles {
    pub(super) topic: Topic,
    pub(super) queue_id: QueueId,
    pub(super) directory: PathBuf,
    /// Where each file begins, in bytes of the queue, in order.
    pub(super) bases: Vec<u64>,
}

/// All of them, ordered by topic and number.
#[derive(Debug)]
pub(super) struct QueueTree {
    queues: Vec<QueueFiles>,
    by_name: HashMap<Topic, BTreeMap<QueueId, usize>>,
    /// The length that most of their files have.
    pub(super) file_bytes: Option<u64>,
    /// The same of the files of their extensions.
    pub(super) ext_file_bytes: Option<u64>,
}

impl QueueTree {
    /// Lists the files of all queues and of their extensions.
    pub(super) fn find(
        disk: &SharedDisk,
        options: &StoreOptions,
        strange: &mut Findings,
    ) -> Result<Self, OfflineError> {
        let mut lengths = Vec::new();
        let mut queues = Vec::new();
        for (topic, queue_id, directory) in queue_directories(&**disk, &options.queues_dir(), strange)? {
            let files = files_of(&**disk, &directory, Part::Queue, strange)?;
            lengths.extend(files.iter().map(|(_, len)| *len));
            queues.push((QueueFiles { topic, queue_id, directory, bases: Vec::new() }, files));
        }
        let file_bytes = most_common(lengths.into_iter());
        let expected = file_bytes.unwrap_or_else(|| options.queue_file_bytes());
        let take = |(queue, files): (QueueFiles, Vec<(u64, u64)>)| {
            let bases = in_a_row(&queue.directory, &files, expected, Part::Queue, strange);
            QueueFiles { bases, ..queue }
        };
        let queues: Vec<QueueFiles> = queues.into_iter().map(take).collect();
        let mut by_name: HashMap<Topic, BTreeMap<QueueId, usize>> = HashMap::new();
        for (index, queue) in queues.iter().enumerate() {
            by_name.entry(queue.topic.clone()).or_default().insert(queue.queue_id, index);
        }
        let ext_file_bytes = extensions(&**disk, options, strange)?;
        Ok(Self { queues, by_name, file_bytes, ext_file_bytes })
    }

    pub(super) fn all(&self) -> &[QueueFiles] {
        &self.queues
    }

    pub(super) fn index_of(&self, topic: &str, queue_id: QueueId) -> Option<usize> {
        self.by_name.get(topic)?.get(&queue_id).copied()
    }

    /// A queue, and its place in the row of all.
    pub(super) fn queue(&self, topic: &str, queue_id: QueueId) -> Option<(usize, &QueueFiles)> {
        let index = self.index_of(topic, queue_id)?;
        Some((index, self.all().get(index)?))
    }

    pub(super) fn holds_topic(&self, topic: &str) -> bool {
        self.by_name.contains_key(topic)
    }
}

/// Every `topic/number` under a directory.
fn queue_directories(
    disk: &dyn Disk,
    root: &std::path::Path,
    strange: &mut Findings,
) -> Result<Vec<(Topic, QueueId, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for topic_entry in list(disk, root)? {
        let directory = root.join(&topic_entry.name);
        let Some(topic) = Topic::parse(&topic_entry.name).ok().filter(|_| topic_entry.is_dir) else {
            strange.note(Part::Queue, Place::file(directory), "is no topic, brokers pass over it");
            continue;
        };
        for queue_entry in list(disk, &directory)? {
            let of_queue = directory.join(&queue_entry.name);
            match queue_entry.name.parse().ok().filter(|_| queue_entry.is_dir) {
                Some(number) => found.push((topic.clone(), QueueId(number), of_queue)),
                None => strange.note(Part::Queue, Place::file(of_queue), "is no queue, brokers pass over it"),
            }
        }
    }
    found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    Ok(found)
}

/// Begin and length of each file in a queue's directory.
fn files_of(
    disk: &dyn Disk,
    directory: &std::path::Path,
    part: Part,
    strange: &mut Findings,
) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut files = Vec::new();
    for entry in list(disk, directory)?.into_iter().filter(|entry| !entry.is_dir) {
        match base_of(&entry.name) {
            Some(base) => files.push((base, entry.len)),
            None => strange.fault(part, Place::file(directory.join(&entry.name)), "its name is not an offset"),
        }
    }
    Ok(files)
}

/// Where the files begin that can be read, in order. What is wrong with the row is told.
fn in_a_row(
    directory: &std::path::Path,
    files: &[(u64, u64)],
    expected: u64,
    part: Part,
    strange: &mut Findings,
) -> Vec<u64> {
    let mut bases: Vec<u64> = Vec::new();
    for (base, len) in files {
        let place = Place::file(directory.join(file_name(*base)));
        match *len {
            0 => strange.note(part, place.clone(), "has no bytes: a crash came while it was made"),
            len if len != expected => {
                strange.fault(part, place.clone(), format!("has {len} bytes, the others {expected}"));
            }
            _ => {}
        }
        if base % expected != 0 || bases.last().is_some_and(|last| last + expected != *base) {
            strange.fault(part, place, "the file before it is missing");
        }
        bases.push(*base);
    }
    bases
}

fn extensions(disk: &dyn Disk, options: &StoreOptions, strange: &mut Findings) -> Result<Option<u64>, StoreError> {
    let mut found = Vec::new();
    for (_, _, directory) in queue_directories(disk, &options.queue_exts_dir(), strange)? {
        let files = files_of(disk, &directory, Part::Extension, strange)?;
        found.push((directory, files));
    }
    let length = most_common(found.iter().flat_map(|(_, files)| files).map(|(_, len)| *len));
    for (directory, files) in &found {
        in_a_row(directory, files, length.unwrap_or(1), Part::Extension, strange);
    }
    Ok(length)
}

fn list(disk: &dyn Disk, directory: &std::path::Path) -> Result<Vec<Entry>, StoreError> {
    disk.list(directory).map_err(StoreError::io("list", directory))
}

impl QueueFiles {
    pub(super) fn path(&self, base: u64) -> PathBuf {
        self.directory.join(file_name(base))
    }

    /// Where an entry stands.
    pub(super) fn place(&self, offset: QueueOffset, file_bytes: u64) -> Place {
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let base = at - at % file_bytes;
        Place::file(self.path(base)).at_byte(at - base).in_queue(self.topic.as_str(), self.queue_id, offset)
    }

    /// Calls `visit` with each entry that is not all zeros, and its number. Holes in the files are not read.
    pub(super) fn visit(
        &self,
        disk: &dyn Disk,
        file_bytes: u64,
        mut visit: impl FnMut(QueueOffset, QueueEntry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut block = vec![0; SCAN_BYTES];
        for base in &self.bases {
            let path = self.path(*base);
            let file = disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
            let mut at = 0;
            while at < file_bytes {
                let room = (file_bytes - at).min(SCAN_BYTES as u64) as usize;
                let room = block.get_mut(..room).unwrap_or_default();
                let read = file.read_at(room, at).map_err(StoreError::io("read", &path))?;
                let bytes = room.get(..read).unwrap_or_default();
                let mut is_zero = true;
                for (index, entry) in bytes.chunks_exact(QUEUE_ENTRY_BYTES as usize).enumerate() {
                    if entry.iter().any(|byte| *byte != 0) {
                        is_zero = false;
                        let number = (base + at) / QUEUE_ENTRY_BYTES + index as u64;
                        visit(QueueOffset(number), QueueEntry::decode(entry))?;
                    }
                }
                at += read.max(1) as u64;
                let rest = at..file_bytes;
                let ends = read == 0 || is_zero && file.is_zero(rest).map_err(StoreError::io("read", &path))?;
                if ends {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Looks up entries, and the units that they name, of many queues in turn.
#[derive(Debug)]
pub(super) struct EntryReader<'a> {
    disk: SharedDisk,
    options: &'a StoreOptions,
    held: HashMap<usize, Held>,
    /// Those that are held, in the order in which they came.
    order: VecDeque<usize>,
}

/// What is held of one queue.
#[derive(Debug)]
struct Held {
    /// The file that was read last and where it begins.
    file: Option<(u64, SharedFile)>,
    block: Vec<u8>,
    block_at: u64,
    units: Option<UnitReader>,
}

impl<'a> EntryReader<'a> {
    pub(super) fn new(disk: SharedDisk, options: &'a StoreOptions) -> Self {
        Self { disk, options, held: HashMap::new(), order: VecDeque::new() }
    }

    /// The entry with a number; `None` where no file is, or where nothing but zeros stands.
    pub(super) fn entry(
        &mut self,
        index: usize,
        queue: &QueueFiles,
        offset: QueueOffset,
    ) -> Result<Option<QueueEntry>, StoreError> {
        let file_bytes = self.options.queue_file_bytes();
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let base = at - at % file_bytes;
        let Ok(_) = queue.bases.binary_search(&base) else { return Ok(None) };
        let disk = self.disk.clone();
        let held = self.hold(index);
        let is_held = at >= held.block_at && at + QUEUE_ENTRY_BYTES <= held.block_at + held.block.len() as u64;
        if !is_held {
            let path = queue.path(base);
            let file = match held.file.as_ref().filter(|(held, _)| *held == base) {
                Some((_, file)) => SharedFile::clone(file),
                None => {
                    let file = disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
                    held.file.insert((base, file)).1.clone()
                }
            };
            held.block.resize((base + file_bytes - at).min(LOOK_UP_BYTES as u64) as usize, 0);
            held.block_at = at;
            let read = file.read_at(&mut held.block, at - base).map_err(StoreError::io("read", &path))?;
            held.block.truncate(read);
        }
        let from = (at - held.block_at) as usize;
        let bytes = held.block.get(from..from + QUEUE_ENTRY_BYTES as usize).unwrap_or_default();
        Ok(bytes.iter().any(|byte| *byte != 0).then(|| QueueEntry::decode(bytes)))
    }

    /// Calls `read` with the unit at an address, if there is one.
    pub(super) fn with_unit<R>(
        &mut self,
        index: usize,
        queue: &QueueFiles,
        address: UnitAddress,
        read: impl FnOnce(Option<Unit<'_>>) -> R,
    ) -> Result<R, StoreError> {
        let (disk, options) = (self.disk.clone(), self.options);
        let units = self
            .hold(index)
            .units
            .get_or_insert_with(|| QueueExtension::new(disk, options, &queue.topic, queue.queue_id).reader());
        units.unit(address).map(read)
    }

    fn hold(&mut self, index: usize) -> &mut Held {
        if !self.held.contains_key(&index) {
            if self.order.len() >= HELD_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.held.remove(&oldest);
            }
            self.order.push_back(index);
        }
        self.held.entry(index).or_insert_with(|| Held { file: None, block: Vec::new(), block_at: 0, units: None })
    }
}
