//! Walking the log from record to record, over what is broken in it.
//!
//! A broken frame does not end the walk: what lies behind it is looked through for the next record, which is one that has
//! the magic, whose parts add up, and that says itself to lie where it lies. Only when none follows is it the log's end.

use super::OfflineStore;
use super::log::{JUMP_BYTES, LogReader, WALK_BYTES};
use crate::protocol::message::{MAGIC_V1, MAGIC_V2, RecordError, RecordHead};
use crate::protocol::units::PhysicalOffset;
use crate::store::disk::{OpenMode, SharedDisk};
use crate::store::error::StoreError;

/// Bytes before a record's magic.
const BEFORE_MAGIC: u64 = 4;

/// What the walk comes to.
#[derive(Debug)]
pub(super) enum Met<'a> {
    Record(RecordHead<'a>),
    /// No record lies here, but some lie behind.
    Broken(Break),
    End(LogEnd),
}

/// A part of the log that holds no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Break {
    pub(super) at: PhysicalOffset,
    pub(super) problem: RecordError,
    /// Where records go on.
    pub(super) until: PhysicalOffset,
}

/// Behind the last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    pub(super) at: PhysicalOffset,
    /// What lies there is not zeros: a torn record, or rubbish.
    pub(super) tail: Option<RecordError>,
}

/// The walk.
#[derive(Debug)]
pub(super) struct LogWalk {
    disk: SharedDisk,
    reader: LogReader,
    /// For records that may be none, so that the block of the walk stays. It reads little at once, and all of a record only when
    /// its parts add up: rubbish may have a magic in every few bytes.
    probe: LogReader,
    at: PhysicalOffset,
}

impl LogWalk {
    /// From a place on, at which a record begins, or the log does.
    pub(super) fn from(store: &OfflineStore, at: PhysicalOffset) -> Self {
        let reader = |block_bytes| LogReader::new(store.disk.clone(), store.log.clone(), block_bytes);
        Self { disk: store.disk.clone(), reader: reader(WALK_BYTES), probe: reader(JUMP_BYTES), at }
    }

    /// Where it stands: behind what was met last.
    pub(super) fn position(&self) -> PhysicalOffset {
        self.at
    }

    /// The bytes of a record that was met just now.
    pub(super) fn bytes(&mut self, at: PhysicalOffset, size: usize) -> Result<&[u8], StoreError> {
        self.reader.bytes(at.0, size)
    }

    /// What comes next. At the end that is the end, over and over.
    pub(super) fn next(&mut self) -> Result<Met<'_>, StoreError> {
        let problem = loop {
            let Err(problem) = self.reader.record(self.at)? else { break None };
            let files = self.reader.files();
            let file_is_over = files.file_of(self.at.0).is_none();
            if !problem.is_blank() && !file_is_over {
                break Some(problem);
            }
            match files.file_behind(self.at.0).map(|file| file.base) {
                Some(next) => self.at = PhysicalOffset(next),
                None => return Ok(Met::End(LogEnd { at: self.at, tail: None })),
            }
        };
        if let Some(problem) = problem {
            return self.broken(problem);
        }
        let at = self.at;
        let Ok(head) = self.reader.record(at)? else { return Ok(Met::End(LogEnd { at, tail: None })) };
        self.at = head.end();
        Ok(Met::Record(head))
    }

    fn broken(&mut self, problem: RecordError) -> Result<Met<'_>, StoreError> {
        let at = self.at;
        if self.reader.files().is_zero_from(&*self.disk, at.0)? {
            return Ok(Met::End(LogEnd { at, tail: None }));
        }
        match self.next_record(at.0 + 1)? {
            Some(until) => {
                self.at = until;
                Ok(Met::Broken(Break { at, problem, until }))
            }
            None => Ok(Met::End(LogEnd { at, tail: Some(problem) })),
        }
    }

    /// The first record that begins at a place or behind it.
    fn next_record(&mut self, from: u64) -> Result<Option<PhysicalOffset>, StoreError> {
        let files = self.reader.files().clone();
        let segment_bytes = files.segment_bytes();
        for file in files.all().iter().filter(|file| file.base + segment_bytes > from) {
            let mut at = from.max(file.base);
            let handle = self.disk.open(&file.path, OpenMode::ReadOnly).map_err(StoreError::io("open", &file.path))?;
            let rest = at - file.base..segment_bytes;
            if handle.is_zero(rest).map_err(StoreError::io("read", &file.path))? {
                continue;
            }
            while at < file.base + segment_bytes {
                let block = self.reader.bytes(at, WALK_BYTES)?;
                let len = block.len() as u64;
                let found: Vec<u64> = magics(block).map(|magic| at + magic as u64).collect();
                for magic in found {
                    let Some(start) = magic.checked_sub(BEFORE_MAGIC).filter(|start| *start >= from) else { continue };
                    if self.probe.says_to_lie_at(start)? && self.probe.record(PhysicalOffset(start))?.is_ok() {
                        return Ok(Some(PhysicalOffset(start)));
                    }
                }
                // A magic may lie across the end of the block.
                at += if len > BEFORE_MAGIC { len - (BEFORE_MAGIC - 1) } else { len.max(1) };
            }
        }
        Ok(None)
    }
}

/// Where a record's magic stands in some bytes.
fn magics(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let known = [MAGIC_V1.to_be_bytes(), MAGIC_V2.to_be_bytes()];
    bytes.windows(4).enumerate().filter(move |(_, four)| known.iter().any(|magic| magic == four)).map(|(at, _)| at)
}
