//! Mapped files: the one module with `unsafe`.
//!
//! Two ways to hold a mapping, and neither lets a Rust slice exist over bytes that may still change:
//!
//! ```text
//! Segment (log)      |  published, immutable  |  the one SegmentWriter's  |
//!                    0 ───────────────── readable ──────────────────── len
//!                      readers: any thread      &mut to its window only
//!
//! OwnedMapping (queue, index)   one owner: & reads, &mut writes
//! ```
//!
//! What is deliberately absent: what the bytes mean, and files changed by somebody outside this process; against those
//! the store has its lock.
#![expect(unsafe_code, reason = "bytes of a mapping are reached through its raw pointer")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};

use super::disk::SharedFile;

/// Bytes of a page, or a multiple: larger pages only make [`Mapping::let_go`] keep some of them.
const PAGE_BYTES: usize = 4096;

/// A mapped range of a file, or of memory alone. Cloning shares the mapping; the last clone unmaps it.
#[derive(Clone, Debug)]
pub struct Mapping {
    raw: Arc<MmapRaw>,
    of_file: bool,
}

impl Mapping {
    /// Maps the first `len` bytes of a file, shared with everybody who maps it.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn of_file(file: &File, len: usize) -> io::Result<Self> {
        Ok(Self { raw: Arc::new(MmapOptions::new().len(len).map_raw(file)?), of_file: true })
    }

    /// Memory that belongs to no file, all zeros: for simulated disks.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        Ok(Self { raw: Arc::new(MmapOptions::new().len(len).map_anon()?.into()), of_file: false })
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes the kernel hold pages for a range and make them writable, without touching what is in them.
    ///
    /// # Errors
    /// As the operating system says: kernels before 5.14 do not know the call.
    pub fn populate(&self, range: Range<usize>) -> io::Result<()> {
        let range = range.start.min(self.len())..range.end.min(self.len());
        if range.is_empty() {
            return Ok(());
        }
        self.raw.advise_range(Advice::PopulateWrite, range.start, range.len())
    }

    /// Has the kernel take in the file page by page from now on. Otherwise it takes larger pieces, which costs less, but of
    /// which it knows no better than whether all of it has been written to: a sync then writes much more than was stored.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn page_by_page(&self) -> io::Result<()> {
        self.raw.advise(Advice::Random)
    }

    /// Makes this process forget where the whole pages of a range lie in memory, not what is in them: the next access asks
    /// the kernel again. Before a sync this is worth its while: of a page that nobody has at hand, the kernel need not tell
    /// every processor that it is about to be written.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn let_go(&self, range: Range<usize>) -> io::Result<()> {
        let range = range.start.next_multiple_of(PAGE_BYTES)..range.end.min(self.len()) / PAGE_BYTES * PAGE_BYTES;
        if range.is_empty() || !self.of_file {
            return Ok(());
        }
        // SAFETY: this mapping is shared with a file, so its bytes are the file's and stay what they are; only memory that
        // belongs to no file would be lost, which was ruled out above.
        unsafe { self.raw.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) }
    }

    /// A copy of a range as it is at this moment; for simulated disks, whose files are anonymous mappings.
    ///
    /// Bytes that another thread is storing just then may be seen in part.
    #[must_use]
    pub fn snapshot(&self, range: Range<usize>) -> Vec<u8> {
        let range = range.start.min(self.len())..range.end.min(self.len());
        // SAFETY: the range lies in the mapping, which `self` keeps. Volatile loads of single bytes: a store elsewhere
        // at the same time yields the old or the new byte and no slice is made that could be changed under a reader.
        range.map(|at| unsafe { self.raw.as_ptr().add(at).read_volatile() }).collect()
    }

    /// Overwrites a range; for simulated disks, which write to a file that is mapped too.
    ///
    /// # Panics
    /// If the range does not lie in the mapping.
    pub fn overwrite(&self, at: usize, bytes: &[u8]) {
        assert!(at.checked_add(bytes.len()).is_some_and(|end| end <= self.len()), "inside the mapping");
        for (index, byte) in bytes.iter().enumerate() {
            // SAFETY: in range by the assertion; a volatile store of one byte, as in `snapshot`.
            unsafe { self.raw.as_mut_ptr().add(at + index).write_volatile(*byte) }
        }
    }
}

/// A segment of the log: one fixed-size file, mapped whole.
///
/// # Invariant
/// Bytes below `readable` never change any more; bytes from there on are touched by the one [`SegmentWriter`] only.
#[derive(Debug)]
pub struct Segment {
    base: u64,
    path: PathBuf,
    file: SharedFile,
    map: Mapping,
    readable: AtomicUsize,
    written_by_one: AtomicBool,
}

impl Segment {
    /// A segment that begins at `base` of the log; its first `readable` bytes are final.
    #[must_use]
    pub fn new(base: u64, path: PathBuf, file: SharedFile, map: Mapping, readable: usize) -> Self {
        assert!(readable <= map.len(), "what is readable lies in the file");
        Self { base, path, file, map, readable: AtomicUsize::new(readable), written_by_one: AtomicBool::new(false) }
    }

    /// The same segment with another end of what is final: recovery reads a whole file and then knows its end.
    ///
    /// Taking `self` by value is what keeps the invariant: no reader holds this segment any more.
    #[must_use]
    pub fn ending_at(self, readable: usize) -> Self {
        Self::new(self.base, self.path, self.file, self.map, readable)
    }

    /// Offset of its first byte in the log.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether it has no bytes, which no segment is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Its file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file, for syncs and reads that go past the mapping.
    #[must_use]
    pub fn file(&self) -> &SharedFile {
        &self.file
    }

    /// How many bytes may be read.
    #[must_use]
    pub fn readable(&self) -> usize {
        self.readable.load(Ordering::Acquire)
    }

    /// The bytes of a range, if all of it is published. `at` counts from the segment's start.
    #[must_use]
    pub fn bytes(&self, at: usize, len: usize) -> Option<&[u8]> {
        if at.checked_add(len)? > self.readable() {
            return None;
        }
        // SAFETY: the range lies below `readable`, so in the mapping, and by the invariant nobody writes there any
        // more; the acquire load above makes what was written visible. The mapping lives as long as `self`.
        Some(unsafe { std::slice::from_raw_parts(self.map.raw.as_ptr().add(at), len) })
    }

    /// A range that keeps the segment mapped as long as it lives, copying nothing.
    #[must_use]
    pub fn slice(self: &Arc<Self>, at: usize, len: usize) -> Option<Bytes> {
        self.bytes(at, len)?;
        Some(Bytes::from_owner(PublishedRange { segment: Arc::clone(self), at, len }))
    }

    /// Appends a range to `out`; `false`, and nothing appended, if it is not published.
    pub fn copy_into(&self, at: usize, len: usize, out: &mut BytesMut) -> bool {
        let Some(bytes) = self.bytes(at, len) else { return false };
        out.extend_from_slice(bytes);
        true
    }

    /// Has pages ready for a range that is going to be written.
    ///
    /// # Errors
    /// As [`Mapping::populate`].
    pub fn populate(&self, range: Range<usize>) -> io::Result<()> {
        self.map.populate(range)
    }

    /// See [`Mapping::page_by_page`].
    ///
    /// # Errors
    /// As [`Mapping::page_by_page`].
    pub fn page_by_page(&self) -> io::Result<()> {
        self.map.page_by_page()
    }

    /// See [`Mapping::let_go`].
    ///
    /// # Errors
    /// As [`Mapping::let_go`].
    pub fn let_go(&self, range: Range<usize>) -> io::Result<()> {
        self.map.let_go(range)
    }
}

/// What a [`Bytes`] over a segment owns.
struct PublishedRange {
    segment: Arc<Segment>,
    at: usize,
    len: usize,
}

impl AsRef<[u8]> for PublishedRange {
    fn as_ref(&self) -> &[u8] {
        self.segment.bytes(self.at, self.len).expect("was published when it was made, and that is never taken back")
    }
}

/// The right to write the unpublished part of a segment; there is one per segment.
#[derive(Debug)]
pub struct SegmentWriter {
    segment: Arc<Segment>,
    /// Everything before it is handed out to be written, or published.
    position: usize,
}

impl SegmentWriter {
    /// Takes the right to write; `None` if somebody has it.
    #[must_use]
    pub fn take(segment: &Arc<Segment>) -> Option<Self> {
        let free = !segment.written_by_one.swap(true, Ordering::AcqRel);
        free.then(|| Self { segment: Arc::clone(segment), position: segment.readable() })
    }

    /// The segment.
    #[must_use]
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Where the next window begins, counted from the segment's start.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next `len` bytes to be overwritten; `None` if so many are not left.
    pub fn window(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.position;
        self.skip(len)?;
        // SAFETY: the window lies in the mapping (`skip`) and at or above `readable`, where only the one writer reaches,
        // which `&mut self` is. The slice ends with the borrow, before `publish` can run.
        Some(unsafe { std::slice::from_raw_parts_mut(self.segment.map.raw.as_mut_ptr().add(start), len) })
    }

    /// Passes over `len` bytes that were or will be written through the file; `None` if so many are not left.
    pub fn skip(&mut self, len: usize) -> Option<()> {
        let end = self.position.checked_add(len).filter(|end| *end <= self.segment.len())?;
        self.position = end;
        Some(())
    }

    /// Makes everything up to the position readable, for good.
    pub fn publish(&mut self) {
        self.segment.readable.store(self.position, Ordering::Release);
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        self.segment.written_by_one.store(false, Ordering::Release);
    }
}

/// A mapping with one owner, who may change any byte of it.
#[derive(Debug)]
pub struct OwnedMapping(Mapping);

impl OwnedMapping {
    /// Takes a mapping that nobody else reads or writes through, a simulated disk's own copies apart.
    ///
    /// What its owner touches lies here and there in a file that is mostly empty, so it is taken in page by page: read
    /// ahead, the kernel would clear megabytes for twenty bytes.
    #[must_use]
    pub fn new(map: Mapping) -> Self {
        // Where it cannot be said, it only costs more.
        let _ = map.page_by_page();
        Self(map)
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of a range, if it lies in the mapping.
    #[must_use]
    pub fn bytes(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.holds(at, len)?;
        // SAFETY: in range; `&self` of the only owner rules out a writer for as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts(self.0.raw.as_ptr().add(at), len) })
    }

    /// The bytes of a range to be changed, if it lies in the mapping.
    pub fn bytes_mut(&mut self, at: usize, len: usize) -> Option<&mut [u8]> {
        self.holds(at, len)?;
        // SAFETY: in range; `&mut self` of the only owner rules out any other reader or writer.
        Some(unsafe { std::slice::from_raw_parts_mut(self.0.raw.as_mut_ptr().add(at), len) })
    }

    fn holds(&self, at: usize, len: usize) -> Option<()> {
        (at.checked_add(len)? <= self.0.len()).then_some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::store::disk::{Disk, FileDisk, OpenMode};

    fn segment(len: usize) -> (tempfile::TempDir, Arc<Segment>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0");
        let file = FileDisk.open(&path, OpenMode::Create).unwrap();
        file.set_len(len as u64).unwrap();
        (directory, Arc::new(Segment::new(0, path, file, Mapping::anonymous(len).unwrap(), 0)))
    }

    #[test]
    fn only_what_is_published_can_be_read() {
        let (_directory, segment) = segment(64);
        let mut writer = SegmentWriter::take(&segment).unwrap();
        assert!(SegmentWriter::take(&segment).is_none(), "there is one writer");
        writer.window(40).unwrap().fill(7);
        assert_eq!((segment.bytes(0, 1), segment.readable()), (None, 0));
        writer.publish();
        assert_eq!(segment.bytes(0, 40), Some(&[7; 40][..]));
        assert_eq!((segment.bytes(0, 41), segment.bytes(usize::MAX, 2)), (None, None));
        assert!(writer.window(25).is_none() && writer.window(usize::MAX).is_none());
        assert_eq!(writer.window(24).unwrap().len(), 24);
        drop(writer);
        assert_eq!(SegmentWriter::take(&segment).unwrap().position(), 40, "what was not published is given up");
    }

    #[test]
    fn a_slice_outlives_every_other_holder() {
        let (_directory, segment) = segment(64);
        let mut writer = SegmentWriter::take(&segment).unwrap();
        writer.window(8).unwrap().copy_from_slice(b"12345678");
        writer.publish();
        let slice = segment.slice(2, 4).unwrap();
        drop((writer, segment));
        assert_eq!(slice, "3456");
    }

    /// Readers on other threads see each record whole, as soon as the end that they have read lies behind it.
    #[test]
    fn readers_see_whole_records_while_the_writer_goes_on() {
        const RECORD: usize = 16;
        let (_directory, segment) = segment(RECORD * 4_000);
        let mut writer = SegmentWriter::take(&segment).unwrap();
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    let mut seen = 0;
                    while seen < segment.len() {
                        let end = segment.readable();
                        for at in (seen..end).step_by(RECORD) {
                            let number = (at / RECORD) as u8;
                            assert_eq!(segment.bytes(at, RECORD), Some(&[number; RECORD][..]));
                        }
                        seen = end;
                        std::thread::yield_now();
                    }
                });
            }
            for number in 0..4_000usize {
                writer.window(RECORD).unwrap().fill(number as u8);
                writer.publish();
            }
        });
    }

    #[test]
    fn owned_mappings_and_snapshots_keep_to_their_bounds() {
        let map = Mapping::anonymous(16).unwrap();
        let mut owned = OwnedMapping::new(map.clone());
        owned.bytes_mut(4, 4).unwrap().fill(1);
        assert_eq!((owned.bytes(12, 5), owned.bytes(usize::MAX, 1)), (None, None));
        map.overwrite(8, &[2; 2]);
        assert_eq!(map.snapshot(3..100), [0, 1, 1, 1, 1, 2, 2, 0, 0, 0, 0, 0, 0]);
    }
}
