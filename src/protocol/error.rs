//! What can be wrong with bytes from a peer, in one enum for the whole of `protocol/`.
//!
//! Which response code an error becomes is not decided here but where replies are written.

use thiserror::Error;

/// Why bytes are not what the wire or the log says they should be.
///
/// The variants differ in what the reader can do: after one about a frame or a header nothing on that connection can be
/// believed, after one about a field the sender can still be answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame says that it is longer than what is accepted, its length field included.
    #[error("a frame of {length} bytes is longer than the {limit} that are accepted")]
    FrameTooLong {
        /// Bytes of the whole frame.
        length: usize,
        /// Bytes that are accepted.
        limit: usize,
    },
    /// A frame's length is negative or leaves no room for the header word.
    #[error("a frame says that {length} bytes follow, which cannot hold its header word")]
    FrameTooShort {
        /// The length field as it was read.
        length: i32,
    },
    /// A frame's header is longer than the frame, or than any header has reason to be.
    #[error("a header of {length} bytes is longer than the {limit} that it may have")]
    HeaderTooLong {
        /// Bytes that the header word claims.
        length: usize,
        /// Bytes that the header may have.
        limit: usize,
    },
    /// A header is in an encoding that nobody has defined.
    #[error("header serialization {0} is unknown, 0 is JSON and 1 is binary")]
    UnknownSerialization(u8),
    /// Text in a header is not UTF-8.
    #[error("a header is not UTF-8 at byte {offset}")]
    HeaderNotUtf8 {
        /// Where in the header the first wrong byte is.
        offset: usize,
    },
    /// A JSON header is not an object of the expected shape.
    #[error("a JSON header cannot be read: {reason}")]
    HeaderNotJson {
        /// What was wrong, and where.
        reason: String,
    },
    /// A binary header ends within one of its parts, or gives a part a negative length.
    #[error("a binary header ends at byte {available}, {part} needs {needed} bytes at {offset}")]
    HeaderTruncated {
        /// The part that was being read.
        part: &'static str,
        /// Where in the header it begins.
        offset: usize,
        /// Bytes that it needs; negative when the peer said so.
        needed: i64,
        /// Bytes that the header has.
        available: usize,
    },
    /// A header carries more ext fields than any request has use for.
    #[error("a header has more than {limit} ext fields")]
    TooManyFields {
        /// Fields that are accepted.
        limit: usize,
    },
    /// A field that the request cannot do without is not there.
    #[error("the custom field <{field}> is null")]
    FieldMissing {
        /// Its name on the wire.
        field: &'static str,
    },
    /// A field is there and cannot be understood.
    #[error("the custom field <{field}> is {value:?}, which is not {expected}")]
    FieldInvalid {
        /// Its name on the wire.
        field: &'static str,
        /// What was found, cut after some characters.
        value: String,
        /// What was expected, in words.
        expected: &'static str,
    },
}
