//! One of the JSON files under `config/`: read at the start, written whole when its owner has changed.

use std::fmt::Display;
use std::path::PathBuf;

use crate::store::config_files::{self, Loaded};
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

    /// Reads the file, or the copy of its previous state if it cannot be read; `None` when there is neither.
    ///
    /// # Errors
    /// Neither can be read.
    pub fn load<T, E: Display>(&self, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, StoreError> {
        let Loaded { value, warnings } = config_files::load(&*self.disk, &self.path, parse)?;
        if value.is_none() && !warnings.is_empty() {
            // Going on with defaults would write them over what may still be mended by hand.
            return Err(StoreError::Unreadable { path: self.path.clone(), problem: warnings.join("; ") });
        }
        warnings.iter().for_each(|warning| tracing::warn!("{warning}; its previous state is used"));
        Ok(value)
    }

    /// Writes the file; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the operating system says; the file is as it was then.
    pub fn write(&self, text: &str) -> Result<(), StoreError> {
        config_files::save(&*self.disk, &self.path, text)
    }
}
