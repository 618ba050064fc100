//! What readers of the log hold: any thread, any number, never waiting for the writer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::error::StoreError;
use super::positions::Positions;
use super::segment::Segment;
use super::segments::Segments;
use crate::protocol::message::{self, MAGIC_BLANK, Message, RecordError, RecordHead};
use crate::protocol::units::PhysicalOffset;

/// A read view of the log; cloning is cheap.
#[derive(Clone, Debug)]
pub struct LogView {
    segments: Arc<Segments>,
    positions: Arc<Positions>,
}

impl LogView {
    pub(crate) fn new(segments: Arc<Segments>, positions: Arc<Positions>) -> Self {
        Self { segments, positions }
    }

    /// Offset of the first byte that is still there; the end of a log without segments.
    #[must_use]
    pub fn min(&self) -> PhysicalOffset {
        self.segments.min().unwrap_or_else(|| self.written())
    }

    /// End of what consumers may see.
    #[must_use]
    pub fn visible(&self) -> PhysicalOffset {
        self.positions.visible()
    }

    /// End of what exists.
    #[must_use]
    pub fn written(&self) -> PhysicalOffset {
        self.positions.written()
    }

    /// The three ends of the log, shared.
    #[must_use]
    pub fn positions(&self) -> &Arc<Positions> {
        &self.positions
    }

    /// The segments, for those who sync or remove them.
    #[must_use]
    pub fn segments(&self) -> &Arc<Segments> {
        &self.segments
    }

    /// Appends `size` bytes from `at` to `out`; `false`, and nothing appended, if they are not all there.
    ///
    /// The range must lie within one segment, as every record does.
    pub fn copy_into(&self, at: PhysicalOffset, size: u32, out: &mut BytesMut) -> bool {
        self.segments.with(at, |segment, from| segment.copy_into(from, size as usize, out).then_some(())).is_some()
    }

    /// `size` bytes from `at` without copying them; they keep their segment mapped for as long as they live.
    #[must_use]
    pub fn slice(&self, at: PhysicalOffset, size: u32) -> Option<Bytes> {
        self.segments.with(at, |segment, from| segment.slice(from, size as usize))
    }

    /// Appends `size` bytes from `at` to `out`, read through the file: a page that is not in memory makes the calling
    /// thread wait in a system call instead of a page fault, so this is for threads that may wait.
    ///
    /// # Errors
    /// What the operating system says. `Ok(false)` if the bytes are not all there.
    pub fn read_cold(&self, at: PhysicalOffset, size: u32, out: &mut BytesMut) -> Result<bool, StoreError> {
        let Some((segment, from)) = self.segments.find(at) else { return Ok(false) };
        if segment.readable() < from.saturating_add(size as usize) {
            return Ok(false);
        }
        let start = out.len();
        out.resize(start + size as usize, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let read = segment.file().read_at(room, from as u64);
        if !matches!(read, Ok(read) if read == size as usize) {
            out.truncate(start);
        }
        let read = read.map_err(StoreError::io("read", segment.path()))?;
        Ok(read == size as usize)
    }

    /// The message at `at`, read through the file as by [`LogView::read_cold`]; `None` if no record begins there.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn message(&self, at: PhysicalOffset) -> Result<Option<Message>, StoreError> {
        let Some(size) = self.record_size(at) else { return Ok(None) };
        let mut record = BytesMut::with_capacity(size as usize);
        if !self.read_cold(at, size, &mut record)? {
            return Ok(None);
        }
        Ok(message::decode(&record.freeze()).ok().map(|(message, _)| message))
    }

    /// Length of the record at `at`, for who knows only where it lies; `None` if there is no record.
    #[must_use]
    pub fn record_size(&self, at: PhysicalOffset) -> Option<u32> {
        self.segments.with(at, |segment, from| {
            let rest = segment.bytes(from, segment.readable().checked_sub(from)?)?;
            RecordHead::parse(rest).ok().filter(|head| head.physical_offset == at).map(|head| head.total_size)
        })
    }

    /// Calls `read` with the record at `at`, if there is one.
    pub fn with_record<R>(&self, at: PhysicalOffset, read: impl FnOnce(&RecordHead<'_>) -> R) -> Option<R> {
        self.segments.with(at, |segment, from| {
            let rest = segment.bytes(from, segment.readable().checked_sub(from)?)?;
            RecordHead::parse(rest).ok().filter(|head| head.physical_offset == at).map(|head| read(&head))
        })
    }

    /// Reads the records from `from` on, one after the other.
    #[must_use]
    pub fn cursor(&self, from: PhysicalOffset) -> RecordCursor {
        RecordCursor { view: self.clone(), position: from, segment: None }
    }
}

/// Walks the records of the log, passing over blanks.
#[derive(Debug)]
pub struct RecordCursor {
    view: LogView,
    position: PhysicalOffset,
    segment: Option<Arc<Segment>>,
}

/// What a cursor met that is no record.
#[derive(Debug)]
pub struct Unreadable {
    /// Where.
    pub at: PhysicalOffset,
    /// What is wrong there.
    pub problem: RecordError,
}

impl RecordCursor {
    /// Where the next record is looked for.
    #[must_use]
    pub fn position(&self) -> PhysicalOffset {
        self.position
    }

    /// The next record that ends at or before `limit`; `None` when there is none yet. Bodies are not checked.
    ///
    /// # Errors
    /// [`Unreadable`]; the cursor stays where it is.
    pub fn next(&mut self, limit: PhysicalOffset) -> Result<Option<RecordHead<'_>>, Unreadable> {
        let segment_bytes = self.view.segments.segment_bytes();
        loop {
            if self.position >= limit {
                return Ok(None);
            }
            let held =
                self.segment.as_ref().filter(|held| held.base() == self.position.0 - self.position.0 % segment_bytes);
            if held.is_none() {
                // Where the log has been cleaned past this reader, it goes on with what is left.
                self.position = self.position.max(self.view.min());
                self.segment = self.view.segments.find(self.position).map(|found| found.0);
            }
            let Some(segment) = &self.segment else { return Ok(None) };
            let from = (self.position.0 - segment.base()) as usize;
            let until = ((limit.0 - segment.base()) as usize).min(segment.readable());
            if blank_at(segment, from) || from == segment.len() {
                self.position = PhysicalOffset(segment.base() + segment_bytes);
                continue;
            }
            if until <= from {
                return Ok(None);
            }
            break;
        }
        let segment = self.segment.as_ref().expect("was set above");
        let from = (self.position.0 - segment.base()) as usize;
        let until = ((limit.0 - segment.base()) as usize).min(segment.readable());
        let bytes = segment.bytes(from, until - from).unwrap_or_default();
        match RecordHead::parse(bytes) {
            Ok(head) if head.physical_offset == self.position => {
                self.position = head.end();
                Ok(Some(head))
            }
            Ok(head) => {
                let problem = RecordError::Number { field: "physical offset", value: head.physical_offset.0 as i64 };
                Err(Unreadable { at: self.position, problem })
            }
            Err(problem) => Err(Unreadable { at: self.position, problem }),
        }
    }
}

/// Whether a blank begins at a place of a segment.
fn blank_at(segment: &Segment, at: usize) -> bool {
    segment.bytes(at, 8).is_some_and(|head| head.ends_with(&MAGIC_BLANK.to_be_bytes()))
}
