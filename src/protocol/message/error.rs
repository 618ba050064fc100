//! What can be wrong with the bytes of one record.

use thiserror::Error;

use super::MAGIC_BLANK;

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("a record of {needed} bytes is cut off after {left}")]
    Cut {
        /// How many bytes it takes, as far as that is known.
        needed: usize,
        /// How many are there.
        left: usize,
    },
    /// Neither version's magic; [`RecordError::is_blank`] tells the end of a segment.
    #[error("unknown magic {found:#010x}")]
    Magic {
        /// What stands there.
        found: u32,
    },
    /// The lengths inside do not add up to the total.
    #[error("a record of {stated} bytes whose parts take {computed}")]
    Size {
        /// The total size field.
        stated: u32,
        /// The sum of the parts.
        computed: u64,
    },
    /// The body is not the one that was stored.
    #[error("body checksum {computed:#010x}, stored with {stored:#010x}")]
    BodyCrc {
        /// What the record says.
        stored: u32,
        /// What the body yields.
        computed: u32,
    },
    /// A sector of its topic or properties reads as zeros: it has not reached the disk.
    #[error("a part of its topic or properties was never written")]
    LostSector,
    /// Reading it has made the broker panic.
    #[error("the broker panics at it")]
    Deadly,
    /// A number that the field cannot hold.
    #[error("{field} is {value}")]
    Number {
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
    /// A text that is not UTF-8.
    #[error("{field} is not UTF-8")]
    NotText {
        /// Name of the field.
        field: &'static str,
    },
}

impl RecordError {
    /// Whether this is no damage but the blank at the end of a segment.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Magic { found: MAGIC_BLANK })
    }
}
