//! A disk that remembers what a power cut would leave of the files that are written through mappings.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ferromq::store::disk::{Disk, DiskFile, Entry, FileDisk, Mapping, OpenMode, SharedFile, Space};

/// Directories whose files are written through mappings.
const MAPPED: [&str; 3] = ["commitlog", "consumequeue", "index"];

/// What lasts.
#[derive(Debug, Default)]
struct Lasting {
    /// Each file at its last sync; one that was never synced reads as zeros.
    files: HashMap<PathBuf, Vec<u8>>,
    /// How often something was written to each file with a call.
    writes: HashMap<PathBuf, usize>,
}

/// The wrapping disk.
#[derive(Debug, Default)]
pub(crate) struct PowerDisk {
    lasting: Arc<Mutex<Lasting>>,
}

impl PowerDisk {
    /// How often a file was written to with a call.
    pub(crate) fn writes(&self, path: &Path) -> usize {
        self.lasting.lock().unwrap().writes.get(path).copied().unwrap_or(0)
    }

    /// Makes a copy of a directory as the power cut leaves it. What was written with calls is there, the worst case for
    /// what it says of the other files: nothing is synced while the copy is made.
    pub(crate) fn cut(&self, from: &Path, to: &Path) {
        let lasting = self.lasting.lock().unwrap();
        copy(&lasting, from, to, false);
    }
}

fn copy(lasting: &Lasting, from: &Path, to: &Path, mapped: bool) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            let mapped = mapped || MAPPED.iter().any(|name| entry.file_name() == *name);
            copy(lasting, &source, &target, mapped);
        } else if mapped {
            let zeros = || vec![0; entry.metadata().unwrap().len() as usize];
            fs::write(target, lasting.files.get(&source).cloned().unwrap_or_else(zeros)).unwrap();
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}

impl Disk for PowerDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        let file = FileDisk.open(path, mode)?;
        Ok(Arc::new(PowerFile { file, path: path.into(), lasting: Arc::clone(&self.lasting) }))
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
        FileDisk.rename(from, to)?;
        let mut lasting = self.lasting.lock().unwrap();
        if let Some(bytes) = lasting.files.remove(from) {
            lasting.files.insert(to.into(), bytes);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.lasting.lock().unwrap().files.remove(path);
        FileDisk.remove_file(path)
    }

    fn remove_dir(&self, directory: &Path) -> io::Result<()> {
        FileDisk.remove_dir(directory)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        FileDisk.sync_dir(directory)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        FileDisk.space(path)
    }
}

#[derive(Debug)]
struct PowerFile {
    file: SharedFile,
    path: PathBuf,
    lasting: Arc<Mutex<Lasting>>,
}

impl DiskFile for PowerFile {
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
        self.file.write_all_at(bytes, at)?;
        *self.lasting.lock().unwrap().writes.entry(self.path.clone()).or_default() += 1;
        Ok(())
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        self.file.allocate(range)
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.file.zero(range)
    }

    fn is_zero(&self, range: Range<u64>) -> io::Result<bool> {
        self.file.is_zero(range)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()?;
        self.lasting.lock().unwrap().files.insert(self.path.clone(), fs::read(&self.path)?);
        Ok(())
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.file.map(len)
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.file.modified_ms()
    }

    fn lock(&self) -> io::Result<bool> {
        self.file.lock()
    }
}
