//! Which topics were deleted, and up to where in the log.
//!
//! The records of a deleted topic stay in the log. Should they be given to queues again, by a recovery or by a dispatch
//! that is late, they must not come back, least of all into the queues of a topic that was made anew under the same name:
//! their numbers and those of the new records would be mixed up. So each deletion has a place in the log: **a record of the
//! topic that lies before it belongs to no queue**, and whatever lies behind it is numbered from 0.
//!
//! # Layout
//! `config/ferromq.deletedTopics.json`: `{"topic": place, …}`. A place is forgotten when the log begins behind it. Java's
//! broker knows nothing of the file; it has no such rule, and shows deleted messages again after a crash.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::config_files::{self, Loaded};
use super::disk::Disk;
use super::error::StoreError;
use super::layout::StoreOptions;
use super::queues::Queues;
use crate::protocol::names::Topic;
use crate::protocol::units::PhysicalOffset;

/// Deleted topics, each with the end of the log at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedTopics {
    below: BTreeMap<Topic, u64>,
}

impl DeletedTopics {
    /// Where it is kept.
    #[must_use]
    pub fn path(options: &StoreOptions) -> PathBuf {
        options.config_dir().join("ferromq.deletedTopics.json")
    }

    /// Reads what was kept; nothing where there is no file. A damaged file of which there is a copy is set aside.
    ///
    /// # Errors
    /// Neither the file nor its copy can be read: going on without it could bring deleted messages back.
    pub fn load(disk: &dyn Disk, options: &StoreOptions, warnings: &mut Vec<String>) -> Result<Self, StoreError> {
        let path = Self::path(options);
        let loaded = Self::look(disk, options)?;
        let of_copy = loaded.is_of_copy();
        match loaded.value {
            Some(deleted) => {
                warnings.extend(loaded.warnings);
                if of_copy {
                    let aside = config_files::set_aside(disk, &path)?;
                    warnings.push(format!("it lies in {} now, and its previous state is used", aside.display()));
                }
                Ok(deleted)
            }
            None if loaded.warnings.is_empty() => Ok(Self::default()),
            None => Err(StoreError::Unreadable { path, problem: loaded.warnings.join("; ") }),
        }
    }

    /// The same for who changes nothing: a damaged file stays where it is.
    ///
    /// # Errors
    /// What the operating system says about a file that exists.
    pub(super) fn look(disk: &dyn Disk, options: &StoreOptions) -> Result<Loaded<Self>, StoreError> {
        config_files::load(disk, &Self::path(options), |text| {
            serde_json::from_str::<BTreeMap<Topic, u64>>(text).map(|below| Self { below })
        })
    }

    /// The text of the file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.below).expect("names and numbers are always JSON")
    }

    /// Whether a record of a topic that begins at a place was deleted with the topic.
    #[must_use]
    pub fn covers(&self, topic: &str, at: PhysicalOffset) -> bool {
        self.below.get(topic).is_some_and(|below| at.0 < *below)
    }

    /// Whether no topic was deleted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// Notes that a topic is deleted whose last record ends before `end`.
    pub fn note(&mut self, topic: Topic, end: PhysicalOffset) {
        let below = self.below.entry(topic).or_default();
        *below = end.0.max(*below);
    }

    /// Forgets the places that the log begins behind, or that have been passed.
    pub fn forget_before(&mut self, begin: PhysicalOffset) {
        self.below.retain(|_, below| *below > begin.0);
    }

    /// Finishes deletions that a crash has cut short: queues that hold deleted records only are destroyed.
    pub(super) fn finish(&self, queues: &mut Queues) -> Result<(), StoreError> {
        for (topic, below) in &self.below {
            queues.destroy_up_to(topic, PhysicalOffset(*below))?;
        }
        Ok(())
    }

    /// A log that lost its end in a crash grows over these places again, with records that nobody has deleted. Tells whether
    /// anything has changed, which must be saved before the log grows.
    pub(super) fn cut(&mut self, log_end: PhysicalOffset) -> bool {
        let beyond = self.below.values_mut().filter(|below| **below > log_end.0);
        beyond.map(|below| *below = log_end.0).count() > 0
    }

    pub(super) fn save(&self, disk: &dyn Disk, options: &StoreOptions) -> Result<(), StoreError> {
        config_files::save(disk, &Self::path(options), &self.to_json())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::parse(name).unwrap()
    }

    #[test]
    fn records_before_the_place_are_deleted_and_others_are_not() {
        let mut deleted = DeletedTopics::default();
        deleted.note(topic("T"), PhysicalOffset(100));
        deleted.note(topic("T"), PhysicalOffset(70));
        for (name, at, expected) in [("T", 0, true), ("T", 99, true), ("T", 100, false), ("U", 0, false)] {
            assert_eq!(deleted.covers(name, PhysicalOffset(at)), expected, "{name} {at}");
        }
        deleted.forget_before(PhysicalOffset(99));
        assert!(deleted.covers("T", PhysicalOffset(99)));
        deleted.forget_before(PhysicalOffset(100));
        assert!(deleted.is_empty());
    }

    #[test]
    fn a_log_that_has_become_shorter_takes_the_places_with_it() {
        let mut deleted = DeletedTopics::default();
        deleted.note(topic("T"), PhysicalOffset(100));
        assert!(!deleted.cut(PhysicalOffset(100)));
        assert!(deleted.cut(PhysicalOffset(80)));
        assert!(deleted.covers("T", PhysicalOffset(79)) && !deleted.covers("T", PhysicalOffset(80)));
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut deleted = DeletedTopics::default();
        deleted.note(topic("%RETRY%G"), PhysicalOffset(u64::MAX));
        let read: BTreeMap<Topic, u64> = serde_json::from_str(&deleted.to_json()).unwrap();
        assert_eq!(DeletedTopics { below: read }, deleted);
    }
}
