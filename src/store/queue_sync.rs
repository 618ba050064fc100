//! What a thread that syncs holds of a queue, and the sync of many queues at once.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::disk::{OpenMode, SharedDisk};
use super::error::StoreError;
use super::layout::file_name;
use super::queue_file::QueueFile;

/// Queues for each thread that syncs: for fewer it does not pay to begin one.
const QUEUES_PER_THREAD: usize = 8;

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
    /// Whether a file was made or removed since the last sync: that must last too.
    names_changed: AtomicBool,
    /// Whether the names of the directories above must be made to last as well: of the queue's, and of its topic's.
    above_changed: AtomicBool,
    /// One more than the base of the file that was listed last, 0 for none: spares the lock for every entry but the
    /// first.
    listed: AtomicU64,
    /// Whether somebody was told that there is something to be synced.
    told: AtomicBool,
    bases: Mutex<Vec<u64>>,
}

impl QueueSync {
    pub(super) fn new(disk: SharedDisk, directory: PathBuf) -> Self {
        let files = Unsynced {
            disk,
            directory,
            names_changed: AtomicBool::new(false),
            above_changed: AtomicBool::new(false),
            listed: AtomicU64::new(0),
            told: AtomicBool::new(false),
            bases: Mutex::default(),
        };
        Self { files: Arc::new(files), units: None }
    }

    /// The same, which syncs the files of an extension too.
    pub(super) fn with_units(self, units: &Self) -> Self {
        Self { units: Some(Arc::clone(&units.files)), ..self }
    }

    /// Notes that the queue got a new file, or that one was taken from its end.
    pub(super) fn note_names(&self) {
        self.files.names_changed.store(true, Ordering::Release);
        self.files.above_changed.store(true, Ordering::Release);
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
        sync_all(std::slice::from_ref(self))
    }

    fn sync_own(&self) -> Result<(), StoreError> {
        self.units.as_ref().map_or(Ok(()), |units| units.sync())?;
        self.files.sync()
    }

    /// The queue's files and those of its extension.
    fn unsynced(&self) -> impl Iterator<Item = &Unsynced> {
        self.units.iter().chain([&self.files]).map(Arc::as_ref)
    }

    /// Puts a file that was just written on the list. Called after the write: a sync that is running meanwhile either
    /// finds the mark and covers the entry, or has cleared it and is followed by another.
    pub(super) fn mark(&self, file: &QueueFile) {
        self.files.mark(file.base);
    }
}

/// Makes every entry of these queues last that was appended before the call, of many queues several at once.
///
/// # Errors
/// As [`QueueSync::sync`]: of the first that failed. Any of them may not have been synced then.
pub(super) fn sync_all(queues: &[QueueSync]) -> Result<(), StoreError> {
    let Some(disk) = queues.first().map(|queue| &queue.files.disk) else { return Ok(()) };
    // What is listed from now on may not be covered, and is told of again.
    queues.iter().for_each(|queue| queue.files.told.store(false, Ordering::Release));
    sync_above(disk, queues)?;
    let threads = disk.syncs_at_once().min(queues.len() / QUEUES_PER_THREAD);
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(queue) = queues.get(next.fetch_add(1, Ordering::Relaxed)) {
            // After a failure nobody need go on.
            queue.sync_own().inspect_err(|_| next.store(queues.len(), Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        // Where no more threads are to be had, there are fewer.
        let begin = |_| thread::Builder::new().name("sync".into()).spawn_scoped(scope, work).ok();
        let begun: Vec<_> = (1..threads).map_while(begin).collect();
        let own = work();
        begun.into_iter().fold(own, |synced, thread| {
            let other = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            synced.and(other)
        })
    })
}

/// Makes the names of the directories last that the queues' files lie in, each once: it is there before what is to lie in it is
/// asked for, and many queues share it.
fn sync_above(disk: &SharedDisk, queues: &[QueueSync]) -> Result<(), StoreError> {
    let is_changed = |files: &&Unsynced| files.above_changed.swap(false, Ordering::AcqRel);
    let changed: Vec<_> = queues.iter().flat_map(QueueSync::unsynced).filter(is_changed).collect();
    let above: BTreeSet<_> = changed.iter().flat_map(|files| files.directory.ancestors().skip(1).take(2)).collect();
    above.into_iter().try_for_each(|directory| sync_dir(disk, directory)).inspect_err(|_| {
        changed.iter().for_each(|files| files.above_changed.store(true, Ordering::Release));
    })
}

fn sync_dir(disk: &SharedDisk, directory: &Path) -> Result<(), StoreError> {
    match disk.sync_dir(directory) {
        // It was removed with its topic.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced.map_err(StoreError::io("sync", directory)),
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
        let names = || if names_changed { sync_dir(&self.disk, &self.directory) } else { Ok(()) };
        let synced = self.sync_files(&mut left).and_then(|()| names());
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
