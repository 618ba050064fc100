//! Filtering by properties: a condition in the SQL92 dialect of RocketMQ, evaluated on every record.
//!
//! ```text
//! text ── lexer ──► tokens ── parser ──► Expression ── with the properties of a record ──► true, false, null, or failed
//! ```
//!
//! Only true lets a record pass. Grammar and answers are those of the reference, oddities included: a value is a text that
//! becomes a number when it is compared with one, and fails if it is none; after a whole condition the text may go on, and
//! what stands there is not read. What is refused beyond that are conditions so large that they could stop a broker.
//!
//! The crate `sqlparser` does not read this language: `NOT a = 1` is `NOT (a = 1)` to it and `(NOT a) = 1` to the
//! reference, properties called `interval` or `exists` are syntax errors, `0L` is one number instead of two tokens, a `--`
//! without a line break is a comment, and its tree does not say where the operand stands that must be refused.
//!
//! # Source
//! `org.apache.rocketmq.filter` 4.9.7 (read, and measured: `tests/fixtures/sql`).

mod expression;
mod lexer;
mod number;
mod parser;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use thiserror::Error;

use self::expression::{Expression, Failed, Value};
use crate::protocol::properties;

/// How long a condition may be.
///
/// # Units
/// Bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// How many parentheses, signs and NOTs may stand within each other.
pub const DEPTH_MAX: usize = 128;
/// How many properties, constants and operators a condition may have; the texts of an IN do not count.
pub const NODES_MAX: usize = 2048;

/// A condition on a message's properties, ready to be evaluated; cloning shares it.
#[derive(Clone, Debug)]
pub struct SqlFilter {
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    condition: Expression,
    /// The properties that the condition asks for, each with its place among the values of a record.
    names: BTreeMap<Box<str>, usize>,
    bytes: usize,
}

/// Compiled, a condition takes about so many times the bytes of its text.
const COMPILED_TIMES: usize = 24;

impl SqlFilter {
    /// Reads a condition.
    ///
    /// # Errors
    /// Says what was expected, and where.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let (condition, names) = parser::parse(text).map_err(|error| *error)?;
        Ok(Self { compiled: Arc::new(Compiled { condition, names, bytes: text.len() * COMPILED_TIMES }) })
    }

    /// About the bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.compiled.bytes
    }

    /// Whether a record passes that has these properties, given as they are stored ([`properties`]).
    #[must_use]
    pub fn passes(&self, properties_text: &str) -> bool {
        self.evaluate(properties_text) == Ok(Some(true))
    }

    /// `None` is null.
    fn evaluate(&self, properties_text: &str) -> Result<Option<bool>, Failed> {
        let Compiled { condition, names, .. } = &*self.compiled;
        // One walk over the properties, however often they are asked for: the text may be long, and so may the condition.
        let mut values: SmallVec<[Option<&str>; 8]> = smallvec![None; names.len()];
        for (name, value) in properties::pairs(properties_text) {
            if let Some(place) = names.get(name).and_then(|place| values.get_mut(*place)) {
                *place = Some(value);
            }
        }
        Ok(condition.evaluate(&values)?.map(|value| value == Value::Bool(true)))
    }
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SqlError {
    /// Something else should stand there.
    #[error("{at}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        at: Position,
        /// What would have been right.
        expected: &'static str,
        /// What is there, cut if it is long.
        found: String,
    },
    /// It can be read, but means nothing.
    #[error("{at}: {reason}")]
    Meaning {
        /// Where the part begins that is meant.
        at: Position,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is longer than [`TEXT_BYTES_MAX`].
    #[error("{bytes} bytes, which is more than {TEXT_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Deeper than [`DEPTH_MAX`].
    #[error("{at}: more than {DEPTH_MAX} parentheses, signs and NOTs within each other")]
    TooDeep {
        /// Where that many are open.
        at: Position,
    },
    /// More than [`NODES_MAX`].
    #[error("{at}: more than {NODES_MAX} properties, constants and operators")]
    TooMany {
        /// Where the first one stands that is too many.
        at: Position,
    },
}

/// A place in a condition, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Position {
    /// Of the byte `at` in `text`.
    fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |line_break| line_break + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: in_line.chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)
    }
}

#[cfg(test)]
mod tests;
