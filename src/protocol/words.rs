//! Eight bytes at a time: looking for a byte in the short texts that headers and properties are made of, for which a
//! call to a vectorised search costs more than it saves.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// A word of eight times the same byte.
pub(super) const fn all(byte: u8) -> u64 {
    ONES * byte as u64
}

/// Sets the high bit of each byte of `word` that equals its counterpart in `wanted`. A byte above a hit may be marked
/// wrongly, the lowest mark never is.
pub(super) const fn equal(word: u64, wanted: u64) -> u64 {
    let differing = word ^ wanted;
    differing.wrapping_sub(ONES) & !differing & HIGH_BITS
}

/// The same for each byte below `limit`, which is at most 128.
pub(super) const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(all(limit)) & !word & HIGH_BITS
}

/// Marks something if any byte is a control character or above ASCII, and nothing otherwise.
pub(super) const fn not_printable(word: u64) -> u64 {
    (word | word.wrapping_sub(all(b' '))) & HIGH_BITS
}

/// Which byte the lowest mark of a word stands at.
pub(super) const fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Where the first byte is, from `at` on, that `marks` marks in a word and `is` accepts alone.
#[inline(always)]
pub(super) fn find(bytes: &[u8], mut at: usize, marks: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> Option<usize> {
    let mut rest = bytes.get(at..)?;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let marked = marks(u64::from_le_bytes(*chunk));
        if marked != 0 {
            return Some(at + first(marked));
        }
        at += 8;
        rest = after;
    }
    rest.iter().position(|byte| is(*byte)).map(|tail| at + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hit_is_found_wherever_it_stands() {
        for length in 0..20 {
            for hit in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[hit..].fill(b'"');
                let found = |at| find(&bytes, at, |word| equal(word, all(b'"')), |byte| byte == b'"');
                assert_eq!(found(0), Some(hit), "{length}");
                assert_eq!(found(hit), Some(hit), "{length}");
                assert_eq!(found(length), None);
                bytes[hit..].fill(2);
                assert_eq!(find(&bytes, 0, |word| below(word, 3), |byte| byte < 3), Some(hit), "{length}");
            }
        }
        assert_eq!(find(b"abc", 4, |word| equal(word, 0), |byte| byte == 0), None);
    }

    #[test]
    fn bytes_beside_the_limit_and_above_ascii_are_no_hits() {
        for byte in 3..=255u8 {
            assert_eq!(below(all(byte), 3), 0, "{byte}");
        }
        assert_eq!(below(all(2), 3), HIGH_BITS);
    }

    #[test]
    fn every_byte_that_is_not_printable_is_noticed_beside_any_other() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                let mut bytes = *b"ab ~x\x7f09";
                bytes[place] = byte;
                let printable = (b' '..0x80).contains(&byte);
                assert_eq!(not_printable(u64::from_le_bytes(bytes)) == 0, printable, "{byte} at {place}");
            }
        }
    }
}
