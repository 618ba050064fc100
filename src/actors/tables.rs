//! The JSON files under `config/`, read when a broker starts.

use std::sync::Arc;

use super::broker::StartError;
use super::config_writer::ConfigWriter;
use super::options::BrokerOptions;
use crate::broker::groups::Groups;
use crate::broker::offsets::ConsumerOffsets;
use crate::broker::topics::Topics;

/// What the files said, and what writes them from now on.
pub(super) struct Tables {
    pub(super) topics: Topics,
    pub(super) topics_file: ConfigWriter,
    pub(super) groups: Groups,
    pub(super) groups_file: ConfigWriter,
    pub(super) offsets: ConsumerOffsets,
    pub(super) offsets_file: ConfigWriter,
}

impl Tables {
    /// Lays the files over the defaults.
    pub(super) fn load(options: &BrokerOptions) -> Result<Self, StartError> {
        let now_ms = options.clock.now_ms();
        let file =
            |name: &str| ConfigWriter::new(Arc::clone(&options.disk), options.store.root.join("config").join(name));
        let (topics_file, groups_file, offsets_file) =
            (file("topics.json"), file("subscriptionGroup.json"), file("consumerOffset.json"));
        let default_topics = || Topics::new(options.topics.clone(), now_ms);
        let topics = topics_file.load(|text| {
            let mut topics = default_topics();
            topics.load(text).map(|()| topics)
        })?;
        let default_groups = || Groups::new(options.auto_create_group, now_ms);
        let groups = groups_file.load(|text| {
            let mut groups = default_groups();
            groups.load(text).map(|()| groups)
        })?;
        let offsets = offsets_file.load(ConsumerOffsets::load)?;
        Ok(Self {
            topics: topics.unwrap_or_else(default_topics),
            topics_file,
            groups: groups.unwrap_or_else(default_groups),
            groups_file,
            offsets: offsets.unwrap_or_default(),
            offsets_file,
        })
    }
}
