//! Reads from a reply header the three numbers that a load generator needs: code, opaque, flag.
//!
//! It does not decode ext fields, remarks or anything else, and it does not judge whether the JSON is well formed
//! beyond what it needs to find its way. A reply it cannot read is `None`, which the caller counts.
//!
//! Replies of one broker to one kind of request differ in their ext fields and their opaque only. So the scanner keeps
//! what stood around those two, and when the next reply has the very same text there, reading it is two comparisons
//! of some forty bytes and ten digits. Otherwise, the header is walked byte by byte.

use std::ops::Range;

/// Bit of the flag that marks a reply.
const FLAG_REPLY: i64 = 1;
/// Shortest binary header: code, language, version, opaque, flag and two empty lengths.
const BINARY_HEADER_BYTES_MIN: usize = 21;

/// What a load generator wants to know of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The response code; for a request that the server sends, its request code.
    pub code: i32,
    /// The opaque of the request that is answered.
    pub opaque: i32,
    /// Whether it is a reply at all: a server may send requests on the same connection.
    pub is_reply: bool,
}

/// Reads replies and remembers the shape of the last one.
#[derive(Debug, Default)]
pub struct Scanner {
    shape: Option<Shape>,
}

/// The text around the ext fields and the opaque of a JSON header.
#[derive(Debug)]
struct Shape {
    before_ext: Vec<u8>,
    after_ext: Vec<u8>,
    opaque: OpaqueDigits,
    code: i32,
    is_reply: bool,
}

/// Where the opaque's digits stand: in the text before or in that after the ext fields.
#[derive(Clone, Debug)]
enum OpaqueDigits {
    Before(Range<usize>),
    After(Range<usize>),
}

/// What one walk over a JSON header found.
#[derive(Debug, Default)]
struct Walk {
    code: Option<i64>,
    flag: Option<i64>,
    opaque: Option<(i64, Range<usize>)>,
    ext: Option<Range<usize>>,
}

impl Scanner {
    /// Reads one JSON header.
    pub fn scan_json(&mut self, header: &[u8]) -> Option<Reply> {
        if let Some(reply) = self.shape.as_ref().and_then(|shape| shape.read(header)) {
            return Some(reply);
        }
        let walk = walk(header)?;
        let reply = walk.reply()?;
        self.shape = Shape::of(header, &walk, reply);
        Some(reply)
    }
}

/// Reads one binary ("ROCKETMQ") header.
#[must_use]
pub fn scan_binary(header: &[u8]) -> Option<Reply> {
    if header.len() < BINARY_HEADER_BYTES_MIN {
        return None;
    }
    let code = i16::from_be_bytes(header.get(0..2)?.try_into().ok()?);
    let opaque = i32::from_be_bytes(header.get(5..9)?.try_into().ok()?);
    let flag = i32::from_be_bytes(header.get(9..13)?.try_into().ok()?);
    Some(Reply { code: code.into(), opaque, is_reply: i64::from(flag) & FLAG_REPLY != 0 })
}

impl Walk {
    fn reply(&self) -> Option<Reply> {
        Some(Reply {
            code: i32::try_from(self.code?).ok()?,
            opaque: i32::try_from(self.opaque.as_ref()?.0).ok()?,
            is_reply: self.flag? & FLAG_REPLY != 0,
        })
    }
}

impl Shape {
    fn of(header: &[u8], walk: &Walk, reply: Reply) -> Option<Self> {
        let ext = walk.ext.clone()?;
        let (_, digits) = walk.opaque.clone()?;
        let opaque = if digits.start < ext.start {
            OpaqueDigits::Before(digits)
        } else {
            OpaqueDigits::After(digits.start.checked_sub(ext.end)?..digits.end.checked_sub(ext.end)?)
        };
        Some(Self {
            before_ext: header.get(..ext.start)?.to_vec(),
            after_ext: header.get(ext.end..)?.to_vec(),
            opaque,
            code: reply.code,
            is_reply: reply.is_reply,
        })
    }

    /// Reads `header` if everything but its ext fields and its opaque is the text of the reply this shape comes from.
    ///
    /// The text after the ext fields holds quotes that JSON would have escaped inside a string, and ends where the
    /// header ends, so it cannot be part of an ext field's value.
    fn read(&self, header: &[u8]) -> Option<Reply> {
        let tail_starts = header.len().checked_sub(self.after_ext.len())?;
        let before = header.get(..self.before_ext.len())?;
        let after = header.get(tail_starts..)?;
        if tail_starts < self.before_ext.len() {
            return None;
        }
        let digits = match &self.opaque {
            OpaqueDigits::Before(at) if equal_around(before, &self.before_ext, at) && after == self.after_ext => {
                before.get(at.clone())?
            }
            OpaqueDigits::After(at) if before == self.before_ext && equal_around(after, &self.after_ext, at) => {
                after.get(at.clone())?
            }
            _ => return None,
        };
        Some(Reply { code: self.code, opaque: decimal(digits)?, is_reply: self.is_reply })
    }
}

/// Whether two texts of one length agree outside the range `hole`.
fn equal_around(left: &[u8], right: &[u8], hole: &Range<usize>) -> bool {
    left.get(..hole.start) == right.get(..hole.start) && left.get(hole.end..) == right.get(hole.end..)
}

/// A number of digits only, without sign or leading zero.
fn decimal(digits: &[u8]) -> Option<i32> {
    if digits.first() == Some(&b'0') && digits.len() > 1 {
        return None;
    }
    let mut value = 0_i32;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i32::from(digit - b'0'))?;
    }
    Some(value)
}

/// Walks the members of the header's object, noting the four that matter. The last of several of one name counts.
fn walk(header: &[u8]) -> Option<Walk> {
    let mut cursor = Cursor { bytes: header, at: 0 };
    let mut found = Walk::default();
    cursor.expect(b'{')?;
    if cursor.take(b'}') {
        return Some(found);
    }
    loop {
        let name = cursor.string()?;
        cursor.expect(b':')?;
        cursor.skip_blanks();
        let start = cursor.at;
        cursor.skip_value()?;
        let value = start..cursor.at;
        let number = || std::str::from_utf8(header.get(value.clone())?).ok()?.parse::<i64>().ok();
        match header.get(name)? {
            b"code" => found.code = number(),
            b"flag" => found.flag = number(),
            b"opaque" => found.opaque = number().map(|opaque| (opaque, value.clone())),
            b"extFields" => found.ext = Some(value),
            _ => {}
        }
        if cursor.take(b'}') {
            return Some(found);
        }
        cursor.expect(b',')?;
    }
}

/// A position in JSON text.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Steps over `wanted`, and blanks before it, if it comes next.
    fn take(&mut self, wanted: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        self.take(wanted).then_some(())
    }

    /// Steps over a string; gives what stands between its quotes, escapes as they are.
    fn string(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(start..self.at - 1)
    }

    /// Steps over any value; objects and arrays by counting brackets outside strings.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_blanks();
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                b',' | b':' => return None,
                _ => self.skip_literal(),
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Steps over a number, `true`, `false` or `null`.
    fn skip_literal(&mut self) {
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b' ' | b'\n')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests;
