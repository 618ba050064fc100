//! `consumerFilter.json`: the filters by topic and group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::broker::filter::bloom::GroupBits;

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FilterFile {
    filter_data_by_topic: BTreeMap<String, TopicFilters>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TopicFilters {
    group_filter_data: BTreeMap<String, FilterEntry>,
    topic: String,
}

/// The filter of one group for one topic.
///
/// # Units
/// Times are milliseconds since the epoch. Who died at `dead_time` is dead unless that is before `born_time`; 0 stands for
/// alive. `dead` is written for people, and not read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FilterEntry {
    pub(super) bloom_filter_data: GroupBits,
    pub(super) born_time: i64,
    pub(super) client_version: i64,
    pub(super) consumer_group: String,
    #[serde(skip_deserializing)]
    pub(super) dead: bool,
    pub(super) dead_time: i64,
    pub(super) expression: String,
    pub(super) expression_type: String,
    pub(super) topic: String,
}

impl FilterFile {
    /// Of `(topic, group, entry)`.
    pub(super) fn of_entries<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str, FilterEntry)>) -> Self {
        let mut file = Self::default();
        for (topic, group, entry) in entries {
            let filters = file.filter_data_by_topic.entry(topic.to_owned()).or_default();
            topic.clone_into(&mut filters.topic);
            filters.group_filter_data.insert(group.to_owned(), entry);
        }
        file
    }

    /// `(topic, group, entry)` of all filters; the names are those that they are filed under.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (String, String, FilterEntry)> {
        self.filter_data_by_topic.into_iter().flat_map(|(topic, filters)| {
            filters.group_filter_data.into_iter().map(move |(group, entry)| (topic.clone(), group, entry))
        })
    }
}
