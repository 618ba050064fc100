//! The JSON files under `config/`: replaced whole or not at all, and read from the copy before when they are damaged.
//!
//! Only text is handled here; what it means, and that Java writes maps with bare integer keys, is the reader's concern.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::disk::{Disk, OpenMode, create_lasting_dir, parent_of, read_all};
use super::error::StoreError;

/// What was read.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The content; `None` if neither the file nor its copy can be used.
    pub value: Option<T>,
    /// Why the file itself was not used, for the log. A store without the file gives no warning.
    pub warnings: Vec<String>,
}

impl<T> Loaded<T> {
    /// Whether the file itself is damaged and its copy is not.
    #[must_use]
    pub fn is_of_copy(&self) -> bool {
        self.value.is_some() && !self.warnings.is_empty()
    }
}

/// Replaces a file so that a crash at any moment leaves the old or the new text, and keeps the old one as `.bak`.
///
/// # Errors
/// What the operating system says; the old text is still there.
pub fn save(disk: &dyn Disk, path: &Path, text: &str) -> Result<(), StoreError> {
    let directory = parent_of(path);
    create_lasting_dir(disk, directory).map_err(StoreError::io("create", directory))?;
    if let Ok(previous) = read_all(disk, path) {
        replace(disk, &with_suffix(path, ".bak"), &previous)?;
    }
    replace(disk, path, text.as_bytes())?;
    disk.sync_dir(directory).map_err(StoreError::io("sync", directory))
}

/// Moves a damaged file out of the way, to `.damaged`, where it can be looked at: the next [`save`] would make it the copy,
/// and for as long as that takes the copy is all there is.
///
/// # Errors
/// What the operating system says; the file is where it was.
pub fn set_aside(disk: &dyn Disk, path: &Path) -> Result<PathBuf, StoreError> {
    let aside = with_suffix(path, ".damaged");
    disk.rename(path, &aside).map_err(StoreError::io("rename", path))?;
    let directory = parent_of(path);
    disk.sync_dir(directory).map_err(StoreError::io("sync", directory))?;
    Ok(aside)
}

/// Reads a file with `parse`, or else its copy.
///
/// # Errors
/// Only what the operating system says about a file that exists; damaged content is a warning.
pub fn load<T, E: Display>(
    disk: &dyn Disk,
    path: &Path,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Loaded<T>, StoreError> {
    let mut warnings = Vec::new();
    for candidate in [path.to_path_buf(), with_suffix(path, ".bak")] {
        if disk.entry(&candidate).map_err(StoreError::io("stat", &candidate))?.is_none() {
            continue;
        }
        let bytes = read_all(disk, &candidate).map_err(StoreError::io("read", &candidate))?;
        let parsed = match std::str::from_utf8(&bytes) {
            Ok(text) if text.trim().is_empty() => Err("it is empty".to_owned()),
            Ok(text) => parse(text).map_err(|error| error.to_string()),
            Err(_) => Err("it is not UTF-8".to_owned()),
        };
        match parsed {
            Ok(value) => return Ok(Loaded { value: Some(value), warnings }),
            Err(problem) => warnings.push(format!("{} cannot be used: {problem}", candidate.display())),
        }
    }
    Ok(Loaded { value: None, warnings })
}

fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = with_suffix(path, ".tmp");
    let file = disk.open(&temporary, OpenMode::Create).map_err(StoreError::io("create", &temporary))?;
    file.set_len(0).map_err(StoreError::io("truncate", &temporary))?;
    file.write_all_at(bytes, 0).map_err(StoreError::io("write", &temporary))?;
    file.sync().map_err(StoreError::io("sync", &temporary))?;
    disk.rename(&temporary, path).map_err(StoreError::io("rename", &temporary))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
