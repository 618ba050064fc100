//! A disk that counts calls and fails the one it is told to: it wraps the real one, so everything else works.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use ferromq::store::disk::{Disk, DiskFile, Entry, FileDisk, Mapping, OpenMode, SharedFile, Space};

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Write,
    Allocate,
    Zero,
    Sync,
    Map,
    Rename,
    Remove,
    SyncDir,
}

pub(crate) const CALLS: [Call; 9] = [
    Call::Open,
    Call::Write,
    Call::Allocate,
    Call::Zero,
    Call::Sync,
    Call::Map,
    Call::Rename,
    Call::Remove,
    Call::SyncDir,
];

/// Counts the calls of one kind, and fails one.
#[derive(Debug)]
pub(crate) struct Fault {
    call: Call,
    /// Calls until the one that fails; below zero none does any more.
    left: AtomicI64,
    error: io::ErrorKind,
}

impl Fault {
    fn check(&self, call: Call) -> io::Result<()> {
        if call == self.call && self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(self.error.into());
        }
        Ok(())
    }

    /// Whether the call that was to fail has come.
    pub(crate) fn struck(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }
}

/// How many files are open.
#[derive(Debug, Default)]
struct Open {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// The wrapping disk.
#[derive(Debug)]
pub(crate) struct FaultDisk {
    fault: Arc<Fault>,
    open: Arc<Open>,
}

impl FaultDisk {
    /// Fails call number `nth` of a kind, counted from 0.
    pub(crate) fn failing(call: Call, nth: i64, error: io::ErrorKind) -> (Arc<Self>, Arc<Fault>) {
        let fault = Arc::new(Fault { call, left: AtomicI64::new(nth), error });
        (Arc::new(Self { fault: Arc::clone(&fault), open: Arc::default() }), fault)
    }

    /// Fails nothing.
    pub(crate) fn sound() -> Arc<Self> {
        Self::failing(Call::Open, -1, io::ErrorKind::Other).0
    }

    /// The most files that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.open.most.load(Ordering::SeqCst)
    }
}

impl Disk for FaultDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        self.fault.check(Call::Open)?;
        let file = FileDisk.open(path, mode)?;
        let now = self.open.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.open.most.fetch_max(now, Ordering::SeqCst);
        Ok(Arc::new(FaultFile { file, fault: Arc::clone(&self.fault), open: Arc::clone(&self.open) }))
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        FileDisk.entry(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        FileDisk.list(directory)
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        FileDisk.create_dir(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fault.check(Call::Rename)?;
        FileDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.fault.check(Call::Remove)?;
        FileDisk.remove_file(path)
    }

    fn remove_dir(&self, directory: &Path) -> io::Result<()> {
        FileDisk.remove_dir(directory)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.fault.check(Call::SyncDir)?;
        FileDisk.sync_dir(directory)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        FileDisk.space(path)
    }
}

#[derive(Debug)]
struct FaultFile {
    file: SharedFile,
    fault: Arc<Fault>,
    open: Arc<Open>,
}

impl Drop for FaultFile {
    fn drop(&mut self) {
        self.open.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl DiskFile for FaultFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(out, at)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.fault.check(Call::Write)?;
        self.file.write_all_at(bytes, at)
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        self.fault.check(Call::Allocate)?;
        self.file.allocate(range)
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.fault.check(Call::Zero)?;
        self.file.zero(range)
    }

    fn is_zero(&self, range: Range<u64>) -> io::Result<bool> {
        self.file.is_zero(range)
    }

    fn sync(&self) -> io::Result<()> {
        self.fault.check(Call::Sync)?;
        self.file.sync()
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.fault.check(Call::Map)?;
        self.file.map(len)
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.file.modified_ms()
    }

    fn lock(&self) -> io::Result<bool> {
        self.file.lock()
    }
}
