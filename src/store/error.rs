//! What can go wrong in the store, by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::protocol::message::RecordError;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;

/// An error of the store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No room for the file that is needed next. Old data stays readable; producers are told SERVICE_NOT_AVAILABLE.
    #[error("disk full: {} needs {bytes} bytes", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// How much was asked for.
        bytes: u64,
    },
    /// A put that fits no segment. Nothing was written; the producer is told MESSAGE_ILLEGAL.
    #[error("a put of {size} bytes does not fit a log segment of {limit}")]
    TooLarge {
        /// Bytes of all its records.
        size: u64,
        /// The most that fits.
        limit: u64,
    },
    /// Properties longer than their length field can say. Nothing was written; the producer is told MESSAGE_ILLEGAL.
    #[error("properties of {length} bytes, at most 32767 can be stored")]
    PropertiesTooLong {
        /// Their length.
        length: usize,
    },
    /// A record that no start could read again. Nothing was written; the producer is told MESSAGE_ILLEGAL.
    #[error("a message with {what} cannot be stored")]
    Unstorable {
        /// What is wrong with it.
        what: String,
    },
    /// Another broker has this directory.
    #[error("Lock failed,MQ already started: {} is held by another broker", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file whose length is not the configured one: the store was made with other sizes.
    #[error(
        "{} has {found} bytes, {key} asks for {expected}; set {key} to the value that the store was made with",
        path.display()
    )]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The configured one.
        expected: u64,
        /// The configuration key.
        key: &'static str,
    },
    /// A file that does not belong where it lies.
    #[error("{} is not a file of this store: {problem}", path.display())]
    StrayFile {
        /// The file.
        path: PathBuf,
        /// What gives it away.
        problem: &'static str,
    },
    /// A kind of store that is not supported.
    #[error("{} is {what}, which ferromq does not support", path.display())]
    Unsupported {
        /// What shows it.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A batch that a broker of RocketMQ 5 stored as one record: its messages would be read as one.
    #[error(
        "{} holds an inner batch of topic {topic} at byte {at} (RocketMQ 5), which ferromq does not support",
        path.display()
    )]
    InnerBatch {
        /// The segment.
        path: PathBuf,
        /// Where in the file.
        at: usize,
        /// Its topic.
        topic: String,
    },
    /// Queues without a log: Java would delete them all.
    #[error(
        "{} is empty but there are {queues} queues: restore the log, or remove consumequeue/ and index/ to start anew",
        path.display()
    )]
    LogMissing {
        /// The log directory.
        path: PathBuf,
        /// How many queues there are.
        queues: usize,
    },
    /// Damage below the position that is known to have been synced: cutting there would lose acknowledged messages.
    #[error(
        "{} is damaged at byte {at} (offset {offset}, durable up to {durable}): {problem}; restore the file from a copy, \
        or see what `ferromq store verify` and `ferromq store repair` say",
        path.display()
    )]
    BrokenFrame {
        /// The segment.
        path: PathBuf,
        /// Where in the file.
        at: u64,
        /// Where in the log.
        offset: u64,
        /// What was known to be durable.
        durable: u64,
        /// What is wrong.
        problem: RecordError,
    },
    /// A queue that somebody else owns already.
    #[error("queue {queue_id} of {topic} is open already")]
    QueueTaken {
        /// Its topic.
        topic: Topic,
        /// Its number.
        queue_id: QueueId,
    },
    /// A topic that is being deleted.
    #[error("topic[{topic}] is being deleted")]
    TopicClosed {
        /// Which.
        topic: Topic,
    },
    /// A sync failed before; what the kernel did with the unwritten pages is unknown, so nothing is believed any more.
    #[error("an earlier sync failed, the store takes no more writes")]
    Poisoned,
    /// A private file of ours cannot be read.
    #[error("{problem}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and with its copy, which names both.
        problem: String,
    },
}

impl StoreError {
    /// Whether there may be enough later of what is missing now: room on the disk, file descriptors, memory. A sync that had
    /// no room is none: what the kernel did with the pages is unknown. One that had no descriptor has not begun.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        use rustix::io::Errno;
        match self {
            Self::DiskFull { .. } => true,
            Self::Io { action, source, .. } => {
                let missing = Errno::from_io_error(source);
                let is = |kinds: &[Errno]| missing.is_some_and(|missing| kinds.contains(&missing));
                is(&[Errno::MFILE, Errno::NFILE]) || (*action != "sync" && (is_full(source) || is(&[Errno::NOMEM])))
            }
            _ => false,
        }
    }

    /// Wraps what the operating system said; a full disk gets its own variant where `bytes` tells what was asked for.
    pub(crate) fn allocate(path: &Path, bytes: u64, source: io::Error) -> Self {
        if is_full(&source) {
            return Self::DiskFull { path: path.into(), bytes };
        }
        Self::Io { action: "allocate", path: path.into(), source }
    }

    /// Makes a function for `map_err`: `.map_err(StoreError::io("open", &path))`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
