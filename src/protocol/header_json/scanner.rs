//! One pass over a header of the usual shape.

use std::borrow::Cow;

use super::Head;
use crate::protocol::command::Language;
use crate::protocol::ext_fields::{FIELDS_MAX, Span, ValueKind};
use crate::protocol::units::Opaque;
use crate::protocol::{text, words};

/// Walks over a header of the usual shape. Every method gives `None` for "this is not it", and the walk is over.
pub(super) struct Scanner<'a> {
    /// Valid UTF-8, so that what lies between two ASCII characters is so too.
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    /// The whole header: an object of the known fields and others, and nothing after it.
    pub(super) fn command(&mut self, head: &mut Head<'a>, spans: &mut Vec<Span>) -> Option<()> {
        self.take(b'{')?;
        let mut another = !self.takes(b'}');
        while another {
            if !self.usual_member(head, spans)? {
                self.member(head, spans)?;
            }
            another = self.takes(b',');
            if !another {
                self.take(b'}')?;
            }
        }
        self.skip_space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// A member whose name is written as all known clients write it; names are compared whole, in the order in which
    /// most clients write them.
    fn usual_member(&mut self, head: &mut Head<'a>, spans: &mut Vec<Span>) -> Option<bool> {
        if self.passes(b"\"code\":") {
            head.code = self.int32()?;
        } else if self.passes(b"\"extFields\":") {
            self.ext_fields(spans)?;
        } else if self.passes(b"\"flag\":") {
            head.flag = self.int32()?;
        } else if self.passes(b"\"language\":\"JAVA\"") {
            head.language = Language::Java;
        } else if self.passes(b"\"opaque\":") {
            let start = self.at;
            head.opaque = Opaque(self.int32()?);
            let digits = self.bytes.get(start..self.at).unwrap_or_default().iter().all(u8::is_ascii_digit);
            head.opaque_at = if digits { start..self.at } else { 0..0 };
        } else if self.passes(b"\"version\":") {
            head.version = self.int32()?;
        } else {
            return Some(false);
        }
        Some(true)
    }

    fn member(&mut self, head: &mut Head<'a>, spans: &mut Vec<Span>) -> Option<()> {
        match self.key()? {
            b"code" => head.code = self.int32()?,
            b"language" => head.language = self.language()?,
            b"version" => head.version = self.int32()?,
            b"opaque" => (head.opaque, head.opaque_at) = (Opaque(self.int32()?), 0..0),
            b"flag" => head.flag = self.int32()?,
            b"remark" => head.remark = self.remark()?,
            b"extFields" => self.ext_fields(spans)?,
            _ => {
                self.value()?;
            }
        }
        Some(())
    }

    fn ext_fields(&mut self, spans: &mut Vec<Span>) -> Option<()> {
        // Of two objects the later counts, as for any other key.
        spans.clear();
        if !self.takes(b'{') {
            let (_, ValueKind::Null) = self.value()? else {
                return None;
            };
            return Some(());
        }
        let mut another = !self.takes(b'}');
        while another {
            let (key, (value, kind)) = match self.short_key() {
                Some(key) => (key, self.string()?),
                None => (self.key_span()?, self.value()?),
            };
            // One more than allowed is enough to be refused.
            if spans.len() <= FIELDS_MAX {
                spans.push(Span { key, value, kind });
            }
            another = self.takes(b',');
            if !another {
                self.take(b'}')?;
            }
        }
        Some(())
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let (start, end) = self.key_span()?;
        self.bytes.get(start as usize..end as usize)
    }

    /// A key of one letter, taken with the quote that opens its value: all fields of the busiest request begin so.
    #[inline]
    fn short_key(&mut self) -> Option<(u32, u32)> {
        const SHAPE: u64 = u64::from_le_bytes(*b"\"\0\":\"\0\0\0");
        const MASK: u64 = u64::from_le_bytes([0xff, 0, 0xff, 0xff, 0xff, 0, 0, 0]);
        let word = u64::from_le_bytes(*self.bytes.get(self.at..)?.first_chunk()?);
        let letter = (word >> 8) as u8;
        if word & MASK != SHAPE || matches!(letter, b'"' | b'\\') {
            return None;
        }
        let key = span(self.at + 1, self.at + 2);
        self.at += 5;
        Some(key)
    }

    /// A key without escapes, and the colon after it.
    fn key_span(&mut self) -> Option<(u32, u32)> {
        self.take(b'"')?;
        let (span, ValueKind::Plain) = self.string()? else {
            return None;
        };
        self.take(b':')?;
        Some(span)
    }

    /// A string, number, `true`, `false` or `null`.
    fn value(&mut self) -> Option<((u32, u32), ValueKind)> {
        if self.takes(b'"') { self.string() } else { self.literal() }
    }

    /// The rest of a string whose first quote has been taken.
    #[inline]
    fn string(&mut self) -> Option<((u32, u32), ValueKind)> {
        let start = self.at;
        let end = quote_or_backslash(self.bytes, start)?;
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            Some((span(start, end), ValueKind::Plain))
        } else {
            self.escaped_string(start, end)
        }
    }

    /// The same from its first backslash on.
    #[inline(never)]
    fn escaped_string(&mut self, start: usize, mut at: usize) -> Option<((u32, u32), ValueKind)> {
        loop {
            at += escape_length(self.bytes.get(at + 1..)?)?;
            at = quote_or_backslash(self.bytes, at)?;
            if self.bytes.get(at) == Some(&b'"') {
                self.at = at + 1;
                return Some((span(start, at), ValueKind::Escaped));
            }
        }
    }

    /// A number or a word, up to what ends it.
    fn literal(&mut self) -> Option<((u32, u32), ValueKind)> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))?;
        let kind = match rest.get(..length)? {
            b"null" => ValueKind::Null,
            b"true" | b"false" => ValueKind::Plain,
            number if looks_like_number(number) => ValueKind::Plain,
            _ => return None,
        };
        self.at += length;
        Some((span(start, self.at), kind))
    }

    /// A whole number; null counts as 0.
    fn int32(&mut self) -> Option<i32> {
        let rest = self.bytes.get(self.at..)?;
        let (negative, digits) = match rest {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let mut number = 0_i64;
        let mut length = 0;
        while let Some(digit @ b'0'..=b'9') = digits.get(length)
            && length < INT32_DIGITS_MAX
        {
            number = number * 10 + i64::from(digit - b'0');
            length += 1;
        }
        if length == 0 || !matches!(digits.get(length), Some(b',' | b'}')) {
            return self.odd_int32();
        }
        self.at += usize::from(negative) + length;
        i32::try_from(if negative { -number } else { number }).ok()
    }

    /// The same with space around it, or written in some other way.
    #[cold]
    fn odd_int32(&mut self) -> Option<i32> {
        self.skip_space();
        let ((start, end), kind) = self.literal()?;
        if kind == ValueKind::Null {
            return Some(0);
        }
        let number = text::parse_decimal(self.bytes.get(start as usize..end as usize)?)?;
        i32::try_from(number).ok()
    }

    fn language(&mut self) -> Option<Language> {
        match self.value()? {
            (_, ValueKind::Null) => Some(Language::Unknown),
            ((start, end), _) => Some(Language::of_name(self.utf8(start, end)?)),
        }
    }

    fn remark(&mut self) -> Option<Option<Cow<'a, str>>> {
        let quoted = self.peek()? == b'"';
        match self.value()? {
            (_, ValueKind::Null) => Some(None),
            ((start, end), kind) if quoted => {
                let inside = self.utf8(start, end)?;
                Some(Some(if kind == ValueKind::Escaped { text::unescape(inside).into() } else { inside.into() }))
            }
            _ => None,
        }
    }

    fn utf8(&self, start: u32, end: u32) -> Option<&'a str> {
        std::str::from_utf8(self.bytes.get(start as usize..end as usize)?).ok()
    }

    /// Passes over `expected` if it comes next, without space.
    #[inline]
    fn passes(&mut self, expected: &[u8]) -> bool {
        let next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(expected));
        if next {
            self.at += expected.len();
        }
        next
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.takes(byte).then_some(())
    }

    /// Takes `byte` if it comes next, behind space or at once. Where it does not come next, the space is gone all the same.
    fn takes(&mut self, byte: u8) -> bool {
        // Clients write without space: one comparison is all it usually takes.
        let next = self.bytes.get(self.at) == Some(&byte) || self.peek() == Some(byte);
        if next {
            self.at += 1;
        }
        next
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }
}

/// Digits of the longest 32-bit number.
const INT32_DIGITS_MAX: usize = 10;

/// Positions as spans hold them; a header's length has 24 bits.
fn span(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}

/// Where the next quote or backslash is, from `at` on. Strings are most of a header.
#[inline]
fn quote_or_backslash(bytes: &[u8], at: usize) -> Option<usize> {
    let marks = |word| words::equal(word, words::all(b'"')) | words::equal(word, words::all(b'\\'));
    words::find(bytes, at, marks, |byte| matches!(byte, b'"' | b'\\'))
}

/// How long an escape is, its backslash included, judged by what follows the backslash.
fn escape_length(after: &[u8]) -> Option<usize> {
    match after {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => Some(6),
        _ => None,
    }
}

fn looks_like_number(token: &[u8]) -> bool {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
}
