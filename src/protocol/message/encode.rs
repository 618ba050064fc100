//! Parts to records: the one place that writes the layout.

use std::net::{IpAddr, SocketAddr};

use super::head::BEFORE_HOSTS;
use super::{MAGIC_V1, MAGIC_V2, PROPERTIES_LENGTH_MAX, RecordError};
use crate::protocol::sys_flag;
use crate::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

/// Everything a record is made of, borrowed.
///
/// The two host bits of the sys flag are set from the addresses when the record is written, whatever was given.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of Message")]
pub struct RecordParts<'a> {
    pub topic: &'a str,
    pub queue_id: QueueId,
    pub flag: i32,
    pub queue_offset: QueueOffset,
    pub physical_offset: PhysicalOffset,
    pub sys_flag: i32,
    pub born_time: BornTime,
    pub born_host: SocketAddr,
    pub store_time: StoreTime,
    pub store_host: SocketAddr,
    pub reconsume_times: i32,
    pub prepared_transaction_offset: i64,
    pub body_crc: u32,
    pub body: &'a [u8],
    pub properties: &'a [u8],
}

impl RecordParts<'_> {
    /// How many bytes [`RecordParts::append_to`] appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let hosts = host_bytes(self.born_host) + host_bytes(self.store_host);
        let long_topic = usize::from(self.topic.len() > i8::MAX as usize);
        75 + hosts + long_topic + self.body.len() + self.topic.len() + self.properties.len()
    }

    /// Whether each length fits its field.
    ///
    /// # Errors
    /// [`RecordError::Number`] naming the length that does not.
    pub fn check(&self) -> Result<(), RecordError> {
        let too_long = |field, length: usize| Err(RecordError::Number { field, value: length as i64 });
        if self.topic.len() > i16::MAX as usize {
            return too_long("topic length", self.topic.len());
        }
        if self.properties.len() > PROPERTIES_LENGTH_MAX {
            return too_long("properties length", self.properties.len());
        }
        if self.encoded_len() > i32::MAX as usize {
            return too_long("total size", self.encoded_len());
        }
        Ok(())
    }

    /// Appends the record.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let length = self.encoded_len();
        let long_topic = self.topic.len() > i8::MAX as usize;
        let start = out.len();
        out.reserve(length.max(HEAD_BYTES_MAX));
        out.resize(start + HEAD_BYTES_MAX, 0);
        let mut head = Head { room: &mut out[start..], length: 0 };
        head.put((length as u32).to_be_bytes());
        head.put(if long_topic { MAGIC_V2 } else { MAGIC_V1 }.to_be_bytes());
        head.put(self.body_crc.to_be_bytes());
        head.put(self.queue_id.0.to_be_bytes());
        head.put(self.flag.to_be_bytes());
        head.put(self.queue_offset.0.to_be_bytes());
        head.put(self.physical_offset.0.to_be_bytes());
        head.put(sys_flag::with_hosts(self.sys_flag, self.born_host, self.store_host).to_be_bytes());
        head.put(self.born_time.0.to_be_bytes());
        head.put_host(self.born_host);
        head.put(self.store_time.0.to_be_bytes());
        head.put_host(self.store_host);
        head.put(self.reconsume_times.to_be_bytes());
        head.put(self.prepared_transaction_offset.to_be_bytes());
        head.put((self.body.len() as u32).to_be_bytes());
        let head_length = head.length;
        out.truncate(start + head_length);
        out.extend_from_slice(self.body);
        if long_topic {
            out.extend_from_slice(&(self.topic.len() as u16).to_be_bytes());
        } else {
            out.push(self.topic.len() as u8);
        }
        out.extend_from_slice(self.topic.as_bytes());
        out.extend_from_slice(&(self.properties.len() as u16).to_be_bytes());
        out.extend_from_slice(self.properties);
        debug_assert_eq!(out.len() - start, length, "a record is as long as it says");
    }
}

/// Stamps what only the log knows into a record that was written without it.
///
/// # Panics
/// If `record` is not as long as a record's fixed fields.
pub fn stamp(record: &mut [u8], queue_offset: QueueOffset, physical_offset: PhysicalOffset, store_time: StoreTime) {
    let sys_flag = sys_flag_of(record);
    let store_time_at = BEFORE_HOSTS + sys_flag::born_host_bytes(sys_flag);
    let [queue_offset, physical_offset] = [queue_offset.0.to_be_bytes(), physical_offset.0.to_be_bytes()];
    record[QUEUE_OFFSET_AT..QUEUE_OFFSET_AT + 8].copy_from_slice(&queue_offset);
    record[QUEUE_OFFSET_AT + 8..QUEUE_OFFSET_AT + 16].copy_from_slice(&physical_offset);
    record[store_time_at..store_time_at + 8].copy_from_slice(&store_time.0.to_be_bytes());
}

/// The length and the sys flag of the record that `bytes` begin with, which is one of our own.
///
/// # Panics
/// As [`stamp`].
#[must_use]
pub fn size_and_sys_flag(bytes: &[u8]) -> (usize, i32) {
    let size = bytes.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
    (size as usize, sys_flag_of(bytes))
}

fn sys_flag_of(record: &[u8]) -> i32 {
    let bytes = record[SYS_FLAG_AT..].first_chunk().expect("a record has a sys flag");
    i32::from_be_bytes(*bytes)
}

const QUEUE_OFFSET_AT: usize = 20;
const SYS_FLAG_AT: usize = 36;

/// Most bytes of the fields before the body, with two IPv6 hosts.
const HEAD_BYTES_MAX: usize = 112;

/// Writes the fields before the body into room that was made for all of them: each piece that is appended to a vector
/// looks for room anew.
struct Head<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl Head<'_> {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        self.room[self.length..self.length + N].copy_from_slice(&field);
        self.length += N;
    }

    fn put_host(&mut self, host: SocketAddr) {
        match host.ip() {
            IpAddr::V4(address) => self.put(address.octets()),
            IpAddr::V6(address) => self.put(address.octets()),
        }
        self.put(u32::from(host.port()).to_be_bytes());
    }
}

fn host_bytes(host: SocketAddr) -> usize {
    if host.is_ipv6() { 20 } else { 8 }
}
