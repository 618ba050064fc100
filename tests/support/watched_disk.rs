//! The real disk, with somebody who is told of each call before and after it, and may make it fail.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferromq::store::disk::{Disk, DiskFile, Entry, FileDisk, Mapping, OpenMode, SharedFile, Space};

/// The calls that are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Close,
    Read,
    SetLen,
    Write,
    Allocate,
    Zero,
    Sync,
    Map,
    /// The path is the new one.
    Rename,
    Remove,
    SyncDir,
}

/// Who is told.
pub(crate) trait Watch: Debug + Send + Sync + 'static {
    /// A call is to be made; an error is given back instead.
    fn before(&self, _: Call, _: &Path) -> io::Result<()> {
        Ok(())
    }

    /// A call has succeeded.
    fn after(&self, _: Call, _: &Path) {}

    /// How much room there is said to be.
    fn space(&self, real: Space) -> Space {
        real
    }

    /// A file has got another name.
    fn renamed(&self, _: &Path, _: &Path) {}

    /// Whether anything is synced; if not, a sync succeeds at once.
    fn syncs(&self) -> bool {
        true
    }
}

/// The wrapping disk.
#[derive(Debug)]
pub(crate) struct WatchedDisk<W>(pub(crate) Arc<W>);

impl<W: Watch> WatchedDisk<W> {
    fn call<R>(&self, call: Call, path: &Path, make: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        watched(&*self.0, call, path, make)
    }
}

fn watched<R>(watch: &impl Watch, call: Call, path: &Path, make: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    watch.before(call, path)?;
    let made = make()?;
    watch.after(call, path);
    Ok(made)
}

impl<W: Watch> Disk for WatchedDisk<W> {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        let file = self.call(Call::Open, path, || FileDisk.open(path, mode))?;
        Ok(Arc::new(WatchedFile { file, path: path.into(), watch: Arc::clone(&self.0) }))
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
        self.call(Call::Rename, to, || FileDisk.rename(from, to))?;
        self.0.renamed(from, to);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Remove, path, || FileDisk.remove_file(path))
    }

    fn remove_dir(&self, directory: &Path) -> io::Result<()> {
        FileDisk.remove_dir(directory)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let sync = || if self.0.syncs() { FileDisk.sync_dir(directory) } else { Ok(()) };
        self.call(Call::SyncDir, directory, sync)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        FileDisk.space(path).map(|real| self.0.space(real))
    }
}

#[derive(Debug)]
struct WatchedFile<W: Watch> {
    file: SharedFile,
    path: PathBuf,
    watch: Arc<W>,
}

impl<W: Watch> WatchedFile<W> {
    fn call<R>(&self, call: Call, make: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        watched(&*self.watch, call, &self.path, make)
    }
}

impl<W: Watch> Drop for WatchedFile<W> {
    fn drop(&mut self) {
        self.watch.after(Call::Close, &self.path);
    }
}

impl<W: Watch> DiskFile for WatchedFile<W> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call(Call::SetLen, || self.file.set_len(len))
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        self.call(Call::Read, || self.file.read_at(out, at))
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.call(Call::Write, || self.file.write_all_at(bytes, at))
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        self.call(Call::Allocate, || self.file.allocate(range))
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.call(Call::Zero, || self.file.zero(range))
    }

    fn is_zero(&self, range: Range<u64>) -> io::Result<bool> {
        self.file.is_zero(range)
    }

    fn sync(&self) -> io::Result<()> {
        self.call(Call::Sync, || if self.watch.syncs() { self.file.sync() } else { Ok(()) })
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.call(Call::Map, || self.file.map(len))
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.file.modified_ms()
    }

    fn lock(&self) -> io::Result<bool> {
        self.file.lock()
    }

    fn lock_shared(&self) -> io::Result<bool> {
        self.file.lock_shared()
    }
}
