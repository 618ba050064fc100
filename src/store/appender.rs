//! How bytes get into a segment: a part that can be swapped.
//!
//! Storing through the mapping is quickest, but a writer that dirties mapped pages faster than the disk takes them is
//! put to sleep by the kernel inside a store. Staging in memory and writing with one call per batch costs a copy.

use std::io;
use std::sync::Arc;

use super::segment::{Segment, SegmentWriter};

/// Takes the bytes of records for one segment after the other.
pub trait Appender: Send {
    /// Goes on in a segment, behind what is readable there. What was reserved before must have been published.
    ///
    /// # Panics
    /// If the segment has a writer already.
    fn enter(&mut self, segment: &Arc<Segment>);

    /// The next `len` bytes, to be overwritten whole before anything else is called; `None` if so many are not left.
    fn reserve(&mut self, len: usize) -> Option<&mut [u8]>;

    /// Makes everything reserved so far readable.
    ///
    /// # Errors
    /// The bytes could not be written; they stay unpublished and the log must not go on.
    fn publish(&mut self) -> io::Result<()>;
}

/// Stores straight into the mapping.
#[derive(Debug, Default)]
pub struct MappedAppender {
    writer: Option<SegmentWriter>,
}

impl Appender for MappedAppender {
    fn enter(&mut self, segment: &Arc<Segment>) {
        self.writer = None;
        self.writer = Some(SegmentWriter::take(segment).expect("the log has one writer"));
    }

    fn reserve(&mut self, len: usize) -> Option<&mut [u8]> {
        self.writer.as_mut()?.window(len)
    }

    fn publish(&mut self) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.publish();
        }
        Ok(())
    }
}

/// Collects a batch in memory and writes it through the file when it is published.
#[derive(Debug, Default)]
pub struct StagedAppender {
    writer: Option<SegmentWriter>,
    /// What is reserved and not yet published, lying in the segment from `start` on.
    staged: Vec<u8>,
    start: usize,
}

impl Appender for StagedAppender {
    fn enter(&mut self, segment: &Arc<Segment>) {
        debug_assert!(self.staged.is_empty(), "published before the segment is left");
        self.writer = None;
        let writer = SegmentWriter::take(segment).expect("the log has one writer");
        self.start = writer.position();
        self.writer = Some(writer);
    }

    fn reserve(&mut self, len: usize) -> Option<&mut [u8]> {
        self.writer.as_mut()?.skip(len)?;
        let from = self.staged.len();
        self.staged.resize(from + len, 0);
        self.staged.get_mut(from..)
    }

    fn publish(&mut self) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if self.staged.is_empty() {
            return Ok(());
        }
        writer.segment().file().write_all_at(&self.staged, self.start as u64)?;
        self.start += self.staged.len();
        self.staged.clear();
        writer.publish();
        Ok(())
    }
}
