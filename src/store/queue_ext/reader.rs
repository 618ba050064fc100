//! Reading units from a thread that may wait for the disk, while the queue's owner goes on.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::unit::{UNIT_BYTES_MAX, UNIT_HEAD_BYTES, Unit, UnitAddress};
use crate::store::disk::{OpenMode, SharedDisk, SharedFile};
use crate::store::error::StoreError;
use crate::store::layout::file_name;

/// How much is read at once: a hundred units and more, of which entries that follow each other name one after the other.
const BLOCK_BYTES: usize = 4 * 1024;

/// Reads the units of one queue. It holds the file and the bytes that it read last, and knows nothing of units that were
/// put since: an entry is to be read before the reader is made that reads its unit.
#[derive(Clone, Debug)]
pub struct UnitReader {
    disk: SharedDisk,
    directory: PathBuf,
    file_bytes: u64,
    file: Option<(u64, SharedFile)>,
    /// What was read last, and where that lies.
    block: Vec<u8>,
    block_at: u64,
}

impl UnitReader {
    pub(super) fn new(disk: SharedDisk, directory: PathBuf, file_bytes: u64) -> Self {
        Self { disk, directory, file_bytes, file: None, block: Vec::new(), block_at: 0 }
    }

    /// The unit at an address; `None` if there is none, or what lies there is no unit.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn unit(&mut self, address: UnitAddress) -> Result<Option<Unit<'_>>, StoreError> {
        let size = self.size_at(address.offset())?;
        Ok(Unit::decode(self.bytes(address.offset(), size.unwrap_or(0))?))
    }

    /// How long the unit is that begins at an offset, by its first two bytes; `None` where none begins.
    pub(super) fn size_at(&mut self, offset: u64) -> Result<Option<usize>, StoreError> {
        let head = self.bytes(offset, UNIT_HEAD_BYTES)?;
        let size = head.first_chunk().map_or(0, |size| i16::from_be_bytes(*size));
        Ok(usize::try_from(size).ok().filter(|size| *size > 0))
    }

    /// Bytes from an offset on; fewer, or none, where the file ends or is not there.
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], StoreError> {
        debug_assert!(len <= UNIT_BYTES_MAX, "a unit is no longer");
        let base = offset - offset % self.file_bytes;
        let len = len.min((base + self.file_bytes - offset) as usize);
        let ahead = offset.checked_sub(self.block_at).unwrap_or(u64::MAX);
        let is_read = ahead.saturating_add(len as u64) <= self.block.len() as u64;
        if !is_read {
            self.read(base, offset, len)?;
        }
        let from = (offset - self.block_at) as usize;
        Ok(self.block.get(from..).map(|rest| rest.get(..len).unwrap_or(rest)).unwrap_or_default())
    }

    /// Reads a block that begins at an offset and ends with its file at the latest.
    fn read(&mut self, base: u64, offset: u64, len: usize) -> Result<(), StoreError> {
        let path = self.directory.join(file_name(base));
        self.block.clear();
        self.block_at = offset;
        let held = self.file.as_ref().filter(|(held, _)| *held == base).map(|(_, file)| SharedFile::clone(file));
        let file = match held {
            Some(file) => file,
            None => match self.disk.open(&path, OpenMode::ReadOnly) {
                Ok(file) => self.file.insert((base, file)).1.clone(),
                // It was removed with the log that it tells of, or by whoever wanted the room.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(StoreError::io("open", &path)(error)),
            },
        };
        let room = len.max(BLOCK_BYTES).min((base + self.file_bytes - offset) as usize);
        self.block.resize(room, 0);
        let read = file.read_at(&mut self.block, offset - base).map_err(StoreError::io("read", &path))?;
        self.block.truncate(read);
        Ok(())
    }
}
