//! What is said of the store elsewhere: `checkpoint`, `ferromq.state`, and the files under `config/`.

use std::collections::HashSet;

use super::Verified;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::config_files;
use crate::store::disk::read_all;
use crate::store::error::StoreError;
use crate::store::offline::OfflineStore;
use crate::store::offline::finding::{Findings, Part, Place};

/// A file under `config/`, and what reads it.
pub struct ConfigCheck<'a> {
    /// Its name.
    pub name: &'a str,
    /// Says what is wrong with a text.
    pub parse: &'a dyn Fn(&str) -> Result<(), String>,
}

impl std::fmt::Debug for ConfigCheck<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigCheck").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads each file; one that is not there is no fault.
pub(super) fn config_files(
    store: &OfflineStore,
    configs: &[ConfigCheck<'_>],
    verified: &mut Verified,
) -> Result<(), StoreError> {
    for config in configs {
        let path = store.options.config_dir().join(config.name);
        let loaded = config_files::load(&*store.disk, &path, config.parse)?;
        verified.checked.config_files += u64::from(loaded.value.is_some());
        let copy = if loaded.is_of_copy() { "; the copy beside it can" } else { "" };
        for warning in loaded.warnings {
            verified.findings.fault(Part::Config, Place::file(&path), format!("{warning}{copy}"));
        }
    }
    Ok(())
}

/// Compares how far the log is said to reach with how far it does.
pub(super) fn positions(store: &OfflineStore, end: PhysicalOffset, newest: StoreTime, findings: &mut Findings) {
    if let Some(state) = store.state {
        for (what, said) in [("on the disk", state.durable()), ("in queues and index", state.dispatched())] {
            if said > end {
                let problem = format!("says that the log is {what} up to {said}, but it ends at {end}");
                findings.fault(Part::Checkpoint, Place::file(store.options.file("ferromq.state")), problem);
            }
        }
        return;
    }
    // After a crash the checkpoint vouches for what is older than its margin only.
    let said = if store.unclean { store.checkpoint.durable_time() } else { store.checkpoint.log };
    if said > newest {
        let problem = format!("says that records stored up to {said} are on the disk, but the newest is of {newest}");
        findings.fault(Part::Checkpoint, Place::file(store.options.file("checkpoint")), problem);
    }
}

/// The topics that the broker knows.
#[derive(Debug)]
pub(super) struct KnownTopics {
    /// What stands between quotation marks in `topics.json`; `None` if it cannot be read.
    quoted: Option<HashSet<Vec<u8>>>,
}

impl KnownTopics {
    pub(super) fn of(store: &OfflineStore) -> Self {
        let text = read_all(&*store.disk, &store.options.config_dir().join("topics.json"));
        let quoted = |text: Vec<u8>| text.split(|byte| *byte == b'"').map(<[u8]>::to_vec).collect();
        Self { quoted: text.ok().map(quoted) }
    }

    /// Whether the broker has forgotten a topic, as after its deletion. One that clients cannot make is in no list.
    pub(super) fn lack(&self, topic: &str) -> bool {
        !topic.starts_with("RMQ_SYS_") && self.quoted.as_ref().is_some_and(|quoted| !quoted.contains(topic.as_bytes()))
    }
}
