//! The cheap view of a record: what dispatch and recovery look at, without copying anything.

use super::{MAGIC_V1, MAGIC_V2, RecordError, body_crc};
use crate::protocol::sys_flag;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};

/// Bytes before the born host.
pub(super) const BEFORE_HOSTS: usize = 48;

/// A record's numbers at their fixed places, and where its parts lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead<'a> {
    /// Length of the record.
    pub total_size: u32,
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: u32,
    /// The body's CRC as stored.
    pub body_crc: u32,
    /// The queue within the topic.
    pub queue_id: QueueId,
    /// The number within the queue.
    pub queue_offset: QueueOffset,
    /// Where the record says it lies.
    pub physical_offset: PhysicalOffset,
    /// Bits of [`sys_flag`].
    pub sys_flag: i32,
    /// When it was stored.
    pub store_time: StoreTime,
    /// Where the half message of a committed transaction lies.
    pub prepared_transaction_offset: i64,
    /// The stored body.
    pub body: &'a [u8],
    /// The topic.
    pub topic: &'a str,
    /// The properties, see [`properties`](crate::protocol::properties).
    pub properties: &'a str,
}

impl<'a> RecordHead<'a> {
    /// Reads the record that `bytes` begin with; what follows it is not looked at.
    ///
    /// # Errors
    /// Says what is wrong; [`RecordError::is_blank`] for the end of a segment. The body's CRC is not compared here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let total_size = u32_at(bytes, 0)?;
        let magic = u32_at(bytes, 4)?;
        let topic_length_bytes = match magic {
            MAGIC_V1 => 1,
            MAGIC_V2 => 2,
            found => return Err(RecordError::Magic { found }),
        };
        let left = bytes.len();
        let Some(record) = bytes.get(..total_size as usize) else {
            return Err(RecordError::Cut { needed: total_size as usize, left });
        };
        let sys_flag = u32_at(record, 36)? as i32;
        let store_time_at = BEFORE_HOSTS + sys_flag::born_host_bytes(sys_flag);
        let after_hosts = store_time_at + 8 + sys_flag::store_host_bytes(sys_flag);
        let (body, rest) = part(record, after_hosts + 12, 4, "body length")?;
        let (topic, rest) = part(record, rest, topic_length_bytes, "topic length")?;
        let (properties, end) = part(record, rest, 2, "properties length")?;
        if end != record.len() {
            return Err(RecordError::Size { stated: total_size, computed: end as u64 });
        }
        Ok(Self {
            total_size,
            magic,
            body_crc: u32_at(record, 8)?,
            queue_id: QueueId(natural(u32_at(record, 12)?, "queue id")?),
            queue_offset: QueueOffset(natural_64(u64_at(record, 20)?, "queue offset")?),
            physical_offset: PhysicalOffset(natural_64(u64_at(record, 28)?, "physical offset")?),
            sys_flag,
            store_time: StoreTime(u64_at(record, store_time_at)? as i64),
            prepared_transaction_offset: u64_at(record, after_hosts + 4)? as i64,
            body,
            topic: text(topic, "topic")?,
            properties: text(properties, "properties")?,
        })
    }

    /// Compares the body with the stored CRC.
    ///
    /// # Errors
    /// [`RecordError::BodyCrc`] with both numbers.
    pub fn check_body(&self) -> Result<(), RecordError> {
        // Java compares only bodies that are there.
        if self.body.is_empty() {
            return Ok(());
        }
        let computed = body_crc(self.body);
        if computed != self.body_crc {
            return Err(RecordError::BodyCrc { stored: self.body_crc, computed });
        }
        Ok(())
    }

    /// The first byte behind the record.
    #[must_use]
    pub fn end(&self) -> PhysicalOffset {
        self.physical_offset.plus(u64::from(self.total_size))
    }
}

/// The part behind a length of `width` bytes at `at`, and where the part ends.
fn part<'a>(record: &'a [u8], at: usize, width: usize, field: &'static str) -> Result<(&'a [u8], usize), RecordError> {
    let short = |needed: usize| RecordError::Cut { needed, left: record.len() };
    let start = at + width;
    let length = match record.get(at..start) {
        Some(&[a]) => i64::from(a as i8),
        Some(&[a, b]) => i64::from(i16::from_be_bytes([a, b])),
        Some(&[a, b, c, d]) => i64::from(i32::from_be_bytes([a, b, c, d])),
        _ => return Err(short(start)),
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(RecordError::Number { field, value: length });
    };
    let end = start + length;
    record.get(start..end).map(|part| (part, end)).ok_or_else(|| short(end))
}

fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, RecordError> {
    std::str::from_utf8(bytes).map_err(|_| RecordError::NotText { field })
}

fn natural(value: u32, field: &'static str) -> Result<u32, RecordError> {
    if value > i32::MAX as u32 {
        return Err(RecordError::Number { field, value: i64::from(value as i32) });
    }
    Ok(value)
}

fn natural_64(value: u64, field: &'static str) -> Result<u64, RecordError> {
    if value > i64::MAX as u64 {
        return Err(RecordError::Number { field, value: value as i64 });
    }
    Ok(value)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, RecordError> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(RecordError::Cut { needed: at + 4, left: bytes.len() }),
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, RecordError> {
    match bytes.get(at..at + 8) {
        Some(&[a, b, c, d, e, f, g, h]) => Ok(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(RecordError::Cut { needed: at + 8, left: bytes.len() }),
    }
}
