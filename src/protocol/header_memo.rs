//! JSON headers that repeat. A producer's headers are the same text over and over, but for some letters and digits within
//! values: the opaque, a time, an id. Comparing a header with one that was read before, eight bytes at a time, takes a
//! fraction of reading it.
//!
//! A header is recognised when it is as long as the known one, differs from it only within values, and has nothing there
//! that means something to JSON: quotes, backslashes, control characters, bytes of longer characters. Then its structure is
//! that of the known one, to the byte. What is deliberately absent: any knowledge of what a request means.

use std::ops::Range;

use super::command::Language;
use super::ext_fields::{Letters, Span, ValueKind};
use super::units::Opaque;
use super::words;

/// Known headers per connection, each of another length: ids and keys of different lengths take turns.
const SLOTS: usize = 4;
/// A longer header is not worth its copy.
const KNOWN_BYTES_MAX: usize = 1024;
/// Digits of the largest opaque.
const OPAQUE_DIGITS_MAX: usize = 10;
/// What stands in for a byte that need not be looked at.
const PLAIN: u8 = b'x';

/// The headers that a connection is known for.
#[derive(Debug, Default)]
pub(super) struct HeaderMemo {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    /// Length of the header that was read last: one that comes twice is worth being known.
    seen: usize,
    known: Option<Box<Known>>,
}

/// A header that was read, and what it said.
#[derive(Debug)]
pub(super) struct Known {
    length: usize,
    words: Vec<KnownWord>,
    /// What is left behind the last whole word.
    tail: KnownWord,
    opaque: Range<usize>,
    pub(super) code: i32,
    pub(super) language: Language,
    pub(super) version: i32,
    pub(super) flag: i32,
    pub(super) spans: Vec<Span>,
    pub(super) letters: Option<Letters>,
}

/// Eight bytes of a known header.
#[derive(Clone, Copy, Debug)]
struct KnownWord {
    text: u64,
    /// All ones in the bytes that may be others.
    loose: u64,
}

/// What there is to be known of a header that was read.
pub(super) struct Lesson<'a> {
    pub(super) header: &'a [u8],
    pub(super) code: i32,
    pub(super) language: Language,
    pub(super) version: i32,
    pub(super) flag: i32,
    /// Where the opaque's digits are.
    pub(super) opaque: Range<usize>,
    pub(super) spans: &'a [Span],
}

impl HeaderMemo {
    /// The known header that this one repeats, by its number, and this one's opaque.
    pub(super) fn recognise(&self, header: &[u8]) -> Option<(usize, Opaque)> {
        let number = header.len() % SLOTS;
        let known = self.slots.get(number)?.known.as_ref().filter(|known| known.length == header.len())?;
        let (whole, tail) = header.as_chunks::<8>();
        let repeats = |(word, text): (&KnownWord, &[u8; 8])| word.is_repeated_by(u64::from_le_bytes(*text));
        if !known.words.iter().zip(whole).all(repeats) || !known.tail.is_repeated_by(padded(tail)) {
            return None;
        }
        let mut opaque = 0_i64;
        for digit in header.get(known.opaque.clone())? {
            opaque = opaque * 10 + i64::from(digit.wrapping_sub(b'0'));
            if !digit.is_ascii_digit() {
                return None;
            }
        }
        Some((number, Opaque(i32::try_from(opaque).ok()?)))
    }

    /// The known header of a number that [`HeaderMemo::recognise`] gave.
    pub(super) fn known(&self, number: usize) -> Option<&Known> {
        self.slots.get(number)?.known.as_deref()
    }

    /// Takes note of a header that was read. It is known from the second one of its length on.
    pub(super) fn learn(&mut self, lesson: &Lesson<'_>) {
        let length = lesson.header.len();
        let Some(slot) = self.slots.get_mut(length % SLOTS) else { return };
        let again = std::mem::replace(&mut slot.seen, length) == length;
        if again && length <= KNOWN_BYTES_MAX && (1..=OPAQUE_DIGITS_MAX).contains(&lesson.opaque.len()) {
            slot.known = Some(Box::new(Known::of(lesson)));
        }
    }
}

impl KnownWord {
    #[inline]
    fn is_repeated_by(self, text: u64) -> bool {
        let differing = text ^ self.text;
        if differing == 0 {
            return true;
        }
        // The bytes that must be the same are, so only the others are looked at.
        let others = (text & self.loose) | (words::all(PLAIN) & !self.loose);
        let special = words::equal(others, words::all(b'"')) | words::equal(others, words::all(b'\\'));
        (differing & !self.loose) | special | words::not_printable(others) == 0
    }
}

impl Known {
    fn of(lesson: &Lesson<'_>) -> Self {
        let header = lesson.header;
        let mut loose = vec![0; header.len()];
        let mut loosen = |range: Range<usize>| {
            for (byte, text) in loose.iter_mut().zip(header).take(range.end).skip(range.start) {
                *byte = if text.is_ascii() { 0xff } else { 0 };
            }
        };
        loosen(lesson.opaque.clone());
        for span in lesson.spans {
            let value = span.value.0 as usize..span.value.1 as usize;
            match span.kind {
                ValueKind::Plain if is_quoted(header, &value) => loosen(value),
                ValueKind::Escaped => pieces(header, value).for_each(&mut loosen),
                // A number or a word may be other than it is only as a whole.
                ValueKind::Plain | ValueKind::Null => {}
            }
        }
        let word = |(text, loose): (&[u8], &[u8])| KnownWord { text: padded(text), loose: padded(loose) };
        let (texts, looses) = (header.chunks_exact(8), loose.chunks_exact(8));
        let tail = word((texts.remainder(), looses.remainder()));
        let words = texts.zip(looses).map(word).collect();
        let Lesson { code, language, version, flag, .. } = *lesson;
        let (opaque, spans) = (lesson.opaque.clone(), lesson.spans.to_vec());
        let letters = Letters::of(header, &spans);
        Self { length: header.len(), words, tail, opaque, code, language, version, flag, spans, letters }
    }
}

fn is_quoted(header: &[u8], value: &Range<usize>) -> bool {
    value.start.checked_sub(1).and_then(|before| header.get(before)) == Some(&b'"')
}

/// The pieces of an escaped value between its escapes.
fn pieces(header: &[u8], value: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = value.start;
    std::iter::from_fn(move || {
        let begin = at;
        let rest = header.get(begin..value.end).filter(|rest| !rest.is_empty())?;
        let Some(backslash) = rest.iter().position(|byte| *byte == b'\\') else {
            at = value.end;
            return Some(begin..value.end);
        };
        let escape = if rest.get(backslash + 1) == Some(&b'u') { 6 } else { 2 };
        at = begin + backslash + escape;
        Some(begin..begin + backslash)
    })
}

/// Up to eight bytes as a word, with zeros behind them.
fn padded(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}
