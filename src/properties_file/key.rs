//! One row of a key table: name, type, default, and what setting it does.

use super::settings::Value;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case of letters.
    Bool,
    /// A whole number within bounds, both included. Java's `int` and `long` differ in the bounds only.
    Number {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// One of some words.
    Word(&'static [&'static str]),
    /// Any text; empty means unset.
    Text,
}

/// What setting a key does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what it does in RocketMQ.
    Used,
    /// It can have none: it tunes a part that does not exist here (a Java thread pool, a lock, a heap).
    None,
    /// It belongs to something that this version does not do yet.
    Later,
    /// As [`Effect::Later`], but any value other than the default is refused, for the reason given: the operator
    /// relies on it, and a broker that starts without it is open, alone or less durable than he believes.
    Refused(&'static str),
}

/// One row of a key table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key as it stands in a file.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default, as text; empty means unset.
    pub default: &'static str,
    /// What setting it does.
    pub effect: Effect,
    /// Whether `-m` prints it.
    pub important: bool,
    /// Whether a running process takes a new value; if not, an update of it is refused.
    pub at_run_time: bool,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self { name, kind, default, effect: Effect::Used, important: false, at_run_time: true }
    }

    /// A switch.
    pub const fn switch(name: &'static str, default: bool) -> Self {
        Self::new(name, Kind::Bool, if default { "true" } else { "false" })
    }

    /// A number that must not be negative and fits Java's `int`.
    pub const fn int(name: &'static str, default: &'static str) -> Self {
        Self::new(name, Kind::Number { min: 0, max: i32::MAX as i64 }, default)
    }

    /// A number that must not be negative and fits Java's `long`.
    pub const fn long(name: &'static str, default: &'static str) -> Self {
        Self::new(name, Kind::Number { min: 0, max: i64::MAX }, default)
    }

    /// A text; an empty default means unset.
    pub const fn text(name: &'static str, default: &'static str) -> Self {
        Self::new(name, Kind::Text, default)
    }

    /// One of some words.
    pub const fn word(name: &'static str, words: &'static [&'static str], default: &'static str) -> Self {
        Self::new(name, Kind::Word(words), default)
    }

    /// Narrower bounds of a number.
    pub const fn within(self, min: i64, max: i64) -> Self {
        Self { kind: Kind::Number { min, max }, ..self }
    }

    /// Printed by `-m`.
    pub const fn important(self) -> Self {
        Self { important: true, ..self }
    }

    /// Read once at the start: an update at run time is refused.
    pub const fn at_start(self) -> Self {
        Self { at_run_time: false, ..self }
    }

    /// Known, and without effect here.
    pub const fn no_effect(self) -> Self {
        Self { effect: Effect::None, ..self }
    }

    /// Belongs to something that is not there yet.
    pub const fn later(self) -> Self {
        Self { effect: Effect::Later, ..self }
    }

    /// Belongs to something that is not there yet and that must not be missed in silence.
    pub const fn refused(self, reason: &'static str) -> Self {
        Self { effect: Effect::Refused(reason), at_run_time: false, ..self }
    }

    /// What the key takes, in words.
    #[must_use]
    pub fn expected(&self) -> String {
        match self.kind {
            Kind::Bool => "true or false".into(),
            Kind::Number { min, max: i64::MAX } => format!("a whole number, {min} or more"),
            Kind::Number { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Text => "a text".into(),
        }
    }

    /// Reads a value of this key, if `text` is one.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Bool if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Kind::Bool if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            Kind::Bool => None,
            Kind::Number { min, max } => {
                let number = text.parse().ok().filter(|number| (min..=max).contains(number))?;
                Some(Value::Number(number))
            }
            Kind::Word(words) => words.iter().find(|word| **word == text).map(|word| Value::Text((*word).into())),
            Kind::Text => Some(Value::Text(text.into())),
        }
    }
}
