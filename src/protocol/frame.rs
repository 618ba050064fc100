//! Frames: how commands follow one another on a connection.
//!
//! # Layout
//! Big endian.
//! ```text
//! 0   total       4  bytes that follow: 4 + header + body
//! 4   type        1  0 JSON, 1 binary
//! 5   header len  3
//! 8   header      …
//!     body        … what is left of total
//! ```
//! `docs/format/frame.md` has a worked example. Sockets, and what to do with a peer that sends garbage, are elsewhere.
//!
//! # Source
//! `NettyDecoder`, `RemotingCommand.decode` 4.9.7 (read); fixtures `frame_*`.

use bytes::{BufMut, Bytes, BytesMut};

use super::command::{Command, Serialization};
use super::error::ProtocolError;
use super::{header_binary, header_json};

/// Largest frame that RocketMQ accepts, in bytes, its length field included.
pub const FRAME_BYTES_MAX: usize = 16_777_216;

/// Bytes of a frame before its header: the length and the header word.
pub const PREFIX_BYTES: usize = LENGTH_BYTES + HEADER_WORD_BYTES;

const LENGTH_BYTES: usize = 4;
const HEADER_WORD_BYTES: usize = 4;
/// Largest header that is accepted, in bytes.
///
/// RocketMQ sets no limit but the frame's. The largest that clients send, with 32 KiB of escaped properties, are a tenth of
/// this; and a header of this size that is passed on in the other encoding, every byte escaped, can still be framed.
pub const HEADER_BYTES_MAX: usize = 2 << 20;

/// The largest header that the header word has room for.
const HEADER_BYTES_FRAMED_MAX: usize = (1 << 24) - 1;

/// One frame, not yet looked into: slices of the block that was read from the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// How the header is written, and how a reply has to be.
    pub serialization: Serialization,
    /// The header's bytes.
    pub header: Bytes,
    /// The body's bytes, possibly none.
    pub body: Bytes,
}

impl Frame {
    /// Reads the header.
    ///
    /// # Errors
    /// The header is not one. Its sender cannot be answered, since nothing says which request this was.
    pub fn command(&self) -> Result<Command, ProtocolError> {
        let command = match self.serialization {
            Serialization::Json => header_json::decode(&self.header)?,
            Serialization::Binary => header_binary::decode(&self.header)?,
        };
        Ok(command.with_body(self.body.clone()))
    }
}

/// How many bytes the frame at the head of `buffer` has in all, once its length has arrived.
///
/// The peer may have said anything: [`decode_all`] is what refuses it.
#[must_use]
pub fn needed(buffer: &[u8]) -> Option<usize> {
    let length = buffer.first_chunk::<LENGTH_BYTES>()?;
    Some((u32::from_be_bytes(*length) as usize).saturating_add(LENGTH_BYTES))
}

/// Decodes as many complete frames as `buffer` holds and appends them to `frames`.
///
/// Exactly their bytes are consumed, as one block that all of them share, so that a read of many small frames costs one
/// reference count and no copy. A frame that has not arrived whole stays. `limit` is the largest frame accepted, in bytes,
/// usually [`FRAME_BYTES_MAX`].
///
/// # Errors
/// The connection has to be closed: where the next frame begins cannot be known. Frames ahead of the bad one are in
/// `frames` all the same, and consumed.
pub fn decode_all(buffer: &mut BytesMut, limit: usize, frames: &mut Vec<Frame>) -> Result<(), ProtocolError> {
    let mut complete = 0;
    let mut heads = 0;
    let outcome = loop {
        match Head::parse(buffer.get(complete..).unwrap_or_default(), limit) {
            Ok(Some(head)) if head.frame_length <= buffer.len() - complete => {
                complete += head.frame_length;
                heads += 1;
            }
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if heads == 0 {
        return outcome;
    }
    // The heads are parsed twice rather than kept: they are two words that are in the cache.
    let block = buffer.split_to(complete).freeze();
    frames.reserve(heads);
    let mut start = 0;
    while let Some(head) = Head::parse(block.get(start..).unwrap_or_default(), limit)? {
        frames.push(head.frame(&block, start));
        start += head.frame_length;
    }
    outcome
}

/// Appends a whole frame to `out`.
pub fn encode(command: &Command, serialization: Serialization, out: &mut BytesMut) {
    encode_prefix(command, serialization, command.body.len(), out);
    out.put_slice(&command.body);
}

/// Appends a frame up to its body, of which `body_len` bytes have to be written next. The command's own body is ignored.
pub fn encode_prefix(command: &Command, serialization: Serialization, body_len: usize, out: &mut BytesMut) {
    write_head(serialization, body_len, out, |out| match serialization {
        Serialization::Json => header_json::encode(command, out),
        Serialization::Binary => header_binary::encode(command, out),
    });
}

/// Appends a frame's first two words and the header that `header` writes.
///
/// # Panics
/// The header is longer than its 24-bit length can say, or the frame than its 31-bit one: nobody could read it.
pub(super) fn write_head(
    serialization: Serialization,
    body_len: usize,
    out: &mut BytesMut,
    header: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    out.put_slice(&[0; PREFIX_BYTES]);
    header(out);
    let header_len = out.len() - start - PREFIX_BYTES;
    assert!(header_len <= HEADER_BYTES_FRAMED_MAX, "a header of {header_len} bytes cannot be framed");
    let total = i32::try_from(HEADER_WORD_BYTES + header_len + body_len).expect("a body is far below 2 GiB");
    let header_word = (u32::from(serialization.type_byte()) << 24) | header_len as u32;
    out[start..start + LENGTH_BYTES].copy_from_slice(&total.to_be_bytes());
    out[start + LENGTH_BYTES..start + PREFIX_BYTES].copy_from_slice(&header_word.to_be_bytes());
}

/// The two words that a frame begins with, checked.
struct Head {
    frame_length: usize,
    serialization: Serialization,
    header_length: usize,
}

impl Head {
    /// Reads the head at the front of `bytes`; `None` when it has not arrived whole.
    ///
    /// The length alone is judged as soon as it is there, so that a peer that speaks another protocol is found out at its
    /// fourth byte.
    fn parse(bytes: &[u8], limit: usize) -> Result<Option<Self>, ProtocolError> {
        let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*length);
        let following = usize::try_from(length).unwrap_or(0);
        if following < HEADER_WORD_BYTES {
            return Err(ProtocolError::FrameTooShort { length });
        }
        let frame_length = LENGTH_BYTES + following;
        if frame_length > limit {
            return Err(ProtocolError::FrameTooLong { length: frame_length, limit });
        }
        let Some(&[serialization, high, middle, low]) = bytes.get(LENGTH_BYTES..PREFIX_BYTES) else {
            return Ok(None);
        };
        let serialization =
            Serialization::of_type_byte(serialization).ok_or(ProtocolError::UnknownSerialization(serialization))?;
        let header_length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let limit = HEADER_BYTES_MAX.min(following - HEADER_WORD_BYTES);
        if header_length > limit {
            return Err(ProtocolError::HeaderTooLong { length: header_length, limit });
        }
        Ok(Some(Self { frame_length, serialization, header_length }))
    }

    /// Cuts the frame at `start` out of `block`, which holds it whole.
    fn frame(&self, block: &Bytes, start: usize) -> Frame {
        let header_start = start + PREFIX_BYTES;
        let body_start = header_start + self.header_length;
        Frame {
            serialization: self.serialization,
            header: block.slice(header_start..body_start),
            body: block.slice(body_start..start + self.frame_length),
        }
    }
}
