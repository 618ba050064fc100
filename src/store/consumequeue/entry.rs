//! One entry of a consume queue.

use crate::protocol::units::PhysicalOffset;
use crate::store::error::StoreError;
use crate::store::queue_ext::{UnitAddress, UnitReader};

/// Points to a record in the log.
///
/// # Layout
/// Physical offset i64, size i32, tag code i64, big-endian: 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Where the record lies.
    pub physical: PhysicalOffset,
    /// Its length; not positive where there is no entry.
    pub size: i32,
    /// Hash of its tag, or when it is due; with an extension the address of a unit, which has that.
    pub tags_code: i64,
}

impl QueueEntry {
    /// Stands where a record is gone: valid, so that the queue goes on behind it, but pointing to nothing.
    pub const BLANK: Self = Self { physical: PhysicalOffset(0), size: i32::MAX, tags_code: 0 };

    /// Reads an entry; fewer than 20 bytes read as an invalid one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let Some(bytes) = bytes.first_chunk::<20>() else {
            return Self { physical: PhysicalOffset(0), size: 0, tags_code: 0 };
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = *bytes;
        Self {
            physical: PhysicalOffset(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            size: i32::from_be_bytes([i, j, k, l]),
            tags_code: i64::from_be_bytes([m, n, o, p, q, r, s, t]),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&self.physical.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.size.to_be_bytes());
        bytes[12..].copy_from_slice(&self.tags_code.to_be_bytes());
        bytes
    }

    /// Whether the queue goes on here: the offset is not negative and the size is positive.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.physical.0 <= i64::MAX as u64 && self.size > 0
    }

    /// Whether pulls pass over it: invalid, or [`QueueEntry::BLANK`].
    #[must_use]
    pub fn is_blank(&self) -> bool {
        !self.is_valid() || (self.physical.0 == 0 && self.size == i32::MAX)
    }

    /// The address of its unit in the queue's extension; `None` where [`QueueEntry::tags_code`] is a tag code.
    #[must_use]
    pub fn unit_address(&self) -> Option<UnitAddress> {
        UnitAddress::of_tags_code(self.tags_code)
    }

    /// The tag code, where the queue has an extension that of the unit; `None` where the unit is missing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn tags_code_by(&self, units: &mut Option<UnitReader>) -> Result<Option<i64>, StoreError> {
        let Some(address) = self.unit_address() else { return Ok(Some(self.tags_code)) };
        let unit = units.as_mut().map_or(Ok(None), |units| units.unit(address))?;
        Ok(unit.map(|unit| unit.tags_code))
    }

    /// The first byte behind the record.
    #[must_use]
    pub fn end(&self) -> PhysicalOffset {
        self.physical.plus(u64::from(self.size.max(0) as u32))
    }
}
