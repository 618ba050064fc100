//! Finding the end of an extension, cutting it, and taking away its beginning.
//!
//! What is cut off is cleared on the disk, as it is of a queue: rests of units behind the end would be taken for units.

use super::{QueueExtension, QueueFile, UnitAddress};
use crate::store::disk::{Entry, OpenMode};
use crate::store::error::StoreError;
use crate::store::layout::base_of;

/// What the entries of a queue name of its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Named {
    /// Nothing, since there are none.
    NoEntries,
    /// Nothing, as far as they were looked at.
    Nothing,
    /// No unit behind this one.
    UpTo(UnitAddress),
}

impl QueueExtension {
    /// Takes in the files of the directory and finds the end: behind the last unit that is named, and where none is known
    /// to be, behind the last that is there.
    ///
    /// Where the last unit that is named is not there, as after a power cut, the end lies behind its address in a file of
    /// its own, so that no unit of another record comes to lie there. The reference goes on at that very address.
    ///
    /// # Errors
    /// [`StoreError::WrongLength`], [`StoreError::StrayFile`], or what the operating system says.
    pub(in crate::store) fn recover(&mut self, named: Named) -> Result<(), StoreError> {
        let found = self.disk.list(&self.directory).map_err(StoreError::io("list", &self.directory))?;
        self.files.clear();
        for entry in &found {
            self.take_in(entry)?;
        }
        self.write = 0;
        let address = match named {
            Named::NoEntries => return self.remove_all(),
            Named::Nothing => None,
            Named::UpTo(address) => Some(address),
        };
        if let Some(end) = self.end_of(address)? {
            self.write = end;
            return self.clear_behind_end();
        }
        self.write = self.walked()?;
        let Some(address) = address.filter(|address| address.offset() >= self.write) else {
            return self.clear_behind_end();
        };
        if self.file_of(address.offset()).is_some() {
            // Other units that are named may lie behind, so nothing is cleared.
            return self.end_file();
        }
        self.remove_all()?;
        self.write = address.offset() - address.offset() % self.file_bytes + self.file_bytes;
        Ok(())
    }

    /// Cuts off what lies behind the last unit that is still named; nothing is cut if that is not there.
    ///
    /// # Errors
    /// What the operating system says.
    pub(in crate::store) fn cut(&mut self, named: Named) -> Result<(), StoreError> {
        let end = match named {
            Named::NoEntries => {
                self.write = 0;
                return self.remove_all();
            }
            Named::Nothing => return Ok(()),
            Named::UpTo(address) => self.end_of(Some(address))?,
        };
        let Some(end) = end.filter(|end| *end < self.write) else { return Ok(()) };
        self.write = end;
        self.clear_behind_end()
    }

    /// See [`ConsumeQueue::mistrust_end`](crate::store::ConsumeQueue).
    pub(in crate::store) fn mistrust_end(&self) {
        self.files.last().into_iter().for_each(|last| self.sync.mark(last));
    }

    pub(super) fn remove_all(&mut self) -> Result<(), StoreError> {
        while let Some(file) = self.files.pop() {
            file.remove(&self.disk, &self.directory, &self.sync)?;
        }
        Ok(())
    }

    fn take_in(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let path = self.directory.join(&entry.name);
        let stray = |problem| StoreError::StrayFile { path: path.clone(), problem };
        let base = base_of(&entry.name).filter(|base| UnitAddress::of_offset(*base).is_some());
        if entry.is_dir {
            return base.map_or(Ok(()), |_| Err(stray("it is a directory")));
        }
        let base = base.ok_or_else(|| stray("its name is not an offset"))?;
        let expected = self.file_bytes;
        if entry.len == 0 {
            // Made in the moment in which the last broker ended.
            let file = self.disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))?;
            file.set_len(expected).map_err(StoreError::io("extend", &path))?;
        } else if entry.len != expected {
            let key = "mappedFileSizeConsumeQueueExt";
            return Err(StoreError::WrongLength { path, found: entry.len, expected, key });
        }
        let follows = self.files.last().is_none_or(|last| last.base + expected == base);
        if base % expected != 0 || !follows {
            return Err(stray("the file before it is missing"));
        }
        self.files.push(QueueFile::new(base));
        Ok(())
    }

    /// Where the unit at an address ends; `None` if it is not there. A start looks at every queue, so nothing is mapped.
    fn end_of(&self, address: Option<UnitAddress>) -> Result<Option<u64>, StoreError> {
        let Some(address) = address.filter(|address| self.file_of(address.offset()).is_some()) else { return Ok(None) };
        let mut reader = self.reader();
        Ok(reader.unit(address)?.map(|unit| address.offset() + unit.size() as u64))
    }

    /// Where the units of the last file end, one after the other from its beginning; only their sizes are looked at.
    ///
    /// The reference walks through all files to come to the same place, since each begins anew.
    fn walked(&self) -> Result<u64, StoreError> {
        let Some(base) = self.files.last().map(|last| last.base) else { return Ok(0) };
        let (mut reader, mut at) = (self.reader(), base);
        while at < base + self.file_bytes {
            let Some(size) = reader.size_at(at)? else { break };
            if at + size as u64 > base + self.file_bytes {
                break;
            }
            at += size as u64;
        }
        Ok(at)
    }

    /// Removes the files behind the end and clears the rest of the one it lies in.
    fn clear_behind_end(&mut self) -> Result<(), StoreError> {
        while self.files.last().is_some_and(|last| last.base > self.write) {
            let Some(file) = self.files.pop() else { break };
            file.remove(&self.disk, &self.directory, &self.sync)?;
        }
        let Some(file) = self.file_of(self.write).and_then(|index| self.files.get(index)) else { return Ok(()) };
        file.clear_from(&self.disk, &self.directory, self.file_bytes, self.write)
    }
}
