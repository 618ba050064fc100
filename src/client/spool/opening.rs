//! What an earlier process has left in a spool's directory: counted, and mended where that is no damage.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::position::PositionFile;
use super::segment::Segment;
use super::{REFUSED, remove};
use crate::store::disk::{Disk, SharedDisk};
use crate::store::layout::{base_of, file_name};

/// What was found in a directory.
pub(super) struct Opened {
    pub(super) segments: VecDeque<Segment>,
    pub(super) sent: u64,
    pub(super) messages: u64,
}

/// Opens the files of what waits, and removes those of what is sent.
pub(super) fn open_segments(
    disk: &SharedDisk,
    directory: &Path,
    mut position: PositionFile,
    noted: Option<u64>,
) -> Result<(PositionFile, Opened), SpoolError> {
    let entries = disk.list(directory).map_err(SpoolError::io("list", directory))?;
    let bases: Vec<u64> = entries.iter().filter_map(|entry| base_of(&entry.name)).collect();
    let first = bases.first().copied();
    let sent = noted.or(first).unwrap_or(0);
    if let Some(first) = first.filter(|first| *first > sent) {
        let problem = format!("the files before {} are missing", file_name(first));
        return Err(SpoolError::Damaged { path: directory.into(), at: sent, problem });
    }
    // What says that they are sent has to outlive them.
    position.note(sent)?;
    position.settle()?;
    let mut opened = Opened { segments: VecDeque::new(), sent, messages: 0 };
    for (place, base) in bases.iter().enumerate() {
        let path = directory.join(file_name(*base));
        let next = bases.get(place + 1).copied();
        if next.is_some_and(|next| next <= sent) {
            remove(&**disk, directory, &path)?;
            continue;
        }
        let (segment, messages) = open_segment(&**disk, path, *base, next, sent)?;
        opened.messages += messages;
        opened.segments.push_back(segment);
    }
    if opened.messages == 0 {
        // The next file begins at the sent position, whatever these hold behind or before it.
        opened.segments.drain(..).try_for_each(|segment| remove(&**disk, directory, segment.path()))?;
    }
    Ok((position, opened))
}

/// Opens a file, and counts its letters that are not sent. The next one, if there is one, begins where this one ends.
fn open_segment(
    disk: &dyn Disk,
    path: PathBuf,
    base: u64,
    next: Option<u64>,
    sent: u64,
) -> Result<(Segment, u64), SpoolError> {
    let mut segment = Segment::open(disk, path, base)?;
    let from = sent.max(base);
    let Some(next) = next else {
        // What was sent was on the disk; what is left of it may have been damaged since, and nobody needs it.
        if segment.base() + segment.len() < from {
            return Ok((segment, 0));
        }
        let found = segment.mend(from)?;
        if found.torn > 0 {
            let path = segment.path().display();
            tracing::warn!(%path, bytes = found.torn, "cut off what was being written to the spool at a crash");
        }
        return Ok((segment, found.records));
    };
    let found = segment.check(from)?;
    if segment.end() != next {
        let problem = format!("it ends there, at position {}, and the next file begins at {next}", segment.end());
        return Err(SpoolError::Damaged { path: segment.path().into(), at: segment.len(), problem });
    }
    Ok((segment, found.records))
}

pub(super) fn open_refused(disk: &SharedDisk, directory: &Path) -> Result<(Option<Segment>, u64), SpoolError> {
    let path = directory.join(REFUSED);
    if disk.entry(&path).map_err(SpoolError::io("stat", &path))?.is_none() {
        return Ok((None, 0));
    }
    let mut refused = Segment::open(&**disk, path, 0)?;
    let found = refused.mend(0)?;
    Ok((Some(refused), found.records))
}
