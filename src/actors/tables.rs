//! The JSON files under `config/`, read when a broker starts.

use std::sync::Arc;

use super::broker::StartError;
use super::config_writer::ConfigWriter;
use super::options::BrokerOptions;
use crate::broker::filter::ConsumerFilters;
use crate::broker::groups::Groups;
use crate::broker::offsets::ConsumerOffsets;
use crate::broker::schedule::DelayOffsets;
use crate::broker::timer::progress::TimerProgress;
use crate::broker::topics::{TopicSettings, Topics};
use crate::store::{BitMaps, config_files};

const FILTERS_FILE: &str = "consumerFilter.json";

/// What makes the bit maps of the records that recovery finds in no queue: the conditions of `consumerFilter.json` as it
/// lies there. What of it cannot be read makes none, which costs its groups a look at each such record; who loads the tables
/// afterwards says so.
///
/// # Errors
/// What the operating system says.
pub(super) fn bit_maps_at_start(options: &BrokerOptions) -> Result<Option<Box<BitMaps>>, StartError> {
    let (bloom, now_ms) = (options.filters.bloom, options.clock.now_ms());
    let path = options.store.config_dir().join(FILTERS_FILE);
    let loaded = config_files::load(&*options.disk, &path, |text| ConsumerFilters::load(text, bloom, now_ms))?;
    let filters = loaded.value.map(|(filters, _)| filters);
    Ok(filters.map(|filters| -> Box<BitMaps> { Box::new(move |topic, text| filters.bit_map(topic, text)) }))
}

/// All of them.
pub(super) struct Tables {
    pub(super) state: StateTables,
    pub(super) delays: DelayTable,
    pub(super) timer: TimerTable,
}

/// What the files about topics, groups and offsets said, and what writes them from now on.
pub(super) struct StateTables {
    pub(super) topics: Topics,
    pub(super) topics_file: ConfigWriter,
    pub(super) groups: Groups,
    pub(super) groups_file: ConfigWriter,
    pub(super) offsets: ConsumerOffsets,
    pub(super) offsets_file: ConfigWriter,
    pub(super) filters: ConsumerFilters,
    pub(super) filters_file: ConfigWriter,
}

/// What `delayOffset.json` said, and what writes it from now on.
pub(super) struct DelayTable {
    pub(super) offsets: DelayOffsets,
    pub(super) file: ConfigWriter,
}

/// What `ferromq.timer.json` said, and what writes it from now on.
pub(super) struct TimerTable {
    pub(super) progress: TimerProgress,
    pub(super) file: ConfigWriter,
}

impl Tables {
    /// Lays the files over the defaults.
    pub(super) fn load(options: &BrokerOptions) -> Result<Self, StartError> {
        let now_ms = options.clock.now_ms();
        let directory = options.store.config_dir();
        let file = |name: &str| ConfigWriter::new(Arc::clone(&options.disk), directory.join(name));
        let (topics_file, groups_file) = (file("topics.json"), file("subscriptionGroup.json"));
        let (offsets_file, delays_file) = (file("consumerOffset.json"), file("delayOffset.json"));
        let settings = || TopicSettings { timer_topic: options.timer.is_some(), ..options.topics.clone() };
        let default_topics = || Topics::new(settings(), now_ms);
        let topics = topics_file.load(|text| {
            let mut topics = default_topics();
            topics.load(text).map(|()| topics)
        })?;
        let default_groups = || Groups::new(now_ms);
        let groups = groups_file.load(|text| {
            let mut groups = default_groups();
            groups.load(text).map(|()| groups)
        })?;
        let offsets = offsets_file.load(ConsumerOffsets::load)?;
        let filters_file = file(FILTERS_FILE);
        let bloom = options.filters.bloom;
        let filters = filters_file.load(|text| ConsumerFilters::load(text, bloom, now_ms))?;
        let filters = filters.map(|(filters, left_out)| {
            left_out.iter().for_each(|left_out| tracing::warn!(?left_out, "a condition of consumers is not loaded"));
            filters
        });
        let delays = delays_file.load(DelayOffsets::load)?;
        let state = StateTables {
            topics: topics.unwrap_or_else(default_topics),
            topics_file,
            groups: groups.unwrap_or_else(default_groups),
            groups_file,
            offsets: offsets.unwrap_or_default(),
            offsets_file,
            filters: filters.unwrap_or_else(|| ConsumerFilters::new(bloom)),
            filters_file,
        };
        let timer_file = file("ferromq.timer.json");
        let progress = timer_file.load(TimerProgress::load)?.unwrap_or_default();
        let timer = TimerTable { progress, file: timer_file };
        Ok(Self { state, delays: DelayTable { offsets: delays.unwrap_or_default(), file: delays_file }, timer })
    }
}
