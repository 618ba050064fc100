//! How far every consumer group has come in every queue.
//!
//! A table in memory, written to `consumerOffset.json` from time to time: a crash takes back what was committed since,
//! and consumers then see messages twice. Nothing is checked against topics or queues, as in the reference.

use std::collections::BTreeMap;

use crate::protocol::body::offsets::ConsumerOffsetTable;
use crate::protocol::body::{BodyError, lenient, pretty};
use crate::protocol::units::{ConsumedOffset, QueueId, QueueOffset};

/// What parts topic and group in a key of the file. No topic's name has it.
const SEPARATOR: char = '@';

/// A group's offsets in one topic, by queue.
pub type QueueOffsets = BTreeMap<QueueId, ConsumedOffset>;

/// The beginning of a queue, which decides where a group starts that has stored nothing.
#[derive(Clone, Copy, Debug)]
pub struct QueueStart {
    /// The smallest offset that can be read.
    pub min: QueueOffset,
    /// Whether the message at offset 0 is so near the log's end that it counts as in memory.
    pub zero_in_memory: bool,
}

/// The offsets of all groups.
///
/// Topic and group are looked up one after the other, so that a commit with every pull allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct ConsumerOffsets {
    by_topic: BTreeMap<Box<str>, BTreeMap<Box<str>, QueueOffsets>>,
    changed: bool,
}

impl ConsumerOffsets {
    /// Reads the content of `consumerOffset.json`. Keys without a separator and queues below zero are left out.
    ///
    /// # Errors
    /// Text that is no such file.
    pub fn load(text: &str) -> Result<Self, BodyError> {
        let file: ConsumerOffsetTable = lenient::read(text.as_bytes())?;
        Ok(Self::from_table(file))
    }

    /// The same from what a master sent.
    #[must_use]
    pub fn from_table(table: ConsumerOffsetTable) -> Self {
        let mut offsets = Self::default();
        for (key, queues) in table.offset_table {
            let Some((topic, group)) = key.split_once(SEPARATOR) else { continue };
            for (queue, offset) in queues {
                let Ok(queue) = u32::try_from(queue) else { continue };
                offsets.commit(topic, group, QueueId(queue), ConsumedOffset(offset));
            }
        }
        offsets.changed = false;
        offsets
    }

    /// Stores an offset, also one that goes back, and returns the one before.
    pub fn commit(
        &mut self,
        topic: &str,
        group: &str,
        queue: QueueId,
        offset: ConsumedOffset,
    ) -> Option<ConsumedOffset> {
        let groups = match self.by_topic.get_mut(topic) {
            Some(groups) => groups,
            None => self.by_topic.entry(topic.into()).or_default(),
        };
        let queues = match groups.get_mut(group) {
            Some(queues) => queues,
            None => groups.entry(group.into()).or_default(),
        };
        let before = queues.insert(queue, offset);
        self.changed |= before != Some(offset);
        before
    }

    /// The stored offset. A negative one, which a client may have sent, is none: no queue begins there.
    #[must_use]
    pub fn stored(&self, topic: &str, group: &str, queue: QueueId) -> Option<ConsumedOffset> {
        self.queues(topic, group)?.get(&queue).copied().filter(|offset| offset.0 >= 0)
    }

    /// What QUERY_CONSUMER_OFFSET answers; `None` is QUERY_NOT_FOUND, after which the client follows its own
    /// consumeFromWhere.
    ///
    /// A group that has stored nothing starts at 0 in a queue that is young: whatever is in it was sent after the group
    /// could have known of it. A client of 5.x switches that off with `setZeroIfNotFound=false`.
    #[must_use]
    pub fn query(
        &self,
        topic: &str,
        group: &str,
        queue: QueueId,
        start: QueueStart,
        zero_if_young: bool,
    ) -> Option<ConsumedOffset> {
        let starts_at_zero = zero_if_young && start.min == QueueOffset(0) && start.zero_in_memory;
        self.stored(topic, group, queue).or_else(|| starts_at_zero.then_some(ConsumedOffset(0)))
    }

    /// A group's offsets in a topic.
    #[must_use]
    pub fn queues(&self, topic: &str, group: &str) -> Option<&QueueOffsets> {
        self.by_topic.get(topic)?.get(group)
    }

    /// What of the table is of a topic and of a group; `None` stands for all of them.
    #[must_use]
    pub fn only(&self, topic: Option<&str>, group: Option<&str>) -> Self {
        let mut chosen = Self::default();
        let topics = self.by_topic.iter().filter(|(name, _)| topic.is_none_or(|topic| topic == &***name));
        for (topic, groups) in topics {
            let groups: BTreeMap<_, _> = match group {
                Some(group) => groups.get(group).map(|queues| (group.into(), queues.clone())).into_iter().collect(),
                None => groups.clone(),
            };
            if !groups.is_empty() {
                chosen.by_topic.insert(topic.clone(), groups);
            }
        }
        chosen
    }

    /// The topics in which a group has stored offsets.
    pub fn topics_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        self.by_topic.iter().filter(move |(_, groups)| groups.contains_key(group)).map(|(topic, _)| &**topic)
    }

    /// The groups that have stored offsets in a topic.
    pub fn groups_of<'a>(&'a self, topic: &str) -> impl Iterator<Item = &'a str> {
        self.by_topic.get(topic).into_iter().flat_map(|groups| groups.keys().map(|group| &**group))
    }

    /// Gives one group the offsets of another in a topic; without any, nothing changes.
    pub fn clone_group(&mut self, source: &str, target: &str, topic: &str) {
        let Some(groups) = self.by_topic.get_mut(topic) else { return };
        let Some(queues) = groups.get(source).cloned() else { return };
        groups.insert(target.into(), queues);
        self.changed = true;
    }

    /// Forgets a group.
    pub fn remove_group(&mut self, group: &str) {
        for groups in self.by_topic.values_mut() {
            self.changed |= groups.remove(group).is_some();
        }
        self.by_topic.retain(|_, groups| !groups.is_empty());
    }

    /// The table as GET_ALL_CONSUMER_OFFSET sends it.
    #[must_use]
    pub fn body(&self) -> ConsumerOffsetTable {
        let mut table = ConsumerOffsetTable::default();
        for (topic, groups) in &self.by_topic {
            for (group, queues) in groups {
                let queues = queues.iter().map(|(queue, offset)| (queue.0.cast_signed(), offset.0)).collect();
                table.offset_table.insert(format!("{topic}{SEPARATOR}{group}"), queues);
            }
        }
        table
    }

    /// The text of `consumerOffset.json` if anything has changed since the last time.
    pub fn changed_json(&mut self) -> Option<String> {
        std::mem::take(&mut self.changed).then(|| pretty(&self.body()))
    }

    /// Says that writing the text failed, so that the next turn writes again.
    pub fn mark_changed(&mut self) {
        self.changed = true;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    const QUEUE: QueueId = QueueId(3);

    fn stored() -> ConsumerOffsets {
        let mut offsets = ConsumerOffsets::default();
        offsets.commit("T", "G", QUEUE, ConsumedOffset(7));
        offsets
    }

    /// `(stored, min, zero in memory, zero if young, expected)`
    #[test]
    fn a_query_falls_back_to_zero_in_young_queues_only() {
        let cases = [
            (true, 5, false, true, Some(7)),
            (true, 0, true, false, Some(7)),
            (false, 0, true, true, Some(0)),
            (false, 0, true, false, None),
            (false, 0, false, true, None),
            (false, 1, true, true, None),
        ];
        for (is_stored, min, zero_in_memory, zero_if_young, expected) in cases {
            let offsets = if is_stored { stored() } else { ConsumerOffsets::default() };
            let start = QueueStart { min: QueueOffset(min), zero_in_memory };
            let found = offsets.query("T", "G", QUEUE, start, zero_if_young);
            assert_eq!(found, expected.map(ConsumedOffset), "{is_stored} {start:?} {zero_if_young}");
        }
    }

    #[test]
    fn commits_overwrite_also_backwards() {
        let mut offsets = stored();
        assert_eq!(offsets.commit("T", "G", QUEUE, ConsumedOffset(2)), Some(ConsumedOffset(7)));
        assert_eq!(offsets.stored("T", "G", QUEUE), Some(ConsumedOffset(2)));
        assert_eq!(offsets.stored("T", "Other", QUEUE), None);
        offsets.commit("T", "G", QUEUE, ConsumedOffset(-1));
        assert_eq!(offsets.stored("T", "G", QUEUE), None);
    }

    #[test]
    fn the_file_is_written_only_after_a_change_and_reads_back() {
        let mut offsets = stored();
        let text = offsets.changed_json().unwrap();
        assert_eq!(text, "{\n\t\"offsetTable\": {\n\t\t\"T@G\": {\n\t\t\t\"3\": 7\n\t\t}\n\t}\n}");
        offsets.commit("T", "G", QUEUE, ConsumedOffset(7));
        assert_eq!(offsets.changed_json(), None);
        offsets.mark_changed();
        assert_eq!(offsets.changed_json(), Some(text.clone()));

        let mut read = ConsumerOffsets::load(&text).unwrap();
        assert_eq!(read.body(), offsets.body());
        assert_eq!(read.changed_json(), None);
    }

    #[test]
    fn java_files_have_bare_queue_numbers() {
        let java = r#"{ "offsetTable":{ "%RETRY%CG@CG":{0:2}, "T@a@b":{1:6,-1:9}, "broken":{0:1} } }"#;
        let read = ConsumerOffsets::load(java).unwrap();
        assert_eq!(read.stored("%RETRY%CG", "CG", QueueId(0)), Some(ConsumedOffset(2)));
        assert_eq!(read.queues("T", "a@b").unwrap().len(), 1);
        assert_eq!(read.body().offset_table.len(), 2);
    }

    #[test]
    fn a_part_of_the_table_is_given_by_topic_and_group() {
        let mut offsets = stored();
        offsets.commit("T", "H", QUEUE, ConsumedOffset(1));
        offsets.commit("U", "G", QUEUE, ConsumedOffset(2));
        let keys = |topic, group| offsets.only(topic, group).body().offset_table.into_keys().collect::<Vec<_>>();
        assert_eq!(keys(None, None), ["T@G", "T@H", "U@G"]);
        assert_eq!(keys(Some("T"), None), ["T@G", "T@H"]);
        assert_eq!(keys(None, Some("G")), ["T@G", "U@G"]);
        assert_eq!(keys(Some("U"), Some("G")), ["U@G"]);
        assert_eq!(keys(Some("U"), Some("H")), <[&str; 0]>::default());
        assert_eq!(offsets.only(None, None).changed_json(), None);
    }

    #[test]
    fn groups_are_listed_copied_and_forgotten() {
        let mut offsets = stored();
        offsets.commit("U", "G", QUEUE, ConsumedOffset(1));
        offsets.clone_group("G", "H", "T");
        offsets.clone_group("Nobody", "I", "T");
        assert_eq!(offsets.topics_of("G").collect::<Vec<_>>(), ["T", "U"]);
        assert_eq!(offsets.groups_of("T").collect::<Vec<_>>(), ["G", "H"]);
        assert_eq!(offsets.stored("T", "H", QUEUE), Some(ConsumedOffset(7)));
        offsets.remove_group("G");
        assert_eq!(offsets.body().offset_table.keys().collect::<Vec<_>>(), ["T@H"]);
        offsets.remove_group("H");
        assert!(offsets.body().offset_table.is_empty());
    }
}
