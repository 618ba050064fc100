//! The attributes of topics, and what administrators change of them.
//!
//! # Source
//! The text is that of RocketMQ 5 (`org.apache.rocketmq.common.attribute.AttributeParser`, read), whose `mqadmin updateTopic
//! -a` sends it; 4.9.7 has no attributes.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::broker::duplicates::WINDOW_ATTRIBUTE;
use crate::protocol::refusal::Refusal;

/// The attributes that mean something here.
const KNOWN: [&str; 1] = [WINDOW_ATTRIBUTE];

/// Why attributes are not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttributeError {
    /// The text is none.
    #[error("the change of a topic attribute is {0:?}, expected +name=value or -name")]
    Form(String),
    /// The attribute means nothing here, and its topic would not be what is wanted.
    #[error("the topic attribute {0} is not known, there is {WINDOW_ATTRIBUTE}")]
    Unknown(String),
}

impl From<AttributeError> for Refusal {
    fn from(error: AttributeError) -> Self {
        Self::error(error.to_string())
    }
}

/// The attributes after a change: `+name=value` sets one, `-name` takes it away, with commas between several. Nothing
/// changes by an empty text.
///
/// # Errors
/// See [`AttributeError`].
pub fn changed(
    mut attributes: BTreeMap<String, String>,
    changes: &str,
) -> Result<BTreeMap<String, String>, AttributeError> {
    for change in changes.split(',').map(str::trim).filter(|change| !change.is_empty()) {
        let malformed = || AttributeError::Form(change.to_owned());
        let (name, value) = match (change.strip_prefix('+'), change.strip_prefix('-')) {
            (Some(set), _) => set.split_once('=').map(|(name, value)| (name.trim(), Some(value.trim()))),
            (_, Some(taken)) => Some((taken.trim(), None)),
            _ => None,
        }
        .ok_or_else(malformed)?;
        match value {
            Some(_) if !KNOWN.contains(&name) => return Err(AttributeError::Unknown(name.to_owned())),
            Some(value) => drop(attributes.insert(name.to_owned(), value.to_owned())),
            None => drop(attributes.remove(name)),
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(attributes: &[(&str, &str)], changes: &str) -> Result<Vec<(String, String)>, AttributeError> {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        changed(attributes, changes).map(|changed| changed.into_iter().collect())
    }

    #[test]
    fn attributes_are_set_kept_and_taken_away() {
        let window = |value: &str| Ok(vec![(WINDOW_ATTRIBUTE.to_owned(), value.to_owned())]);
        assert_eq!(change(&[], ""), Ok(vec![]));
        assert_eq!(change(&[], "+duplicate.window.ms=5"), window("5"));
        assert_eq!(change(&[(WINDOW_ATTRIBUTE, "5")], ""), window("5"));
        assert_eq!(change(&[(WINDOW_ATTRIBUTE, "5"), ("old", "1")], "+duplicate.window.ms=6, -old"), window("6"));
        assert_eq!(change(&[(WINDOW_ATTRIBUTE, "5")], "-duplicate.window.ms"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for malformed in ["duplicate.window.ms=5", "+duplicate.window.ms", "=", "x"] {
            assert_eq!(change(&[], malformed), Err(AttributeError::Form(malformed.into())));
        }
        assert_eq!(change(&[], "+message.type=FIFO"), Err(AttributeError::Unknown("message.type".into())));
    }
}
