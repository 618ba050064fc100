//! What somebody who wrote a properties file should be told although it can be used.

use std::fmt;

/// Something to log once when a properties file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nobody knows this key.
    UnknownKey {
        /// `file:line`.
        place: String,
        /// The key as it stands there.
        key: String,
        /// The known key that it resembles most, if one does.
        nearest: Option<&'static str>,
    },
    /// These keys are RocketMQ's and have no effect here.
    NoEffect {
        /// Their names, in the order of the table.
        keys: Vec<&'static str>,
    },
    /// These keys belong to something that this version does not do yet.
    NotYet {
        /// Their names, in the order of the table.
        keys: Vec<&'static str>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { place, key, nearest: Some(nearest) } => {
                write!(f, "{place}: unknown key {key:?}, did you mean {nearest:?}?")
            }
            Self::UnknownKey { place, key, nearest: None } => write!(f, "{place}: unknown key {key:?}"),
            Self::NoEffect { keys } => write!(f, "known to RocketMQ, without effect here: {}", keys.join(", ")),
            Self::NotYet { keys } => write!(f, "not supported by this version yet: {}", keys.join(", ")),
        }
    }
}
