//! The broker's topics: which there are, how they come into being, and the text that is kept of them.
//!
//! [`Topics`] is the owner's; everybody else reads a [`TopicTable`], a snapshot that costs a pointer to clone. Each
//! change counts up the version, by which name servers notice that they have to ask again.
//!
//! A name in a file or configuration that is no legal topic is left out: nothing could be sent to it. (A broker's default
//! name is its host name, which has dots.)

pub mod attributes;
mod start_up;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use thiserror::Error;

use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::kv::KvTable;
use crate::protocol::body::topic_config::{Permission, TopicConfig, TopicConfigTable, topic_sys_flag};
use crate::protocol::body::{BodyError, lenient, pretty};
use crate::protocol::codes::response;
use crate::protocol::names::{NameError, Topic};
use crate::protocol::refusal::{Refusal, SEE_FAQ};

pub use start_up::{
    AUTO_CREATE_TOPIC, CHECKED_TOO_OFTEN_TOPIC, HALF_TOPIC, OFFSET_MOVED_EVENT, OP_HALF_TOPIC, SCHEDULE_TOPIC,
    TIMER_TOPIC, TRACE_TOPIC, TopicSettings, checked_too_often_topic, half_topic, is_reserved_topic, is_system_topic,
    offset_moved_topic, op_half_topic, reply_topic, schedule_topic, system_topics,
};

/// All topics at one moment. Cloning shares everything.
#[derive(Clone, Debug, Default)]
pub struct TopicTable {
    // Ordered, so that what is written from it is the same in every run with the same seed.
    topics: OrdMap<Topic, Arc<TopicConfig>>,
    version: DataVersion,
}

impl TopicTable {
    /// A topic by name, with the name as a value that can be kept.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&Topic, &TopicConfig)> {
        self.topics.get_key_value(name).map(|(topic, config)| (topic, &**config))
    }

    /// The same, to be kept.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<(&Topic, &Arc<TopicConfig>)> {
        self.topics.get_key_value(name)
    }

    /// A topic's settings.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<&Arc<TopicConfig>> {
        self.topics.get(name)
    }

    /// Every topic, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Topic, &Arc<TopicConfig>)> {
        self.topics.iter()
    }

    /// How many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// When and how often the table has been changed.
    #[must_use]
    pub fn version(&self) -> DataVersion {
        self.version
    }

    /// The table as GET_ALL_TOPIC_CONFIG and a full registration send it.
    #[must_use]
    pub fn body(&self) -> TopicConfigTable {
        self.body_of(self.topics.iter())
    }

    /// What a registration sends after a change of one topic: that topic, and the version of the whole table.
    #[must_use]
    pub fn body_of_one(&self, name: &str) -> TopicConfigTable {
        self.body_of(self.topics.get_key_value(name))
    }

    /// The text of `topics.json`. Large with many topics: for whoever writes files, not for whoever owns the table.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(&self.body())
    }

    fn body_of<'a>(&self, topics: impl IntoIterator<Item = (&'a Topic, &'a Arc<TopicConfig>)>) -> TopicConfigTable {
        let by_name = topics.into_iter().map(|(topic, config)| (topic.as_str().into(), config.clone()));
        TopicConfigTable { data_version: self.version, topic_config_table: by_name.collect() }
    }
}

/// Why a topic is not made, changed or deleted. The texts are RocketMQ's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The topic belongs to the broker.
    #[error("The topic[{0}] is conflict with system topic.")]
    System(Topic),
    /// The topic is unknown and may not be made by sending to it.
    #[error("topic[{0}] not exist, apply first please!{faq}", faq = SEE_FAQ)]
    Unknown(Topic),
    /// The topic was deleted, and what belongs to it is not removed yet.
    #[error("topic[{0}] is deleted, but its files could not be removed: delete it again")]
    Unremoved(Topic),
}

impl From<TopicError> for Refusal {
    fn from(error: TopicError) -> Self {
        let code = match error {
            TopicError::Name(_) | TopicError::System(_) => response::SYSTEM_ERROR,
            TopicError::Unknown(_) | TopicError::Unremoved(_) => response::TOPIC_NOT_EXIST,
        };
        Self::new(code, error.to_string())
    }
}

/// What a send to an unknown topic says about the topic to be made.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The topic after whose pattern it is to be made.
    pub pattern: &'a str,
    /// How many queues the producer wants.
    pub queues: u32,
    /// Whether the producer belongs to one unit of a cross-unit deployment.
    pub unit_mode: bool,
}

/// The owner's table: changed here, read as [`TopicTable`].
#[derive(Debug)]
pub struct Topics {
    settings: TopicSettings,
    table: TopicTable,
    /// Deleted topics whose files could not be removed. The writer takes nothing for them, so what waits for one that is made
    /// again would be lost.
    unremoved: BTreeSet<Topic>,
}

impl Topics {
    /// The topics that every broker has, before its file is laid over them.
    #[must_use]
    pub fn new(settings: TopicSettings, now_ms: i64) -> Self {
        let topics = start_up::topics(&settings).into_iter().filter_map(legal).collect();
        let table = TopicTable { topics, version: DataVersion::new(now_ms) };
        Self { settings, table, unremoved: BTreeSet::new() }
    }

    /// Lays the content of `topics.json` over the topics that are there.
    ///
    /// # Errors
    /// Text that is no such file; nothing is changed then.
    pub fn load(&mut self, text: &str) -> Result<(), BodyError> {
        let file: TopicConfigTable = lenient::read(text.as_bytes())?;
        let loaded = file.topic_config_table.into_iter().filter_map(|(name, config)| named(&name, config));
        for (topic, config) in loaded {
            self.table.topics.insert(topic, config);
        }
        self.table.version = file.data_version;
        Ok(())
    }

    /// Replaces everything by what a master sent.
    pub fn replace(&mut self, master: TopicConfigTable) {
        let topics = master.topic_config_table.into_iter().filter_map(|(name, config)| named(&name, config));
        self.table = TopicTable { topics: topics.collect(), version: master.data_version };
    }

    /// The topics as they are now.
    #[must_use]
    pub fn table(&self) -> TopicTable {
        self.table.clone()
    }

    /// Makes the topic of a send if it is unknown and may be made. Changed: publish, write the file, register one way.
    ///
    /// A pattern that may be inherited (TBW102) decides what it becomes. A retry topic needs none.
    ///
    /// # Errors
    /// [`TopicError::Unknown`] when it may not be made, [`TopicError::Unremoved`] when it may not be yet.
    ///
    /// # Source
    /// `TopicConfigManager.createTopicInSendMessageMethod` and `AbstractSendMessageProcessor.msgCheck` 4.9.7 (read).
    pub fn create_for_send(&mut self, topic: &Topic, wish: Wish<'_>, now_ms: i64) -> Result<Changed, TopicError> {
        if self.table.topics.contains_key(topic) {
            return Ok(Changed::No);
        }
        self.check_removed(topic)?;
        let sys_flag = match (wish.unit_mode, topic.is_retry()) {
            (false, _) => 0,
            (true, false) => topic_sys_flag::UNIT,
            (true, true) => topic_sys_flag::UNIT_SUBSCRIPTION,
        };
        let made = match self.pattern(wish.pattern) {
            Some(pattern) => TopicConfig {
                perm: pattern.perm.without(Permission::INHERIT),
                topic_filter_type: pattern.topic_filter_type,
                ..TopicConfig::new(topic.as_str(), wish.queues.min(pattern.write_queue_nums), pattern.perm)
            },
            None if topic.is_retry() => TopicConfig::new(topic.as_str(), 1, Permission::READ_WRITE),
            None => return Err(TopicError::Unknown(topic.clone())),
        };
        self.put(topic.clone(), TopicConfig { topic_sys_flag: sys_flag, ..made }, now_ms);
        Ok(Changed::Yes)
    }

    /// Makes a topic of the broker's own (a group's retry or dead-letter topic) unless it is there, or may not be made yet.
    pub fn create_if_absent(&mut self, topic: &Topic, config: TopicConfig, now_ms: i64) -> Changed {
        if self.table.topics.contains_key(topic) || self.unremoved.contains(topic) {
            return Changed::No;
        }
        self.put(topic.clone(), config, now_ms);
        Changed::Yes
    }

    /// Makes or changes a topic as UPDATE_AND_CREATE_TOPIC asks. Changed: publish, write the file, register this topic.
    ///
    /// # Errors
    /// The name is not legal, or the broker's own; or it may not be made yet.
    pub fn update(&mut self, config: TopicConfig, now_ms: i64) -> Result<Topic, TopicError> {
        let topic = self.checked(&config.topic_name)?;
        self.check_removed(&topic)?;
        self.put(topic.clone(), config, now_ms);
        Ok(topic)
    }

    /// Deletes a topic; one that is unknown counts as deleted. Its queues are for somebody else to remove.
    ///
    /// # Errors
    /// The name is not legal, or the broker's own.
    pub fn delete(&mut self, name: &str, now_ms: i64) -> Result<Changed, TopicError> {
        let topic = self.checked(name)?;
        if self.table.topics.remove(&topic).is_none() {
            return Ok(Changed::No);
        }
        self.table.version.change(now_ms);
        Ok(Changed::Yes)
    }

    /// Marks exactly those topics as ordered that the name servers' ORDER_TOPIC_CONFIG lists.
    pub fn apply_order(&mut self, ordered: &KvTable, now_ms: i64) -> Changed {
        let is_ordered = |topic: &Topic| ordered.table.contains_key(topic.as_str());
        let differing: BTreeMap<Topic, TopicConfig> = self
            .table
            .iter()
            .filter(|(topic, config)| config.order != is_ordered(topic))
            .map(|(topic, config)| (topic.clone(), TopicConfig { order: !config.order, ..TopicConfig::clone(config) }))
            .collect();
        if differing.is_empty() {
            return Changed::No;
        }
        for (topic, config) in differing {
            self.table.topics.insert(topic, Arc::new(config));
        }
        self.table.version.change(now_ms);
        Changed::Yes
    }

    /// Counts a change that is not in the table but that name servers must hear of: the broker's own permission.
    pub fn touch(&mut self, now_ms: i64) {
        self.table.version.change(now_ms);
    }

    /// The names that are the broker's own.
    pub fn system_topics(&self) -> impl Iterator<Item = String> {
        system_topics(&self.settings)
    }

    /// The topics among these that only queues know, and that nothing is lost with but messages that nobody can get.
    ///
    /// # Source
    /// `DefaultMessageStore.cleanUnusedTopic` 4.9.7 (read), which would also take the half messages of a broker whose
    /// `topics.json` was lost.
    #[must_use]
    pub fn unused(&self, with_queues: Vec<Topic>) -> Vec<Topic> {
        const KEPT: [&str; 4] = [SCHEDULE_TOPIC, HALF_TOPIC, OP_HALF_TOPIC, TIMER_TOPIC];
        const LIGHT_QUEUES: &str = "%LMQ%";
        let is_unused = |topic: &Topic| {
            let name = topic.as_str();
            !self.table.topics.contains_key(topic) && !KEPT.contains(&name) && !name.starts_with(LIGHT_QUEUES)
        };
        with_queues.into_iter().filter(is_unused).collect()
    }

    /// Goes by other settings from now on. When topics may be made by sends that could not be before, the one after whose
    /// pattern they are made appears.
    pub fn follow(&mut self, settings: TopicSettings, now_ms: i64) -> Changed {
        self.settings = settings;
        let missing: Vec<TopicConfig> = start_up::topics(&self.settings)
            .into_iter()
            .filter(|config| config.topic_name == AUTO_CREATE_TOPIC && self.pattern(AUTO_CREATE_TOPIC).is_none())
            .collect();
        let mut changed = Changed::No;
        for (topic, config) in missing.into_iter().filter_map(legal) {
            changed = self.create_if_absent(&topic, TopicConfig::clone(&config), now_ms);
        }
        changed
    }

    fn pattern(&self, name: &str) -> Option<Arc<TopicConfig>> {
        let pattern = self.table.topics.get(name)?;
        let switched_off = name == AUTO_CREATE_TOPIC && !self.settings.auto_create;
        (pattern.perm.inherited() && !switched_off).then(|| pattern.clone())
    }

    /// Notes whether what belongs to deleted topics could be removed.
    pub fn note_removal(&mut self, topics: Vec<Topic>, is_removed: bool) {
        match is_removed {
            true => self.unremoved.retain(|topic| !topics.contains(topic)),
            false => self.unremoved.extend(topics),
        }
    }

    fn check_removed(&self, topic: &Topic) -> Result<(), TopicError> {
        if self.unremoved.contains(topic) { Err(TopicError::Unremoved(topic.clone())) } else { Ok(()) }
    }

    fn checked(&self, name: &str) -> Result<Topic, TopicError> {
        let topic = Topic::parse(name)?;
        if is_system_topic(&self.settings, name) {
            return Err(TopicError::System(topic));
        }
        Ok(topic)
    }

    fn put(&mut self, topic: Topic, config: TopicConfig, now_ms: i64) {
        self.table.topics.insert(topic, Arc::new(config));
        self.table.version.change(now_ms);
    }
}

/// Whether a request changed the table, which then must be published, written and registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// It was so already.
    No,
}

fn legal(config: TopicConfig) -> Option<(Topic, Arc<TopicConfig>)> {
    Some((Topic::parse(&config.topic_name).ok()?, Arc::new(config)))
}

fn named(name: &str, config: Arc<TopicConfig>) -> Option<(Topic, Arc<TopicConfig>)> {
    Some((Topic::parse(name).ok()?, config))
}

#[cfg(test)]
mod tests;
