//! Taking away the beginning of a queue whose records are gone from the log, from a thread that may wait for the disk while
//! the queue's owner goes on.
//!
//! ```text
//!   owner: cleaning ─► thread: look ─► owner: begin (pulls before it are told so) ─► thread: remove ─► owner: let_go
//! ```
//!
//! The last file stays whatever it holds: its name and its entries keep the numbers that were given out. Java's broker
//! begins a queue that has no file at 0 again.

use std::path::PathBuf;

use super::{ConsumeQueue, QueueEntry};
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};
use crate::store::disk::{OpenMode, SharedDisk, SharedFile, remove_for_good};
use crate::store::error::StoreError;
use crate::store::layout::{QUEUE_ENTRY_BYTES, file_name};
use crate::store::queue_ext::ExtensionFiles;

/// How much of a file is read at once.
const BLOCK_BYTES: u64 = 10_000 * QUEUE_ENTRY_BYTES;

/// The files of a queue as they were at one moment.
#[derive(Clone, Debug)]
pub struct QueueCleaning {
    topic: Topic,
    queue_id: QueueId,
    disk: SharedDisk,
    directory: PathBuf,
    file_bytes: u64,
    /// The first bytes of its files, counted over the queue.
    bases: Vec<u64>,
    min: u64,
    write: u64,
    extension: Option<ExtensionFiles>,
}

/// Where a queue begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Byte position of the first entry whose record is still there.
    min: u64,
    /// The first byte of the first file,
    first_file: u64,
    /// and of the first file of the extension, if it has any.
    first_units: Option<u64>,
}

impl Beginning {
    /// The first entry whose record is still there.
    #[must_use]
    pub fn min_offset(self) -> QueueOffset {
        QueueOffset(self.min / QUEUE_ENTRY_BYTES)
    }
}

impl ConsumeQueue {
    /// What another thread needs to clean the queue. Whoever else may remove or make files of a queue of this name waits
    /// until that is done.
    #[must_use]
    pub fn cleaning(&self) -> QueueCleaning {
        QueueCleaning {
            topic: self.topic.clone(),
            queue_id: self.queue_id,
            disk: SharedDisk::clone(&self.disk),
            directory: self.directory.clone(),
            file_bytes: self.file_bytes(),
            bases: self.files.iter().map(|file| file.base).collect(),
            min: self.min,
            write: self.write,
            extension: self.extension.as_ref().map(|extension| extension.listed()),
        }
    }

    /// Begins where a cleaning has found that it does, which is never before where it began. Its files stay.
    pub fn begin(&mut self, beginning: Beginning) {
        self.min = self.min.max(beginning.min);
    }

    /// Lets go of the files that a cleaning has removed.
    pub fn let_go(&mut self, beginning: Beginning) {
        self.files.retain(|file| file.base >= beginning.first_file);
        if let (Some(extension), Some(first)) = (&mut self.extension, beginning.first_units) {
            extension.let_go_before(first);
        }
    }

    /// All of it at once, for who may wait: removes the files whose last entry points to before `log_min`, never the last
    /// file, and corrects the minimum. Of the extension go those that end before the unit of the first entry that is left.
    /// Tells how many were removed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn clean(&mut self, log_min: PhysicalOffset) -> Result<usize, StoreError> {
        let cleaning = self.cleaning();
        let beginning = cleaning.look(log_min)?;
        self.begin(beginning);
        let removed = cleaning.remove(beginning)?;
        self.let_go(beginning);
        Ok(removed)
    }

    /// Finds the first entry whose record is still in a log that begins at `log_min`; the end if there is none.
    ///
    /// Unlike the reference, which looks through the first file only, this goes on to the next ones, so that a pull
    /// from the beginning always points to something that can be read.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn correct_min(&mut self, log_min: PhysicalOffset) -> Result<(), StoreError> {
        let Some(first) = self.files.first().map(|file| file.base) else { return Ok(()) };
        let at = self.min.max(first);
        // Over a log that has lost nothing no queue need be opened for this.
        self.min = if log_min.0 == 0 { at } else { self.cleaning().first_at_or_behind(at, log_min)? };
        Ok(())
    }
}

impl QueueCleaning {
    /// The queue's topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The queue's number.
    #[must_use]
    pub fn queue_id(&self) -> QueueId {
        self.queue_id
    }

    /// Where the queue begins over a log that begins at `log_min`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn look(&self, log_min: PhysicalOffset) -> Result<Beginning, StoreError> {
        let mut first = 0;
        while let [base, _, ..] = self.bases.get(first..).unwrap_or_default()
            && self.ends_before(*base, log_min)?
        {
            first += 1;
        }
        let first_file = self.bases.get(first).copied().unwrap_or(self.min);
        let min = self.first_at_or_behind(self.min.max(first_file), log_min)?;
        let first_units = match &self.extension {
            Some(extension) => self.entry_at(min)?.unit_address().and_then(|unit| extension.first_with(unit)),
            None => None,
        };
        Ok(Beginning { min, first_file, first_units })
    }

    /// Removes the files before a beginning, the oldest first. Tells how many of the queue's own.
    ///
    /// # Errors
    /// What the operating system says. The others go with the next cleaning then, which is to begin with that very file.
    pub fn remove(&self, beginning: Beginning) -> Result<usize, StoreError> {
        let leaving = self.bases.iter().take_while(|base| **base < beginning.first_file);
        let mut removed = 0;
        for base in leaving {
            remove_for_good(&*self.disk, &self.directory.join(file_name(*base)))?;
            removed += 1;
        }
        if let (Some(extension), Some(first)) = (&self.extension, beginning.first_units) {
            extension.remove_before(first)?;
        }
        Ok(removed)
    }

    /// Whether everything in a full file points to before `log_min`. Blank entries point nowhere.
    fn ends_before(&self, base: u64, log_min: PhysicalOffset) -> Result<bool, StoreError> {
        let mut end = self.file_bytes;
        let Some((file, path)) = self.open(base)? else { return Ok(true) };
        let mut block = Vec::new();
        while end > 0 {
            // The last entry alone first: mostly it says all.
            let len = if end == self.file_bytes { QUEUE_ENTRY_BYTES } else { BLOCK_BYTES.min(end) };
            end -= len;
            block.resize(len as usize, 0);
            let read = file.read_at(&mut block, end).map_err(StoreError::io("read", &path))?;
            let entries = block.get(..read).unwrap_or_default().rchunks_exact(QUEUE_ENTRY_BYTES as usize);
            if let Some(last) = entries.map(QueueEntry::decode).find(|entry| entry.is_valid() && !entry.is_blank()) {
                return Ok(last.physical < log_min);
            }
        }
        Ok(true)
    }

    /// The first entry from position `at` on that points to `log_min` or behind it.
    fn first_at_or_behind(&self, mut at: u64, log_min: PhysicalOffset) -> Result<u64, StoreError> {
        let mut block = Vec::new();
        while at < self.write {
            let base = at - at % self.file_bytes;
            let Some((file, path)) = self.open(base)? else { return Ok(at) };
            let until = (base + self.file_bytes).min(self.write);
            while at < until {
                // A queue most of whose entries are there is looked at briefly.
                let len = BLOCK_BYTES.min(until - at).min(if block.is_empty() { 4_000 } else { BLOCK_BYTES });
                block.resize(len as usize, 0);
                let read = file.read_at(&mut block, at - base).map_err(StoreError::io("read", &path))?;
                for entry in block.get(..read).unwrap_or_default().chunks_exact(QUEUE_ENTRY_BYTES as usize) {
                    if QueueEntry::decode(entry).physical >= log_min {
                        return Ok(at);
                    }
                    at += QUEUE_ENTRY_BYTES;
                }
                if read < block.len() {
                    return Ok(at);
                }
            }
        }
        Ok(at)
    }

    fn entry_at(&self, at: u64) -> Result<QueueEntry, StoreError> {
        let mut bytes = [0; QUEUE_ENTRY_BYTES as usize];
        if at < self.write
            && let Some((file, path)) = self.open(at - at % self.file_bytes)?
        {
            file.read_at(&mut bytes, at % self.file_bytes).map_err(StoreError::io("read", &path))?;
        }
        Ok(QueueEntry::decode(&bytes))
    }

    /// One of its files; `None` if that was removed by an earlier attempt.
    fn open(&self, base: u64) -> Result<Option<(SharedFile, PathBuf)>, StoreError> {
        let path = self.directory.join(file_name(base));
        match self.disk.open(&path, OpenMode::ReadOnly) {
            Ok(file) => Ok(Some((file, path))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("open", &path)(error)),
        }
    }
}
