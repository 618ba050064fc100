//! The log's files: taking them in at the start, and cutting them where recovery found the end.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, Entry, OpenMode, remove_for_good};
use super::error::StoreError;
use super::layout::{StoreOptions, base_of};
use super::log_damage;
use super::segment::Segment;

/// Opens and maps every segment, whole and readable, in order.
///
/// # Errors
/// [`StoreError::WrongLength`], [`StoreError::StrayFile`], or what the operating system says.
pub(super) fn load(disk: &dyn Disk, options: &StoreOptions) -> Result<Vec<Arc<Segment>>, StoreError> {
    let mut found: Vec<(u64, PathBuf, Entry)> = Vec::new();
    for directory in options.log_dirs() {
        for entry in disk.list(&directory).map_err(StoreError::io("list", &directory))? {
            let path = directory.join(&entry.name);
            let problem = if entry.is_dir { "it is a directory" } else { "its name is not an offset" };
            let Some(base) = base_of(&entry.name).filter(|_| !entry.is_dir) else {
                return Err(StoreError::StrayFile { path, problem });
            };
            found.push((base, path, entry));
        }
    }
    found.sort_by_key(|(base, ..)| *base);
    // A crash while a segment was being made leaves a file without length at the end.
    while let Some((_, path, _)) = found.pop_if(|(.., entry)| entry.len == 0) {
        disk.remove_file(&path).map_err(StoreError::io("remove", &path))?;
    }
    let expected = options.log_segment_bytes;
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for (base, path, entry) in found {
        if entry.len != expected {
            let key = "mappedFileSizeCommitLog";
            return Err(StoreError::WrongLength { path, found: entry.len, expected, key });
        }
        if base % expected != 0 || segments.last().is_some_and(|last| last.base() + expected != base) {
            return Err(StoreError::StrayFile { path, problem: "the segment before it is missing" });
        }
        segments.push(Arc::new(open(disk, base, path, expected)?));
    }
    Ok(segments)
}

fn open(disk: &dyn Disk, base: u64, path: PathBuf, len: u64) -> Result<Segment, StoreError> {
    let file = disk.open(&path, OpenMode::Existing).map_err(StoreError::io("open", &path))?;
    let map = file.map(len).map_err(StoreError::io("map", &path))?;
    Ok(Segment::new(base, path, file, map, len as usize))
}

/// Removes the segments behind `end`, and makes the one that it lies in ready to be written from there on.
///
/// `clear`: what lies behind the end may be rests of records. They are cleared, since new records of the right length
/// would let a later recovery run into them and take them for good.
///
/// # Errors
/// [`StoreError::DiskFull`], or what the operating system says.
pub(super) fn cut(
    disk: &dyn Disk,
    mut segments: Vec<Arc<Segment>>,
    end: u64,
    clear: bool,
) -> Result<Vec<Arc<Segment>>, StoreError> {
    while segments.last().is_some_and(|last| last.base() > end) {
        let Some(segment) = segments.pop() else { break };
        log_damage::refuse_misplaced(&segment)?;
        remove_for_good(disk, segment.path())?;
    }
    let Some(last) = segments.pop_if(|last| end < last.base() + last.len() as u64) else { return Ok(segments) };
    let at = end - last.base();
    let rest = at..last.len() as u64;
    if clear {
        last.file().zero(rest.clone()).map_err(StoreError::io("clear", last.path()))?;
    }
    let room = rest.end - rest.start;
    last.file().allocate(rest).map_err(|source| StoreError::allocate(last.path(), room, source))?;
    let last = Arc::into_inner(last).expect("nobody reads the log before it is open");
    segments.push(Arc::new(last.ending_at(at as usize)));
    Ok(segments)
}
