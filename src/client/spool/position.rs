//! How far a spool is sent.
//!
//! # Layout
//! Two files of 20 bytes, of which the greater whole one counts: `sent` is known to be on the disk, `sent.next` is written
//! after each letter without a sync, so that a process that is killed doubles one letter at most, and becomes `sent` every
//! now and then.

use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::segment::{HEADER_BYTES, header, version_of};
use crate::store::disk::{OpenMode, SharedDisk, SharedFile, read_all};

const NAME: &str = "sent";
const NEXT: &str = "sent.next";
/// A power cut has so many letters sent twice at most.
const NOTES_UNSYNCED_MAX: u32 = 32;

/// The two files.
#[derive(Debug)]
pub(super) struct PositionFile {
    disk: SharedDisk,
    directory: PathBuf,
    /// `sent.next`, once something was written to it.
    next: Option<SharedFile>,
    unsynced: u32,
}

impl PositionFile {
    pub(super) fn new(disk: SharedDisk, directory: PathBuf) -> Self {
        Self { disk, directory, next: None, unsynced: 0 }
    }

    /// What they say; `None` if there is none that is whole.
    ///
    /// # Errors
    /// What the operating system says, and a file of another version.
    pub(super) fn load(&self) -> Result<Option<u64>, SpoolError> {
        let mut greatest = None;
        for name in [NAME, NEXT] {
            let path = self.directory.join(name);
            if self.disk.entry(&path).map_err(SpoolError::io("stat", &path))?.is_none() {
                continue;
            }
            let bytes = read_all(&*self.disk, &path).map_err(SpoolError::io("read", &path))?;
            let position = decode(&bytes, &path)?;
            if position.is_none() {
                tracing::warn!(path = %path.display(), "cannot be read: letters that were sent may be sent again");
            }
            greatest = greatest.max(position);
        }
        Ok(greatest)
    }

    /// Everything before here is sent.
    ///
    /// # Errors
    /// What the operating system says; what was noted before is still there.
    pub(super) fn note(&mut self, position: u64) -> Result<(), SpoolError> {
        let path = self.directory.join(NEXT);
        let file = match &self.next {
            Some(file) => file,
            None => self.next.insert(self.disk.open(&path, OpenMode::Create).map_err(SpoolError::io("open", &path))?),
        };
        file.write_all_at(&encode(position), 0).map_err(SpoolError::io("write", &path))?;
        self.unsynced += 1;
        if self.unsynced >= NOTES_UNSYNCED_MAX { self.settle() } else { Ok(()) }
    }

    /// Makes what was noted last.
    ///
    /// # Errors
    /// What the operating system says; it may be noted and made to last again.
    pub(super) fn settle(&mut self) -> Result<(), SpoolError> {
        let (next, name) = (self.directory.join(NEXT), self.directory.join(NAME));
        let Some(file) = &self.next else { return Ok(()) };
        file.sync().map_err(SpoolError::io("sync", &next))?;
        self.disk.rename(&next, &name).map_err(SpoolError::io("rename", &next))?;
        self.disk.sync_dir(&self.directory).map_err(SpoolError::io("sync", &self.directory))?;
        (self.next, self.unsynced) = (None, 0);
        Ok(())
    }
}

fn encode(position: u64) -> Vec<u8> {
    let mut bytes = header().to_vec();
    bytes.extend_from_slice(&position.to_be_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8], path: &Path) -> Result<Option<u64>, SpoolError> {
    let Some((said, crc)) = bytes.split_last_chunk().filter(|(said, crc)| crc32fast::hash(said).to_be_bytes() == **crc)
    else {
        return Ok(None);
    };
    let _: &[u8; 4] = crc;
    version_of(said, path)?;
    let position = said.get(HEADER_BYTES as usize..).and_then(|position| position.try_into().ok());
    Ok(position.map(u64::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileDisk;

    #[test]
    fn what_was_noted_is_found_whichever_file_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let open = || PositionFile::new(FileDisk::shared(), directory.path().into());
        assert_eq!(open().load().unwrap(), None);
        let mut file = open();
        for position in 1..100 {
            file.note(position).unwrap();
            assert_eq!(open().load().unwrap(), Some(position));
        }
        file.settle().unwrap();
        assert_eq!(open().load().unwrap(), Some(99));
        assert!(!directory.path().join(NEXT).exists());
        file.note(120).unwrap();
        std::fs::write(directory.path().join(NEXT), [0; 20]).unwrap();
        assert_eq!(open().load().unwrap(), Some(99), "one that is damaged hides no other");
    }

    #[test]
    fn any_other_bytes_are_no_position() {
        let whole = encode(0x0102_0304_0506_0708);
        let path = Path::new("sent");
        assert_eq!(decode(&whole, path).unwrap(), Some(0x0102_0304_0506_0708));
        for at in 0..whole.len() {
            assert_eq!(decode(&whole[..at], path).unwrap(), None, "cut at {at}");
            for bit in 0..8 {
                let mut other = whole.clone();
                other[at] ^= 1 << bit;
                assert_eq!(decode(&other, path).unwrap(), None, "bit {bit} of byte {at}");
            }
        }
    }
}
