//! Finding out how many slots and entries an index file has: its length gives their sum only, what is in it gives the rest.
//!
//! The first and the last entry lie where the right number of slots puts them, and stand there with the offsets that the
//! header tells; and the chain of the slot that the first entry's hash falls into ends with it.

use super::log::most_common;
use super::sizes::KnownBy;
use crate::store::disk::{Disk, OpenMode, SharedFile};
use crate::store::error::StoreError;
use crate::store::index::IndexFileReader;
use crate::store::layout::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, INDEX_SLOT_BYTES, StoreOptions};

/// How much of a file is looked through at once.
const BLOCK_BYTES: usize = 64 << 10;
/// Every so many slots the entries behind them end where the file does.
const SLOTS_STEP: u64 = INDEX_ENTRY_BYTES / INDEX_SLOT_BYTES;

/// Puts the numbers that fit the files into `options`, where the configured ones do not.
pub(super) fn find(disk: &dyn Disk, options: &mut StoreOptions) -> Result<KnownBy, StoreError> {
    let files = IndexFileReader::list(disk, options)?;
    let Some(length) = most_common(files.iter().map(|(_, len)| *len)) else { return Ok(KnownBy::Configuration) };
    if length == options.index_file_bytes() {
        return Ok(KnownBy::Configuration);
    }
    for (path, _) in files.iter().filter(|(_, len)| *len == length) {
        let file = disk.open(path, OpenMode::ReadOnly).map_err(StoreError::io("open", path))?;
        let found = slots_of(&file, length).map_err(StoreError::io("read", path))?;
        if let Some((slots, entries)) = found {
            (options.index_slots, options.index_entries) = (slots, entries);
            return Ok(KnownBy::Files);
        }
    }
    Ok(KnownBy::Nothing)
}

/// The number of slots and of entries with which a file's content makes sense; `None` for a file without entries.
fn slots_of(file: &SharedFile, length: u64) -> std::io::Result<Option<(u32, u32)>> {
    const ENTRY: usize = INDEX_ENTRY_BYTES as usize;
    let mut block = vec![0; BLOCK_BYTES];
    let units = length.saturating_sub(INDEX_HEADER_BYTES) / INDEX_SLOT_BYTES;
    let mut slots = units % SLOTS_STEP;
    // The candidates are as far apart as the entries are long, so a block holds many of them.
    while slots < units {
        let read = file.read_at(&mut block, INDEX_HEADER_BYTES + slots * INDEX_SLOT_BYTES)?;
        let rows: Vec<&[u8]> = block.get(..read).unwrap_or_default().chunks_exact(ENTRY).collect();
        for (nth, pair) in (0_u64..).zip(rows.windows(2)) {
            let slots = slots + nth * SLOTS_STEP;
            let entries = (units - slots) / SLOTS_STEP;
            // Entry 0 is never used, and the first has a hash: where all are zeros, slots are.
            let [unused, first] = pair else { continue };
            let may_be = slots > 0 && unused.iter().all(|byte| *byte == 0) && first.iter().any(|byte| *byte != 0);
            let (Ok(slots), Ok(entries)) = (u32::try_from(slots), u32::try_from(entries)) else { continue };
            if may_be && IndexFileReader::of(file.clone(), slots, entries).makes_sense()? {
                return Ok(Some((slots, entries)));
            }
        }
        if rows.len() < 2 {
            break;
        }
        slots += (rows.len() as u64 - 1) * SLOTS_STEP;
    }
    Ok(None)
}
