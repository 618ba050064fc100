//! One consume queue: a dense row of 20-byte entries that point into the log.
//!
//! # Layout
//! Entry `n` lies at byte `20 * n`, counted over the queue's files, each named by its first byte's number:
//! physical offset i64, size i32, tag code i64. Format and worked example: `docs/format/consumequeue.md`.
//!
//! A queue has one owner. Its files are opened and mapped when they are needed and let go by
//! [`ConsumeQueue::close_idle`]: a hundred thousand queues are an ordinary case, and so many mappings are not to be had.
//!
//! With `enableConsumeQueueExt` it has an extension beside it, see [`queue_ext`](super::queue_ext).
//!
//! What is deliberately absent: the records themselves and filters.

mod cleaning;
mod entry;
mod recovery;
mod removal;
mod search;
mod warm;

use std::path::PathBuf;
use std::sync::Arc;

pub use cleaning::{Beginning, QueueCleaning};
pub use entry::QueueEntry;
pub use search::QueueSnapshot;
pub use warm::WarmUp;

use super::census::{Census, weight_of};
use super::disk::SharedDisk;
use super::error::StoreError;
use super::layout::{QUEUE_ENTRY_BYTES, StoreOptions};
use super::queue_ext::{Extension, QueueExtension, Unit, UnitAddress, UnitReader};
use super::queue_file::QueueFile;
use super::queue_sync::QueueSync;
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};

/// What became of an entry that was to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It stands where its record says.
    InStep(QueueOffset),
    /// It stands here, but its record says a later offset: entries are missing. No gap is left, as in the reference,
    /// and the caller reports it.
    OutOfStep(QueueOffset),
    /// It was there already.
    Duplicate,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRead {
    /// So many entries were appended to the caller's row: up to the end of the queue, or of the queue file.
    Entries(usize),
    /// No file holds that offset; the next one that is there begins here.
    NoFile {
        /// First offset of the next file, or the end of the queue.
        next: QueueOffset,
    },
}

/// One queue of one topic.
#[derive(Debug)]
pub struct ConsumeQueue {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    topic: Topic,
    queue_id: QueueId,
    directory: PathBuf,
    /// Oldest first, without gaps.
    files: Vec<QueueFile>,
    /// Byte position of the next entry.
    write: u64,
    /// Byte position of the first entry whose record is still there.
    min: u64,
    /// End of the record that the last entry points to; 0 when there is none.
    max_physical: u64,
    sync: QueueSync,
    /// On the heap, since most queues have none.
    extension: Option<Box<QueueExtension>>,
    /// What each entry weighs, and where that is counted when entries go that were there.
    weight: u64,
    census: Arc<Census>,
    /// Whether recovery has cut off what was surely there: the log is to be walked from its beginning.
    lost_entries: bool,
}

impl ConsumeQueue {
    /// A queue without files; its directory appears with the first entry.
    #[must_use]
    pub fn new(disk: SharedDisk, options: Arc<StoreOptions>, topic: Topic, queue_id: QueueId) -> Self {
        let directory = options.queue_dir(&topic, queue_id);
        let mut sync = QueueSync::new(Arc::clone(&disk), directory.clone());
        let extension = options
            .queue_ext_enabled
            .then(|| Box::new(QueueExtension::new(Arc::clone(&disk), &options, &topic, queue_id)));
        if let Some(extension) = &extension {
            sync = sync.with_units(extension.sync());
        }
        let weight = weight_of(&topic, queue_id);
        Self {
            disk,
            options,
            topic,
            queue_id,
            directory,
            files: Vec::new(),
            write: 0,
            min: 0,
            max_physical: 0,
            sync,
            extension,
            weight,
            census: Arc::default(),
            lost_entries: false,
        }
    }

    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Its number within the topic.
    #[must_use]
    pub fn queue_id(&self) -> QueueId {
        self.queue_id
    }

    /// The first offset whose record is still there, as [`ConsumeQueue::correct_min`] found it.
    #[must_use]
    pub fn min_offset(&self) -> QueueOffset {
        QueueOffset(self.min / QUEUE_ENTRY_BYTES)
    }

    /// The next offset to be given out.
    #[must_use]
    pub fn max_offset(&self) -> QueueOffset {
        QueueOffset(self.write / QUEUE_ENTRY_BYTES)
    }

    /// End of the record that the last entry points to.
    #[must_use]
    pub fn max_physical(&self) -> PhysicalOffset {
        PhysicalOffset(self.max_physical)
    }

    /// Where its first file begins.
    pub(super) fn first_base(&self) -> Option<u64> {
        self.files.first().map(|file| file.base)
    }

    /// Where its files begin.
    pub(super) fn file_bases(&self) -> Vec<u64> {
        self.files.iter().map(|file| file.base).collect()
    }

    /// How many entries a file holds.
    pub(super) fn entries_per_file(&self) -> u64 {
        self.file_bytes() / QUEUE_ENTRY_BYTES
    }

    /// Whether it has any file.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Appends the entry of a record whose number in the queue is `offset`. Replaying a record changes nothing.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], or what the operating system says; the entry is not there then.
    pub fn append(&mut self, entry: QueueEntry, offset: QueueOffset) -> Result<Placement, StoreError> {
        self.append_extended(entry, offset, None)
    }

    /// As [`ConsumeQueue::append`]; what the entry has no room for goes into the extension, if the queue has one. Where that
    /// has no room, on the disk above all, the entry stands alone, as in the reference.
    ///
    /// # Errors
    /// As [`ConsumeQueue::append`].
    #[inline]
    pub fn append_extended(
        &mut self,
        entry: QueueEntry,
        offset: QueueOffset,
        extension: Option<&Extension>,
    ) -> Result<Placement, StoreError> {
        debug_assert!(entry.is_valid(), "only entries of records are appended");
        if entry.end().0 <= self.max_physical {
            return Ok(Placement::Duplicate);
        }
        let expected = offset.0 * QUEUE_ENTRY_BYTES;
        if self.files.is_empty() && offset.0 != 0 {
            self.begin_at(expected)?;
        } else if offset.0 != 0 && expected < self.write {
            return Ok(Placement::Duplicate);
        }
        let at = self.write;
        match extension {
            Some(extension) => self.put_extended(at, entry, extension)?,
            None => self.put(at, entry)?,
        }
        self.write += QUEUE_ENTRY_BYTES;
        self.max_physical = entry.end().0;
        let placed = QueueOffset(at / QUEUE_ENTRY_BYTES);
        Ok(if expected > at { Placement::OutOfStep(placed) } else { Placement::InStep(placed) })
    }

    /// Replaces an entry by a blank one that pulls pass over: its record is damaged, or makes its readers fall over.
    ///
    /// The blank is the one that fills the start of a rebuilt queue, which Java's broker passes over too; an invalid
    /// entry would end the queue for both at the next start.
    ///
    /// # Errors
    /// What the operating system says. `Ok(false)` if there is no such entry.
    pub fn blank(&mut self, offset: QueueOffset) -> Result<bool, StoreError> {
        let at = offset.0 * QUEUE_ENTRY_BYTES;
        if at >= self.write || self.file_of(at).is_none() {
            return Ok(false);
        }
        self.put(at, QueueEntry::BLANK)?;
        Ok(true)
    }

    /// Appends a blank entry for a record whose number is `offset`: the record is there but cannot be read.
    ///
    /// # Errors
    /// As [`ConsumeQueue::append`].
    pub(crate) fn append_blank(&mut self, offset: QueueOffset) -> Result<(), StoreError> {
        if self.files.is_empty() && offset.0 != 0 {
            self.begin_at(offset.0 * QUEUE_ENTRY_BYTES)?;
        }
        self.fill_to(offset.plus(1))
    }

    /// Appends blank entries until `offset` is the next one.
    ///
    /// # Errors
    /// As [`ConsumeQueue::append`].
    pub(crate) fn fill_to(&mut self, offset: QueueOffset) -> Result<(), StoreError> {
        while self.max_offset() < offset {
            self.put(self.write, QueueEntry::BLANK)?;
            self.write += QUEUE_ENTRY_BYTES;
        }
        Ok(())
    }

    /// Appends up to `max` entries from `offset` on to `out`, never past the end of one queue file.
    ///
    /// # Errors
    /// What the operating system says when the file has to be opened.
    pub fn read(
        &mut self,
        offset: QueueOffset,
        max: usize,
        out: &mut Vec<QueueEntry>,
    ) -> Result<QueueRead, StoreError> {
        let at = offset.0.saturating_mul(QUEUE_ENTRY_BYTES);
        let Some(index) = self.file_of(at).filter(|_| at < self.write) else {
            let next = self.files.iter().map(|file| file.base).find(|base| *base > at).unwrap_or(self.write);
            return Ok(QueueRead::NoFile { next: QueueOffset(next / QUEUE_ENTRY_BYTES) });
        };
        let file_end = self.files.get(index).map_or(at, |file| file.base + self.file_bytes());
        let available = (file_end.min(self.write) - at) / QUEUE_ENTRY_BYTES;
        let count = available.min(max as u64) as usize;
        let bytes = self.bytes(index, at, count as u64 * QUEUE_ENTRY_BYTES)?;
        out.extend(bytes.chunks_exact(QUEUE_ENTRY_BYTES as usize).map(QueueEntry::decode));
        Ok(QueueRead::Entries(count))
    }

    /// One entry; `None` if there is no such offset.
    ///
    /// # Errors
    /// As [`ConsumeQueue::read`].
    pub fn entry(&mut self, offset: QueueOffset) -> Result<Option<QueueEntry>, StoreError> {
        let mut one = Vec::with_capacity(1);
        self.read(offset, 1, &mut one)?;
        Ok(one.pop())
    }

    /// Whether entries may name units of an extension.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.extension.is_some()
    }

    /// The unit at an address; `None` if it is not there, or the queue has no extension.
    ///
    /// # Errors
    /// As [`ConsumeQueue::read`].
    pub fn unit(&mut self, address: UnitAddress) -> Result<Option<Unit<'_>>, StoreError> {
        self.extension.as_mut().map_or(Ok(None), |extension| extension.unit(address))
    }

    /// What another thread needs to read units; `None` if the queue has no extension.
    #[must_use]
    pub fn unit_reader(&self) -> Option<UnitReader> {
        self.extension.as_ref().map(|extension| extension.reader())
    }

    /// Notes that the names of its files may not be on the disk: an earlier start has made them and was cut short.
    pub(crate) fn mistrust_names(&self) {
        self.sync.note_names();
        if let Some(extension) = &self.extension {
            extension.sync().note_names();
        }
    }

    /// Notes that its end may not be on the disk: an earlier start has cleared what lay behind it and was cut short.
    pub(crate) fn mistrust_end(&self) {
        self.files.last().into_iter().for_each(|last| self.sync.mark(last));
        if let Some(extension) = &self.extension {
            extension.mistrust_end();
        }
    }

    /// What another thread needs to make this queue's entries last.
    #[must_use]
    pub fn sync_handle(&self) -> QueueSync {
        self.sync.clone()
    }

    /// What syncs this queue, if it has entries that are not on the disk and nobody was told of them. Asked after appends.
    #[must_use]
    pub fn untold(&self) -> Option<QueueSync> {
        self.sync.tell().then(|| self.sync_handle())
    }

    /// Lets go of every file descriptor and mapping; the next use opens what it needs.
    pub fn close_idle(&mut self) {
        for file in &mut self.files {
            file.close();
        }
        if let Some(extension) = &mut self.extension {
            extension.close_idle();
        }
    }

    /// Whether it holds file descriptors or mappings.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.files.iter().any(QueueFile::is_open)
            || self.extension.as_ref().is_some_and(|extension| extension.is_open())
    }

    fn file_bytes(&self) -> u64 {
        self.options.queue_file_bytes()
    }

    /// The file that holds a byte position.
    fn file_of(&self, at: u64) -> Option<usize> {
        let since_first = at.checked_sub(self.files.first()?.base)?;
        let index = (since_first / self.file_bytes()) as usize;
        (index < self.files.len()).then_some(index)
    }

    /// Begins a queue whose earlier entries are gone with the log that they pointed to: pre-blank entries fill the
    /// file up to the first real one.
    fn begin_at(&mut self, expected: u64) -> Result<(), StoreError> {
        let base = expected - expected % self.file_bytes();
        self.create_file(base)?;
        for at in (base..expected).step_by(QUEUE_ENTRY_BYTES as usize) {
            self.put(at, QueueEntry::BLANK)?;
        }
        self.write = expected;
        self.min = expected;
        self.census.give(self.weight.wrapping_mul(expected / QUEUE_ENTRY_BYTES));
        Ok(())
    }

    /// Writes an entry that names the unit which is put for it, or as it is if there is no room for one.
    fn put_extended(&mut self, at: u64, entry: QueueEntry, extension: &Extension) -> Result<(), StoreError> {
        let Some(units) = &mut self.extension else { return self.put(at, entry) };
        let address = match units.put(&extension.unit(entry.tags_code)) {
            Ok(address) => address,
            Err(error) if error.is_shortage() => None,
            Err(error) => return Err(error),
        };
        let tags_code = address.map_or(entry.tags_code, UnitAddress::tags_code);
        self.put(at, QueueEntry { tags_code, ..entry }).inspect_err(|_| {
            if let (Some(units), Some(address)) = (&mut self.extension, address) {
                units.take_back(address);
            }
        })
    }

    /// Writes an entry, into a new file if it is the first one there.
    fn put(&mut self, at: u64, entry: QueueEntry) -> Result<(), StoreError> {
        if self.file_of(at).is_none() {
            self.create_file(at - at % self.file_bytes())?;
        }
        let index = self.file_of(at).expect("was made above");
        let file_bytes = self.file_bytes();
        let Self { files, disk, directory, sync, write, .. } = self;
        let file = files.get_mut(index).expect("found above");
        let room = file.bytes_mut(disk, directory, file_bytes, at..at + QUEUE_ENTRY_BYTES, at >= *write)?;
        room.copy_from_slice(&entry.encode());
        sync.mark(file);
        Ok(())
    }

    fn create_file(&mut self, base: u64) -> Result<(), StoreError> {
        if self.files.is_empty() {
            self.disk.create_dir(&self.directory).map_err(StoreError::io("create", &self.directory))?;
        }
        // From now on the files before it are only read.
        self.files.iter_mut().for_each(QueueFile::close);
        let mut file = QueueFile::new(base);
        file.create(&self.disk, &self.directory, self.options.queue_file_bytes())?;
        self.hold(file);
        self.sync.note_names();
        Ok(())
    }

    /// Takes a file in behind the others. Most queues have one, and there may be very many.
    fn hold(&mut self, file: QueueFile) {
        if self.files.is_empty() {
            self.files.reserve_exact(1);
        }
        self.files.push(file);
    }

    /// Bytes of one file, given by their position in the queue. Of the files that are only read one is held open at a time.
    fn bytes(&mut self, index: usize, at: u64, len: u64) -> Result<&[u8], StoreError> {
        let file_bytes = self.file_bytes();
        if !self.files.get(index).is_some_and(QueueFile::is_open) {
            let written = self.files.len().saturating_sub(1);
            self.files.iter_mut().take(written).for_each(QueueFile::close);
        }
        let Self { files, disk, directory, .. } = self;
        files.get_mut(index).map_or(Ok(&[]), |file| file.bytes(disk, directory, file_bytes, at, len))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::store::FileDisk;

    fn entry(physical: u64) -> QueueEntry {
        QueueEntry { physical: PhysicalOffset(physical), size: 100, tags_code: 0 }
    }

    #[test]
    fn of_an_expired_queue_the_last_file_stays_and_its_numbers_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let options = Arc::new(StoreOptions { queue_file_bytes: 200, ..StoreOptions::at(directory.path()) });
        let topic = Topic::parse("T").unwrap();
        let opened = || ConsumeQueue::new(Arc::new(FileDisk), Arc::clone(&options), topic.clone(), QueueId(0));
        let mut queue = opened();
        for number in 0..25 {
            queue.append(entry(number * 100), QueueOffset(number)).unwrap();
        }
        assert_eq!(queue.clean(PhysicalOffset(2_400)).unwrap(), 2, "its last record is there");
        assert_eq!((queue.min_offset(), queue.max_offset()), (QueueOffset(24), QueueOffset(25)));
        assert_eq!(queue.clean(PhysicalOffset(2_500)).unwrap(), 0);
        let files: Vec<_> =
            std::fs::read_dir(&queue.directory).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["00000000000000000400"]);
        // The next start knows the numbers too.
        let mut reopened = opened();
        reopened.recover().unwrap();
        reopened.correct_min(PhysicalOffset(2_500)).unwrap();
        for mut queue in [queue, reopened] {
            assert_eq!((queue.min_offset(), queue.max_offset()), (QueueOffset(25), QueueOffset(25)));
            assert_eq!(queue.append(entry(2_400), QueueOffset(24)).unwrap(), Placement::Duplicate);
            assert_eq!(queue.append(entry(2_500), QueueOffset(25)).unwrap(), Placement::InStep(QueueOffset(25)));
            assert_eq!(queue.entry(QueueOffset(25)).unwrap(), Some(entry(2_500)));
        }
    }

    /// The entry of a damaged record is blank: it says nothing about those before it.
    #[test]
    fn a_file_that_ends_with_a_blank_entry_stays_as_long_as_another_of_its_records_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let options = Arc::new(StoreOptions { queue_file_bytes: 200, ..StoreOptions::at(directory.path()) });
        let mut queue = ConsumeQueue::new(Arc::new(FileDisk), options, Topic::parse("T").unwrap(), QueueId(0));
        for number in 0..25 {
            queue.append(entry(number * 100), QueueOffset(number)).unwrap();
        }
        (7..10).for_each(|number| assert!(queue.blank(QueueOffset(number)).unwrap()));
        assert_eq!(queue.clean(PhysicalOffset(600)).unwrap(), 0);
        assert_eq!(queue.min_offset(), QueueOffset(6));
        assert_eq!(queue.clean(PhysicalOffset(601)).unwrap(), 1);
        assert_eq!(queue.min_offset(), QueueOffset(10));
    }
}
