//! The one door to the operating system's files.
//!
//! Every open, write, sync, allocation, mapping, rename and removal of the store goes through [`Disk`] and [`DiskFile`],
//! so that a test can wrap them, record each call and fail any of them, and a simulation can replace them. The one
//! thing that does not pass here are the stores into a mapping; what makes them last is [`DiskFile::sync`], which does.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::error::StoreError;
pub use super::file_disk::FileDisk;
pub use super::segment::Mapping;

/// A disk that is handed around.
pub type SharedDisk = Arc<dyn Disk>;
/// An open file that is handed around; the last one closes it.
pub type SharedFile = Arc<dyn DiskFile>;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist and is read and written.
    Existing,
    /// It must exist and is only read.
    ReadOnly,
    /// It is made if need be, and read and written.
    Create,
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name within the directory.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_dir: bool,
    /// Length of a file.
    pub len: u64,
    /// When its content changed last, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// Room on the file system of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that nobody uses, some of which may be kept for others.
    pub free: u64,
    /// Bytes that this process could still write.
    pub usable: u64,
}

/// Names, directories and the opening of files.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// As the operating system says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile>;

    /// What a path is; `None` if there is nothing.
    ///
    /// # Errors
    /// As the operating system says.
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>>;

    /// What a directory holds, ordered by name; nothing if it does not exist.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>>;

    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir(&self, directory: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; one that is not there counts as removed.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory; one that is not there counts as removed.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove_dir(&self, directory: &Path) -> io::Result<()>;

    /// Makes the names in a directory last.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;

    /// How much room there is.
    ///
    /// # Errors
    /// As the operating system says.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// How many syncs are worth having under way at once, each on a thread of its own: a disk that is told of several together
    /// writes them in little more time than one.
    fn syncs_at_once(&self) -> usize {
        1
    }
}

/// One open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Makes it that long; what is added reads as zeros and takes no room yet.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Reads up to `out.len()` bytes; fewer only at the end of the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As the operating system says; part of them may have been written.
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Takes room on the disk for a range, so that storing there through a mapping cannot fail.
    ///
    /// What is there stays; what was never written reads as zeros. Nobody may store into the range meanwhile: on a file
    /// system without allocation it is read and written back.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] when there is no room.
    fn allocate(&self, range: Range<u64>) -> io::Result<()>;

    /// Makes a range read as zeros and keeps its room.
    ///
    /// # Errors
    /// As the operating system says.
    fn zero(&self, range: Range<u64>) -> io::Result<()>;

    /// Whether a range reads as zeros. Holes are not read, so that a nearly empty file costs next to nothing.
    ///
    /// # Errors
    /// As the operating system says.
    fn is_zero(&self, range: Range<u64>) -> io::Result<bool>;

    /// Makes what was written, through a mapping too, last.
    ///
    /// # Errors
    /// As the operating system says; afterwards nobody knows what is on the disk.
    fn sync(&self) -> io::Result<()>;

    /// Maps the first `len` bytes.
    ///
    /// # Errors
    /// As the operating system says, no mappings left among them.
    fn map(&self, len: u64) -> io::Result<Mapping>;

    /// When the content changed last, in milliseconds since the epoch.
    ///
    /// # Errors
    /// As the operating system says.
    fn modified_ms(&self) -> io::Result<i64>;

    /// Takes the exclusive lock that Java's broker takes too; `false` if another process has it.
    ///
    /// # Errors
    /// As the operating system says.
    fn lock(&self) -> io::Result<bool>;

    /// Takes a lock that keeps out who wants [`DiskFile::lock`], and nobody else; `false` if another process has that one.
    /// A file that is only read can have it. A disk that knows one kind of lock takes that.
    ///
    /// # Errors
    /// As the operating system says.
    fn lock_shared(&self) -> io::Result<bool> {
        self.lock()
    }
}

/// Makes a directory and those above it, whose names last: what is synced in a directory that a power cut takes away is gone.
///
/// # Errors
/// As the operating system says.
pub fn create_lasting_dir(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for path in directory.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        if disk.entry(path)?.is_some() {
            break;
        }
        missing.push(path);
    }
    if missing.is_empty() {
        return Ok(());
    }
    disk.create_dir(directory)?;
    missing.into_iter().rev().try_for_each(|path| sync_readable_dir(disk, parent_of(path)))
}

/// Makes the names in a directory last, unless it may be entered and not be read, or lies on a file system that is never
/// written to or knows no such thing: its names are its owner's affair then.
///
/// # Errors
/// As the operating system says.
pub fn sync_readable_dir(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    let synced = disk.sync_dir(directory);
    match synced.as_ref().map_err(io::Error::kind) {
        Err(PermissionDenied | InvalidInput | ReadOnlyFilesystem | Unsupported) => Ok(()),
        _ => synced,
    }
}

/// Removes a file so that it does not come back after a power cut: of several in a row one that does so alone would leave a
/// gap, which no start takes.
///
/// # Errors
/// What the operating system says.
pub(super) fn remove_for_good(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    let directory = parent_of(path);
    disk.remove_file(path).map_err(StoreError::io("remove", path))?;
    disk.sync_dir(directory).map_err(StoreError::io("sync", directory))
}

/// The directory that a path lies in: for a bare name that is the current one, which has no name in it.
#[must_use]
pub fn parent_of(path: &Path) -> &Path {
    parents_of(path).next().unwrap_or_else(|| Path::new("."))
}

/// That directory and all above it, from the inside out.
pub fn parents_of(path: &Path) -> impl Iterator<Item = &Path> {
    path.ancestors().skip(1).map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Reads a whole file.
///
/// # Errors
/// As the operating system says.
pub fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::ReadOnly)?;
    let mut bytes = vec![0; file.len()? as usize];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
