//! Decimal numbers and JSON strings, to and from bytes: what the two header encodings and the ready-made replies share.

use bytes::{BufMut, BytesMut};

use super::words;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
/// So many digits fit a 64-bit number whatever they are.
const DIGITS_UNCHECKED: usize = 18;

/// Appends `value` in decimal.
pub(super) fn put_decimal(out: &mut BytesMut, value: i64) {
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes ASCII text piece by piece into room that was made for all of it: what is appended to a vector looks for room
/// each time, and what is put together elsewhere is read again before it has settled.
pub(super) struct Line<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl<'a> Line<'a> {
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self { room, length: 0 }
    }

    /// Appends a piece.
    ///
    /// # Panics
    /// The room is used up.
    #[inline(always)]
    pub(super) fn text(&mut self, piece: &[u8]) -> &mut Self {
        self.room[self.length..self.length + piece.len()].copy_from_slice(piece);
        self.length += piece.len();
        self
    }

    /// Appends a number in decimal.
    pub(super) fn number(&mut self, value: i64) -> &mut Self {
        match u8::try_from(value) {
            Ok(digit @ 0..=9) => self.text(&[b'0' + digit]),
            _ => self.text(itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    /// Appends a number as 16 upper-case hex digits.
    pub(super) fn hex(&mut self, value: u64) -> &mut Self {
        self.text(&hex_word((value >> 32) as u32)).text(&hex_word(value as u32))
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }
}

/// The eight upper-case hex digits of a word, all at once: each half byte is spread to a byte of its own, and those above
/// nine are moved up to the letters.
pub(super) fn hex_word(word: u32) -> [u8; 8] {
    let mut digits = u64::from(word);
    digits = (digits | (digits << 16)) & 0x0000_ffff_0000_ffff;
    digits = (digits | (digits << 8)) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | (digits << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((digits + words::all(6)) >> 4) & words::all(1);
    (digits + words::all(b'0') + letters * u64::from(b'A' - b'9' - 1)).to_be_bytes()
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
    if digits.len() > DIGITS_UNCHECKED {
        return parse_long_decimal(negative, digits);
    }
    let mut number = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(if negative { -number } else { number })
}

#[cold]
fn parse_long_decimal(negative: bool, digits: &[u8]) -> Option<i64> {
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
/// escape that nobody has defined is kept without its backslash.
pub(super) fn unescape(inside: &str) -> String {
    let mut text = Vec::with_capacity(inside.len());
    unescape_into(inside.as_bytes(), &mut text);
    String::from_utf8(text).expect("whole escapes of a text are exchanged for whole characters")
}

/// Appends the same; `inside` is text, and so is what is appended.
pub(super) fn unescape_into(inside: &[u8], out: &mut Vec<u8>) {
    let mut rest = inside;
    loop {
        let plain = copy_plain(rest, out);
        let Some(escape) = rest.get(plain + 1..) else { return };
        rest = match escape {
            // The separators of property texts, which every send is full of.
            [b'u', b'0', b'0', b'0', digit @ b'0'..=b'9', after @ ..] => {
                out.push(digit - b'0');
                after
            }
            _ => unescape_one(escape, out),
        };
    }
}

/// Appends what stands before the first backslash and tells how many bytes that are.
fn copy_plain(from: &[u8], out: &mut Vec<u8>) -> usize {
    let begin = out.len();
    let mut rest = from;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        // Eight bytes at once and some of them taken back: a copy whose length is not known costs more.
        out.extend_from_slice(chunk);
        let backslashes = words::equal(u64::from_le_bytes(*chunk), words::all(b'\\'));
        if backslashes != 0 {
            out.truncate(out.len() - chunk.len() + words::first(backslashes));
            return out.len() - begin;
        }
        rest = after;
    }
    let tail = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
    out.extend_from_slice(&rest[..tail]);
    out.len() - begin
}

/// Decodes the escape whose backslash has been taken off, and gives back what follows it.
fn unescape_one<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((kind, rest)) = escape.split_first() else {
        out.push(b'\\');
        return escape;
    };
    out.push(match kind {
        b'u' => return unescape_unicode(rest, out),
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        // Of a longer character this is the first byte, and the others follow as they are.
        itself => *itself,
    });
    rest
}

/// Decodes the four digits after `\u`, and those of a second escape when the first is half of a pair.
fn unescape_unicode<'a>(digits: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (character, rest) = match code_unit(digits) {
        Some((first, rest)) => match (char::from_u32(first), rest) {
            (Some(character), _) => (character, rest),
            (None, [b'\\', b'u', second @ ..]) => pair(first, second).unwrap_or((char::REPLACEMENT_CHARACTER, rest)),
            (None, _) => (char::REPLACEMENT_CHARACTER, rest),
        },
        None => (char::REPLACEMENT_CHARACTER, digits),
    };
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

/// The character of which `first` is one half and the four digits at the front of `second` the other.
fn pair(first: u32, second: &[u8]) -> Option<(char, &[u8])> {
    let (second, rest) = code_unit(second)?;
    let character = char::decode_utf16([first as u16, second as u16]).next()?.ok()?;
    Some((character, rest))
}

/// The UTF-16 unit that four hexadecimal digits give, and what follows them.
fn code_unit(digits: &[u8]) -> Option<(u32, &[u8])> {
    let (four, rest) = digits.split_first_chunk::<4>()?;
    let mut unit = 0;
    for digit in four {
        unit = unit * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_writes_numbers_as_they_are_written() {
        for value in [0, 9, 10, 0x1234_5678_9ABC_DEF0, u64::MAX, 0x0A0B_0C0D_0E0F_0102] {
            let mut room = [0; 64];
            let mut line = Line::new(&mut room);
            let length = line.text(b"x").hex(value).text(b",").number(value as i64).length();
            assert_eq!(String::from_utf8_lossy(&room[..length]), format!("x{value:016X},{}", value as i64));
        }
    }
}
