//! A disk that remembers what a power cut would leave of the files that are written through mappings.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::watched_disk::{Call, Watch, WatchedDisk};

/// Directories whose files are written through mappings.
const MAPPED: [&str; 4] = ["commitlog", "consumequeue", "consumequeue_ext", "index"];

/// What lasts.
#[derive(Debug, Default)]
struct Lasting {
    /// Each file at its last sync; one that was never synced reads as zeros.
    files: HashMap<PathBuf, Vec<u8>>,
    /// How often something was written to each file with a call.
    writes: HashMap<PathBuf, usize>,
}

/// The disk.
pub(crate) type PowerDisk = WatchedDisk<Power>;

/// Who remembers.
#[derive(Debug, Default)]
pub(crate) struct Power {
    lasting: Mutex<Lasting>,
}

impl PowerDisk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Arc::default()))
    }

    /// How often a file was written to with a call.
    pub(crate) fn writes(&self, path: &Path) -> usize {
        self.0.lasting.lock().unwrap().writes.get(path).copied().unwrap_or(0)
    }

    /// Makes a copy of a directory as the power cut leaves it. What was written with calls is there, the worst case for
    /// what it says of the other files: nothing is synced while the copy is made.
    pub(crate) fn cut(&self, from: &Path, to: &Path) {
        let lasting = self.0.lasting.lock().unwrap();
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

impl Watch for Power {
    fn after(&self, call: Call, path: &Path) {
        let mut lasting = self.lasting.lock().unwrap();
        match call {
            Call::Write => *lasting.writes.entry(path.into()).or_default() += 1,
            Call::Sync => {
                // What was removed meanwhile needs not last.
                if let Ok(bytes) = fs::read(path) {
                    lasting.files.insert(path.into(), bytes);
                }
            }
            Call::Remove => {
                lasting.files.remove(path);
            }
            _ => {}
        }
    }

    fn renamed(&self, from: &Path, to: &Path) {
        let mut lasting = self.lasting.lock().unwrap();
        if let Some(bytes) = lasting.files.remove(from) {
            lasting.files.insert(to.into(), bytes);
        }
    }
}
