//! Where things lie in a store's directory, what they are called and how wide they are.

use std::path::{Path, PathBuf};

use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;

/// Bytes of a consume queue entry.
pub const QUEUE_ENTRY_BYTES: u64 = 20;
/// Bytes of the shortest blank: its length and its magic.
pub const BLANK_BYTES: u64 = 8;
/// Bytes of an index file before its slots.
pub const INDEX_HEADER_BYTES: u64 = 40;
/// Bytes of an index slot.
pub const INDEX_SLOT_BYTES: u64 = 4;
/// Bytes of an index entry.
pub const INDEX_ENTRY_BYTES: u64 = 20;
/// Bytes of the checkpoint file.
pub const CHECKPOINT_BYTES: usize = 4096;

/// How a store is laid out and read. The sizes are not stored anywhere: they must be those it was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// `storePathRootDir`.
    pub root: PathBuf,
    /// `storePathCommitLog`, one or several; empty: `commitlog` under the root.
    pub log_dirs: Vec<PathBuf>,
    /// `mappedFileSizeCommitLog`.
    pub log_segment_bytes: u64,
    /// `mappedFileSizeConsumeQueue`; rounded up to whole entries by [`StoreOptions::queue_file_bytes`].
    pub queue_file_bytes: u64,
    /// `enableConsumeQueueExt`: whether queues have extensions.
    pub queue_ext_enabled: bool,
    /// `mappedFileSizeConsumeQueueExt`.
    pub queue_ext_file_bytes: u64,
    /// `maxHashSlotNum`.
    pub index_slots: u32,
    /// `maxIndexNum`.
    pub index_entries: u32,
    /// `messageIndexEnable`.
    pub index_enabled: bool,
    /// `checkCRCOnRecover`.
    pub check_crc: bool,
    /// Milliseconds of each delay level, the first being level 1.
    pub delay_levels_ms: Vec<i64>,
}

impl StoreOptions {
    /// RocketMQ's defaults under a root directory.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        const DELAYS_S: [i64; 18] =
            [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];
        Self {
            root: root.into(),
            log_dirs: Vec::new(),
            log_segment_bytes: 1 << 30,
            queue_file_bytes: 6_000_000,
            queue_ext_enabled: false,
            queue_ext_file_bytes: 50_331_648,
            index_slots: 5_000_000,
            index_entries: 20_000_000,
            index_enabled: true,
            check_crc: true,
            delay_levels_ms: DELAYS_S.iter().map(|seconds| seconds * 1_000).collect(),
        }
    }

    /// Length of a queue file: whole entries.
    #[must_use]
    pub fn queue_file_bytes(&self) -> u64 {
        self.queue_file_bytes.div_ceil(QUEUE_ENTRY_BYTES).max(1) * QUEUE_ENTRY_BYTES
    }

    /// Length of an index file.
    #[must_use]
    pub fn index_file_bytes(&self) -> u64 {
        INDEX_HEADER_BYTES
            + INDEX_SLOT_BYTES * u64::from(self.index_slots)
            + INDEX_ENTRY_BYTES * u64::from(self.index_entries)
    }

    /// The directories of the log, ordered by name.
    #[must_use]
    pub fn log_dirs(&self) -> Vec<PathBuf> {
        let mut dirs = self.log_dirs.clone();
        if dirs.is_empty() {
            dirs.push(self.root.join("commitlog"));
        }
        dirs.sort();
        dirs
    }

    /// Where the segment that begins at `base` is to be made: the directories take turns.
    #[must_use]
    pub fn segment_path(&self, base: u64) -> PathBuf {
        let dirs = self.log_dirs();
        let turn = (base / self.log_segment_bytes) as usize % dirs.len();
        dirs.into_iter().nth(turn).expect("a remainder is less than the length").join(file_name(base))
    }

    /// `consumequeue`.
    #[must_use]
    pub fn queues_dir(&self) -> PathBuf {
        self.root.join("consumequeue")
    }

    /// The directory of one queue.
    #[must_use]
    pub fn queue_dir(&self, topic: &Topic, queue_id: QueueId) -> PathBuf {
        self.queues_dir().join(topic.as_str()).join(queue_id.to_string())
    }

    /// `consumequeue_ext`.
    #[must_use]
    pub fn queue_exts_dir(&self) -> PathBuf {
        self.root.join("consumequeue_ext")
    }

    /// The directory of one queue's extension.
    #[must_use]
    pub fn queue_ext_dir(&self, topic: &Topic, queue_id: QueueId) -> PathBuf {
        self.queue_exts_dir().join(topic.as_str()).join(queue_id.to_string())
    }

    /// `index`.
    #[must_use]
    pub fn index_dir(&self) -> PathBuf {
        self.root.join("index")
    }

    /// `config`.
    #[must_use]
    pub fn config_dir(&self) -> PathBuf {
        self.root.join("config")
    }

    /// A file directly under the root: `checkpoint`, `abort`, `lock`, `ferromq.state`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The name of a file of the log, of a queue or of an extension: the offset of its first byte, in 20 digits.
#[must_use]
pub fn file_name(base: u64) -> String {
    format!("{base:020}")
}

/// The greatest offset at which a file is taken to begin: as far before the end of Java's numbers as no file is long, so that
/// nothing that is added to it overflows.
const BASE_MAX: u64 = i64::MAX as u64 - (1 << 40);

/// The offset that such a file's name tells; `None` for other names, and for offsets that no store comes to.
#[must_use]
pub fn base_of(name: &str) -> Option<u64> {
    let is_number = name.len() == 20 && name.bytes().all(|digit| digit.is_ascii_digit());
    name.parse().ok().filter(|base| is_number && *base <= BASE_MAX)
}
