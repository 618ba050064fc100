//! What the simulated disk holds: names and bytes as the process sees them, and as a power cut would leave them.
//!
//! The rules of the medium, which are the weakest that a file system may offer:
//! - A sector of 512 bytes is written whole or not at all, at any moment after it was changed, in any order.
//! - Bytes last for sure when their file was synced after they were written; the length of a file likewise.
//! - Names last for sure when their directory was synced; until then the medium has some first part of the changes to
//!   that directory, and each directory has its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use ferromq::store::disk::Mapping;

/// What is written whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Directory,
    File(usize),
}

/// A change to a directory.
#[derive(Clone, Debug)]
enum NameChange {
    Link(PathBuf, Node),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// The bytes that the process sees.
#[derive(Debug)]
enum Content {
    Plain(Vec<u8>),
    Mapped(Mapping),
}

/// A file.
#[derive(Debug)]
pub(crate) struct File {
    content: Content,
    /// What the medium has.
    lasting: Vec<u8>,
    /// What sectors held when a sync of them failed: the kernel takes them for written from then on.
    given_up: BTreeMap<usize, Vec<u8>>,
    /// Bytes from 0 on and beyond that have room, by sector.
    room: BTreeSet<usize>,
    pub(crate) modified_ms: i64,
}

/// What a crash does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Of the process: what it wrote is there.
    Kill,
    /// Of the machine: of what was not synced some part is there.
    PowerCut,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct World {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Node>,
    lasting_names: BTreeMap<PathBuf, Node>,
    changes: BTreeMap<PathBuf, Vec<NameChange>>,
    pub(crate) now_ms: i64,
    /// Bytes that files may have room for in all.
    pub(crate) capacity: usize,
}

impl File {
    fn new(content: Vec<u8>, now_ms: i64) -> Self {
        // What is there was given room by somebody.
        let room = (0..content.len().div_ceil(SECTOR)).filter(|sector| !is_zero(sector_of(&content, *sector)));
        Self {
            room: room.collect(),
            lasting: content.clone(),
            content: Content::Plain(content),
            given_up: BTreeMap::new(),
            modified_ms: now_ms,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.content {
            Content::Plain(bytes) => bytes.len(),
            Content::Mapped(map) => map.len(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.content {
            Content::Plain(bytes) => bytes.clone(),
            Content::Mapped(map) => map.snapshot(0..map.len()),
        }
    }

    pub(crate) fn read(&self, at: usize, out: &mut [u8]) -> usize {
        let end = self.len().min(at.saturating_add(out.len()));
        let Some(count) = end.checked_sub(at) else { return 0 };
        match &self.content {
            Content::Plain(bytes) => out[..count].copy_from_slice(&bytes[at..end]),
            Content::Mapped(map) => out[..count].copy_from_slice(&map.snapshot(at..end)),
        }
        count
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        match &mut self.content {
            Content::Plain(bytes) => bytes.resize(len, 0),
            Content::Mapped(map) => assert_eq!(map.len(), len, "no mapped file changes its length"),
        }
        self.room.retain(|sector| sector * SECTOR < len);
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        if at + bytes.len() > self.len() {
            self.set_len(at + bytes.len());
        }
        // Written again, it is to be written back again, whatever became of it before.
        self.given_up.retain(|sector, _| sector * SECTOR >= at + bytes.len() || (sector + 1) * SECTOR <= at);
        match &mut self.content {
            Content::Plain(content) => content[at..at + bytes.len()].copy_from_slice(bytes),
            Content::Mapped(map) => map.overwrite(at, bytes),
        }
    }

    /// All of it is to be written back again.
    pub(crate) fn write_all_again(&mut self) {
        self.given_up.clear();
    }

    pub(crate) fn map(&mut self, len: usize) -> Mapping {
        if let Content::Plain(bytes) = &self.content {
            assert!(len <= bytes.len(), "a mapping beyond the end of its file");
            assert_eq!(len, bytes.len(), "files are mapped whole");
            let map = Mapping::anonymous(len).unwrap();
            map.overwrite(0, bytes);
            self.content = Content::Mapped(map);
        }
        match &self.content {
            Content::Mapped(map) => map.clone(),
            Content::Plain(_) => unreachable!("was mapped above"),
        }
    }

    /// Sectors that have no room yet.
    fn lacks(&self, from: usize, to: usize) -> usize {
        (from / SECTOR..to.div_ceil(SECTOR)).filter(|sector| !self.room.contains(sector)).count()
    }

    /// Everything lasts.
    pub(crate) fn sync(&mut self) {
        let bytes = self.bytes();
        self.check_room(&bytes);
        let mut lasting = bytes.clone();
        self.given_up.retain(|sector, was| sector_of(&bytes, *sector) == was);
        for sector in self.given_up.keys() {
            // Taken for clean, and so not written.
            let old = sector_of(&self.lasting, *sector).to_vec();
            put_sector(&mut lasting, *sector, &old);
        }
        self.lasting = lasting;
    }

    /// A sync that fails: any part of what there is to be written is, and the rest counts as written.
    pub(crate) fn fail_sync(&mut self, rng: &mut Rng) {
        let bytes = self.bytes();
        self.write_back_length(bytes.len(), rng);
        for sector in 0..bytes.len().div_ceil(SECTOR) {
            let now = sector_of(&bytes, sector).to_vec();
            if now != sector_of(&self.lasting, sector) && rng.bool() {
                self.given_up.insert(sector, now);
            } else {
                self.write_back_sector(&bytes, sector);
            }
        }
    }

    /// The kernel writes some of it at a moment of its own choosing.
    pub(crate) fn write_back(&mut self, rng: &mut Rng) {
        let bytes = self.bytes();
        self.write_back_length(bytes.len(), rng);
        let sectors = bytes.len().div_ceil(SECTOR);
        (0..sectors).filter(|_| rng.bool()).collect::<Vec<_>>().into_iter().for_each(|sector| {
            if self.given_up.get(&sector).is_none_or(|was| was != sector_of(&bytes, sector)) {
                self.write_back_sector(&bytes, sector);
            }
        });
    }

    /// A length lasts as a whole, and what is behind the old one then reads as zeros.
    fn write_back_length(&mut self, len: usize, rng: &mut Rng) {
        if len != self.lasting.len() && rng.bool() {
            self.lasting.resize(len, 0);
        }
    }

    fn write_back_sector(&mut self, bytes: &[u8], sector: usize) {
        put_sector(&mut self.lasting, sector, sector_of(bytes, sector));
    }

    /// Stores through a mapping where there is no room end the process, on a full disk.
    fn check_room(&self, bytes: &[u8]) {
        if matches!(self.content, Content::Mapped(_)) {
            for sector in 0..bytes.len().div_ceil(SECTOR) {
                let stored = !is_zero(sector_of(bytes, sector));
                assert!(!stored || self.room.contains(&sector), "sector {sector} was stored to without room");
            }
        }
    }

    /// What a crash leaves of it.
    fn after(&mut self, crash: Crash, taste: u8, rng: &mut Rng) {
        let bytes = self.bytes();
        self.check_room(&bytes);
        if crash == Crash::PowerCut {
            self.write_back_length(bytes.len(), rng);
            let mut left = self.lasting.clone();
            for sector in 0..left.len().div_ceil(SECTOR) {
                let is_given_up = self.given_up.get(&sector).is_some_and(|was| was == sector_of(&bytes, sector));
                if !is_given_up && sector * SECTOR < bytes.len() && rng.u8(..) < taste {
                    put_sector(&mut left, sector, sector_of(&bytes, sector));
                }
            }
            *self = Self::new(left, self.modified_ms);
            return;
        }
        // A mapping of the dead process is not this file any more.
        self.content = Content::Plain(bytes);
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self { now_ms: 1_700_000_000_000, capacity: usize::MAX, ..Self::default() }
    }

    pub(crate) fn node(&self, path: &Path) -> Option<Node> {
        self.names.get(path).copied()
    }

    pub(crate) fn file(&mut self, id: usize) -> &mut File {
        &mut self.files[id]
    }

    pub(crate) fn children<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = (&'a PathBuf, Node)> {
        let within =
            self.names.range(directory.to_path_buf()..).take_while(move |(path, _)| path.starts_with(directory));
        within.filter(move |(path, _)| path.parent() == Some(directory)).map(|(path, node)| (path, *node))
    }

    /// Every file that has a name.
    pub(crate) fn all_files(&self) -> Vec<(PathBuf, usize)> {
        let file = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(id) => Some((path.clone(), *id)),
            Node::Directory => None,
        };
        self.names.iter().filter_map(file).collect()
    }

    pub(crate) fn create_dir(&mut self, directory: &Path) {
        let missing: Vec<_> = directory.ancestors().take_while(|path| !self.names.contains_key(*path)).collect();
        for path in missing.into_iter().rev() {
            self.link(path, Node::Directory);
        }
    }

    pub(crate) fn create_file(&mut self, path: &Path) -> usize {
        self.files.push(File::new(Vec::new(), self.now_ms));
        let id = self.files.len() - 1;
        self.link(path, Node::File(id));
        id
    }

    fn link(&mut self, path: &Path, node: Node) {
        self.names.insert(path.into(), node);
        self.note(path, NameChange::Link(path.into(), node));
    }

    pub(crate) fn unlink(&mut self, path: &Path) {
        self.names.remove(path);
        self.note(path, NameChange::Unlink(path.into()));
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        assert_eq!(from.parent(), to.parent(), "no file moves to another directory");
        if let Some(node) = self.names.remove(from) {
            self.names.insert(to.into(), node);
            self.note(from, NameChange::Rename(from.into(), to.into()));
        }
    }

    fn note(&mut self, path: &Path, change: NameChange) {
        self.changes.entry(path.parent().unwrap_or_else(|| Path::new("/")).into()).or_default().push(change);
    }

    pub(crate) fn sync_dir(&mut self, directory: &Path) {
        for change in self.changes.remove(directory).unwrap_or_default() {
            self.apply(change);
        }
    }

    fn apply(&mut self, change: NameChange) {
        match change {
            NameChange::Link(path, node) => {
                self.lasting_names.insert(path, node);
            }
            NameChange::Unlink(path) => {
                self.lasting_names.remove(&path);
            }
            NameChange::Rename(from, to) => {
                if let Some(node) = self.lasting_names.remove(&from) {
                    self.lasting_names.insert(to, node);
                }
            }
        }
    }

    /// Sectors for which there is still room on the disk.
    pub(crate) fn take_room(&mut self, id: usize, from: usize, to: usize) -> bool {
        let used: usize = self.files.iter().map(|file| file.room.len()).sum();
        let lacks = self.files[id].lacks(from, to);
        if lacks > 0 && (used + lacks) * SECTOR > self.capacity {
            return false;
        }
        self.files[id].room.extend(from / SECTOR..to.div_ceil(SECTOR));
        true
    }

    /// Goes on as after a crash.
    pub(crate) fn crash(&mut self, crash: Crash, rng: &mut Rng) {
        if crash == Crash::PowerCut {
            for (_, changes) in std::mem::take(&mut self.changes) {
                let lasting = rng.usize(..=changes.len());
                changes.into_iter().take(lasting).for_each(|change| self.apply(change));
            }
            let held = |path: &PathBuf| path.ancestors().skip(1).all(|up| self.lasting_names.contains_key(up));
            self.names =
                self.lasting_names.iter().filter(|(path, _)| held(path)).map(|(p, n)| (p.clone(), *n)).collect();
            self.lasting_names = self.names.clone();
        }
        // How much the medium has of what it need not have.
        let taste = *rng.choice(&[0, 30, 128, 230, 255]).unwrap();
        let named: BTreeSet<Node> = self.names.values().chain(self.lasting_names.values()).copied().collect();
        for (id, file) in self.files.iter_mut().enumerate() {
            if named.contains(&Node::File(id)) {
                file.after(crash, taste, rng);
            } else {
                *file = File::new(Vec::new(), 0);
            }
        }
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    let from = (sector * SECTOR).min(bytes.len());
    &bytes[from..((sector + 1) * SECTOR).min(bytes.len())]
}

/// Puts as much of a sector as there is place for.
fn put_sector(bytes: &mut [u8], sector: usize, new: &[u8]) {
    let from = (sector * SECTOR).min(bytes.len());
    let count = new.len().min(bytes.len() - from);
    bytes[from..from + count].copy_from_slice(&new[..count]);
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
