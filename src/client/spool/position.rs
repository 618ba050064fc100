//! How far a spool is sent.
//!
//! # Layout
//! One file of 32 bytes: what each file of a spool begins with, and two places of 12 bytes for a position and the CRC-32 of the
//! file's beginning and the position, big-endian. The greater one that is whole counts. One place is known to be on the disk; the
//! other one is written after each letter without a sync, so that a process that is killed doubles one letter at most, and is
//! synced every now and then, when the two change their parts. So nothing that is noted needs room on the disk.

use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::segment::{HEADER_BYTES, header, version_of};
use crate::store::disk::{Disk, OpenMode, SharedFile, read_all};

const NAME: &str = "sent";
/// Bytes of a position and its CRC.
const PLACE_BYTES: usize = 12;
/// A power cut has so many letters sent twice at most.
const NOTES_UNSYNCED_MAX: u32 = 32;

/// The file, open to be written.
#[derive(Debug)]
pub(super) struct PositionFile {
    path: PathBuf,
    file: SharedFile,
    /// Which of the two is written next: the other one is on the disk.
    place: usize,
    unsynced: u32,
}

impl PositionFile {
    /// Opens the file, and gives what it says; `None` if there is none, or none that is whole. That, or where to begin, is to be
    /// noted and settled before anything else: it goes where it is already, and may not have come to the disk.
    ///
    /// # Errors
    /// What the operating system says, and a file of another version.
    pub(super) fn open(disk: &dyn Disk, directory: &Path) -> Result<(Self, Option<u64>), SpoolError> {
        let path = directory.join(NAME);
        let bytes = match disk.entry(&path).map_err(SpoolError::io("stat", &path))? {
            Some(_) => read_all(disk, &path).map_err(SpoolError::io("read", &path))?,
            None => Vec::new(),
        };
        let places = decode(&bytes, &path)?;
        let position = places.into_iter().flatten().max();
        if position.is_none() && !bytes.is_empty() {
            tracing::warn!(path = %path.display(), "cannot be read: letters that were sent may be sent again");
        }
        let file = disk.open(&path, OpenMode::Create).map_err(SpoolError::io("open", &path))?;
        let place = usize::from(position.is_some() && places[1] == position);
        let own = Self { path, file, place, unsynced: 0 };
        if !bytes.starts_with(&header()) {
            let empty = [&header()[..], &[0; 2 * PLACE_BYTES]].concat();
            own.write(&empty, 0)?;
            disk.sync_dir(directory).map_err(SpoolError::io("sync", directory))?;
        }
        Ok((own, position))
    }

    /// Everything before here is sent.
    ///
    /// # Errors
    /// What the operating system says; what was noted before is still there.
    pub(super) fn note(&mut self, position: u64) -> Result<(), SpoolError> {
        let at = HEADER_BYTES + (self.place * PLACE_BYTES) as u64;
        self.write(&encode(position), at)?;
        self.unsynced += 1;
        if self.unsynced >= NOTES_UNSYNCED_MAX { self.settle() } else { Ok(()) }
    }

    /// Makes what was noted last.
    ///
    /// # Errors
    /// What the operating system says; it may be noted and made to last again.
    pub(super) fn settle(&mut self) -> Result<(), SpoolError> {
        if self.unsynced > 0 {
            self.file.sync().map_err(SpoolError::io("sync", &self.path))?;
            (self.place, self.unsynced) = (1 - self.place, 0);
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<(), SpoolError> {
        self.file.write_all_at(bytes, at).map_err(SpoolError::io("write", &self.path))
    }
}

/// A position as it lies in its place.
fn encode(position: u64) -> [u8; PLACE_BYTES] {
    let mut place = [0; PLACE_BYTES];
    let (bytes, crc) = place.split_at_mut(8);
    bytes.copy_from_slice(&position.to_be_bytes());
    crc.copy_from_slice(&checksum(bytes).to_be_bytes());
    place
}

/// The positions in the two places.
fn decode(bytes: &[u8], path: &Path) -> Result<[Option<u64>; 2], SpoolError> {
    version_of(bytes, path)?;
    let is_one = bytes.starts_with(&header());
    let places = bytes.get(HEADER_BYTES as usize..).filter(|_| is_one).unwrap_or_default();
    let mut positions = places.chunks_exact(PLACE_BYTES).map(|place| {
        let (position, crc) = place.split_first_chunk::<8>()?;
        (checksum(position).to_be_bytes() == *crc).then(|| u64::from_be_bytes(*position))
    });
    Ok([positions.next().flatten(), positions.next().flatten()])
}

fn checksum(position: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header());
    hasher.update(position);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileDisk;

    fn open(directory: &Path) -> (PositionFile, Option<u64>) {
        PositionFile::open(&FileDisk, directory).unwrap()
    }

    #[test]
    fn what_was_noted_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, before) = open(directory.path());
        assert_eq!(before, None);
        for position in 1..100 {
            file.note(position).unwrap();
            assert_eq!(open(directory.path()).1, Some(position));
        }
        file.settle().unwrap();
        assert_eq!(std::fs::read(directory.path().join(NAME)).unwrap().len(), 32);
        let (mut file, position) = open(directory.path());
        assert_eq!(position, Some(99));
        file.note(120).unwrap();
        assert_eq!(open(directory.path()).1, Some(120));
    }

    #[test]
    fn what_is_on_the_disk_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let (path, mut file) = (directory.path().join(NAME), open(directory.path()).0);
        for position in 1..=10 {
            file.note(position * 10).unwrap();
            file.settle().unwrap();
            let settled = std::fs::read(&path).unwrap();
            file.note(position * 10 + 1).unwrap();
            file.note(position * 10 + 2).unwrap();
            let noted = std::fs::read(&path).unwrap();
            let changed = (0..noted.len()).filter(|&at| settled.get(at) != noted.get(at));
            // A power cut may leave anything there.
            let mut torn = noted.clone();
            changed.for_each(|at| torn[at] ^= 0xff);
            assert_eq!(decode(&torn, &path).unwrap().into_iter().flatten().max(), Some(position * 10));
            (file, _) = open(directory.path());
        }
    }

    #[test]
    fn any_other_bytes_are_no_position() {
        let whole = [&header()[..], &encode(0x0102_0304_0506_0708)].concat();
        let path = Path::new("sent");
        assert_eq!(decode(&whole, path).unwrap(), [Some(0x0102_0304_0506_0708), None]);
        for at in 0..whole.len() {
            assert_eq!(decode(&whole[..at], path).unwrap(), [None; 2], "cut at {at}");
            for bit in 0..8 {
                let mut other = whole.clone();
                other[at] ^= 1 << bit;
                // One bit of the version byte makes it another version's.
                let decoded = decode(&other, path);
                assert!(
                    decoded.is_err() == (at == 7) && decoded.unwrap_or_default() == [None; 2],
                    "bit {bit} of byte {at}"
                );
            }
        }
    }
}
