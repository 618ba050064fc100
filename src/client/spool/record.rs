//! A letter as bytes, and the record around it, which tells whether it is whole and where it belongs.
//!
//! `docs/format/spool.md` has a worked example.

use bytes::Bytes;

use crate::client::letter::Letter;
use crate::protocol::names::Topic;

/// Bytes of a record before its letter.
pub const RECORD_HEADER_BYTES: u64 = 24;

/// A record that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Everything before this position was on the disk when the record was written.
    pub(super) synced: u64,
    /// The letter's bytes.
    pub(super) letter: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at `at` in the bytes of a file that begins at position `base`; `None` if no whole one lies there.
    ///
    /// # Layout
    /// Big-endian: length of the letter u32, CRC-32 u32 of everything else in the record, its position u64, `synced` u64, letter.
    pub(super) fn at(bytes: &'a [u8], at: usize, base: u64) -> Option<Self> {
        let (length, rest) = bytes.get(at..)?.split_first_chunk()?;
        let (crc, rest) = rest.split_first_chunk()?;
        let (position, rest) = rest.split_first_chunk()?;
        let (synced, rest) = rest.split_first_chunk()?;
        // Looked at first: it is what most bytes that are no record fail at.
        if u64::from_be_bytes(*position) != base + at as u64 {
            return None;
        }
        let letter = rest.get(..u32::from_be_bytes(*length) as usize)?;
        let is_whole = checksum([length, position, synced, letter]) == u32::from_be_bytes(*crc);
        is_whole.then_some(Self { synced: u64::from_be_bytes(*synced), letter })
    }

    /// Bytes of the whole record.
    pub(super) fn size(&self) -> u64 {
        size_of_record(self.letter.len())
    }
}

/// Bytes of the record of a letter that takes so many.
pub(super) fn size_of_record(letter: usize) -> u64 {
    RECORD_HEADER_BYTES + letter as u64
}

/// Bytes of the record that begins with these, if one does.
pub(super) fn record_size_at(bytes: &[u8]) -> u64 {
    let length = bytes.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    size_of_record(length as usize)
}

/// Writes the record of a letter at a position.
pub(super) fn put_record(letter: &[u8], position: u64, synced: u64, out: &mut Vec<u8>) {
    let length = length_of(letter);
    let (position, synced) = (position.to_be_bytes(), synced.to_be_bytes());
    let crc = checksum([&length, &position, &synced, letter]).to_be_bytes();
    for part in [&length[..], &crc, &position, &synced, letter] {
        out.extend_from_slice(part);
    }
}

fn checksum(parts: [&[u8]; 4]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// A letter as bytes.
///
/// # Layout
/// Big-endian: request code i32, flags of the message i32, the application's flag i32; then topic, unique ids, properties and
/// body, each as its length u32 and its bytes.
pub(super) fn encode_letter(letter: &Letter) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [letter.code, letter.sys_flag, letter.flag] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let texts = [letter.topic.as_str(), &letter.unique_ids, &letter.properties].map(str::as_bytes);
    for part in texts.into_iter().chain([&letter.body[..]]) {
        out.extend_from_slice(&length_of(part));
        out.extend_from_slice(part);
    }
    out
}

/// Reads a letter; `None` if the bytes are none.
pub(super) fn decode_letter(bytes: &[u8]) -> Option<Letter> {
    let mut rest = bytes;
    let [code, sys_flag, flag] = [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
    let topic = Topic::parse(text(&mut rest)?).ok()?;
    let (unique_ids, properties) = (text(&mut rest)?.to_owned(), text(&mut rest)?.to_owned());
    let body = Bytes::copy_from_slice(part(&mut rest)?);
    rest.is_empty().then_some(Letter { topic, code, unique_ids, properties, sys_flag, flag, body })
}

fn number(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(part)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(part(rest)?).ok()
}

fn length_of(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).expect("what is longer than a frame is not sent").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letters() -> impl Strategy<Value = Letter> {
        let topic = "[a-zA-Z0-9_-]{1,127}".prop_map(|name| Topic::parse(&name).unwrap());
        let body = proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        (topic, any::<[i32; 3]>(), ".{0,40}", ".{0,80}", body).prop_map(
            |(topic, [code, sys_flag, flag], unique_ids, properties, body)| Letter {
                topic,
                code,
                unique_ids,
                properties,
                sys_flag,
                flag,
                body,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(letter in letters(), before in 0..50_usize, base: u32, synced: u64) {
            let mut bytes = vec![0xee; before];
            let base = u64::from(base);
            put_record(&encode_letter(&letter), base + before as u64, synced, &mut bytes);
            let record = Record::at(&bytes, before, base).unwrap();
            prop_assert_eq!((record.synced, record.size()), (synced, (bytes.len() - before) as u64));
            prop_assert_eq!(decode_letter(record.letter).unwrap(), letter);
            prop_assert!(Record::at(&bytes, before, base + 1).is_none(), "it belongs where it lies");
        }

        #[test]
        fn a_record_of_which_a_bit_or_the_end_is_another_is_none(letter in letters(), at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = Vec::new();
            put_record(&encode_letter(&letter), 0, 0, &mut bytes);
            let at = at.index(bytes.len());
            prop_assert!(Record::at(&bytes[..at], 0, 0).is_none());
            bytes[at] ^= 1 << bit;
            prop_assert!(Record::at(&bytes, 0, 0).is_none());
        }

        #[test]
        fn other_bytes_are_another_letter_or_none(letter in letters(), at: prop::sample::Index, byte: u8, more in 0..3_usize) {
            let mut bytes = encode_letter(&letter);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.resize(bytes.len() + more, byte);
            if let Some(letter) = decode_letter(&bytes) {
                prop_assert_eq!(encode_letter(&letter), bytes);
            }
        }

        #[test]
        fn a_letter_that_is_cut_is_none(letter in letters(), at: prop::sample::Index) {
            let bytes = encode_letter(&letter);
            prop_assert_eq!(decode_letter(&bytes[..at.index(bytes.len())]), None);
        }
    }
}
