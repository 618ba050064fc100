//! Decimal numbers and JSON strings, to and from bytes: what the two header encodings and the ready-made replies share.

use bytes::{BufMut, BytesMut};

/// Digits of the longest 64-bit number, with its sign.
const DECIMAL_LENGTH_MAX: usize = 20;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends `value` in decimal.
pub(super) fn put_decimal(out: &mut BytesMut, value: i64) {
    let mut digits = [0; DECIMAL_LENGTH_MAX];
    let start = write_decimal(&mut digits, value);
    out.put_slice(&digits[start..]);
}

/// Writes `value` in decimal to the end of `digits` and tells where it begins.
pub(super) fn write_decimal(digits: &mut [u8; DECIMAL_LENGTH_MAX], value: i64) -> usize {
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    start
}

/// The number that `digits` are, read as Java does: an optional sign, digits, nothing else.
pub(super) fn parse_decimal(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() {
        return None;
    }
    // Counting downwards, since the smallest number has no positive counterpart.
    let mut number = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(number) } else { number.checked_neg() }
}

/// Appends `text` as a JSON string, quotes included.
pub(super) fn put_json_string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.put_slice(&bytes[copied..index]);
        copied = index + 1;
        match byte {
            b'"' | b'\\' => out.put_slice(&[b'\\', byte]),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            control => {
                let (high, low) = (HEX_DIGITS[usize::from(control >> 4)], HEX_DIGITS[usize::from(control & 15)]);
                out.put_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.put_slice(&bytes[copied..]);
    out.put_u8(b'"');
}

/// The text that the inside of a JSON string stands for.
///
/// Never fails: half of a surrogate pair becomes the replacement character, as it does in Java's UTF-8 encoder, and an
/// escape that nobody has defined is kept as it is.
pub(super) fn unescape(inside: &str) -> String {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        rest = match control_character(escape.as_bytes()) {
            Some(character) => {
                text.push(character);
                escape.get(CONTROL_ESCAPE_BYTES..).unwrap_or_default()
            }
            None => unescape_one(escape.get(1..).unwrap_or_default(), &mut text),
        };
    }
    text.push_str(rest);
    text
}

/// Bytes of an escape like `\u0001`.
const CONTROL_ESCAPE_BYTES: usize = 6;

/// The character of an escape below `\u000a`: the separators of property texts, which every send is full of.
fn control_character(escape: &[u8]) -> Option<char> {
    match escape {
        [b'\\', b'u', b'0', b'0', b'0', digit @ b'0'..=b'9', ..] => Some(char::from(digit - b'0')),
        _ => None,
    }
}

/// Decodes the escape whose backslash has been taken off, and gives back what follows it.
fn unescape_one<'a>(escape: &'a str, text: &mut String) -> &'a str {
    let mut characters = escape.chars();
    match characters.next() {
        Some('u') => {
            let (character, rest) = unescape_unicode(characters.as_str());
            text.push(character);
            return rest;
        }
        Some('b') => text.push('\u{8}'),
        Some('f') => text.push('\u{c}'),
        Some('n') => text.push('\n'),
        Some('r') => text.push('\r'),
        Some('t') => text.push('\t'),
        Some(itself) => text.push(itself),
        None => text.push('\\'),
    }
    characters.as_str()
}

/// Decodes the four digits after `\u`, and those of a second escape when the first is half of a pair.
fn unescape_unicode(digits: &str) -> (char, &str) {
    let Some((first, rest)) = code_unit(digits) else {
        return (char::REPLACEMENT_CHARACTER, digits);
    };
    if let Some(character) = char::from_u32(first) {
        return (character, rest);
    }
    if let Some((second, after)) = rest.strip_prefix("\\u").and_then(code_unit)
        && let Some(Ok(character)) = char::decode_utf16([first as u16, second as u16]).next()
    {
        return (character, after);
    }
    (char::REPLACEMENT_CHARACTER, rest)
}

/// The UTF-16 unit that four hexadecimal digits give, and what follows them.
fn code_unit(digits: &str) -> Option<(u32, &str)> {
    let (four, rest) = digits.split_at_checked(4)?;
    // `from_str_radix` would take a sign.
    if !four.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(four, 16).ok()?, rest))
}
