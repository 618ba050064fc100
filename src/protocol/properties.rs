//! The properties of a message: text of `name 0x01 value` pairs, separated by 0x02.
//!
//! The stored text is kept as it is; looking up a name walks it, which for the dozen pairs of a message is cheaper
//! than a map. The rules of reading are those of 4.9.7; a trailing separator, as 4.7.1 and 5.x write it, is accepted
//! and never written.

use std::ops::Range;

use super::words;

/// Stands between name and value.
pub const NAME_VALUE_SEPARATOR: char = '\u{1}';
/// Stands between pairs.
pub const PAIR_SEPARATOR: char = '\u{2}';

/// Room for what most messages have: an id, a tag, a key and a few numbers.
const BYTES_USUAL: usize = 128;

const NAME_END: u8 = NAME_VALUE_SEPARATOR as u8;
const PAIR_END: u8 = PAIR_SEPARATOR as u8;

macro_rules! keys {
    ($($name:ident = $text:literal,)*) => {
        /// Names that mean something to brokers or clients.
        #[expect(missing_docs, reason = "the names say it; their use is described where they are used")]
        pub mod keys {
            $(pub const $name: &str = $text;)*

            /// All of them.
            pub const ALL: &[&str] = &[$($name),*];
        }
    };
}

keys! {
    KEYS = "KEYS",
    TAGS = "TAGS",
    WAIT = "WAIT",
    SHARDING_KEY = "__SHARDINGKEY",
    DELAY = "DELAY",
    RETRY_TOPIC = "RETRY_TOPIC",
    REAL_TOPIC = "REAL_TOPIC",
    REAL_QID = "REAL_QID",
    TRAN_MSG = "TRAN_MSG",
    PGROUP = "PGROUP",
    MIN_OFFSET = "MIN_OFFSET",
    MAX_OFFSET = "MAX_OFFSET",
    BUYER_ID = "BUYER_ID",
    ORIGIN_MESSAGE_ID = "ORIGIN_MESSAGE_ID",
    TRANSFER_FLAG = "TRANSFER_FLAG",
    CORRECTION_FLAG = "CORRECTION_FLAG",
    MQ2_FLAG = "MQ2_FLAG",
    RECONSUME_TIME = "RECONSUME_TIME",
    MAX_RECONSUME_TIMES = "MAX_RECONSUME_TIMES",
    CONSUME_START_TIME = "CONSUME_START_TIME",
    MSG_REGION = "MSG_REGION",
    TRACE_ON = "TRACE_ON",
    UNIQ_KEY = "UNIQ_KEY",
    CLUSTER = "CLUSTER",
    INSTANCE_ID = "INSTANCE_ID",
    CORRELATION_ID = "CORRELATION_ID",
    MESSAGE_REPLY_TO_CLIENT = "REPLY_TO_CLIENT",
    MESSAGE_TTL = "TTL",
    ARRIVE_TIME = "ARRIVE_TIME",
    PUSH_REPLY_TIME = "PUSH_REPLY_TIME",
    MESSAGE_TYPE = "MSG_TYPE",
    CHECK_IMMUNITY_TIME = "CHECK_IMMUNITY_TIME_IN_SECONDS",
    TRANSACTION_PREPARED_QUEUE_OFFSET = "TRAN_PREPARED_QUEUE_OFFSET",
    TRANSACTION_CHECK_TIMES = "TRANSACTION_CHECK_TIMES",
    TRANSACTION_ID = "__transactionId__",
    INNER_NUM = "INNER_NUM",
    TIMER_DELIVER_MS = "TIMER_DELIVER_MS",
    TIMER_DELAY_SEC = "TIMER_DELAY_SEC",
    TIMER_DELAY_MS = "TIMER_DELAY_MS",
    TIMER_OUT_MS = "TIMER_OUT_MS",
    TIMER_DEL_UNIQKEY = "TIMER_DEL_UNIQKEY",
    TIMER_ROLL_TIMES = "TIMER_ROLL_TIMES",
}

/// The pairs of a text, in its order, duplicates included.
///
/// A piece is passed over when it is shorter than three characters, has no 0x01, or has it first or last; it is split
/// at the first 0x01, so that a value may contain one.
///
/// # Source
/// `MessageDecoder.string2messageProperties` 4.9.7 (measured: fixture `props_decode`).
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    // The ranges end at separators, which are no part of a longer character.
    places(text.as_bytes()).filter_map(|pair| Some((text.get(pair.name())?, text.get(pair.value())?)))
}

/// Where a pair stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairPlace {
    /// Its first byte.
    pub start: usize,
    /// The 0x01 between name and value.
    pub split: usize,
    /// The 0x02 behind it, or the end of the text.
    pub end: usize,
}

impl PairPlace {
    /// Where the name stands.
    #[must_use]
    pub fn name(&self) -> Range<usize> {
        self.start..self.split
    }

    /// Where the value stands.
    #[must_use]
    pub fn value(&self) -> Range<usize> {
        self.split + 1..self.end
    }
}

/// The places of the pairs that [`pairs`] gives, for who changes the text.
pub fn places(text: &[u8]) -> impl Iterator<Item = PairPlace> {
    Places { text, at: 0 }
}

/// See [`places`]. Every message passes here more than once, so separators are looked for eight bytes at a time.
struct Places<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Places<'_> {
    type Item = PairPlace;

    #[inline]
    fn next(&mut self) -> Option<PairPlace> {
        while self.at < self.text.len() {
            let start = self.at;
            let split = find_separator(self.text, start)?;
            if self.text.get(split) == Some(&PAIR_END) {
                self.at = split + 1;
                continue;
            }
            let end = words::find(self.text, split, |word| words::equal(word, words::all(PAIR_END)), |b| b == PAIR_END);
            let end = end.unwrap_or(self.text.len());
            self.at = end + 1;
            let last = end - 1;
            if split > start && last > split && self.text.get(last) != Some(&NAME_END) {
                return Some(PairPlace { start, split, end });
            }
        }
        None
    }
}

/// Where the next of the two separators stands.
fn find_separator(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = words::find(text, at, |word| words::below(word, PAIR_END + 1), |byte| byte <= PAIR_END)?;
        // What is below both is marked too; nobody writes a zero byte, so it may cost a second look.
        if text.get(found) != Some(&0) {
            return Some(found);
        }
        at = found + 1;
    }
}

/// The value of a name; of duplicates the last one counts.
#[must_use]
pub fn find<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    pairs(text).filter(|pair| pair.0 == name).last().map(|pair| pair.1)
}

/// Appends a pair, with a separator before it if the text has pairs already.
pub fn append(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() && !text.ends_with(PAIR_SEPARATOR) {
        text.push(PAIR_SEPARATOR);
    }
    text.push_str(name);
    text.push(NAME_VALUE_SEPARATOR);
    text.push_str(value);
}

/// The text with these pairs behind all others, and without any other pair of their names.
#[must_use]
pub fn with(text: &[u8], pairs: &[(&str, &str)]) -> Vec<u8> {
    let added: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut out = Vec::with_capacity(text.len() + added);
    for place in places(text) {
        let name = text.get(place.name()).unwrap_or_default();
        if !pairs.iter().any(|(replaced, _)| replaced.as_bytes() == name) {
            out.extend_from_slice(text.get(place.start..place.end).unwrap_or_default());
            out.push(PAIR_END);
        }
    }
    for (name, value) in pairs {
        out.extend_from_slice(name.as_bytes());
        out.push(NAME_END);
        out.extend_from_slice(value.as_bytes());
        out.push(PAIR_END);
    }
    // Nothing ends with a separator that this broker writes.
    out.pop();
    out
}

/// Writes pairs as text. Empty values are written, though reading drops them, as the reference does.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::with_capacity(BYTES_USUAL);
    for (name, value) in pairs {
        append(&mut text, name, value);
    }
    text
}

/// The hash of a Java string: over UTF-16 units, `31 * hash + unit`, wrapping.
///
/// # Source
/// `java.lang.String.hashCode` (documented there).
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    java_hash_on(0, text)
}

/// The same of a text that follows one whose hash is `before`.
#[must_use]
pub fn java_hash_on(before: i32, text: &str) -> i32 {
    if !text.is_ascii() {
        return text.encode_utf16().fold(before, |hash, unit| hash_unit(hash, unit.into()));
    }
    // Of ASCII the bytes are the units. Four at a time, since each multiplication waits for the one before it.
    let [p1, p2, p3, p4] = [31_i32, 31 * 31, 31 * 31 * 31, 31 * 31 * 31 * 31];
    let mut rest = text.as_bytes();
    let mut hash = before;
    while let Some((&[a, b, c, d], after)) = rest.split_first_chunk() {
        let [a, b, c, d] = [a, b, c, d].map(i32::from);
        hash = hash.wrapping_mul(p4).wrapping_add(a * p3 + b * p2 + c * p1 + d);
        rest = after;
    }
    rest.iter().fold(hash, |hash, byte| hash_unit(hash, i32::from(*byte)))
}

fn hash_unit(hash: i32, unit: i32) -> i32 {
    hash.wrapping_mul(31).wrapping_add(unit)
}

/// What a queue entry holds for a tag: its hash, 0 for none.
#[must_use]
pub fn tags_code(tags: &str) -> i64 {
    i64::from(java_hash(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_are_no_pairs_are_passed_over() {
        for (text, expected) in [
            ("", vec![]),
            ("\u{2}\u{2}\u{1}\u{2}", vec![]),
            ("name\u{2}a\u{1}b", vec![("a", "b")]),
            ("\u{1}v\u{2}n\u{1}\u{2}n\u{1}v\u{1}\u{2}n\u{1}v\u{1}w", vec![("n", "v\u{1}w")]),
            ("a\u{0}b\u{1}c\u{0}\u{0}\u{2}ä\u{1}ö", vec![("a\u{0}b", "c\u{0}\u{0}"), ("ä", "ö")]),
            ("a\u{1}\u{1}b", vec![("a", "\u{1}b")]),
        ] {
            assert_eq!(pairs(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_hash_goes_on_where_another_ends() {
        assert_eq!(java_hash_on(java_hash("Töpic#"), "k€y"), java_hash("Töpic#k€y"));
        assert_eq!(java_hash("Aa"), java_hash("BB"));
        assert_eq!(java_hash("a"), 97);
        let text = "7F00000100002A139A0B5BB0B8B00001~~~";
        for end in 0..text.len() {
            let plain = text[..end].encode_utf16().fold(3, |hash, unit| hash_unit(hash, unit.into()));
            assert_eq!(java_hash_on(3, &text[..end]), plain, "{end}");
        }
    }

    #[test]
    fn the_last_duplicate_wins_and_empty_values_are_none() {
        let text = "a\u{1}1\u{2}b\u{1}\u{2}a\u{1}2\u{2}";
        assert_eq!(find(text, "a"), Some("2"));
        assert_eq!(find(text, "b"), None);
    }

    #[test]
    fn appending_puts_one_separator_whether_or_not_one_is_there() {
        let mut text = String::from("a\u{1}1");
        append(&mut text, "b", "2");
        assert_eq!(text, "a\u{1}1\u{2}b\u{1}2");
        let mut trailing = String::from("a\u{1}1\u{2}");
        append(&mut trailing, "b", "2");
        assert_eq!(trailing, text);
    }
}
