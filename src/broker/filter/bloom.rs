//! The bloom filter of a record: which of a topic's SQL92 groups may want it, one bit map for all of them.
//!
//! A group has a few bits, computed from its name and the topic's. They are set in the map of each record that its condition
//! lets pass when the record comes, so that a pull can pass over the others without reading them. A map with all bits of a
//! group may still be one that others have set: then the condition decides.
//!
//! # Source
//! `org.apache.rocketmq.filter.util.BloomFilter` and `BitsArray` 4.9.7 (read, and measured:
//! `tests/fixtures/sql/bloom.json`).

use std::f64::consts::E;
use std::io::Cursor;

use serde::{Deserialize, Serialize};

/// How many bits a map has, and how many of them are a group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BloomFilter {
    bits: u32,
    bits_of_group: u32,
}

impl BloomFilter {
    /// The filter in which at most `error_percent` of the records are wrongly taken to be wanted when `groups` groups have
    /// set their bits: `maxErrorRateOfBloomFilter` and `expectConsumerNumUseFilter`. `None` if there is no such filter:
    /// the rate is to be from 1 to 99, and there is to be a group.
    #[must_use]
    pub fn new(error_percent: u32, groups: u32) -> Option<Self> {
        if !(1..100).contains(&error_percent) || groups == 0 {
            return None;
        }
        let error_rate = f64::from(error_percent) / 100.0;
        let logarithm = |base: f64, value: f64| value.ln() / base.ln();
        let bits_of_group = logarithm(0.5, error_rate).ceil() as u32;
        let bits = (f64::from(groups) * logarithm(2.0, 1.0 / error_rate) * logarithm(2.0, E)).ceil() as u32;
        Some(Self { bits: bits.checked_next_multiple_of(8)?, bits_of_group })
    }

    /// The length of a record's bit map, a multiple of 8.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// A bit map in which nothing is set.
    #[must_use]
    pub fn empty_map(&self) -> Vec<u8> {
        vec![0; self.bits as usize / 8]
    }

    /// The bits of a group in the maps of a topic.
    #[must_use]
    pub fn bits_of(&self, group: &str, topic: &str) -> GroupBits {
        self.bits_of_name(&format!("{group}#{topic}"))
    }

    fn bits_of_name(&self, name: &str) -> GroupBits {
        let hash = murmur3::murmur3_x64_128(&mut Cursor::new(name), 0).expect("a slice can be read");
        let (low, high) = (hash as i32, (hash >> 32) as i32);
        let position = |nth: u32| {
            let combined = low.wrapping_add(high.wrapping_mul(nth.cast_signed()));
            // One's complement of what is negative: what is left is never below zero.
            (combined ^ combined >> 31).cast_unsigned() % self.bits
        };
        GroupBits { bit_num: self.bits, bit_pos: (1..=self.bits_of_group).map(position).collect() }
    }

    /// Whether bits that were computed before are of this filter, and not of one with other settings.
    #[must_use]
    pub fn made(&self, group_bits: &GroupBits) -> bool {
        let GroupBits { bit_num, bit_pos } = group_bits;
        *bit_num == self.bits
            && bit_pos.len() == self.bits_of_group as usize
            && bit_pos.iter().all(|position| *position < self.bits)
    }
}

/// A group's bits in the maps of a topic.
///
/// # Layout
/// Bit `p` of a map is bit `p % 8`, counted from the lowest, of byte `p / 8`. In `consumerFilter.json` this is an object
/// with `bitNum` and `bitPos`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupBits {
    /// How many bits the map has.
    bit_num: u32,
    /// Which of them are the group's; twice the same is possible.
    bit_pos: Vec<u32>,
}

impl GroupBits {
    /// Sets the bits in a map; positions beyond its end are left out.
    pub fn set_in(&self, map: &mut [u8]) {
        for position in &self.bit_pos {
            if let Some(byte) = map.get_mut(*position as usize / 8) {
                *byte |= 1 << (position % 8);
            }
        }
    }

    /// Whether all of them are set in a map, which is to be as long as those of the filter that made them; of another length
    /// it says nothing, and so they may be.
    #[must_use]
    pub fn may_be_in(&self, map: &[u8]) -> bool {
        let is_set =
            |position: &u32| map.get(*position as usize / 8).is_none_or(|byte| byte & 1 << (position % 8) != 0);
        map.len() * 8 != self.bit_num as usize || self.bit_pos.iter().all(is_set)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::fs;

    use super::*;

    /// Shapes: error rate, groups, bits of a group, bits. Positions: error rate, groups, name, bits of it.
    #[derive(Deserialize)]
    struct Java {
        shapes: Vec<(u32, u32, u32, u32)>,
        positions: Vec<(u32, u32, String, Vec<u32>)>,
    }

    #[test]
    fn sizes_and_positions_are_those_of_java() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sql/bloom.json");
        let java: Java = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert!(java.shapes.len() > 290 && java.positions.len() > 70, "answers are missing");
        for (error_percent, groups, bits_of_group, bits) in java.shapes {
            let filter = BloomFilter::new(error_percent, groups).unwrap();
            assert_eq!((filter.bits_of_group, filter.bits), (bits_of_group, bits), "{error_percent} % of {groups}");
        }
        for (error_percent, groups, name, expected) in java.positions {
            let filter = BloomFilter::new(error_percent, groups).unwrap();
            assert_eq!(filter.bits_of_name(&name).bit_pos, expected, "{name:?} at {error_percent} % of {groups}");
        }
    }

    /// The bits that a Java broker kept in the `consumerFilter.json` of the store fixture `e-queue-ext`.
    #[test]
    fn the_default_filter_has_three_of_112_bits_for_a_group() {
        let filter = BloomFilter::new(20, 32).unwrap();
        for (group, bits) in [("CG_sql_1", [38, 43, 93]), ("CG_sql_2", [26, 5, 106]), ("CG_sql_3", [93, 37, 56])] {
            assert_eq!(filter.bits_of(group, "FixSql"), GroupBits { bit_num: 112, bit_pos: bits.to_vec() });
        }
        assert_eq!(filter.empty_map(), [0; 14]);
    }

    #[test]
    fn rates_and_numbers_that_make_no_filter_are_refused() {
        for (error_percent, groups) in [(0, 32), (100, 32), (20, 0), (1, u32::MAX)] {
            assert_eq!(BloomFilter::new(error_percent, groups), None);
        }
    }

    #[test]
    fn a_map_has_the_bits_that_were_set_and_one_of_another_length_may_have_any() {
        let filter = BloomFilter::new(20, 32).unwrap();
        let first = filter.bits_of("CG_sql_1", "FixSql");
        let mut map = filter.empty_map();
        assert!(!first.may_be_in(&map));
        first.set_in(&mut map);
        assert_eq!(map, [0, 0, 0, 0, 0x40, 0x08, 0, 0, 0, 0, 0, 0x20, 0, 0]);
        assert!(first.may_be_in(&map) && !filter.bits_of("CG_sql_3", "FixSql").may_be_in(&map));
        assert!(first.may_be_in(&[]) && first.may_be_in(&[0; 13]) && first.may_be_in(&[0; 15]));
    }

    #[test]
    fn bits_of_other_settings_are_known_as_such() {
        let filter = BloomFilter::new(20, 32).unwrap();
        let bits = |bit_num, bit_pos: &[u32]| GroupBits { bit_num, bit_pos: bit_pos.to_vec() };
        assert!(filter.made(&bits(112, &[1, 2, 111])));
        for other in [bits(120, &[1, 2, 3]), bits(112, &[1, 2]), bits(112, &[1, 2, 112]), GroupBits::default()] {
            assert!(!filter.made(&other), "{other:?}");
        }
        assert!(!filter.made(&BloomFilter::new(20, 64).unwrap().bits_of("G", "T")));
    }
}
