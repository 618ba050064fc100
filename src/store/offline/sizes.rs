//! Finding out with which sizes a store was made: nothing in it says so, but its files do.

use super::OfflineError;
use super::index_sizes;
use super::log::LogFiles;
use super::queues::QueueTree;
use crate::store::disk::SharedDisk;
use crate::store::layout::StoreOptions;

/// How a size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// By the length of the files, or by what is in them.
    Files,
    /// By the configuration, or RocketMQ's default: no file says anything, or what they say fits it.
    Configuration,
    /// Not at all: the files fit no size, and cannot be read.
    Nothing,
}

/// How the sizes of a store are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// `mappedFileSizeCommitLog`.
    pub log: KnownBy,
    /// `mappedFileSizeConsumeQueue`.
    pub queue: KnownBy,
    /// `mappedFileSizeConsumeQueueExt`.
    pub extension: KnownBy,
    /// `maxHashSlotNum` and `maxIndexNum`.
    pub index: KnownBy,
}

/// The layout by the files, on top of a configured one.
pub(super) fn found(
    disk: &SharedDisk,
    configured: &StoreOptions,
    log: &LogFiles,
    queues: &QueueTree,
) -> Result<(StoreOptions, Sizes), OfflineError> {
    let by = |measured: bool| if measured { KnownBy::Files } else { KnownBy::Configuration };
    let mut options = configured.clone();
    options.log_segment_bytes = log.segment_bytes();
    options.queue_file_bytes = queues.file_bytes.unwrap_or(configured.queue_file_bytes);
    options.queue_ext_enabled |= queues.ext_file_bytes.is_some();
    options.queue_ext_file_bytes = queues.ext_file_bytes.unwrap_or(configured.queue_ext_file_bytes);
    let index = index_sizes::find(&**disk, &mut options)?;
    let sizes = Sizes {
        log: by(log.is_measured()),
        queue: by(queues.file_bytes.is_some()),
        extension: by(queues.ext_file_bytes.is_some()),
        index,
    };
    Ok((options, sizes))
}
