//! Names of topics and consumer groups: one that exists is legal.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest topic name, in characters and bytes: its length is one signed byte in a stored record.
pub const TOPIC_LENGTH_MAX: usize = 127;
/// Longest group name in characters.
pub const GROUP_LENGTH_MAX: usize = 255;
/// What a group's retry topic begins with.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// What a group's dead-letter topic begins with.
pub const DEAD_LETTER_PREFIX: &str = "%DLQ%";

/// Why a text is not a name. The texts are RocketMQ's, which tools match on.
///
/// # Source
/// `org.apache.rocketmq.common.topic.TopicValidator` 4.9.7 (read).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or blanks only.
    #[error("The specified topic is blank.")]
    Blank,
    /// A character outside `[%|a-zA-Z0-9_-]`.
    #[error("The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$")]
    IllegalCharacter,
    /// Longer than the limit, which is given.
    #[error("The specified topic is longer than topic max length {0}.")]
    TooLong(usize),
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                // A name is mostly compared with a clone of itself.
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl $name {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            /// Tells which rule the text breaks.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check(text, $limit)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().into()
            }
        }
    };
}

name! {
    /// A topic's name; cloning shares the text.
    Topic, TOPIC_LENGTH_MAX
}
name! {
    /// A producer or consumer group's name; cloning shares the text.
    GroupName, GROUP_LENGTH_MAX
}

impl Topic {
    /// The topic that holds a group's messages to be tried again.
    ///
    /// # Errors
    /// The group's name is too long to carry the prefix.
    pub fn retry_of(group: &GroupName) -> Result<Self, NameError> {
        Self::parse(&format!("{RETRY_PREFIX}{group}"))
    }

    /// The topic that holds a group's messages that were tried too often.
    ///
    /// # Errors
    /// The group's name is too long to carry the prefix.
    pub fn dead_letters_of(group: &GroupName) -> Result<Self, NameError> {
        Self::parse(&format!("{DEAD_LETTER_PREFIX}{group}"))
    }

    /// Whether this topic holds messages to be tried again.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.0.starts_with(RETRY_PREFIX)
    }
}

/// Whether a topic holds what consumers of a group could not handle, and is no application's.
#[must_use]
pub fn is_of_a_group(topic: &str) -> bool {
    topic.starts_with(RETRY_PREFIX) || topic.starts_with(DEAD_LETTER_PREFIX)
}

/// Whether a text is a topic's name, for who does not keep it.
///
/// # Errors
/// Tells which rule the text breaks.
pub fn check_topic(text: &str) -> Result<(), NameError> {
    check(text, TOPIC_LENGTH_MAX)
}

/// The same for a group's name.
///
/// # Errors
/// Tells which rule the text breaks.
pub fn check_group(text: &str) -> Result<(), NameError> {
    check(text, GROUP_LENGTH_MAX)
}

fn check(text: &str, length_max: usize) -> Result<(), NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Blank);
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'|' | b'_' | b'-')) {
        return Err(NameError::IllegalCharacter);
    }
    if text.len() > length_max {
        return Err(NameError::TooLong(length_max));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_the_rules_of_the_reference() {
        assert!(Topic::parse("%RETRY%group|a_b-C9").is_ok());
        assert_eq!(Topic::parse(" "), Err(NameError::Blank));
        assert_eq!(Topic::parse("a b"), Err(NameError::IllegalCharacter));
        assert_eq!(Topic::parse("täg"), Err(NameError::IllegalCharacter));
        assert!(Topic::parse(&"t".repeat(127)).is_ok());
        assert_eq!(Topic::parse(&"t".repeat(128)), Err(NameError::TooLong(127)));
        assert!(GroupName::parse(&"g".repeat(255)).is_ok());
    }
}
