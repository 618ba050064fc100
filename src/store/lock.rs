//! One broker per directory: the lock that Java's broker takes too, and a registry for this process.
//!
//! A POSIX record lock belongs to the process: it does not keep the same process from taking it twice, and is lost when
//! any descriptor of the file is closed. So a second open within the process must not even open the file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::disk::{OpenMode, SharedDisk, SharedFile, create_lasting_dir};
use super::error::StoreError;
use super::layout::StoreOptions;

static HELD: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

/// The lock on a store; dropping it gives it up.
#[derive(Debug)]
pub struct StoreLock {
    path: PathBuf,
    /// Holds the operating system's lock as long as it is open; `None` where there is nothing to be locked.
    file: Option<SharedFile>,
}

impl StoreLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another broker has it, in this process or elsewhere.
    pub fn take(disk: &SharedDisk, options: &StoreOptions) -> Result<Self, StoreError> {
        create_lasting_dir(&**disk, options.root()).map_err(StoreError::io("create", options.root()))?;
        Self::registered(options, |path| Self::lock_file(disk, path).map(Some))
    }

    /// Takes the lock for one who only looks: no file is made and no byte is changed, and other processes may look too. A store
    /// without a lock file was never opened by a broker, so that there is nothing to be taken.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if a broker has it, in this process or elsewhere.
    pub fn look(disk: &SharedDisk, options: &StoreOptions) -> Result<Self, StoreError> {
        Self::registered(options, |path| {
            if disk.entry(path).map_err(StoreError::io("stat", path))?.is_none() {
                return Ok(None);
            }
            let file = disk.open(path, OpenMode::ReadOnly).map_err(StoreError::io("open", path))?;
            if !file.lock_shared().map_err(StoreError::io("lock", path))? {
                return Err(StoreError::Locked { path: path.into() });
            }
            Ok(Some(file))
        })
    }

    fn registered(
        options: &StoreOptions,
        lock: impl FnOnce(&Path) -> Result<Option<SharedFile>, StoreError>,
    ) -> Result<Self, StoreError> {
        // One name per directory, whichever way it was reached; a simulated disk's paths are taken as they are.
        let root = options.root().canonicalize().unwrap_or_else(|_| options.root().to_path_buf());
        let path = root.join("lock");
        if !registry(|held| held.insert(path.clone())) {
            return Err(StoreError::Locked { path });
        }
        let file = lock(&path).inspect_err(|_| {
            registry(|held| held.remove(&path));
        })?;
        Ok(Self { path, file })
    }

    fn lock_file(disk: &SharedDisk, path: &Path) -> Result<SharedFile, StoreError> {
        let file = disk.open(path, OpenMode::Create).map_err(StoreError::io("open", path))?;
        if !file.lock().map_err(StoreError::io("lock", path))? {
            return Err(StoreError::Locked { path: path.into() });
        }
        // Written only where it is not there yet. Java's broker writes it at each start, which is how `open` learns that
        // it was here: our own start must not look the same.
        let mut content = [0; 4];
        let read = file.read_at(&mut content, 0).map_err(StoreError::io("read", path))?;
        if content.get(..read) != Some(b"lock") {
            file.write_all_at(b"lock", 0).map_err(StoreError::io("write", path))?;
        }
        Ok(file)
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // Closed first: whoever takes it next within the process would lose the system's lock by a close behind it.
        self.file = None;
        registry(|held| held.remove(&self.path));
    }
}

fn registry<R>(change: impl FnOnce(&mut HashSet<PathBuf>) -> R) -> R {
    change(HELD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}
