//! Filtering by tag: the hash in the queue entry is compared, the text only by the consumer.

use std::sync::Arc;

use crate::protocol::body::subscription::{TAG_SEPARATOR, tags_of};
use crate::protocol::properties::java_hash;
use crate::store::QueueEntry;

/// A subscription's tags; cloning shares them.
///
/// Two tags with the same hash both pass: the consumer compares the text again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// Sorted hashes, of which one must be the entry's; without a set everything passes.
    codes: Option<Arc<[i32]>>,
    /// Whether a pull has brought it along: otherwise its group holds it.
    own: bool,
}

impl TagFilter {
    /// The filter that lets everything pass.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Reads a tag expression: tags between `||`; empty or `*` lets everything pass, and nothing but blanks lets nothing
    /// pass. `None` for one of separators only.
    ///
    /// # Source
    /// `FilterAPI.buildSubscriptionData` 4.9.7 (read).
    #[must_use]
    pub fn parse(expression: &str) -> Option<Self> {
        if matches!(expression, "" | "*") {
            return Some(Self::all());
        }
        if expression.split(TAG_SEPARATOR).all(str::is_empty) {
            return None;
        }
        Some(Self { own: true, ..Self::of_codes(tags_of(expression).map(java_hash)) })
    }

    /// The filter for tags with these hashes, as a heartbeat carries them; without any nothing passes.
    #[must_use]
    pub fn of_codes(codes: impl IntoIterator<Item = i32>) -> Self {
        let mut codes: Vec<i32> = codes.into_iter().collect();
        codes.sort_unstable();
        Self { codes: Some(codes.into()), own: false }
    }

    /// Whether the message of an entry passes. An entry that names a unit of an extension tells nothing of its tag.
    #[must_use]
    pub fn passes_entry(&self, entry: &QueueEntry) -> bool {
        entry.unit_address().is_some() || self.passes(entry.tags_code)
    }

    /// The bytes of its hashes, if a pull has brought it along.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.codes.as_ref().filter(|_| self.own).map_or(0, |codes| size_of_val(&**codes))
    }

    /// Whether everything passes.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.codes.is_none()
    }

    /// Whether an entry with this tag code passes.
    #[must_use]
    pub fn passes(&self, tags_code: i64) -> bool {
        // The queue stores the 32-bit hash sign-extended; only its low half is compared.
        self.codes.as_ref().is_none_or(|codes| codes.binary_search(&(tags_code as i32)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::properties::tags_code;

    fn check(expression: &str, tag: &str, passes: bool) {
        assert_eq!(
            TagFilter::parse(expression).unwrap().passes(tags_code(tag)),
            passes,
            "{tag:?} against {expression:?}"
        );
    }

    #[test]
    fn expressions_name_the_tags_that_pass() {
        check("*", "A", true);
        check("", "A", true);
        check(" A || B ", "B", true);
        check("A||B", "C", false);
        check(" ", "A", false);
        check(" || ", "", false);
        check(" * ", "A", false);
        assert_eq!(TagFilter::parse("||"), None);
        check("Aa", "BB", true);
        check("A", "", false);
    }

    #[test]
    fn a_set_without_hashes_lets_nothing_pass() {
        assert!(!TagFilter::of_codes([]).passes(tags_code("A")) && !TagFilter::of_codes([]).passes(0));
        assert!(TagFilter::all().passes(tags_code("A")));
    }

    #[test]
    fn only_what_a_pull_brings_along_counts_as_its_memory() {
        assert_eq!(TagFilter::parse("A||B").unwrap().bytes(), 8);
        assert_eq!((TagFilter::of_codes([65, 66]).bytes(), TagFilter::parse("*").unwrap().bytes()), (0, 0));
    }
}
