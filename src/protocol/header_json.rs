//! The JSON header: one pass over the bytes that copies nothing.
//!
//! The headers of all known clients are flat: numbers, strings, and one object of strings. The scanner reads those and
//! gives up on anything else (nested values, escaped keys, a remark that is not text), which then goes through `serde_json`:
//! slower, and just as right. What the scanner takes is a little more than JSON, as in the reference: control characters
//! within strings, leading zeros.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value};

use super::command::{Command, ExtFields, Language};
use super::error::ProtocolError;
use super::ext_fields::{FIELDS_MAX, Span, ValueKind};
use super::text;
use super::units::Opaque;

/// Room for the fields of any request of the hot path, so that they are collected with one allocation.
const FIELDS_EXPECTED: usize = 16;

/// Reads a header; the command's body is left empty.
pub(super) fn decode(header: &Bytes) -> Result<Command, ProtocolError> {
    if let Err(error) = std::str::from_utf8(header) {
        return Err(ProtocolError::HeaderNotUtf8 { offset: error.valid_up_to() });
    }
    let mut command = Command { language: Language::Java, version: 0, ..Command::request(0) };
    let mut spans = Vec::new();
    let mut scanner = Scanner { bytes: header, at: 0 };
    if scanner.command(&mut command, &mut spans).is_none() {
        return decode_odd(header);
    }
    if spans.len() > FIELDS_MAX {
        return Err(ProtocolError::TooManyFields { limit: FIELDS_MAX });
    }
    command.ext = ExtFields::of_spans(header.clone(), spans);
    Ok(command)
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
    fn command(&mut self, command: &mut Command, spans: &mut Vec<Span>) -> Option<()> {
        self.take(b'{')?;
        let mut another = !self.takes(b'}');
        while another {
            match self.key()? {
                b"code" => command.code = self.int32()?,
                b"language" => command.language = self.language()?,
                b"version" => command.version = self.int32()?,
                b"opaque" => command.opaque = Opaque(self.int32()?),
                b"flag" => command.flag = self.int32()?,
                b"remark" => command.remark = self.remark()?,
                b"extFields" => self.ext_fields(spans)?,
                _ => {
                    self.value()?;
                }
            }
            another = self.takes(b',');
            if !another {
                self.take(b'}')?;
            }
        }
        self.skip_space();
        (self.at == self.bytes.len()).then_some(())
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
        spans.reserve(FIELDS_EXPECTED);
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
    fn short_key(&mut self) -> Option<(u32, u32)> {
        match self.bytes.get(self.at..)? {
            [b'"', letter, b'"', b':', b'"', ..] if !matches!(letter, b'"' | b'\\') => {
                let key = span(self.at + 1, self.at + 2);
                self.at += 5;
                Some(key)
            }
            _ => None,
        }
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
        let (end, quote) = quote_or_backslash(self.bytes, start)?;
        self.at = end + 1;
        if quote { Some((span(start, end), ValueKind::Plain)) } else { self.escaped_string(start, end) }
    }

    /// The same from its first backslash on.
    #[inline(never)]
    fn escaped_string(&mut self, start: usize, mut at: usize) -> Option<((u32, u32), ValueKind)> {
        loop {
            at += escape_length(self.bytes.get(at + 1..)?)?;
            let (end, quote) = quote_or_backslash(self.bytes, at)?;
            if quote {
                self.at = end + 1;
                return Some((span(start, end), ValueKind::Escaped));
            }
            at = end;
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

    fn remark(&mut self) -> Option<Option<String>> {
        let quoted = self.peek()? == b'"';
        match self.value()? {
            (_, ValueKind::Null) => Some(None),
            ((start, end), kind) if quoted => {
                let inside = self.utf8(start, end)?;
                Some(Some(if kind == ValueKind::Escaped { text::unescape(inside) } else { inside.into() }))
            }
            _ => None,
        }
    }

    fn utf8(&self, start: u32, end: u32) -> Option<&'a str> {
        std::str::from_utf8(self.bytes.get(start as usize..end as usize)?).ok()
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

/// Positions as spans hold them; a header's length has 24 bits.
fn span(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}

/// Where the next quote or backslash is, from `at` on, and whether it is a quote. Eight bytes at a time: strings are most
/// of a header.
#[inline]
fn quote_or_backslash(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    // Sets the high bit of each byte that is zero; a byte above a zero one may be marked wrongly, the lowest never is.
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & HIGH_BITS;
    let mut rest = bytes.get(at..)?;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quotes = zero_bytes(word ^ (ONES * u64::from(b'"')));
        let hits = quotes | zero_bytes(word ^ (ONES * u64::from(b'\\')));
        if hits != 0 {
            let lowest = hits & hits.wrapping_neg();
            return Some((at + (hits.trailing_zeros() / 8) as usize, quotes & lowest != 0));
        }
        at += 8;
        rest = after;
    }
    let tail = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some((at + tail, rest.get(tail) == Some(&b'"')))
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
fn decode_odd(header: &[u8]) -> Result<Command, ProtocolError> {
    let object: Map<String, Value> = serde_json::from_slice(header).map_err(not_json)?;
    let remark = match object.get("remark") {
        None | Some(Value::Null) => None,
        Some(value) => Some(literal(value)),
    };
    Ok(Command {
        language: match object.get("language") {
            None => Language::Java,
            Some(value) => value.as_str().map_or(Language::Unknown, Language::of_name),
        },
        version: odd_int32(&object, "version")?,
        opaque: Opaque(odd_int32(&object, "opaque")?),
        flag: odd_int32(&object, "flag")?,
        remark,
        ext: odd_ext_fields(&object)?,
        ..Command::request(odd_int32(&object, "code")?)
    })
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
