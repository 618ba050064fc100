//! Numbers of a condition, and texts read as numbers, by the rules of `Integer`, `Long` and `Double` in Java.

use std::cmp::Ordering;

/// How long a number may be; a longer text is none.
///
/// A double has 767 digits at most. A condition reads a property anew for each number that it compares it with, and one
/// record can have 32 KiB of digits.
pub(super) const NUMBER_BYTES_MAX: usize = 1024;

/// A number; its kind decides how a text is read that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i32),
    Long(i64),
    Double(f64),
}

impl Number {
    /// The narrowest kind that has this value.
    pub(super) fn of_whole(value: i64) -> Self {
        i32::try_from(value).map_or(Self::Long(value), Self::Int)
    }

    /// A text read as a number of the same kind.
    pub(super) fn like(self, text: &str) -> Option<Self> {
        match self {
            Self::Int(_) => int(text).map(Self::Int),
            Self::Long(_) => long(text).map(Self::Long),
            Self::Double(_) => double(text).map(Self::Double),
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Int(value) => Self::Int(value.wrapping_neg()),
            Self::Long(value) => Self::Long(value.wrapping_neg()),
            Self::Double(value) => Self::Double(-value),
        }
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        let whole = |number| match number {
            Self::Int(value) => Some(i64::from(value)),
            Self::Long(value) => Some(value),
            Self::Double(_) => None,
        };
        match (whole(self), whole(other)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => compare_doubles(self.to_double(), other.to_double()),
        }
    }

    fn to_double(self) -> f64 {
        match self {
            Self::Int(value) => f64::from(value),
            Self::Long(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

/// `-0.0` is less than `0.0`, and NaN, of which a text gives only the positive one, is equal to itself and above all.
pub(super) fn compare_doubles(left: f64, right: f64) -> Ordering {
    left.total_cmp(&right)
}

/// `Integer.valueOf`.
fn int(text: &str) -> Option<i32> {
    long(text)?.try_into().ok()
}

/// `Long.valueOf`: a sign and digits of any script, without blanks.
fn long(text: &str) -> Option<i64> {
    if text.len() > NUMBER_BYTES_MAX {
        return None;
    }
    if text.is_ascii() {
        return text.parse().ok();
    }
    let ascii: Option<String> = text.chars().map(|c| if c.is_ascii() { Some(c) } else { ascii_digit(c) }).collect();
    ascii?.parse().ok()
}

/// The digits 0 of the scripts beyond ASCII that have ten digits in a row.
///
/// # Source
/// `Character.digit` of Java 17, which knows Unicode 13, for each `char` (measured).
const ZEROS: [char; 36] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{1090}', '\u{17e0}', '\u{1810}',
    '\u{1946}', '\u{19d0}', '\u{1a80}', '\u{1a90}', '\u{1b50}', '\u{1bb0}', '\u{1c40}', '\u{1c50}', '\u{a620}',
    '\u{a8d0}', '\u{a900}', '\u{a9d0}', '\u{a9f0}', '\u{aa50}', '\u{abf0}', '\u{ff10}',
];

fn ascii_digit(digit: char) -> Option<char> {
    let value = |zero: &char| u32::from(digit).checked_sub(u32::from(*zero)).filter(|value| *value < 10);
    ZEROS.iter().find_map(value).and_then(|value| char::from_digit(value, 10))
}

/// `Double.valueOf`: blanks around it do not count, and an `f` or `d` behind it neither.
pub(super) fn double(text: &str) -> Option<f64> {
    if text.len() > NUMBER_BYTES_MAX {
        return None;
    }
    let text = text.trim_matches(|c| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let magnitude = match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => f64::INFINITY,
        _ => {
            let digits = unsigned.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(unsigned);
            match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
                Some(hexadecimal) => of_hexadecimal(hexadecimal)?,
                // Rust reads the same decimals, but also words, and a sign that has been read already.
                None if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => digits.parse().ok()?,
                None => return None,
            }
        }
    };
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Reads `1.8p3`: sixteenths before the `p`, behind it the power of two in decimal.
fn of_hexadecimal(text: &str) -> Option<f64> {
    let (digits, power) = text.split_once(['p', 'P'])?;
    let power = power.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(power);
    let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // What does not fit is beyond all doubles, whatever the digits are.
    let beyond = if power.starts_with('-') { i32::MIN / 2 } else { i32::MAX / 2 };
    let mut power: i32 = power.parse().unwrap_or(beyond).clamp(i32::MIN / 2, i32::MAX / 2);

    let mut significand = 0_u64;
    let mut is_cut = false;
    let in_whole = whole.chars().map(|digit| (digit, 0));
    for (digit, power_of_digit) in in_whole.chain(fraction.chars().map(|digit| (digit, -4))) {
        let digit = digit.to_digit(16)?;
        power += power_of_digit;
        if significand >> 60 == 0 {
            significand = significand << 4 | u64::from(digit);
        } else {
            power += 4;
            is_cut |= digit != 0;
        }
    }
    // There are more bits than a double has, so what was cut off only matters for rounding up or down.
    Some(scaled(significand | u64::from(is_cut), power))
}

/// `significand * 2^power`, rounded once, half to even.
fn scaled(significand: u64, power: i32) -> f64 {
    const BITS: i32 = f64::MANTISSA_DIGITS.cast_signed();
    if significand == 0 {
        return 0.0;
    }
    let length = 64 - significand.leading_zeros().cast_signed();
    // Subnormal numbers have fewer bits: the last one is worth 2^-1074.
    let last = (length + power - BITS).max(f64::MIN_EXP - BITS);
    let cut = last - power;
    let kept = match cut {
        ..=0 => significand,
        1..=64 => {
            let below = u128::from(significand) & ((1 << cut) - 1);
            let half = 1_u128 << (cut - 1);
            let kept = (u128::from(significand) >> cut) as u64;
            kept + u64::from(below > half || below == half && kept & 1 == 1)
        }
        _ => return 0.0,
    };
    let power = power.max(last);
    // Nothing is rounded from here on; two steps, because 2^-1074 has no normal inverse.
    let half = power.clamp(-2000, 2000) / 2;
    kept as f64 * 2_f64.powi(half) * 2_f64.powi(power.clamp(-2000, 2000) - half)
}
