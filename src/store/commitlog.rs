//! The one writer of the log.
//!
//! A put is appended whole or not at all: everything that can be refused is refused before its first byte is written.
//! What is appended exists for readers only once it is published, which is done once per batch of puts.
//!
//! What is deliberately absent: waiting for the disk, and deciding what consumers may see ([`Positions`]).

use std::sync::Arc;

use super::appender::Appender;
use super::error::StoreError;
use super::layout::BLANK_BYTES;
use super::offset_table::OffsetTable;
use super::positions::Positions;
use super::preparation::{Populator, Preparation};
use super::puts::PutRef;
use super::segments::Segments;
use super::view::LogView;
use crate::protocol::message::{MAGIC_BLANK, size_and_sys_flag, stamp};
use crate::protocol::sys_flag;
use crate::protocol::units::{PhysicalOffset, QueueOffset, StoreTime};

/// Where a message was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its place in the log.
    pub physical: PhysicalOffset,
    /// Length of its record.
    pub size: u32,
    /// Its number in its queue.
    pub queue_offset: QueueOffset,
}

impl Placed {
    /// The first byte behind the record: what must be synced or replicated for it to last.
    #[must_use]
    pub fn end(&self) -> PhysicalOffset {
        self.physical.plus(u64::from(self.size))
    }
}

/// The log, for the one who writes it.
pub struct CommitLog {
    segments: Arc<Segments>,
    positions: Arc<Positions>,
    preparation: Preparation,
    appender: Box<dyn Appender>,
    offsets: OffsetTable,
    /// Where the next record goes, published or not.
    end: u64,
    /// End of the segment that `end` lies in; equal to `end` when there is none yet or it is full.
    segment_end: u64,
    newest: StoreTime,
    poisoned: bool,
}

impl std::fmt::Debug for CommitLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitLog").field("end", &self.end).finish_non_exhaustive()
    }
}

impl CommitLog {
    /// Goes on where recovery found the end. The last segment, if `end` lies in it, is published up to there.
    #[must_use]
    pub fn new(
        segments: Arc<Segments>,
        positions: Arc<Positions>,
        preparation: Preparation,
        mut appender: Box<dyn Appender>,
        offsets: OffsetTable,
    ) -> Self {
        let end = positions.written();
        let current = segments.find(end);
        let segment_end = current.as_ref().map_or(end.0, |(segment, _)| segment.base() + segment.len() as u64);
        if let Some((segment, at)) = &current {
            assert_eq!(segment.readable(), *at, "the segment is published up to the end of the log");
            appender.enter(segment);
        }
        let newest = positions.newest_store_time();
        Self { segments, positions, preparation, appender, offsets, end: end.0, segment_end, newest, poisoned: false }
    }

    /// Appends one put: into one segment, each message with the next offset of its queue, all with one store time. Half
    /// and rollback messages get queue offset 0 and count nothing.
    ///
    /// # Errors
    /// Nothing is stored then and the log can go on: [`StoreError::TooLarge`], [`StoreError::DiskFull`], or what the
    /// operating system says about the next segment. After [`StoreError::Poisoned`] it can not.
    pub fn append(&mut self, put: PutRef<'_>, now: StoreTime, placed: &mut Vec<Placed>) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let total = put.records.len() as u64;
        if total == 0 {
            return Ok(());
        }
        let limit = self.segments.segment_bytes() - BLANK_BYTES;
        if total > limit {
            return Err(StoreError::TooLarge { size: total, limit });
        }
        if total + BLANK_BYTES > self.segment_end - self.end {
            self.roll()?;
        }
        let mut room = self.appender.reserve(put.records.len()).expect("the segment has been seen to have room");
        room.copy_from_slice(put.records);
        while !room.is_empty() {
            let (size, flags) = size_and_sys_flag(room);
            let (record, rest) = room.split_at_mut(size);
            let counts = sys_flag::enters_queue(flags);
            let queue_offset = if counts { self.offsets.take(put.topic, put.queue_id) } else { QueueOffset(0) };
            let physical = PhysicalOffset(self.end);
            stamp(record, queue_offset, physical, now);
            placed.push(Placed { physical, size: size as u32, queue_offset });
            self.end += size as u64;
            room = rest;
        }
        self.newest = now;
        Ok(())
    }

    /// Makes what was appended readable and moves [`Positions::written`].
    ///
    /// # Errors
    /// The bytes could not be written, now or when a segment was closed; the log takes no more puts.
    pub fn publish(&mut self) -> Result<PhysicalOffset, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        self.publish_segment()?;
        let end = PhysicalOffset(self.end);
        self.positions.advance_written(end, self.newest);
        Ok(end)
    }

    /// Where the next record goes.
    #[must_use]
    pub fn end(&self) -> PhysicalOffset {
        PhysicalOffset(self.end)
    }

    /// The next offsets of all queues.
    #[must_use]
    pub fn offsets(&self) -> &OffsetTable {
        &self.offsets
    }

    /// The next offsets, to be changed when topics are deleted.
    pub fn offsets_mut(&mut self) -> &mut OffsetTable {
        &mut self.offsets
    }

    /// The ends of the log, shared.
    #[must_use]
    pub fn positions(&self) -> &Arc<Positions> {
        &self.positions
    }

    /// A view for readers; there may be any number.
    #[must_use]
    pub fn view(&self) -> LogView {
        LogView::new(Arc::clone(&self.segments), Arc::clone(&self.positions))
    }

    /// Makes segments ahead, from a thread of its own.
    #[must_use]
    pub fn preparation(&self) -> Preparation {
        self.preparation.clone()
    }

    /// Makes pages ahead, from a thread of its own.
    #[must_use]
    pub fn populator(&self) -> Populator {
        Populator::new(Arc::clone(&self.segments), self.preparation.clone(), self.end())
    }

    /// Closes the segment with a blank and goes on in the next one.
    fn roll(&mut self) -> Result<(), StoreError> {
        // The next segment first: without it nothing may change here.
        let next = self.preparation.take(self.segment_end)?;
        let left = self.segment_end - self.end;
        if left > 0 {
            let blank = self.appender.reserve(left as usize).expect("so many bytes are left");
            // Only length and magic are written: readers look at nothing else, and the rest of the file need not be touched.
            if let Some((head, _)) = blank.split_first_chunk_mut::<8>() {
                let [length, magic] = [(left as u32).to_be_bytes(), MAGIC_BLANK.to_be_bytes()];
                head.copy_from_slice(&[length, magic].concat());
            }
            self.publish_segment()?;
        }
        self.end = self.segment_end;
        self.segment_end += self.segments.segment_bytes();
        self.segments.push(&next);
        self.appender.enter(&next);
        Ok(())
    }

    fn publish_segment(&mut self) -> Result<(), StoreError> {
        let published = self.appender.publish();
        published.map_err(|source| {
            // What of it has reached the file is unknown, and the offsets given out can not be taken back.
            self.poisoned = true;
            let path = self.segments.all().last().map(|last| last.path().to_path_buf()).unwrap_or_default();
            StoreError::Io { action: "write", path, source }
        })
    }
}
