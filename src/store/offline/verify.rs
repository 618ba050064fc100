//! Comparing every part of a store with every other.
//!
//! ```text
//!   log ──── each record ───► its queue entry, by its number      (is one missing, does it say what it should?)
//!    │                   ───► its index entries, which come next  (the same)
//!    └ counted per queue ◄─── each queue entry                    (does one point elsewhere?)
//! ```
//!
//! The log is read once from its beginning to its end. What no record has led to is found by counting: only a queue
//! with more entries than records that led to it is looked through entry by entry.
//!

mod entries;
mod records;
mod vouched;

use serde::Serialize;

pub use self::vouched::ConfigCheck;
use super::finding::Findings;
use super::{OfflineError, OfflineStore};
use crate::store::recovery::Progress;

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// What is wrong, and what is worth a word.
    pub findings: Findings,
    /// How much was looked at.
    pub checked: Checked,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Where the log begins.
    pub log_min: u64,
    /// Behind the last record.
    pub log_end: u64,
    /// Records in the log.
    pub records: u64,
    /// Queues on the disk.
    pub queues: u64,
    /// Entries of queues that point into the log.
    pub queue_entries: u64,
    /// Entries that pulls pass over.
    pub blank_entries: u64,
    /// Units of extensions.
    pub units: u64,
    /// Entries of index files.
    pub index_entries: u64,
    /// Files under `config/`.
    pub config_files: u64,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.faults() == 0
    }
}

impl OfflineStore {
    /// Looks at everything. `configs` knows what the files under `config/` must be.
    ///
    /// # Errors
    /// What the operating system says: then nothing is told of the store.
    pub fn verify(
        &self,
        configs: &[ConfigCheck<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Verified, OfflineError> {
        let mut verified = Verified { findings: self.strange.clone(), ..Verified::default() };
        vouched::config_files(self, configs, &mut verified)?;
        let tallies = records::check(self, &mut verified, progress)?;
        entries::check(self, tallies, &mut verified)?;
        Ok(verified)
    }
}
