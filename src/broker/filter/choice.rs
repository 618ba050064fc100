//! What one pull wants of its queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{SqlFilter, TagFilter};
use crate::protocol::properties::{self, keys};
use crate::store::QueueEntry;

/// Chooses the messages of one pull; cloning shares it.
#[derive(Clone, Debug)]
pub enum Filter {
    /// By the tag, which the queue entry has.
    Tags(TagFilter),
    /// By a condition on the properties, for which the record is read.
    Properties(SqlFilter),
    /// Of a retry topic: by the condition of the topic that a message was first consumed from (`filterSupportRetry`).
    Retried(Arc<BTreeMap<String, SqlFilter>>),
}

impl Filter {
    /// The filter that lets everything pass.
    #[must_use]
    pub fn all() -> Self {
        Self::Tags(TagFilter::all())
    }

    /// Whether a message passes; `record` gives its properties to `passes` where the entry does not tell.
    #[must_use]
    pub fn passes(&self, entry: &QueueEntry, record: impl FnOnce(&dyn Fn(&str) -> bool) -> Option<bool>) -> bool {
        match self {
            Self::Tags(tags) => tags.passes_entry(entry),
            // What cannot be read is passed over.
            Self::Properties(condition) => record(&|properties| condition.passes(properties)).unwrap_or(false),
            Self::Retried(conditions) => record(&|text| {
                let condition = properties::find(text, keys::RETRY_TOPIC).and_then(|topic| conditions.get(topic));
                condition.is_none_or(|condition| condition.passes(text))
            })
            .unwrap_or(false),
        }
    }

    /// Whether records are read to choose among them.
    #[must_use]
    pub fn reads_records(&self) -> bool {
        !matches!(self, Self::Tags(_))
    }
}

impl From<TagFilter> for Filter {
    fn from(tags: TagFilter) -> Self {
        Self::Tags(tags)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::properties::tags_code;
    use crate::protocol::units::PhysicalOffset;

    fn passes(filter: &Filter, properties: Option<&str>) -> bool {
        let entry = QueueEntry { physical: PhysicalOffset(1), size: 100, tags_code: tags_code("A") };
        filter.passes(&entry, |passes| properties.map(passes))
    }

    #[test]
    fn tags_need_no_record_and_conditions_do() {
        let tags = Filter::from(TagFilter::parse("A").unwrap());
        assert!(passes(&tags, None) && !tags.reads_records());
        let condition = Filter::Properties(SqlFilter::parse("a > 5").unwrap());
        assert!(condition.reads_records());
        assert!(passes(&condition, Some("a\u{1}6")) && !passes(&condition, Some("a\u{1}5")));
        assert!(!passes(&condition, None), "a record that is gone");
    }

    #[test]
    fn what_is_tried_again_is_filtered_as_it_was_first() {
        let conditions = BTreeMap::from([("T".to_owned(), SqlFilter::parse("a > 5").unwrap())]);
        let filter = Filter::Retried(Arc::new(conditions));
        assert!(passes(&filter, Some("RETRY_TOPIC\u{1}T\u{2}a\u{1}6")));
        assert!(!passes(&filter, Some("RETRY_TOPIC\u{1}T\u{2}a\u{1}5")));
        assert!(passes(&filter, Some("RETRY_TOPIC\u{1}U\u{2}a\u{1}5")), "a topic without a condition");
        assert!(passes(&filter, Some("a\u{1}5")));
    }
}
