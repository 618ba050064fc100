//! A disk in memory, which forgets what a real one may forget, fails when it is told to, and does the same again for the
//! same seed.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use fastrand::Rng;
use ferromq::store::disk::{Disk, DiskFile, Entry, Mapping, OpenMode, SharedFile, Space};

use crate::world::{Crash, Node, World};

/// Kinds of calls that can be told to fail, or to do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Write,
    Allocate,
    Sync,
    SyncDir,
    Rename,
    Remove,
    List,
}

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// With the call of this number, counted from 1, the power goes, or the process ends.
    pub(crate) crash_at: Option<u64>,
    /// The same with the sync of a file of this name.
    pub(crate) crash_at_sync_of: Option<&'static str>,
    /// The call of this kind after so many others of it fails.
    pub(crate) fail: Option<(Call, u64)>,
    /// Listings lack an entry, from the one on after so many others.
    pub(crate) short_list: Option<u64>,
    /// Syncs of such paths say that they were done and were not: which no store survives, and so no test may.
    pub(crate) deaf: Option<fn(&Path) -> bool>,
}

#[derive(Debug)]
struct State {
    world: World,
    rng: Rng,
    calls: u64,
    faults: Faults,
    failed: bool,
    is_off: bool,
    /// Files of earlier runs of the process are of no use any more.
    run: u64,
}

/// The disk. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        let (world, rng, faults) = (World::new(), Rng::with_seed(seed), Faults::default());
        let state = State { world, rng, calls: 0, faults, failed: false, is_off: false, run: 0 };
        let disk = Self(Arc::new(Mutex::new(state)));
        disk.state().world.create_dir(Path::new("/sim"));
        disk.state().world.sync_dir(Path::new("/"));
        disk
    }

    pub(crate) fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// What is to go wrong from now on; calls are counted anew.
    pub(crate) fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        (state.faults, state.calls, state.failed) = (faults, 0, false);
    }

    /// Whether the call that was to fail has come.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Whether the moment of the crash has come.
    pub(crate) fn is_off(&self) -> bool {
        self.state().is_off
    }

    pub(crate) fn set_capacity(&self, bytes: usize) {
        self.state().world.capacity = bytes;
    }

    pub(crate) fn now_ms(&self) -> i64 {
        let mut state = self.state();
        state.world.now_ms += 1;
        state.world.now_ms
    }

    /// The kernel writes some of what is dirty.
    pub(crate) fn write_back(&self) {
        let mut state = self.state();
        let State { world, rng, .. } = &mut *state;
        for (_, id) in world.all_files() {
            if rng.u8(..) < 80 {
                world.file(id).write_back(rng);
            }
        }
    }

    /// Ends every run of the process so far, and goes on with what is left.
    pub(crate) fn crash(&self, crash: Crash) {
        let mut state = self.state();
        let State { world, rng, .. } = &mut *state;
        world.crash(crash, rng);
        (state.is_off, state.faults, state.run) = (false, Faults::default(), state.run + 1);
    }

    /// The files in a directory and those below it, in order.
    pub(crate) fn files_under(&self, directory: &Path) -> Vec<PathBuf> {
        let files = self.state().world.all_files();
        files.into_iter().map(|(path, _)| path).filter(|path| path.starts_with(directory)).collect()
    }

    /// A file is gone for good.
    pub(crate) fn lose(&self, path: &Path) {
        let mut state = self.state();
        state.world.unlink(path);
        state.world.sync_dir(path.parent().unwrap());
    }

    /// A bit of a file is another one, on the medium too.
    pub(crate) fn flip(&self, path: &Path, at: usize, bit: u8) {
        let mut state = self.state();
        if let Some(Node::File(id)) = state.world.node(path) {
            let file = state.world.file(id);
            let byte = file.bytes()[at] ^ (1 << bit);
            file.write(at, &[byte]);
            file.sync();
        }
    }

    /// A file's bytes.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.state();
        match state.world.node(path)? {
            Node::File(id) => Some(state.world.file(id).bytes()),
            Node::Directory => None,
        }
    }
}

impl State {
    /// Counts a call; an error when it is not to be done.
    fn begin(&mut self, run: u64, call: Option<Call>) -> io::Result<()> {
        if self.is_off || run != self.run {
            return Err(io::Error::other("the power is off"));
        }
        self.calls += 1;
        self.world.now_ms += 1;
        if self.faults.crash_at == Some(self.calls) {
            self.is_off = true;
            return Err(io::Error::other("the power goes off"));
        }
        if let Some((kind, left)) = &mut self.faults.fail
            && call == Some(*kind)
        {
            if *left == 0 {
                (self.faults.fail, self.failed) = (None, true);
                return Err(io::Error::other("the disk fails"));
            }
            *left -= 1;
        }
        // Now and then the kernel writes something.
        if self.rng.u8(..) < 8 {
            for (_, id) in self.world.all_files() {
                if self.rng.u8(..) < 40 {
                    self.world.file(id).write_back(&mut self.rng);
                }
            }
        }
        Ok(())
    }

    fn is_deaf(&self, path: &Path) -> bool {
        self.faults.deaf.is_some_and(|deaf| deaf(path))
    }

    fn entry(&mut self, path: &Path, node: Node) -> Entry {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (len, modified_ms) = match node {
            Node::Directory => (0, 0),
            Node::File(id) => (self.world.file(id).len() as u64, self.world.file(id).modified_ms),
        };
        Entry { name, is_dir: node == Node::Directory, len, modified_ms }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, Some(Call::Open))?;
        let id = match state.world.node(path) {
            Some(Node::File(id)) => id,
            Some(Node::Directory) => return Err(ErrorKind::IsADirectory.into()),
            None if mode != OpenMode::Create => return Err(ErrorKind::NotFound.into()),
            None => match path.parent().and_then(|parent| state.world.node(parent)) {
                Some(Node::Directory) => state.world.create_file(path),
                _ => return Err(ErrorKind::NotFound.into()),
            },
        };
        Ok(Arc::new(SimFile { disk: self.clone(), id, run, path: path.into() }))
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, None)?;
        Ok(state.world.node(path).map(|node| state.entry(path, node)))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, Some(Call::List))?;
        let found: Vec<_> = state.world.children(directory).map(|(path, node)| (path.clone(), node)).collect();
        let mut entries: Vec<_> = found.into_iter().map(|(path, node)| state.entry(&path, node)).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(left) = state.faults.short_list.filter(|_| !entries.is_empty()) {
            state.faults.short_list = left.checked_sub(1);
            if left == 0 {
                let lost = state.rng.usize(..entries.len());
                entries.remove(lost);
                state.failed = true;
            }
        }
        Ok(entries)
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, None)?;
        state.world.create_dir(directory);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, Some(Call::Rename))?;
        state.world.rename(from, to);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, Some(Call::Remove))?;
        if let Some(Node::File(_)) = state.world.node(path) {
            state.world.unlink(path);
        }
        Ok(())
    }

    fn remove_dir(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, Some(Call::Remove))?;
        if state.world.children(directory).next().is_some() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        if let Some(Node::Directory) = state.world.node(directory) {
            state.world.unlink(directory);
        }
        Ok(())
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        let run = state.run;
        state.begin(run, Some(Call::SyncDir))?;
        if state.world.node(directory).is_none() {
            return Err(ErrorKind::NotFound.into());
        }
        if !state.is_deaf(directory) {
            state.world.sync_dir(directory);
        }
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { total: 1 << 40, free: 1 << 39, usable: 1 << 39 })
    }
}

/// An open file.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: usize,
    run: u64,
    path: PathBuf,
}

impl SimFile {
    fn begin(&self, call: Option<Call>) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.state();
        state.begin(self.run, call)?;
        Ok(state)
    }

    fn touch(&self, state: &mut State) {
        let now = state.world.now_ms;
        state.world.file(self.id).modified_ms = now;
    }

    fn take_room(&self, state: &mut State, from: u64, to: u64) -> io::Result<()> {
        let has_room = state.world.take_room(self.id, from as usize, to as usize);
        if has_room { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.begin(None)?.world.file(self.id).len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.begin(Some(Call::Write))?;
        self.touch(&mut state);
        state.world.file(self.id).set_len(len as usize);
        Ok(())
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        Ok(self.begin(None)?.world.file(self.id).read(at as usize, out))
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let begun = state.begin(self.run, Some(Call::Write));
        if state.run != self.run {
            return begun;
        }
        let mut bytes = bytes;
        if begun.is_err() {
            // Some of it may have been written when the call was cut short.
            let some = state.rng.usize(..=bytes.len());
            bytes = &bytes[..some];
        }
        self.take_room(&mut state, at, at + bytes.len() as u64)?;
        self.touch(&mut state);
        state.world.file(self.id).write(at as usize, bytes);
        begun
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        let mut state = self.begin(Some(Call::Allocate))?;
        self.take_room(&mut state, range.start, range.end)?;
        if range.end as usize > state.world.file(self.id).len() {
            state.world.file(self.id).set_len(range.end as usize);
        }
        Ok(())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let mut state = self.begin(Some(Call::Write))?;
        self.take_room(&mut state, range.start, range.end)?;
        self.touch(&mut state);
        state.world.file(self.id).write(range.start as usize, &vec![0; (range.end - range.start) as usize]);
        Ok(())
    }

    fn is_zero(&self, range: Range<u64>) -> io::Result<bool> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let read = self.read_at(&mut bytes, range.start)?;
        Ok(bytes[..read].iter().all(|byte| *byte == 0))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.faults.crash_at_sync_of.is_some_and(|name| self.path.ends_with(name)) {
            state.faults.crash_at = Some(state.calls + 1);
        }
        let begun = state.begin(self.run, Some(Call::Sync));
        if state.run != self.run {
            return begun;
        }
        if begun.is_err() {
            let State { world, rng, failed, is_off, .. } = &mut *state;
            if *failed && !*is_off {
                world.file(self.id).fail_sync(rng);
            }
            return begun;
        }
        if !state.is_deaf(&self.path) {
            state.world.file(self.id).sync();
        }
        Ok(())
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        let mut state = self.begin(None)?;
        let file = state.world.file(self.id);
        if self.path.components().any(|part| part.as_os_str() == "index") {
            // Stores of what was there already cannot be seen; a start makes an index file that it does not trust anew.
            file.write_all_again();
        }
        Ok(file.map(len as usize))
    }

    fn modified_ms(&self) -> io::Result<i64> {
        Ok(self.begin(None)?.world.file(self.id).modified_ms)
    }

    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}
