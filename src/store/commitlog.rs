//! The one writer of the log.
//!
//! A put is appended whole or not at all: everything that can be refused is refused before its first byte is written.
//! What is appended exists for readers only once it is published, which is done once per batch of puts.
//!
//! What is deliberately absent: waiting for the disk, and deciding what consumers may see ([`Positions`]).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::appender::Appender;
use super::error::StoreError;
use super::layout::BLANK_BYTES;
use super::offset_table::OffsetTable;
use super::positions::Positions;
use super::preparation::{Populator, Preparation};
use super::segments::Segments;
use super::view::LogView;
use crate::protocol::message::{MAGIC_BLANK, PROPERTIES_LENGTH_MAX, RecordParts, body_crc};
use crate::protocol::names::Topic;
use crate::protocol::sys_flag;
use crate::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

/// A message to be stored: everything but what the log itself assigns.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Where it goes.
    pub topic: Topic,
    /// The queue of the topic.
    pub queue_id: QueueId,
    /// The application's own number.
    pub flag: i32,
    /// Bits of [`sys_flag`]; the host bits are set from the addresses.
    pub sys_flag: i32,
    /// When the producer made it.
    pub born_time: BornTime,
    /// Where the producer is.
    pub born_host: SocketAddr,
    /// Which broker this is.
    pub store_host: SocketAddr,
    /// How often a consumer has sent it back.
    pub reconsume_times: i32,
    /// Where the half message of a committed transaction lies; 0 for others.
    pub prepared_transaction_offset: u64,
    /// The properties text, complete.
    pub properties: Bytes,
    /// The body as it came.
    pub body: Bytes,
    /// The body's CRC if somebody has computed it already, see [`body_crc`].
    pub body_crc: Option<u32>,
}

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

    /// Appends the messages of one put: into one segment, each with the next offset of its queue, all with one store
    /// time. Half and rollback messages get queue offset 0 and count nothing.
    ///
    /// # Errors
    /// Nothing is stored then and the log can go on: [`StoreError::TooLarge`], [`StoreError::PropertiesTooLong`],
    /// [`StoreError::DiskFull`], or what the operating system says about the next segment. After
    /// [`StoreError::Poisoned`] it can not.
    pub fn append(&mut self, put: &[NewMessage], now: StoreTime, placed: &mut Vec<Placed>) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        if put.is_empty() {
            return Ok(());
        }
        let total = self.size_of(put)?;
        if total + BLANK_BYTES > self.segment_end - self.end {
            self.roll()?;
        }
        let mut room = self.appender.reserve(total as usize).expect("the segment has been seen to have room");
        for message in put {
            let counts = sys_flag::enters_queue(message.sys_flag);
            let queue_offset =
                if counts { self.offsets.take(&message.topic, message.queue_id) } else { QueueOffset(0) };
            let mut record = record_of(message, PhysicalOffset(self.end), queue_offset, now);
            record.body_crc = message.body_crc.unwrap_or_else(|| body_crc(&message.body));
            let size = record.encoded_len();
            let (window, rest) = room.split_at_mut(size);
            record.write(window);
            room = rest;
            placed.push(Placed { physical: PhysicalOffset(self.end), size: size as u32, queue_offset });
            self.end += size as u64;
        }
        self.newest = now;
        Ok(())
    }

    /// Makes what was appended readable and moves [`Positions::written`].
    ///
    /// # Errors
    /// The bytes could not be written; the log takes no more puts.
    pub fn publish(&mut self) -> Result<PhysicalOffset, StoreError> {
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

    /// The three ends of the log, shared.
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

    /// Bytes of the put's records, if it can be stored at all.
    fn size_of(&self, put: &[NewMessage]) -> Result<u64, StoreError> {
        let limit = self.segments.segment_bytes() - BLANK_BYTES;
        let mut total = 0;
        for message in put {
            if message.properties.len() > PROPERTIES_LENGTH_MAX {
                return Err(StoreError::PropertiesTooLong { length: message.properties.len() });
            }
            total += encoded_len(message);
        }
        if total > limit {
            return Err(StoreError::TooLarge { size: total, limit });
        }
        Ok(total)
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

fn encoded_len(message: &NewMessage) -> u64 {
    record_of(message, PhysicalOffset(0), QueueOffset(0), StoreTime(0)).encoded_len() as u64
}

/// The record but for its CRC, which takes longest and is not needed to know its length.
fn record_of(message: &NewMessage, at: PhysicalOffset, queue_offset: QueueOffset, now: StoreTime) -> RecordParts<'_> {
    RecordParts {
        topic: message.topic.as_str(),
        queue_id: message.queue_id,
        flag: message.flag,
        queue_offset,
        physical_offset: at,
        sys_flag: message.sys_flag,
        born_time: message.born_time,
        born_host: message.born_host,
        store_time: now,
        store_host: message.store_host,
        reconsume_times: message.reconsume_times,
        prepared_transaction_offset: message.prepared_transaction_offset as i64,
        body_crc: 0,
        body: &message.body,
        properties: &message.properties,
    }
}
