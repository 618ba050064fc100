//! What can go wrong with a spool, by what its application can do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error of a spool.
///
/// # Example
/// ```
/// use ferromq::client::SpoolOptions;
/// use ferromq::client::spool::{Spool, SpoolError};
///
/// # let folder = tempfile::tempdir()?;
/// # let options = SpoolOptions::at(folder.path());
/// let first = Spool::open(&options)?;
/// match Spool::open(&options) {
///     // Each producer of a machine has a directory of its own.
///     Err(SpoolError::Taken { directory }) => assert_eq!(directory, options.directory),
///     // Letters would be lost: somebody has to look.
///     Err(error @ (SpoolError::Damaged { .. } | SpoolError::Version { .. })) => panic!("{error}"),
///     other => panic!("{other:?}"),
/// }
/// drop(first);
/// assert!(Spool::open(&options).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The letter does not fit any more. Nothing was dropped.
    #[error(
        "the spool in {} is full: {bytes} of {limit} bytes are taken, {refused} of them by what brokers refused, and {needed} are \
         needed; {}",
        directory.display(),
        cure(*refused, *needed, *limit)
    )]
    Full {
        /// Its directory.
        directory: PathBuf,
        /// What is in it, in bytes.
        bytes: u64,
        /// How much of that was refused by brokers, in bytes.
        refused: u64,
        /// What the letter needs, in bytes.
        needed: u64,
        /// What may be in it, in bytes.
        limit: u64,
    },
    /// Another producer has the directory.
    #[error("the spool in {} belongs to another producer, of this process or another one", directory.display())]
    Taken {
        /// The directory.
        directory: PathBuf,
    },
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
    /// What was being written is not known to be on the disk, nor that it is not: it may still be sent.
    #[error(
        "cannot sync {}: {source}; the spool takes nothing more until its producer is started again, and goes on sending what it \
         acknowledged before",
        path.display()
    )]
    Sync {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A write or sync failed before: what the kernel did with the pages is unknown.
    #[error(
        "an earlier write to the spool in {} failed: it takes nothing more until its producer is started again, and goes on \
         sending what it acknowledged before",
        directory.display()
    )]
    Poisoned {
        /// The directory.
        directory: PathBuf,
    },
    /// Letters that were acknowledged cannot be read any more. Nothing is removed.
    #[error(
        "{} is damaged at byte {at}: {problem}; restore it from a copy, or move it away and lose what it holds",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A file that a later version of this client wrote, or none of its files.
    #[error("{} is of version {found}, which this client does not read", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version byte.
        found: u8,
    },
}

/// What makes room.
fn cure(refused: u64, needed: u64, limit: u64) -> &'static str {
    if needed > limit {
        "that is more than it may ever take: raise its limit"
    } else if refused + needed > limit {
        "have what was refused tried again, or discard it"
    } else {
        "try again when some of what waits is sent"
    }
}

impl SpoolError {
    /// Makes a function for `map_err`: `.map_err(SpoolError::io("open", &path))`.
    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.into(), source }
    }
}
