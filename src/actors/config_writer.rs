//! One of the JSON files under `config/`: read at the start, written whole when its owner has changed.

use std::fmt::Display;
use std::path::PathBuf;

use crate::store::config_files;
use crate::store::{SharedDisk, StoreError};

/// Writes one file; its owner has the only one.
#[derive(Debug)]
pub struct ConfigWriter {
    disk: SharedDisk,
    path: PathBuf,
}

impl ConfigWriter {
    /// For the file at `path`.
    #[must_use]
    pub fn new(disk: SharedDisk, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// Reads the file, or the copy of its previous state if it cannot be read, which is then set aside; `None` when there
    /// is neither.
    ///
    /// # Errors
    /// Neither can be read.
    pub fn load<T, E: Display>(&self, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, StoreError> {
        let loaded = config_files::load(&*self.disk, &self.path, parse)?;
        let problem = loaded.warnings.join("; ");
        if loaded.is_of_copy() {
            let aside = config_files::set_aside(&*self.disk, &self.path)?;
            tracing::warn!("{problem}; it lies in {} now, and its previous state is used", aside.display());
        } else if !loaded.warnings.is_empty() {
            // Going on with defaults would write them over what may still be mended by hand.
            return Err(StoreError::Unreadable { path: self.path.clone(), problem });
        }
        Ok(loaded.value)
    }

    /// Writes the file; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the operating system says; the file is as it was then.
    pub fn write(&self, text: &str) -> Result<(), StoreError> {
        config_files::save(&*self.disk, &self.path, text)
    }
}
