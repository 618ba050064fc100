//! One unit of a queue extension, and the address by which a queue entry names it.

use bytes::BufMut;

use crate::protocol::units::StoreTime;

/// Bytes of a unit before its bit map.
pub const UNIT_HEAD_BYTES: usize = 20;
/// Longest unit: its length is a signed 16-bit number.
pub const UNIT_BYTES_MAX: usize = i16::MAX as usize;
/// The greatest tag code that is an address: hashes, which are 32-bit numbers, lie above it.
const TAGS_CODE_MAX: i64 = i32::MIN as i64 - 1;

/// Where a unit lies, counted in bytes over the files of its extension.
///
/// # Layout
/// In a queue entry it stands in place of the tag code, as the offset plus the least 64-bit number.
///
/// # Source
/// `ConsumeQueueExt.decorate` and `isExtAddr` 4.9.7 (measured: store fixture `e-queue-ext`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitAddress(u64);

impl UnitAddress {
    /// The address of what lies at an offset; `None` so far behind that it would be taken for a hash.
    #[must_use]
    pub fn of_offset(offset: u64) -> Option<Self> {
        (offset <= TAGS_CODE_MAX.wrapping_sub(i64::MIN).cast_unsigned()).then_some(Self(offset))
    }

    /// The address that stands in an entry; `None` if that has a tag code.
    #[must_use]
    pub fn of_tags_code(tags_code: i64) -> Option<Self> {
        (tags_code <= TAGS_CODE_MAX).then(|| Self(tags_code.wrapping_sub(i64::MIN).cast_unsigned()))
    }

    /// What stands in the entry.
    #[must_use]
    pub fn tags_code(self) -> i64 {
        self.0.cast_signed().wrapping_add(i64::MIN)
    }

    /// Where the unit lies.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.0
    }
}

/// What a queue entry says of its record when it has an extension.
///
/// # Layout
/// Size of all of it i16, tag code i64, store time i64, size of the bit map i16, bit map; big-endian.
///
/// # Source
/// `ConsumeQueueExt.CqExtUnit` 4.9.7 (measured: store fixture `e-queue-ext`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// What the entry would have without an extension.
    pub tags_code: i64,
    /// When the record was stored.
    pub store_time: StoreTime,
    /// Which of the topic's SQL92 groups may want it; empty if that was not computed.
    pub bit_map: &'a [u8],
}

impl<'a> Unit<'a> {
    /// Reads the unit that bytes begin with; `None` if they begin with none, or with one whose lengths contradict each
    /// other.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<UNIT_HEAD_BYTES>()?;
        let [a, b, t0, t1, t2, t3, t4, t5, t6, t7, s0, s1, s2, s3, s4, s5, s6, s7, c, d] = *head;
        let map_bytes = usize::try_from(i16::from_be_bytes([c, d])).ok()?;
        let size = usize::try_from(i16::from_be_bytes([a, b])).ok()?;
        let bit_map = rest.get(..map_bytes).filter(|map| size == UNIT_HEAD_BYTES + map.len())?;
        Some(Self {
            tags_code: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            store_time: StoreTime(i64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
            bit_map,
        })
    }

    /// How many bytes it takes, which may be more than a unit can have.
    #[must_use]
    pub fn size(&self) -> usize {
        UNIT_HEAD_BYTES + self.bit_map.len()
    }

    /// Appends its bytes.
    ///
    /// # Panics
    /// It is longer than [`UNIT_BYTES_MAX`], or `out` has no room for so many bytes.
    pub fn encode(&self, mut out: impl BufMut) {
        assert!(self.size() <= UNIT_BYTES_MAX, "the caller has looked at its size");
        out.put_i16(self.size() as i16);
        out.put_i64(self.tags_code);
        out.put_i64(self.store_time.0);
        out.put_i16(self.bit_map.len() as i16);
        out.put_slice(self.bit_map);
    }
}

/// What of a unit does not stand in the queue entry itself, on its way from dispatch to the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// When the record was stored.
    pub store_time: StoreTime,
    /// See [`Unit::bit_map`].
    pub bit_map: Vec<u8>,
}

impl Extension {
    /// The unit of an entry with this tag code.
    #[must_use]
    pub fn unit(&self, tags_code: i64) -> Unit<'_> {
        Unit { tags_code, store_time: self.store_time, bit_map: &self.bit_map }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_below_every_hash() {
        for (offset, tags_code) in [(0, i64::MIN), (54, i64::MIN + 54), (i64::MAX as u64 - (1 << 31), -2_147_483_649)] {
            let address = UnitAddress::of_offset(offset).unwrap();
            assert_eq!(address.tags_code(), tags_code);
            assert_eq!(UnitAddress::of_tags_code(tags_code), Some(address));
            assert_eq!(address.offset(), offset);
        }
        for hash in [i64::from(i32::MIN), -1, 0, i64::MAX] {
            assert_eq!(UnitAddress::of_tags_code(hash), None);
        }
        for offset in [i64::MAX as u64 - (1 << 31) + 1, u64::MAX] {
            assert_eq!(UnitAddress::of_offset(offset), None);
        }
    }

    #[test]
    fn a_unit_reads_back_and_one_of_contradictory_lengths_is_none() {
        let unit = Unit { tags_code: -7, store_time: StoreTime(1_795_240_406_518), bit_map: &[1, 2, 3] };
        let mut bytes = Vec::new();
        unit.encode(&mut bytes);
        assert_eq!((bytes.len(), Unit::decode(&bytes)), (23, Some(unit)));
        assert_eq!(Unit::decode(&[&bytes[..], &[9; 40]].concat()), Some(unit), "whatever follows it");
        for cut in 0..bytes.len() {
            assert_eq!(Unit::decode(&bytes[..cut]), None, "{cut} bytes of it");
        }
        for (at, byte) in [(1, 22), (1, 0), (0, 0xff), (19, 2), (18, 0xff)] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            assert_eq!(Unit::decode(&changed), None, "byte {at} is {byte}");
        }
    }
}
