//! The binary header, which RocketMQ calls by its own name.
//!
//! # Layout
//! Big endian.
//! ```text
//! 0   code        2          13      remark length   4
//! 2   language    1          17      remark          …
//! 3   version     2          17+r    ext length      4
//! 5   opaque      4          21+r    ext fields      …
//! 9   flag        4          each    key length 2, key, value length 4, value
//! ```
//! A length of zero means null, not an empty text.
//!
//! # Source
//! `RocketMQSerializable` 4.9.7 (read); fixtures `frame_bin_*`.

use bytes::{BufMut, BytesMut};

use super::command::{Command, CommandRef, ExtFieldsRef, Language};
use super::error::ProtocolError;
use super::ext_fields::{FIELDS_MAX, Span, ValueKind};
use super::units::Opaque;

/// Reads a header; the command's body is left empty. Bytes after the ext fields are ignored, as in the reference.
pub(super) fn read<'a>(header: &'a [u8], spans: &'a mut Vec<Span>) -> Result<CommandRef<'a>, ProtocolError> {
    let mut cursor = Cursor { bytes: header, at: 0, ascii: header.is_ascii() };
    let code = i16::from_be_bytes(cursor.array("code")?).into();
    let [language] = cursor.array("language")?;
    let version = i16::from_be_bytes(cursor.array("version")?).into();
    let opaque = Opaque(i32::from_be_bytes(cursor.array("opaque")?));
    let flag = i32::from_be_bytes(cursor.array("flag")?);
    let remark_length = i32::from_be_bytes(cursor.array("remark length")?);
    let (start, end) = cursor.text("remark", remark_length.into())?;
    let remark = header.get(start as usize..end as usize).filter(|remark| !remark.is_empty());
    let remark = remark.map(String::from_utf8_lossy);
    ext_spans(&mut cursor, spans)?;
    let language = Language::of_number(language);
    let ext = ExtFieldsRef::of_spans(header, spans);
    Ok(CommandRef { code, language, version, opaque, flag, remark, ext, body: &[] })
}

fn ext_spans(cursor: &mut Cursor<'_>, spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    spans.clear();
    let length = i32::from_be_bytes(cursor.array("ext length")?);
    let start = cursor.at;
    cursor.skip("ext fields", length.into())?;
    let bytes = cursor.bytes.get(..cursor.at).unwrap_or_default();
    // Lengths of 128 and more are no ASCII, so the fields are looked at anew, without what stands before them.
    let ascii = cursor.ascii || bytes.get(start..).unwrap_or_default().is_ascii();
    let mut fields = Cursor { bytes, at: start, ascii };
    while fields.at < fields.bytes.len() {
        if spans.len() == FIELDS_MAX {
            return Err(ProtocolError::TooManyFields { limit: FIELDS_MAX });
        }
        let key_length = i16::from_be_bytes(fields.array("key length")?);
        let key = fields.text("key", key_length.into())?;
        let value_length = i32::from_be_bytes(fields.array("value length")?);
        let value = fields.text("value", value_length.into())?;
        let kind = if value_length == 0 { ValueKind::Null } else { ValueKind::Plain };
        spans.push(Span { key, value, kind });
    }
    Ok(())
}

/// Appends the header of `command`.
///
/// Code and version have 16 bits here, which is what all of RocketMQ 4 needs; larger ones lose their upper bits, as in the
/// reference.
pub(super) fn encode(command: &Command, out: &mut BytesMut) {
    begin(command.code, command.flag, command.language, command.opaque, command.version, out);
    put_text(out, command.remark.as_deref().unwrap_or_default());
    write_ext(out, |out| {
        for (key, value) in command.ext.iter() {
            put_field(out, key, value.as_bytes());
        }
    });
}

/// Appends what stands ahead of the remark.
pub(super) fn begin(code: i32, flag: i32, language: Language, opaque: Opaque, version: i32, out: &mut BytesMut) {
    let ([c0, c1], [v0, v1]) = ((code as i16).to_be_bytes(), (version as i16).to_be_bytes());
    let ([o0, o1, o2, o3], [f0, f1, f2, f3]) = (opaque.0.to_be_bytes(), flag.to_be_bytes());
    // One copy instead of five: the buffer checks its room at each.
    out.put_slice(&[c0, c1, language.number(), v0, v1, o0, o1, o2, o3, f0, f1, f2, f3]);
}

/// Appends a text with its length in four bytes.
///
/// # Panics
/// It is longer than the length field can say.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    out.put_i32(i32::try_from(text.len()).expect("a text in a header is far below 2 GiB"));
    out.put_slice(text.as_bytes());
}

/// Appends the ext fields that `fields` writes, with their length ahead of them.
pub(super) fn write_ext(out: &mut BytesMut, fields: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    fields(out);
    let length = i32::try_from(out.len() - start - 4).expect("ext fields are far below 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends one ext field.
///
/// A key that is longer than its length field can say is left out. No request has one, but a JSON peer may have sent it
/// in a request that is passed on.
pub(super) fn put_field(out: &mut BytesMut, key: &str, value: &[u8]) {
    let Ok(key_length) = i16::try_from(key.len()) else {
        return;
    };
    out.put_i16(key_length);
    out.put_slice(key.as_bytes());
    out.put_i32(i32::try_from(value.len()).expect("a value in a header is far below 2 GiB"));
    out.put_slice(value);
}

/// Reads from the front to the back, and never past the end.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether all of it is ASCII, and so text wherever it is cut.
    ascii: bool,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], ProtocolError> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).copied();
        let found = found.ok_or_else(|| self.truncated(part, N as i64))?;
        self.at += N;
        Ok(found)
    }

    /// Passes over `length` bytes, which the peer may have given as anything.
    fn skip(&mut self, part: &'static str, length: i64) -> Result<(u32, u32), ProtocolError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let Some(end) = end.filter(|end| *end <= self.bytes.len()) else {
            return Err(self.truncated(part, length));
        };
        // A frame's header is below 16 MiB, so its positions fit.
        let span = (self.at as u32, end as u32);
        self.at = end;
        Ok(span)
    }

    /// The same, over bytes that have to be text.
    fn text(&mut self, part: &'static str, length: i64) -> Result<(u32, u32), ProtocolError> {
        let start = self.at;
        let span = self.skip(part, length)?;
        if self.ascii {
            return Ok(span);
        }
        match std::str::from_utf8(self.bytes.get(start..self.at).unwrap_or_default()) {
            Ok(_) => Ok(span),
            Err(error) => Err(ProtocolError::HeaderNotUtf8 { offset: start + error.valid_up_to() }),
        }
    }

    fn truncated(&self, part: &'static str, needed: i64) -> ProtocolError {
        ProtocolError::HeaderTruncated { part, offset: self.at, needed, available: self.bytes.len() }
    }
}
