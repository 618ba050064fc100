//! Java properties files as RocketMQ uses them: text in, checked settings or errors with line numbers out.
//!
//! One file feeds several classes of a Java process, matched by key. Here the keys stand in tables ([`Key`]) that say
//! type, default and effect; [`Settings`] holds the value of every key of the tables it was made with and knows
//! where each came from (default, file, command line), so that a flag wins over the file and the file over the
//! default in whatever order they are applied.
//!
//! This module opens no file: who calls it hands in the bytes and the name to show in messages. What the keys mean is
//! the business of `broker::config` and `namesrv::config`.
//!
//! # Source
//! `MixAll.properties2Object` and `MixAll.object2Properties` 4.9.7 (read). Java ignores unknown keys and values that
//! do not parse; here the first is a [`Notice`] and the second an error, and blanks at the end of a value, which make
//! Java ignore it, are dropped.

mod key;
mod notice;
pub mod server_keys;
mod settings;

pub use key::{Effect, Key, Kind};
pub use notice::Notice;
pub use settings::{Origin, Refusal, Settings, Update};

use std::borrow::Cow;

use encoding_rs::{UTF_8, WINDOWS_1252};
use java_properties::{LineContent, PropertiesIter};
use thiserror::Error;

/// What is wrong in a properties file or with a setting.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The text is no properties file (an escape such as `\u00zz`).
    #[error("{file}:{line}: not a properties file: {reason}")]
    Syntax {
        /// File as the caller named it.
        file: String,
        /// First line is 1; 0 where it is not known.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A value that its key does not take.
    #[error("{place}: {key}: expected {expected}, found {found:?}")]
    Value {
        /// `file:line`, or what else set the value (`--port`).
        place: String,
        /// The key.
        key: &'static str,
        /// What the key takes, in words.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A key that nobody knows, where the caller asked for strictness.
    #[error("{0}")]
    UnknownKey(Notice),
    /// A legal value of a feature that this version lacks, and without which starting would break a promise.
    #[error("{place}: {key}={found} is not supported by this version: {reason}")]
    Unsupported {
        /// `file:line`, or what else set the value.
        place: String,
        /// The key.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What would be wrong with going on.
        reason: &'static str,
    },
}

/// One `key=value` of a properties text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Line at which it begins; the first is 1.
    pub line: usize,
    /// Key, unescaped.
    pub key: String,
    /// Value, unescaped, without blanks at its ends.
    pub value: String,
}

/// Splits a properties text into its entries, in their order; a key may come twice.
///
/// The text is UTF-8; where it is not, each byte is a character (Windows-1252, which holds Latin-1, as Java reads them all).
/// A character may be two escapes, as Java writes those that UTF-16 makes of two units.
///
/// # Errors
/// [`SettingsError::Syntax`] with the line.
pub fn entries(file: &str, text: &[u8]) -> Result<Vec<Entry>, SettingsError> {
    let text =
        std::str::from_utf8(text).map_or_else(|_| WINDOWS_1252.decode_without_bom_handling(text).0, Cow::Borrowed);
    let text = joined(&text);
    let mut entries = Vec::new();
    // The library is given whole characters only: at half of one, or of a byte order mark, at the end it panics.
    for line in PropertiesIter::new_with_encoding(text.as_bytes(), UTF_8) {
        let line = line.map_err(|error| SettingsError::Syntax {
            file: file.into(),
            line: error.line_number().unwrap_or(0),
            reason: error.to_string(),
        })?;
        let number = line.line_number();
        if let LineContent::KVPair(key, value) = line.consume_content()
            && !key.is_empty()
        {
            entries.push(Entry { line: number, key, value: value.trim().into() });
        }
    }
    Ok(entries)
}

/// The text with each pair of escapes that stands for one character, such as `\ud83d\udc1e`, as that character: the library reads
/// them one by one, and a half is none.
fn joined(text: &str) -> Cow<'_, str> {
    let mut joined = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined += before;
        let pair = pair(escape);
        // Of another escape the second letter is passed over: it may be a backslash itself.
        let length = match pair {
            Some(_) => 2 * ESCAPE_LENGTH,
            None => escape.chars().take(2).map(char::len_utf8).sum(),
        };
        let (escape, after) = escape.split_at(length);
        match pair {
            Some(letter) => joined.push(letter),
            None => joined += escape,
        }
        rest = after;
    }
    if joined.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(joined + rest) }
}

/// Bytes of an escape such as `\u00e9`.
const ESCAPE_LENGTH: usize = 6;

/// The character that two escapes at the beginning of the text stand for.
fn pair(text: &str) -> Option<char> {
    let units = [unit(text)?, unit(text.get(ESCAPE_LENGTH..)?)?];
    char::decode_utf16(units).next()?.ok().filter(|letter| letter.len_utf16() == 2)
}

/// The unit of UTF-16 that an escape at the beginning of the text stands for.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..ESCAPE_LENGTH - 2)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
