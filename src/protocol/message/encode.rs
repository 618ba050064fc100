//! Parts to records: the one place that writes the layout.

use std::net::{IpAddr, SocketAddr};

use bytes::BufMut;

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
    /// How many bytes [`RecordParts::write`] fills.
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

    /// Writes the record over `out`, which is exactly [`RecordParts::encoded_len`] long.
    ///
    /// # Panics
    /// If `out` has another length: the caller's mistake, since it has asked for it.
    pub fn write(&self, mut out: &mut [u8]) {
        assert_eq!(out.len(), self.encoded_len(), "room for exactly this record");
        let long_topic = self.topic.len() > i8::MAX as usize;
        out.put_u32(out.len() as u32);
        out.put_u32(if long_topic { MAGIC_V2 } else { MAGIC_V1 });
        out.put_u32(self.body_crc);
        out.put_u32(self.queue_id.0);
        out.put_i32(self.flag);
        out.put_u64(self.queue_offset.0);
        out.put_u64(self.physical_offset.0);
        out.put_i32(sys_flag::with_hosts(self.sys_flag, self.born_host, self.store_host));
        out.put_i64(self.born_time.0);
        put_host(&mut out, self.born_host);
        out.put_i64(self.store_time.0);
        put_host(&mut out, self.store_host);
        out.put_i32(self.reconsume_times);
        out.put_i64(self.prepared_transaction_offset);
        out.put_u32(self.body.len() as u32);
        out.put_slice(self.body);
        if long_topic {
            out.put_u16(self.topic.len() as u16);
        } else {
            out.put_u8(self.topic.len() as u8);
        }
        out.put_slice(self.topic.as_bytes());
        out.put_u16(self.properties.len() as u16);
        out.put_slice(self.properties);
    }
}

fn host_bytes(host: SocketAddr) -> usize {
    if host.is_ipv6() { 20 } else { 8 }
}

fn put_host(out: &mut &mut [u8], host: SocketAddr) {
    match host.ip() {
        IpAddr::V4(address) => out.put_slice(&address.octets()),
        IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
    out.put_i32(i32::from(host.port()));
}
