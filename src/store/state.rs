//! The file `ferromq.state`: what is known to be on the disk, to the byte, where the checkpoint knows seconds.
//!
//! It counts only as long as nobody else has written to the store since: see [`State::matches`].
//!
//! # Layout
//! Two slots of 512 bytes, written in turn, so that a torn write leaves the one before. Each: version u8, CRC-32 u32 and
//! length u16 (big-endian) of what follows, then the state in bincode. Private to ferromq; other versions are ignored.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};

use super::checkpoint::Checkpoint;
use super::disk::{Disk, OpenMode, SharedFile};
use super::error::StoreError;
use super::layout::StoreOptions;
use crate::protocol::units::{PhysicalOffset, StoreTime};

const FILE: &str = "ferromq.state";
const VERSION: u8 = 3;
const SLOT_BYTES: usize = 512;
const HEAD_BYTES: usize = 7;

/// Lengths inside hostile bytes are refused before memory is asked for.
const CODEC: Configuration<LittleEndian, Fixint, Limit<SLOT_BYTES>> =
    bincode::config::standard().with_fixed_int_encoding().with_limit::<SLOT_BYTES>();

/// What was on the disk when this was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct State {
    /// Counts up with each writing; the greater one of the two slots is the newer.
    sequence: u64,
    /// The log is on the disk up to here.
    durable: u64,
    /// Queues and index are on the disk for every record before here.
    dispatched: u64,
    /// Store time of the newest record before `durable`.
    newest_ms: i64,
    /// The checkpoint of that moment: Java's broker writes its own when it stops, or once a minute.
    checkpoint_ms: [i64; 3],
    /// A place in the log, and what the entries of all queues before it add up to, see [`census`](super::census).
    queues: Option<(u64, u64)>,
    /// Where the newest record of the index lay, if it had any.
    indexed: Option<u64>,
}

impl State {
    /// What is known after a sync.
    #[must_use]
    pub fn new(
        durable: PhysicalOffset,
        dispatched: PhysicalOffset,
        newest: StoreTime,
        checkpoint: &Checkpoint,
    ) -> Self {
        let checkpoint_ms = [checkpoint.log.0, checkpoint.queues.0, checkpoint.index.0];
        Self {
            sequence: 0,
            durable: durable.0,
            dispatched: dispatched.0,
            newest_ms: newest.0,
            checkpoint_ms,
            queues: None,
            indexed: None,
        }
    }

    /// With what the queues add up to.
    #[must_use]
    pub fn with_queues(self, queues: u64) -> Self {
        Self { queues: Some((self.dispatched, queues)), ..self }
    }

    /// What is known once queues and index are changed from a place on. What they were before is remembered, so that a loss
    /// is noticed by the next start too.
    #[must_use]
    pub fn changed_from(self, place: PhysicalOffset) -> Self {
        Self { dispatched: place.0, ..self }
    }

    /// With the newest record of the index.
    #[must_use]
    pub fn with_indexed(self, newest: Option<PhysicalOffset>) -> Self {
        Self { indexed: newest.map(|newest| newest.0), ..self }
    }

    /// What vouches for nothing, whatever the checkpoint says.
    #[must_use]
    pub fn void() -> Self {
        Self { checkpoint_ms: [i64::MIN; 3], ..Self::default() }
    }

    /// Reads the newer of the file's slots, and changes nothing; `None` where there is no file, or nothing that can be read.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn load(disk: &dyn Disk, options: &StoreOptions) -> Result<Option<Self>, StoreError> {
        let path = options.file(FILE);
        if disk.entry(&path).map_err(StoreError::io("stat", &path))?.is_none() {
            return Ok(None);
        }
        let file = disk.open(&path, OpenMode::ReadOnly).map_err(StoreError::io("open", &path))?;
        newest(&file).map_err(StoreError::io("read", &path))
    }

    /// The log is on the disk up to here.
    #[must_use]
    pub fn durable(&self) -> PhysicalOffset {
        PhysicalOffset(self.durable)
    }

    /// Queues and index are on the disk for every record before here.
    #[must_use]
    pub fn dispatched(&self) -> PhysicalOffset {
        PhysicalOffset(self.dispatched)
    }

    /// Where that is known, what the queues added up to for the records before a place.
    #[must_use]
    pub fn queues(&self) -> Option<(PhysicalOffset, u64)> {
        self.queues.map(|(place, sum)| (PhysicalOffset(place), sum))
    }

    /// Where the newest record of the index lay, if it had any.
    #[must_use]
    pub fn indexed(&self) -> Option<PhysicalOffset> {
        self.indexed.map(PhysicalOffset)
    }

    /// Store time of the newest durable record.
    #[must_use]
    pub fn newest(&self) -> StoreTime {
        StoreTime(self.newest_ms)
    }

    /// Whether the checkpoint is still the one that this state was written with.
    #[must_use]
    pub fn matches(&self, checkpoint: &Checkpoint) -> bool {
        self.checkpoint_ms == [checkpoint.log.0, checkpoint.queues.0, checkpoint.index.0]
    }
}

/// The open file.
#[derive(Debug)]
pub struct StateFile {
    file: SharedFile,
    path: std::path::PathBuf,
    sequence: u64,
}

impl StateFile {
    /// Opens the file, made if need be, and reads the newer of its slots.
    ///
    /// # Errors
    /// What the operating system says; unreadable content is no state.
    pub fn open(disk: &dyn Disk, options: &StoreOptions) -> Result<(Self, Option<State>), StoreError> {
        let path = options.file(FILE);
        let file = disk.open(&path, OpenMode::Create).map_err(StoreError::io("open", &path))?;
        let newest = newest(&file).map_err(StoreError::io("read", &path))?;
        let sequence = newest.map_or(0, |state| state.sequence);
        Ok((Self { file, path, sequence }, newest))
    }

    /// Writes a state into the older slot, synced.
    ///
    /// # Errors
    /// What the operating system says; the state before counts then.
    pub fn save(&mut self, state: State) -> Result<(), StoreError> {
        self.sequence += 1;
        let slot = encode(State { sequence: self.sequence, ..state });
        let at = (self.sequence % 2) * SLOT_BYTES as u64;
        self.file.write_all_at(&slot, at).map_err(StoreError::io("write", &self.path))?;
        self.file.sync().map_err(StoreError::io("sync", &self.path))
    }
}

/// What the newer of the two slots says.
fn newest(file: &SharedFile) -> std::io::Result<Option<State>> {
    let mut bytes = vec![0; 2 * SLOT_BYTES];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes.chunks_exact(SLOT_BYTES).filter_map(decode).max_by_key(|state| state.sequence))
}

fn encode(state: State) -> Vec<u8> {
    let body = bincode::encode_to_vec(state, CODEC).expect("a few numbers are within the limit");
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.push(VERSION);
    slot.extend(crc32fast::hash(&body).to_be_bytes());
    slot.extend((body.len() as u16).to_be_bytes());
    slot.extend(body);
    slot
}

fn decode(slot: &[u8]) -> Option<State> {
    let (head, rest) = slot.split_at_checked(HEAD_BYTES)?;
    let &[version, a, b, c, d, high, low] = head else { return None };
    let body = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    if version != VERSION || crc32fast::hash(body) != u32::from_be_bytes([a, b, c, d]) {
        return None;
    }
    bincode::decode_from_slice(body, CODEC).ok().map(|(state, _)| state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back_and_a_damaged_one_is_none() {
        let checkpoint = Checkpoint { log: StoreTime(1), queues: StoreTime(2), index: StoreTime(3) };
        let state = State::new(PhysicalOffset(10), PhysicalOffset(9), StoreTime(8), &checkpoint);
        let mut slot = encode(state);
        assert_eq!(decode(&slot), Some(state));
        for at in 0..slot.len() {
            slot[at] ^= 1;
            assert_eq!(decode(&slot), None, "byte {at} flipped");
            slot[at] ^= 1;
        }
        assert_eq!(decode(&slot[..20]), None);
    }
}
