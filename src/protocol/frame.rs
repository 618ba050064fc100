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

use super::command::{Command, CommandRef, ExtFields, Serialization};
use super::error::ProtocolError;
use super::ext_fields::Span;
use super::header_memo::HeaderMemo;
use super::{header_binary, header_json};

/// Largest frame that RocketMQ accepts, in bytes, its length field included.
pub const FRAME_BYTES_MAX: usize = 16_777_216;

/// Largest body that an answer may have, in bytes: what is left of a frame is for its header.
pub const ANSWER_BODY_BYTES_MAX: usize = FRAME_BYTES_MAX - 64 * 1024;

/// Bytes of a frame before its header: the length and the header word.
pub const PREFIX_BYTES: usize = LENGTH_BYTES + HEADER_WORD_BYTES;

const LENGTH_BYTES: usize = 4;
const HEADER_WORD_BYTES: usize = 4;
/// Largest header that is accepted, in bytes.
///
/// RocketMQ sets no limit but the frame's. The largest that clients send, with 32 KiB of escaped properties, are a tenth of
/// this; and a header of this size that is passed on in the other encoding, every byte escaped, can still be framed.
pub const HEADER_BYTES_MAX: usize = 2 << 20;

/// Room for what a header has besides the names and values of its fields.
const HEADER_BYTES_USUAL: usize = 256;

/// The largest header that the header word has room for.
const HEADER_BYTES_FRAMED_MAX: usize = (1 << 24) - 1;

/// One frame, not yet looked into, as it lies in the buffer that was read from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// How the header is written, and how a reply has to be.
    pub serialization: Serialization,
    /// The header's bytes.
    pub header: &'a [u8],
    /// The body's bytes, possibly none.
    pub body: &'a [u8],
}

/// What is kept from one header of a connection to the next: room, and the headers that are known already.
#[derive(Debug, Default)]
pub struct HeaderScratch {
    pub(super) spans: Vec<Span>,
    /// Fields that do not lie in the header as they are, which only odd headers have.
    pub(super) odd: ExtFields,
    pub(super) memo: HeaderMemo,
}

impl HeaderScratch {
    /// Gives the room of odd headers back, which can be megabytes.
    pub fn forget_odd(&mut self) {
        self.odd = ExtFields::default();
    }
}

impl<'a> FrameRef<'a> {
    /// Reads the header, in place.
    ///
    /// # Errors
    /// The header is not one. Its sender cannot be answered, since nothing says which request this was.
    pub fn command<'s>(&self, scratch: &'s mut HeaderScratch) -> Result<CommandRef<'s>, ProtocolError>
    where
        'a: 's,
    {
        let command = match self.serialization {
            Serialization::Json => header_json::read(self.header, scratch)?,
            Serialization::Binary => header_binary::read(self.header, &mut scratch.spans)?,
        };
        Ok(CommandRef { body: self.body, ..command })
    }
}

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
    /// As [`FrameRef::command`].
    pub fn command(&self) -> Result<Command, ProtocolError> {
        self.command_with(&mut HeaderScratch::default())
    }

    /// The same, for one frame of many on one connection.
    ///
    /// # Errors
    /// As [`FrameRef::command`].
    pub fn command_with(&self, scratch: &mut HeaderScratch) -> Result<Command, ProtocolError> {
        let frame = FrameRef { serialization: self.serialization, header: &self.header, body: &self.body };
        Ok(frame.command(scratch)?.to_command(self.body.clone()))
    }
}

/// The complete frames at the front of a buffer, one after the other, where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    limit: usize,
    consumed: usize,
}

impl<'a> Frames<'a> {
    /// Of `bytes`, none larger than `limit`, usually [`FRAME_BYTES_MAX`].
    #[must_use]
    pub fn of(bytes: &'a [u8], limit: usize) -> Self {
        Self { bytes, limit, consumed: 0 }
    }

    /// Bytes of the frames that were given out. What follows them has not arrived whole, or is no frame.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// The next frame; `None` when no further one has arrived whole.
    ///
    /// # Errors
    /// The connection has to be closed: where the next frame begins cannot be known.
    pub fn next_frame(&mut self) -> Result<Option<FrameRef<'a>>, ProtocolError> {
        let rest = self.bytes.get(self.consumed..).unwrap_or_default();
        let Some(head) = Head::parse(rest, self.limit)? else { return Ok(None) };
        let Some(frame) = rest.get(PREFIX_BYTES..head.frame_length) else { return Ok(None) };
        self.consumed += head.frame_length;
        let (header, body) = frame.split_at(head.header_length);
        Ok(Some(FrameRef { serialization: head.serialization, header, body }))
    }
}

/// The head of the frame at the front of `bytes`, with what is there of its body; `None` if that is no whole head.
#[must_use]
pub fn front(bytes: &[u8]) -> Option<FrameRef<'_>> {
    let head = Head::parse(bytes, FRAME_BYTES_MAX).ok()??;
    let (header, body) = bytes.get(PREFIX_BYTES..)?.split_at_checked(head.header_length)?;
    Some(FrameRef { serialization: head.serialization, header, body })
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
    let mut whole = Frames::of(buffer, limit);
    let mut heads = 0;
    let outcome = loop {
        match whole.next_frame() {
            Ok(Some(_)) => heads += 1,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // The heads are parsed twice rather than kept: they are two words that are in the cache.
    let block = buffer.split_to(whole.consumed()).freeze();
    frames.reserve(heads);
    let mut again = Frames::of(&block, limit);
    while let Some(FrameRef { serialization, header, body }) = again.next_frame()? {
        frames.push(Frame { serialization, header: block.slice_ref(header), body: block.slice_ref(body) });
    }
    outcome
}

/// A whole frame by itself.
#[must_use]
pub fn encoded(command: &Command, serialization: Serialization) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_BYTES_USUAL + command.ext.bytes() + command.body.len());
    encode(command, serialization, &mut out);
    out.freeze()
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
    patch_head(serialization, body_len, start, out);
}

/// Writes the first two words of the frame that begins at `start` and whose header ends with `out`.
///
/// # Panics
/// As [`write_head`].
pub(super) fn patch_head(serialization: Serialization, body_len: usize, start: usize, out: &mut BytesMut) {
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
}
