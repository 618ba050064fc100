//! One file of records, appended to at its end.
//!
//! A group of records is written at once, and synced before the next group is written. So a crash tears the last group only, and
//! a record that is not whole though a later group is there was on the disk once.

use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::record::{Record, decode_letter, put_record, size_of_record};
use crate::client::letter::Letter;
use crate::store::disk::{Disk, OpenMode, SharedFile};

/// Bytes of a file before its first record: what it is, and its version.
pub const HEADER_BYTES: u64 = 8;
const MAGIC: [u8; 7] = *b"fmspool";
const VERSION: u8 = 1;

/// What each file begins with.
pub(super) fn header() -> [u8; HEADER_BYTES as usize] {
    let [a, b, c, d, e, f, g] = MAGIC;
    [a, b, c, d, e, f, g, VERSION]
}

/// Whether bytes begin as those of a file do.
///
/// # Errors
/// They do, as those of another version.
pub(super) fn version_of(bytes: &[u8], path: &Path) -> Result<bool, SpoolError> {
    match bytes.strip_prefix(&MAGIC).and_then(|rest| rest.first()) {
        None => Ok(false),
        Some(&VERSION) => Ok(true),
        Some(&found) => Err(SpoolError::Version { path: path.into(), found }),
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: SharedFile,
    /// The position of its first byte.
    base: u64,
    /// Bytes that are known to be on the disk.
    len: u64,
}

/// What a file was found to hold.
pub(super) struct Found {
    /// Records.
    pub(super) records: u64,
    /// Bytes that were cut off at its end.
    pub(super) torn: u64,
}

impl Segment {
    /// An empty one, whatever was there before.
    pub(super) fn create(disk: &dyn Disk, path: PathBuf, base: u64) -> Result<Self, SpoolError> {
        let file = disk.open(&path, OpenMode::Create).map_err(SpoolError::io("create", &path))?;
        file.set_len(0).map_err(SpoolError::io("truncate", &path))?;
        Ok(Self { path, file, base, len: 0 })
    }

    /// One that is there.
    pub(super) fn open(disk: &dyn Disk, path: PathBuf, base: u64) -> Result<Self, SpoolError> {
        let file = disk.open(&path, OpenMode::Existing).map_err(SpoolError::io("open", &path))?;
        let len = file.len().map_err(SpoolError::io("stat", &path))?;
        Ok(Self { path, file, base, len })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The position of its first record.
    pub(super) fn first(&self) -> u64 {
        self.base + HEADER_BYTES
    }

    /// The position behind its last record, where the next one is put.
    pub(super) fn end(&self) -> u64 {
        (self.base + self.len).max(self.first())
    }

    /// Walks over all records from a position on.
    ///
    /// # Errors
    /// One that was on the disk is not whole any more.
    pub(super) fn check(&self, from: u64) -> Result<Found, SpoolError> {
        let walk = self.walk(&self.content()?, from)?;
        if walk.whole < self.len {
            return Err(self.damaged(walk.whole, "nothing whole begins there"));
        }
        Ok(Found { records: walk.records, torn: 0 })
    }

    /// The same for the last file: a group that a crash has torn is cut off at its first record that is not whole. What is left
    /// of the last group is written again, since after a sync that failed the kernel takes it for written.
    ///
    /// # Errors
    /// One that was on the disk is not whole any more, and what the operating system says.
    pub(super) fn mend(&mut self, from: u64) -> Result<Found, SpoolError> {
        let bytes = self.content()?;
        let walk = self.walk(&bytes, from)?;
        let torn = self.len - walk.whole;
        if torn > 0 {
            if self.was_whole(&bytes, walk.whole) {
                return Err(self.damaged(walk.whole, "nothing whole begins there, though what lies behind is whole"));
            }
            self.file.set_len(walk.whole).map_err(SpoolError::io("truncate", &self.path))?;
            self.len = walk.whole;
        }
        let group = bytes.get(walk.group as usize..walk.whole as usize).unwrap_or_default();
        self.file.write_all_at(group, walk.group).map_err(SpoolError::io("write", &self.path))?;
        self.file.sync().map_err(SpoolError::io("sync", &self.path))?;
        Ok(Found { records: walk.records, torn })
    }

    fn walk(&self, bytes: &[u8], from: u64) -> Result<Walk, SpoolError> {
        let mut walk = Walk { records: 0, whole: 0, group: 0 };
        if !version_of(bytes, &self.path)? {
            return Ok(walk);
        }
        walk.whole = from.max(self.first()) - self.base;
        while let Some(record) = Record::at(bytes, walk.whole as usize, self.base) {
            walk.records += 1;
            walk.group = record.synced.saturating_sub(self.base);
            walk.whole += record.size();
        }
        Ok(walk)
    }

    /// Whether a record lies behind that shows that what is at `at` was on the disk: it was written later, or the beginning of the
    /// file is in one sector with it.
    fn was_whole(&self, bytes: &[u8], at: u64) -> bool {
        let mut later = (at as usize + 1..bytes.len()).filter_map(|later| Record::at(bytes, later, self.base));
        let has_first = at == 0 && Record::at(bytes, HEADER_BYTES as usize, self.base).is_some();
        has_first || later.any(|record| record.synced > self.base + at)
    }

    /// Writes a group at its end, which is not known to be on the disk before [`Segment::sync`].
    ///
    /// # Errors
    /// What the operating system says; part of it may be there until [`Segment::undo`].
    pub(super) fn write(&self, letters: &[Vec<u8>]) -> Result<u64, SpoolError> {
        let mut bytes = if self.len == 0 { header().to_vec() } else { Vec::new() };
        for letter in letters {
            let position = self.base + self.len + bytes.len() as u64;
            put_record(letter, position, self.base + self.len, &mut bytes);
        }
        self.file.write_all_at(&bytes, self.len).map_err(SpoolError::io("write", &self.path))?;
        Ok(bytes.len() as u64)
    }

    /// Takes back what was written and not synced.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn undo(&self) -> Result<(), SpoolError> {
        self.file.set_len(self.len).map_err(SpoolError::io("truncate", &self.path))
    }

    /// Makes the group last that was written, of so many bytes.
    ///
    /// # Errors
    /// What the operating system says: afterwards nobody knows what is on the disk.
    pub(super) fn sync(&mut self, written: u64) -> Result<(), SpoolError> {
        self.file.sync().map_err(|source| SpoolError::Sync { path: self.path.clone(), source })?;
        self.len += written;
        Ok(())
    }

    /// The letter at a position and the bytes of its record.
    ///
    /// # Errors
    /// It is not there any more as it was written, and what the operating system says.
    pub(super) fn read(&self, position: u64) -> Result<(Letter, u64), SpoolError> {
        let at = position - self.base;
        let mut length = [0; 4];
        self.fill(&mut length, at)?;
        let size = size_of_record(u32::from_be_bytes(length) as usize).min(self.len - at);
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes, at)?;
        let record = Record::at(&bytes, 0, position).ok_or_else(|| self.damaged(at, "nothing whole begins there"))?;
        let letter = decode_letter(record.letter).ok_or_else(|| self.damaged(at, "a record holds no letter"))?;
        Ok((letter, record.size()))
    }

    fn content(&self) -> Result<Vec<u8>, SpoolError> {
        let mut bytes = vec![0; self.len as usize];
        self.fill(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn fill(&self, out: &mut [u8], at: u64) -> Result<(), SpoolError> {
        let read = self.file.read_at(out, at).map_err(SpoolError::io("read", &self.path))?;
        if read == out.len() { Ok(()) } else { Err(self.damaged(at + read as u64, "it ends there")) }
    }

    fn damaged(&self, at: u64, problem: &str) -> SpoolError {
        SpoolError::Damaged { path: self.path.clone(), at, problem: problem.into() }
    }
}

/// How far one comes in a file from record to record.
struct Walk {
    records: u64,
    /// Bytes of the file up to the first that are no whole record.
    whole: u64,
    /// Where in the file the group of the last record begins.
    group: u64,
}
