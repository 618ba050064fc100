//! The files of the log, and reading from them in blocks.

use std::path::PathBuf;
use std::sync::Arc;

use super::OfflineError;
use super::finding::{Findings, Part, Place};
use crate::protocol::message::{MAGIC_V1, MAGIC_V2, RecordError, RecordHead};
use crate::protocol::sys_flag;
use crate::protocol::units::PhysicalOffset;
use crate::store::disk::{Disk, OpenMode, SharedDisk, SharedFile};
use crate::store::error::StoreError;
use crate::store::layout::{StoreOptions, base_of};

/// How much is read at once by who goes from record to record, and by who goes here and there.
pub(super) const WALK_BYTES: usize = 1 << 20;
pub(super) const JUMP_BYTES: usize = 4 << 10;
/// Length and magic of a record.
const FRAME_BYTES: usize = 8;
/// Where a record's length of its body stands, with the shortest hosts: 8 bytes each.
const BODY_LENGTH_AT: usize = 84;
const PHYSICAL_OFFSET_AT: u64 = 28;
const SYS_FLAG_AT: u64 = 36;

/// One file of the log.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    /// Offset of its first byte in the log.
    pub(super) base: u64,
    pub(super) path: PathBuf,
}

/// The files of the log that have one length, oldest first. There may be gaps, which were reported.
#[derive(Clone, Debug)]
pub(super) struct LogFiles {
    files: Arc<[LogFile]>,
    segment_bytes: u64,
    /// Whether a file told its length.
    measured: bool,
}

impl LogFiles {
    /// Lists the files. The length of most of them is taken for that of all.
    pub(super) fn find(
        disk: &SharedDisk,
        options: &StoreOptions,
        strange: &mut Findings,
    ) -> Result<Self, OfflineError> {
        let mut found = Vec::new();
        for directory in options.log_dirs() {
            for entry in disk.list(&directory).map_err(StoreError::io("list", &directory))? {
                let path = directory.join(&entry.name);
                match base_of(&entry.name).filter(|_| !entry.is_dir) {
                    Some(base) => found.push((LogFile { base, path }, entry.len)),
                    None => strange.fault(Part::Log, Place::file(path), "does not belong among the files of the log"),
                }
            }
        }
        found.sort_by_key(|(file, _)| file.base);
        while let Some((file, _)) = found.pop_if(|(_, len)| *len == 0) {
            strange.note(Part::Log, Place::file(file.path), "has no bytes: a crash came while it was made");
        }
        let measured = most_common(found.iter().map(|(_, len)| *len));
        let segment_bytes = measured.unwrap_or(options.log_segment_bytes);
        let mut files: Vec<LogFile> = Vec::new();
        for (file, len) in found {
            let place = Place::file(&file.path);
            if len != segment_bytes {
                strange.fault(Part::Log, place, format!("has {len} bytes, the others {segment_bytes}; passed over"));
                continue;
            }
            let expected = files.last().map_or(file.base - file.base % segment_bytes, |last| last.base + segment_bytes);
            if file.base != expected {
                let problem = format!("begins at {}, the file of offset {expected} is missing", file.base);
                strange.fault(Part::Log, place, problem);
            }
            files.push(file);
        }
        Ok(Self { files: files.into(), segment_bytes, measured: measured.is_some() })
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    pub(super) fn is_measured(&self) -> bool {
        self.measured
    }

    pub(super) fn all(&self) -> &[LogFile] {
        &self.files
    }

    /// Where the log begins.
    pub(super) fn min(&self) -> PhysicalOffset {
        PhysicalOffset(self.files.first().map_or(0, |first| first.base))
    }

    /// Where the last file ends.
    pub(super) fn room_end(&self) -> u64 {
        self.files.last().map_or(0, |last| last.base + self.segment_bytes)
    }

    pub(super) fn file_of(&self, at: u64) -> Option<&LogFile> {
        let behind = self.files.partition_point(|file| file.base <= at);
        let file = self.files.get(behind.checked_sub(1)?)?;
        (at - file.base < self.segment_bytes).then_some(file)
    }

    /// The file behind the one that holds a place.
    pub(super) fn file_behind(&self, at: u64) -> Option<&LogFile> {
        self.files.get(self.files.partition_point(|file| file.base <= at))
    }

    /// Whether from a place on all files read as zeros.
    pub(super) fn is_zero_from(&self, disk: &dyn Disk, at: u64) -> Result<bool, StoreError> {
        for file in self.files.iter().filter(|file| file.base + self.segment_bytes > at) {
            let from = at.saturating_sub(file.base);
            let handle = disk.open(&file.path, OpenMode::ReadOnly).map_err(StoreError::io("open", &file.path))?;
            if !handle.is_zero(from..self.segment_bytes).map_err(StoreError::io("read", &file.path))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads the log through one block at a time.
#[derive(Debug)]
pub(super) struct LogReader {
    disk: SharedDisk,
    files: LogFiles,
    open: Option<(u64, SharedFile)>,
    block: Vec<u8>,
    block_at: u64,
    block_bytes: usize,
}

impl LogReader {
    pub(super) fn new(disk: SharedDisk, files: LogFiles, block_bytes: usize) -> Self {
        Self { disk, files, open: None, block: Vec::new(), block_at: 0, block_bytes }
    }

    pub(super) fn files(&self) -> &LogFiles {
        &self.files
    }

    /// Up to `len` bytes from a place on; fewer where its file ends, none where no file is.
    pub(super) fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], StoreError> {
        let Some(file) = self.files.file_of(at) else { return Ok(&[]) };
        let left = file.base + self.files.segment_bytes - at;
        let len = left.min(len as u64) as usize;
        let is_held = at >= self.block_at && at + len as u64 <= self.block_at + self.block.len() as u64;
        if !is_held {
            let (base, path) = (file.base, file.path.clone());
            let handle = match self.open.as_ref().filter(|(held, _)| *held == base) {
                Some((_, handle)) => SharedFile::clone(handle),
                None => {
                    let handle = self.disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
                    self.open.insert((base, handle)).1.clone()
                }
            };
            self.block_at = at;
            self.block.resize(len.max(self.block_bytes).min(left as usize), 0);
            let read = handle.read_at(&mut self.block, at - base).map_err(StoreError::io("read", &path))?;
            self.block.truncate(read);
        }
        let from = (at - self.block_at) as usize;
        let end = (from + len).min(self.block.len());
        Ok(self.block.get(from..end).unwrap_or_default())
    }

    /// The record at a place, or why there is none.
    pub(super) fn record(&mut self, at: PhysicalOffset) -> Result<Result<RecordHead<'_>, RecordError>, StoreError> {
        Ok(self.parsed(at)?.and_then(|head| {
            let value = head.physical_offset.0 as i64;
            let is_its_own = head.physical_offset == at;
            is_its_own.then_some(head).ok_or(RecordError::Number { field: "physical offset", value })
        }))
    }

    /// The same, wherever it says to lie. One that says to be longer than a block is read only if its parts add up: a damaged
    /// length must not ask for a gigabyte.
    fn parsed(&mut self, at: PhysicalOffset) -> Result<Result<RecordHead<'_>, RecordError>, StoreError> {
        let frame = self.bytes(at.0, FRAME_BYTES)?;
        let Some((size, magic)) = frame.split_first_chunk::<4>() else {
            return Ok(Err(RecordError::Cut { needed: FRAME_BYTES, left: frame.len() }));
        };
        let (size, left_of_frame) = (u32::from_be_bytes(*size), frame.len());
        let Some(magic) = magic.first_chunk().map(|magic| u32::from_be_bytes(*magic)) else {
            return Ok(Err(RecordError::Cut { needed: FRAME_BYTES, left: left_of_frame }));
        };
        if ![MAGIC_V1, MAGIC_V2].contains(&magic) {
            return Ok(Err(RecordError::Magic { found: magic }));
        }
        if size as usize > self.block_bytes
            && let Err(problem) = self.parts_add_up(at.0, size, magic)?
        {
            return Ok(Err(problem));
        }
        Ok(RecordHead::parse(self.bytes(at.0, size as usize)?))
    }

    /// Where the first record of a file says that it lies; `None` if it is none, or its body is damaged.
    pub(super) fn first_lies_at(&mut self, base: u64) -> Result<Option<PhysicalOffset>, StoreError> {
        let head = self.parsed(PhysicalOffset(base))?;
        Ok(head.ok().filter(|head| head.check_body().is_ok()).map(|head| head.physical_offset))
    }

    /// Whether what may be a record says itself to lie where it lies.
    pub(super) fn says_to_lie_at(&mut self, at: u64) -> Result<bool, StoreError> {
        Ok(self.number(at + PHYSICAL_OFFSET_AT, 8)? == at)
    }

    /// Whether the lengths within a record yield the one that it begins with.
    fn parts_add_up(&mut self, at: u64, size: u32, magic: u32) -> Result<Result<(), RecordError>, StoreError> {
        let flags = self.number(at + SYS_FLAG_AT, 4)? as i32;
        let hosts = sys_flag::born_host_bytes(flags) + sys_flag::store_host_bytes(flags);
        let mut end = (BODY_LENGTH_AT - 16 + hosts) as u64;
        let topic_width = if magic == MAGIC_V1 { 1 } else { 2 };
        for width in [4, topic_width, 2] {
            let length = self.number(at + end, width)?;
            end += width + length;
            if end > u64::from(size) {
                break;
            }
        }
        let fits = end == u64::from(size);
        Ok(if fits { Ok(()) } else { Err(RecordError::Size { stated: size, computed: end }) })
    }

    /// An unsigned number of so many bytes; what lies behind the file's end reads as zeros.
    fn number(&mut self, at: u64, width: u64) -> Result<u64, StoreError> {
        let bytes = self.bytes(at, width as usize)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// The length that most files have, the greater one of two that are as common; `None` if there is no file.
pub(super) fn most_common(lengths: impl Iterator<Item = u64>) -> Option<u64> {
    let mut counts = std::collections::BTreeMap::new();
    lengths.filter(|len| *len > 0).for_each(|len| *counts.entry(len).or_insert(0_u64) += 1);
    counts.into_iter().max_by_key(|(len, count)| (*count, *len)).map(|(len, _)| len)
}
