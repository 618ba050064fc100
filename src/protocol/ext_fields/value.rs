//! One value of a header, as text or number.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::protocol::error::ProtocolError;
use crate::protocol::text;

/// Longest piece of a wrong value that an error repeats, in characters.
const ERROR_VALUE_CHARS_MAX: usize = 64;

/// A value as it lies in a header: text that may still have its JSON escapes.
#[derive(Clone, Copy, Default)]
pub struct FieldText<'a> {
    /// Valid UTF-8.
    bytes: &'a [u8],
    escaped: bool,
}

impl<'a> FieldText<'a> {
    /// A value with these bytes, which are whole characters, and whole escapes if `escaped`.
    pub(super) fn new(bytes: &'a [u8], escaped: bool) -> Self {
        Self { bytes, escaped }
    }

    /// The value as text; a copy is made only of one with escapes.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(text::unescape(utf8(self.bytes))) } else { Cow::Borrowed(utf8(self.bytes)) }
    }

    /// The bytes of the text, if they lie in the header as they are.
    #[must_use]
    pub fn plain(self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.bytes)
    }

    /// Appends the text.
    pub fn append_to(self, out: &mut Vec<u8>) {
        if self.escaped {
            text::unescape_into(self.bytes, out);
        } else {
            out.extend_from_slice(self.bytes);
        }
    }

    /// The value as a 32-bit number; `field` names it in the error.
    #[inline]
    pub(in crate::protocol) fn int32(self, field: &'static str) -> Result<i32, ProtocolError> {
        let number = self.number().and_then(|number| i32::try_from(number).ok());
        number.ok_or_else(|| self.invalid(field, "a 32-bit number"))
    }

    /// The value as a 64-bit number; `field` names it in the error.
    #[inline]
    pub(in crate::protocol) fn int64(self, field: &'static str) -> Result<i64, ProtocolError> {
        self.number().ok_or_else(|| self.invalid(field, "a 64-bit number"))
    }

    /// The value as a yes or no.
    pub(in crate::protocol) fn bool(self) -> bool {
        self.bytes.eq_ignore_ascii_case(b"true") || (self.escaped && self.text().eq_ignore_ascii_case("true"))
    }

    fn number(self) -> Option<i64> {
        if let [digit @ b'0'..=b'9'] = self.bytes {
            return Some(i64::from(digit - b'0'));
        }
        if self.escaped { text::parse_decimal(self.text().as_bytes()) } else { text::parse_decimal(self.bytes) }
    }

    #[cold]
    fn invalid(self, field: &'static str, expected: &'static str) -> ProtocolError {
        let value = self.text().chars().take(ERROR_VALUE_CHARS_MAX).collect();
        ProtocolError::FieldInvalid { field, value, expected }
    }
}

impl<'a> From<&'a str> for FieldText<'a> {
    fn from(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), escaped: false }
    }
}

impl PartialEq for FieldText<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for FieldText<'_> {}

impl Display for FieldText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for FieldText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text(), f)
    }
}

pub(super) fn utf8(bytes: &[u8]) -> &str {
    // The decoders have checked it; checking a few bytes again is what it costs to keep this free of `unsafe`.
    std::str::from_utf8(bytes).unwrap_or_default()
}
