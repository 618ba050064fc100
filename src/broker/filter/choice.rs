//! What one pull wants of its queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ConsumerFilter, SqlFilter, TagFilter};
use crate::protocol::properties::{self, keys};
use crate::store::{QueueEntry, Unit};

/// Chooses the messages of one pull; cloning shares it.
#[derive(Clone, Debug)]
pub enum Filter {
    /// By the tag, which the queue entry has, or its unit in the queue's extension.
    Tags(TagFilter),
    /// By a condition on the properties, for which the record is read.
    Properties(SqlFilter),
    /// By the condition of a group that is known: the record is read unless the bit map in its entry's unit says that it
    /// does not meet it.
    Group(Arc<ConsumerFilter>),
    /// Of a retry topic: by the condition of the topic that a message was first consumed from (`filterSupportRetry`).
    Retried(Arc<BTreeMap<String, SqlFilter>>),
}

impl Filter {
    /// The filter that lets everything pass.
    #[must_use]
    pub fn all() -> Self {
        Self::Tags(TagFilter::all())
    }

    /// Whether a message passes; `unit` is what its entry names, if that is there, and `record` gives its properties to
    /// `passes` where neither tells.
    ///
    /// # Source
    /// `ExpressionMessageFilter.isMatchedByConsumeQueue` and `isMatchedByCommitLog` 4.9.7 (measured: store fixture
    /// `e-queue-ext`).
    #[must_use]
    pub fn passes(
        &self,
        entry: &QueueEntry,
        unit: Option<Unit<'_>>,
        record: impl FnOnce(&dyn Fn(&str) -> bool) -> Option<bool>,
    ) -> bool {
        match self {
            Self::Tags(tags) => unit.map_or_else(|| tags.passes_entry(entry), |unit| tags.passes(unit.tags_code)),
            Self::Group(group) => {
                unit.is_none_or(|unit| group.may_want(unit.bit_map, unit.store_time.0))
                    && record(&|properties| group.filter().passes(properties)).unwrap_or(false)
            }
            // What cannot be read is passed over.
            Self::Properties(condition) => record(&|properties| condition.passes(properties)).unwrap_or(false),
            Self::Retried(conditions) => record(&|text| {
                let condition = properties::find(text, keys::RETRY_TOPIC).and_then(|topic| conditions.get(topic));
                condition.is_none_or(|condition| condition.passes(text))
            })
            .unwrap_or(false),
        }
    }

    /// About the bytes that it takes; none for one that lets everything pass, and for what belongs to a group.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Tags(tags) => tags.bytes(),
            Self::Properties(condition) => condition.bytes(),
            Self::Group(_) | Self::Retried(_) => 0,
        }
    }

    /// Whether units are read to choose among records.
    #[must_use]
    pub fn reads_units(&self) -> bool {
        match self {
            Self::Tags(tags) => !tags.takes_all(),
            Self::Group(_) => true,
            Self::Properties(_) | Self::Retried(_) => false,
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
        filter.passes(&entry, None, |passes| properties.map(passes))
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
