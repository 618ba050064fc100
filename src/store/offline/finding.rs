//! What is found wrong, with its place.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::protocol::message::RecordHead;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};

/// How many findings of each severity are kept; the others are counted. A store that lost a disk has millions, and nobody reads them.
const LISTED_MAX: u64 = 1_000;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The store is sound all the same, or the next start of a broker puts it right.
    Note,
    /// The store is not sound.
    Fault,
}

/// Which part of the store it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The records.
    Log,
    /// The consume queues.
    Queue,
    /// Their extensions.
    Extension,
    /// The key index.
    Index,
    /// `checkpoint` and `ferromq.state`.
    Checkpoint,
    /// The files under `config/`.
    Config,
}

/// Where something is: as much of it as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The file.
    #[serde(serialize_with = "shown", skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The byte in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// The place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_offset: Option<u64>,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The queue of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// The number in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_offset: Option<u64>,
}

impl Place {
    /// A file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// A place in the log.
    #[must_use]
    pub fn in_log(at: PhysicalOffset) -> Self {
        Self { log_offset: Some(at.0), ..Self::default() }
    }

    /// The same, with what a record says of its queue.
    #[must_use]
    pub fn of(self, head: &RecordHead<'_>) -> Self {
        self.in_queue(head.topic, head.queue_id, head.queue_offset)
    }

    /// The same, with a place in a queue.
    #[must_use]
    pub fn in_queue(self, topic: &str, queue_id: QueueId, offset: QueueOffset) -> Self {
        let (topic, queue, queue_offset) = (Some(topic.to_owned()), Some(queue_id.0), Some(offset.0));
        Self { topic, queue, queue_offset, ..self }
    }

    /// The same, with a byte of the file.
    #[must_use]
    pub fn at_byte(self, byte: u64) -> Self {
        Self { byte: Some(byte), ..self }
    }
}

/// A path as it is printed: its bytes may be no text.
fn shown<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(serializer)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.path, self.byte) {
            (Some(path), Some(byte)) => parts.push(format!("{} byte {byte}", path.display())),
            (Some(path), None) => parts.push(path.display().to_string()),
            _ => {}
        }
        parts.extend(self.log_offset.map(|offset| format!("log offset {offset}")));
        if let (Some(topic), Some(queue)) = (&self.topic, self.queue) {
            let number = self.queue_offset.map(|offset| format!(" offset {offset}")).unwrap_or_default();
            parts.push(format!("topic {topic} queue {queue}{number}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub part: Part,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Fault { "fault" } else { "note" };
        let place = self.place.to_string();
        let separator = if place.is_empty() { "" } else { ": " };
        write!(f, "{severity}: {place}{separator}{}", self.problem)
    }
}

/// What was found so far: the first thousand of each severity, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    listed: Vec<Finding>,
    faults: u64,
    notes: u64,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, severity: Severity, part: Part, place: Place, problem: impl Into<String>) {
        let count = match severity {
            Severity::Fault => &mut self.faults,
            Severity::Note => &mut self.notes,
        };
        *count += 1;
        if *count <= LISTED_MAX {
            self.listed.push(Finding { severity, part, place, problem: problem.into() });
        }
    }

    /// Adds what makes the store unsound.
    pub fn fault(&mut self, part: Part, place: Place, problem: impl Into<String>) {
        self.add(Severity::Fault, part, place, problem);
    }

    /// Adds what is worth a word.
    pub fn note(&mut self, part: Part, place: Place, problem: impl Into<String>) {
        self.add(Severity::Note, part, place, problem);
    }

    /// Those that are listed, in the order in which they were found.
    #[must_use]
    pub fn listed(&self) -> &[Finding] {
        &self.listed
    }

    /// How many faults there are, listed or not.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// How many notes there are, listed or not.
    #[must_use]
    pub fn notes(&self) -> u64 {
        self.notes
    }

    /// How many are not listed.
    #[must_use]
    pub fn unlisted(&self) -> u64 {
        self.faults + self.notes - self.listed.len() as u64
    }

    /// Whether so much is wrong that looking for the exact place of more is no use.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        self.faults >= LISTED_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_path_that_is_no_text_can_be_written_as_json() {
        let place = Place::file(OsStr::from_bytes(b"/store/\xff"));
        let value = serde_json::to_value(place).expect("a finding can always be written");
        assert_eq!(value, serde_json::json!({ "path": "/store/\u{fffd}" }));
    }
}
