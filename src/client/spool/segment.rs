//! One file of records, appended to at its end.
//!
//! A group of records is written at once, and synced before the next group is written. So a crash tears the last group only, and
//! a record that is not whole though a later group is there was on the disk once.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::record::{RECORD_HEADER_BYTES, Record, decode_letter, put_record, record_size_at};
use crate::client::letter::Letter;
use crate::store::disk::{Disk, OpenMode, SharedFile};

/// Bytes of a file before its first record: what it is, and its version.
pub const HEADER_BYTES: u64 = 8;
const MAGIC: [u8; 7] = *b"fmspool";
const VERSION: u8 = 1;
/// So much of a file is read at once, unless a record is longer.
const WINDOW_BYTES: u64 = 1 << 20;

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
        let walk = self.walk(from)?;
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
        let walk = self.walk(from)?;
        let torn = self.len - walk.whole;
        if torn > 0 {
            if self.was_whole(walk.whole)? {
                return Err(self.damaged(walk.whole, "nothing whole begins there, though what lies behind is whole"));
            }
            self.file.set_len(walk.whole).map_err(SpoolError::io("truncate", &self.path))?;
            self.len = walk.whole;
        }
        let group = self.bytes(walk.group.min(walk.whole)..walk.whole)?;
        self.file.write_all_at(&group, walk.group).map_err(SpoolError::io("write", &self.path))?;
        self.file.sync().map_err(SpoolError::io("sync", &self.path))?;
        Ok(Found { records: walk.records, torn })
    }

    fn walk(&self, from: u64) -> Result<Walk, SpoolError> {
        let mut walk = Walk { records: 0, whole: 0, group: 0 };
        if !version_of(&self.bytes(0..HEADER_BYTES.min(self.len))?, &self.path)? {
            return Ok(walk);
        }
        walk.whole = from.max(self.first()) - self.base;
        let mut window = Window { at: walk.whole, bytes: Vec::new() };
        while let Some(record) = Record::at(self.seen(&mut window, walk.whole)?, 0, self.base + walk.whole) {
            walk.records += 1;
            walk.group = record.synced.saturating_sub(self.base);
            walk.whole += record.size();
        }
        Ok(walk)
    }

    /// What lies at `at`, up to the end of the record there if one is: a file may be larger than what fits into the memory.
    fn seen<'w>(&self, window: &'w mut Window, at: u64) -> Result<&'w [u8], SpoolError> {
        let holds = |window: &Window, bytes: u64| window.at + window.bytes.len() as u64 >= (at + bytes).min(self.len);
        if !holds(window, RECORD_HEADER_BYTES) {
            *window = self.window(at, WINDOW_BYTES)?;
        }
        let needed = record_size_at(window.from(at));
        if !holds(window, needed) {
            *window = self.window(at, needed.max(WINDOW_BYTES))?;
        }
        Ok(window.from(at))
    }

    fn window(&self, at: u64, bytes: u64) -> Result<Window, SpoolError> {
        let end = at.saturating_add(bytes).min(self.len);
        Ok(Window { at, bytes: self.bytes(at.min(end)..end)? })
    }

    /// Whether a record lies behind that shows that what is at `at` was on the disk: it was written later, or the beginning of the
    /// file is in one sector with it.
    fn was_whole(&self, at: u64) -> Result<bool, SpoolError> {
        let (bytes, base) = (self.bytes(at..self.len)?, self.base + at);
        let has_first = at == 0 && Record::at(&bytes, HEADER_BYTES as usize, base).is_some();
        let mut later = (1..bytes.len()).filter_map(|later| Record::at(&bytes, later, base));
        Ok(has_first || later.any(|record| record.synced > base))
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
        let size = record_size_at(&self.bytes(at..(at + RECORD_HEADER_BYTES).min(self.len))?);
        let bytes = self.bytes(at..(at + size).min(self.len))?;
        let record = Record::at(&bytes, 0, position).ok_or_else(|| self.damaged(at, "nothing whole begins there"))?;
        let letter = decode_letter(record.letter).ok_or_else(|| self.damaged(at, "a record holds no letter"))?;
        Ok((letter, record.size()))
    }

    fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>, SpoolError> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.fill(&mut bytes, range.start)?;
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

/// A part of a file that is in the memory.
struct Window {
    at: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn from(&self, at: u64) -> &[u8] {
        self.bytes.get((at - self.at) as usize..).unwrap_or_default()
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
