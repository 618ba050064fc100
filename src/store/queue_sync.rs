//! What a thread that syncs holds of a queue.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{OpenMode, SharedDisk};
use super::error::StoreError;
use super::layout::file_name;
use super::queue_file::QueueFile;

/// The files of one queue that hold entries which may not be on the disk, and those of its extension. Clones share the list.
///
/// They are opened anew to be synced: a hundred thousand queues that wait for that must not hold a descriptor each.
#[derive(Clone, Debug)]
pub struct QueueSync {
    files: Arc<Unsynced>,
    /// Those of the extension: they are synced first, since an entry that names a unit is to find it.
    units: Option<Arc<Unsynced>>,
}

#[derive(Debug)]
struct Unsynced {
    disk: SharedDisk,
    directory: PathBuf,
    /// Whether a file was made or removed since the last sync: that must last too, and the names of the directories above.
    names_changed: AtomicBool,
    /// One more than the base of the file that was listed last, 0 for none: spares the lock for every entry but the
    /// first.
    listed: AtomicU64,
    /// Whether somebody was told that there is something to be synced.
    told: AtomicBool,
    bases: Mutex<Vec<u64>>,
}

impl QueueSync {
    pub(super) fn new(disk: SharedDisk, directory: PathBuf) -> Self {
        let (names_changed, listed, told) = (AtomicBool::new(false), AtomicU64::new(0), AtomicBool::new(false));
        let files = Arc::new(Unsynced { disk, directory, names_changed, listed, told, bases: Mutex::default() });
        Self { files, units: None }
    }

    /// The same, which syncs the files of an extension too.
    pub(super) fn with_units(self, units: &Self) -> Self {
        Self { units: Some(Arc::clone(&units.files)), ..self }
    }

    /// Notes that the queue got a new file, or that one was taken from its end.
    pub(super) fn note_names(&self) {
        self.files.names_changed.store(true, Ordering::Release);
    }

    /// Whether there is something to be synced that nobody was told of; who asks is to tell.
    pub(super) fn tell(&self) -> bool {
        self.files.listed.load(Ordering::Acquire) != 0 && !self.files.told.swap(true, Ordering::AcqRel)
    }

    /// Makes every entry that was appended before the call last.
    ///
    /// # Errors
    /// What the operating system says. What is on the disk is unknown then, and the store is to be given up; but of a
    /// [shortage](StoreError::is_shortage), when the call can be repeated.
    pub fn sync(&self) -> Result<(), StoreError> {
        // What is listed from now on may not be covered, and is told of again.
        self.files.told.store(false, Ordering::Release);
        self.units.as_ref().map_or(Ok(()), |units| units.sync())?;
        self.files.sync()
    }

    /// Puts a file that was just written on the list. Called after the write: a sync that is running meanwhile either
    /// finds the mark and covers the entry, or has cleared it and is followed by another.
    pub(super) fn mark(&self, file: &QueueFile) {
        self.files.mark(file.base);
    }
}

impl Unsynced {
    fn sync(&self) -> Result<(), StoreError> {
        let taken = {
            let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
            self.listed.store(0, Ordering::Release);
            std::mem::take(&mut *bases)
        };
        let names_changed = self.names_changed.swap(false, Ordering::AcqRel);
        let mut left = taken.as_slice();
        let synced = self.sync_files(&mut left).and_then(|()| if names_changed { self.sync_names() } else { Ok(()) });
        if synced.is_err() {
            self.put_back(left, names_changed);
        }
        synced
    }

    /// Syncs files from the front of `left` on, and leaves there what was not.
    fn sync_files(&self, left: &mut &[u64]) -> Result<(), StoreError> {
        while let Some((base, behind)) = left.split_first() {
            let path = self.directory.join(file_name(*base));
            match self.disk.open(&path, OpenMode::Existing) {
                Ok(file) => file.sync().map_err(StoreError::io("sync", &path))?,
                // It was removed with the log that it points to.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("open", &path)(error)),
            }
            *left = behind;
        }
        Ok(())
    }

    /// Makes the names of files last: the queue's, its topic's, and the row of topics.
    fn sync_names(&self) -> Result<(), StoreError> {
        let mut directories = self.directory.ancestors().take(3);
        directories.try_for_each(|directory| match self.disk.sync_dir(directory) {
            // It was removed with its topic.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            synced => synced.map_err(StoreError::io("sync", directory)),
        })
    }

    fn put_back(&self, left: &[u64], names_changed: bool) {
        self.names_changed.fetch_or(names_changed, Ordering::AcqRel);
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        for base in left {
            if !bases.contains(base) {
                bases.push(*base);
            }
        }
    }

    fn mark(&self, base: u64) {
        if self.listed.load(Ordering::Acquire) == base + 1 {
            return;
        }
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        if !bases.contains(&base) {
            bases.push(base);
        }
        self.listed.store(base + 1, Ordering::Release);
    }
}
