//! Segments made ahead of the writer, and pages made ahead of its stores.
//!
//! Making a segment takes milliseconds and may fail for want of room; storing into a page that is not there yet takes
//! the whole arbiter. Both are done here on demand, by a thread that somebody else runs: the store has none.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{OpenMode, SharedDisk, create_lasting_dir};
use super::error::StoreError;
use super::layout::StoreOptions;
use super::segment::Segment;
use super::segments::Segments;
use crate::protocol::units::PhysicalOffset;

/// Makes the next segment before it is needed. Clones share one slot.
#[derive(Clone, Debug)]
pub struct Preparation {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    segments: Arc<Segments>,
    /// The lock is held while a segment is being made, so that the writer, who needs it at that moment, waits for it instead
    /// of making a second.
    next: Arc<Mutex<Next>>,
    /// What [`Preparation::prepare_next`] found no room for when it was last called. The writer believes it: an attempt of
    /// its own for each put would hold up everybody.
    no_room: Arc<Mutex<Option<NoRoom>>>,
}

/// The segment that nobody has taken yet.
#[derive(Debug)]
struct Next {
    /// Where it begins: what was taken is never made again, whether it is in the row yet or not.
    base: u64,
    ready: Option<Arc<Segment>>,
}

#[derive(Clone, Debug)]
struct NoRoom {
    base: u64,
    path: PathBuf,
    bytes: u64,
}

impl Preparation {
    /// For a row of segments.
    #[must_use]
    pub fn new(disk: SharedDisk, options: Arc<StoreOptions>, segments: Arc<Segments>) -> Self {
        let base = segments.all().last().map_or(0, |last| last.base() + segments.segment_bytes());
        let next = Arc::new(Mutex::new(Next { base, ready: None }));
        Self { disk, options, segments, next, no_room: Arc::default() }
    }

    /// Makes the segment that follows the last one, unless it is there; tells whether it had to.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], or what the operating system says. Nothing is left behind then.
    pub fn prepare_next(&self) -> Result<bool, StoreError> {
        let mut next = self.slot();
        let base = next.base;
        if next.ready.is_some() {
            return Ok(false);
        }
        let made = self.create(base);
        *self.no_room() = match &made {
            Err(StoreError::DiskFull { path, bytes }) => Some(NoRoom { base, path: path.clone(), bytes: *bytes }),
            _ => None,
        };
        next.ready = Some(made?);
        Ok(true)
    }

    /// The segment that begins at `base`: the one made ahead, or made now. It is added to the row by the caller.
    ///
    /// # Errors
    /// As [`Preparation::prepare_next`].
    pub(crate) fn take(&self, base: u64) -> Result<Arc<Segment>, StoreError> {
        if let Some(NoRoom { path, bytes, .. }) = self.no_room().clone().filter(|missing| missing.base == base) {
            return Err(StoreError::DiskFull { path, bytes });
        }
        let mut next = self.slot();
        let taken = match next.ready.take_if(|ready| ready.base() == base) {
            Some(ready) => ready,
            None => self.create(base)?,
        };
        next.base = base + self.segments.segment_bytes();
        Ok(taken)
    }

    /// Removes the segment made ahead, as a clean stop does.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn discard(&self) -> Result<(), StoreError> {
        let Some(unused) = self.slot().ready.take() else { return Ok(()) };
        self.disk.remove_file(unused.path()).map_err(StoreError::io("remove", unused.path()))
    }

    fn create(&self, base: u64) -> Result<Arc<Segment>, StoreError> {
        let path = self.options.segment_path(base);
        let directory = path.parent().expect("a segment lies in a directory");
        create_lasting_dir(&*self.disk, directory).map_err(StoreError::io("create", directory))?;
        let len = self.segments.segment_bytes();
        let made = (|| {
            let file = self.disk.open(&path, OpenMode::Create).map_err(StoreError::io("create", &path))?;
            // Whatever an earlier, failed attempt left must not be read as records.
            file.set_len(0).map_err(StoreError::io("truncate", &path))?;
            file.set_len(len).map_err(StoreError::io("extend", &path))?;
            file.allocate(0..len).map_err(|source| StoreError::allocate(&path, len, source))?;
            // Its length lasts before its name does: a segment that has none is taken for one that was never used.
            file.sync().map_err(StoreError::io("sync", &path))?;
            let map = file.map(len).map_err(StoreError::io("map", &path))?;
            self.disk.sync_dir(directory).map_err(StoreError::io("sync", directory))?;
            Ok(Arc::new(Segment::new(base, path.clone(), file, map, 0)))
        })();
        if made.is_err() {
            // The error that matters is the first one; a file that stays is truncated by the next attempt.
            let _ = self.disk.remove_file(&path);
        }
        made
    }

    /// A panic while the lock was held leaves either no segment or a whole one.
    fn slot(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_room(&self) -> MutexGuard<'_, Option<NoRoom>> {
        self.no_room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> Option<Arc<Segment>> {
        self.next.try_lock().ok()?.ready.clone()
    }
}

/// Pages are made ready in pieces of this size: a call for all of them keeps a processor, and the lock of the address space,
/// for milliseconds in which nobody else who needs either goes on.
const PIECE_BYTES: usize = 256 * 1024;

/// Has pages ready ahead of the writer, on request.
#[derive(Debug)]
pub struct Populator {
    segments: Arc<Segments>,
    preparation: Preparation,
    done: u64,
    page_by_page: bool,
    /// Cleared when the kernel does not know the call: then there is nothing to be done.
    supported: bool,
}

impl Populator {
    /// Starts at the end of what is written.
    #[must_use]
    pub fn new(segments: Arc<Segments>, preparation: Preparation, from: PhysicalOffset) -> Self {
        Self { segments, preparation, done: from.0, page_by_page: false, supported: true }
    }

    /// The same with pages that are synced one by one: for a log that is synced often.
    #[must_use]
    pub fn page_by_page(self) -> Self {
        Self { page_by_page: true, ..self }
    }

    /// Where it has come to.
    #[must_use]
    pub fn position(&self) -> PhysicalOffset {
        PhysicalOffset(self.done)
    }

    /// Goes on to `to`, or as far as there are segments, the one made ahead included.
    pub fn advance(&mut self, to: PhysicalOffset) {
        while self.supported && self.done < to.0 {
            let found = self.segments.find(self.position()).or_else(|| {
                let ready = self.preparation.ready()?;
                let at = self.done.checked_sub(ready.base())?;
                (at < ready.len() as u64).then_some((ready, at as usize))
            });
            let Some((segment, at)) = found else { return };
            let wanted = usize::try_from(to.0 - self.done).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let until = (at + wanted).min(segment.len());
            if self.page_by_page {
                // Said again for each piece, which costs next to nothing; where it cannot be said, syncs write more.
                let _ = segment.page_by_page();
            }
            // Whatever else was wrong, memory that is short for one, may be over with the next piece.
            self.supported = !segment.populate(at..until).is_err_and(|error| is_unknown_call(error.kind()));
            self.done = segment.base() + until as u64;
        }
    }
}

/// What kernels before 5.14 say, and systems that are like Linux only.
fn is_unknown_call(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}
