//! The JSON header: one pass over the bytes that copies nothing.
//!
//! The headers of all known clients are flat: numbers, strings, and one object of strings. The scanner reads those and
//! gives up on anything else (nested values, escaped keys, a remark that is not text), which then goes through `serde_json`:
//! slower, and just as right. What the scanner takes is a little more than JSON, as in the reference: control characters
//! within strings, leading zeros.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut, BytesMut};
use serde_json::{Map, Value};

use super::command::{Command, CommandRef, ExtFields, ExtFieldsRef, Language};
use super::error::ProtocolError;
use super::ext_fields::{FIELDS_MAX, Span, ValueKind};
use super::frame::HeaderScratch;
use super::header_memo::{Known, Lesson};
use super::units::Opaque;
use super::{text, words};

/// Reads a header, in place; the command's body is left empty.
pub(super) fn read<'a>(header: &'a [u8], scratch: &'a mut HeaderScratch) -> Result<CommandRef<'a>, ProtocolError> {
    let HeaderScratch { spans, odd, memo } = scratch;
    if let Some((number, opaque)) = memo.recognise(header) {
        let known = memo.known(number).expect("it was just recognised");
        let Known { code, language, version, flag, .. } = *known;
        let ext = ExtFieldsRef::of_spans(header, &known.spans).with_letters(&known.letters);
        return Ok(CommandRef { code, language, version, opaque, flag, remark: None, ext, body: &[] });
    }
    if let Err(error) = std::str::from_utf8(header) {
        return Err(ProtocolError::HeaderNotUtf8 { offset: error.valid_up_to() });
    }
    spans.clear();
    let mut head = Head::default();
    let mut scanner = Scanner { bytes: header, at: 0 };
    if scanner.command(&mut head, spans).is_none() {
        head = Head::default();
        *odd = read_odd(header, &mut head)?;
        return Ok(head.command(odd.as_ref()));
    }
    if spans.len() > FIELDS_MAX {
        return Err(ProtocolError::TooManyFields { limit: FIELDS_MAX });
    }
    if head.remark.is_none() {
        let Head { code, language, version, flag, .. } = head;
        memo.learn(&Lesson { header, code, language, version, flag, opaque: head.opaque_at.clone(), spans });
    }
    Ok(head.command(ExtFieldsRef::of_spans(header, spans)))
}

/// What a header says besides its ext fields.
struct Head<'a> {
    code: i32,
    language: Language,
    version: i32,
    opaque: Opaque,
    /// Where the opaque's digits are; nowhere if it has other characters.
    opaque_at: Range<usize>,
    flag: i32,
    remark: Option<Cow<'a, str>>,
}

impl Default for Head<'_> {
    fn default() -> Self {
        let language = Language::Java;
        Self { code: 0, language, version: 0, opaque: Opaque(0), opaque_at: 0..0, flag: 0, remark: None }
    }
}

impl<'a> Head<'a> {
    fn command(self, ext: ExtFieldsRef<'a>) -> CommandRef<'a> {
        let Self { code, language, version, opaque, flag, remark, .. } = self;
        CommandRef { code, language, version, opaque, flag, remark, ext, body: &[] }
    }
}

/// Appends the header of `command`.
pub(super) fn encode(command: &Command, out: &mut BytesMut) {
    begin(command.code, command.flag, command.language, command.opaque, command.version, out);
    if let Some(remark) = &command.remark {
        out.put_slice(br#","remark":"#);
        text::put_json_string(out, remark);
    }
    if !command.ext.is_empty() {
        out.put_slice(br#","extFields":{"#);
        for (index, (key, value)) in command.ext.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            text::put_json_string(out, key);
            out.put_u8(b':');
            text::put_json_string(out, &value);
        }
        out.put_u8(b'}');
    }
    out.put_u8(b'}');
}

/// Appends the fields that every header has, up to the version's last digit.
fn begin(code: i32, flag: i32, language: Language, opaque: Opaque, version: i32, out: &mut BytesMut) {
    out.put_slice(br#"{"code":"#);
    text::put_decimal(out, code.into());
    out.put_slice(br#","flag":"#);
    text::put_decimal(out, flag.into());
    out.put_slice(br#","language":""#);
    out.put_slice(language.name().as_bytes());
    out.put_slice(br#"","opaque":"#);
    text::put_decimal(out, opaque.0.into());
    out.put_slice(br#","version":"#);
    text::put_decimal(out, version.into());
}

/// Walks over a header of the usual shape. Every method gives `None` for "this is not it", and the walk is over.
struct Scanner<'a> {
    /// Valid UTF-8, so that what lies between two ASCII characters is so too.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The whole header: an object of the known fields and others, and nothing after it.
    fn command(&mut self, head: &mut Head<'a>, spans: &mut Vec<Span>) -> Option<()> {
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

/// Reads a header that the scanner has given up on.
fn read_odd(header: &[u8], head: &mut Head<'_>) -> Result<ExtFields, ProtocolError> {
    let object: Map<String, Value> = serde_json::from_slice(header).map_err(not_json)?;
    head.code = odd_int32(&object, "code")?;
    head.language = match object.get("language") {
        None => Language::Java,
        Some(value) => value.as_str().map_or(Language::Unknown, Language::of_name),
    };
    head.version = odd_int32(&object, "version")?;
    head.opaque = Opaque(odd_int32(&object, "opaque")?);
    head.flag = odd_int32(&object, "flag")?;
    head.remark = match object.get("remark") {
        None | Some(Value::Null) => None,
        Some(value) => Some(literal(value).into()),
    };
    odd_ext_fields(&object)
}

/// A number, or a string that is one; missing and null count as 0.
fn odd_int32(object: &Map<String, Value>, name: &'static str) -> Result<i32, ProtocolError> {
    let number = match object.get(name) {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(digits)) => text::parse_decimal(digits.as_bytes()),
        Some(value) => value.as_i64(),
    };
    number
        .and_then(|number| i32::try_from(number).ok())
        .ok_or_else(|| not_json(format_args!("{name} is no 32-bit number")))
}

fn odd_ext_fields(object: &Map<String, Value>) -> Result<ExtFields, ProtocolError> {
    let fields = match object.get("extFields") {
        None | Some(Value::Null) => return Ok(ExtFields::default()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(not_json("extFields is no object")),
    };
    if fields.len() > FIELDS_MAX {
        return Err(ProtocolError::TooManyFields { limit: FIELDS_MAX });
    }
    let mut builder = ExtFields::builder();
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        builder.push(key, literal(value));
    }
    Ok(builder.build())
}

/// A string's text, and anything else as it would be written.
fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn not_json(reason: impl ToString) -> ProtocolError {
    ProtocolError::HeaderNotJson { reason: reason.to_string() }
}
