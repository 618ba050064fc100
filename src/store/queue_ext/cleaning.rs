//! Taking away the beginning of an extension, with the records that it tells of.

use std::path::PathBuf;

use super::{QueueExtension, UnitAddress};
use crate::store::disk::{SharedDisk, remove_for_good};
use crate::store::error::StoreError;
use crate::store::layout::file_name;

/// The files of an extension as they were at one moment.
#[derive(Clone, Debug)]
pub(in crate::store) struct ExtensionFiles {
    disk: SharedDisk,
    directory: PathBuf,
    file_bytes: u64,
    /// The first bytes of its files, counted over the extension.
    bases: Vec<u64>,
}

impl QueueExtension {
    /// What another thread needs to clean the extension.
    pub(in crate::store) fn listed(&self) -> ExtensionFiles {
        ExtensionFiles {
            disk: SharedDisk::clone(&self.disk),
            directory: self.directory.clone(),
            file_bytes: self.file_bytes,
            bases: self.files.iter().map(|file| file.base).collect(),
        }
    }

    /// Lets go of the files before one that begins at `first`.
    pub(in crate::store) fn let_go_before(&mut self, first: u64) {
        self.files.retain(|file| file.base >= first);
    }
}

impl ExtensionFiles {
    /// Where the first file begins that stays when `unit` is the first that is still named: never a file is left without
    /// another behind it.
    pub(in crate::store) fn first_with(&self, unit: UnitAddress) -> Option<u64> {
        let last = self.bases.last()?;
        let stays = |base: &&u64| *base == last || **base + self.file_bytes >= unit.offset();
        self.bases.iter().find(stays).copied()
    }

    /// Removes the files before one that begins at `first`.
    ///
    /// # Errors
    /// What the operating system says.
    pub(in crate::store) fn remove_before(&self, first: u64) -> Result<(), StoreError> {
        let leaving = self.bases.iter().take_while(|base| **base < first);
        leaving.into_iter().try_for_each(|base| remove_for_good(&*self.disk, &self.directory.join(file_name(*base))))
    }
}
