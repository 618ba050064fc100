//! The message as it lies in the log and travels in pull answers: one byte format for both.
//!
//! # Layout
//! `B` is 8 when bit 4 of the sys flag is clear and 20 when it is set (born host), `S` the same by bit 5 (store host).
//! Every number is big-endian.
//!
//! | at | size | field |
//! |---|---|---|
//! | 0 | 4 | total size |
//! | 4 | 4 | magic, [`MAGIC_V1`] or [`MAGIC_V2`] |
//! | 8 | 4 | CRC of the body, top bit cleared |
//! | 12 | 4 | queue id |
//! | 16 | 4 | flag of the application |
//! | 20 | 8 | queue offset |
//! | 28 | 8 | physical offset |
//! | 36 | 4 | sys flag |
//! | 40 | 8 | born time |
//! | 48 | B | born host: address, port as i32 |
//! | 48+B | 8 | store time |
//! | 56+B | S | store host |
//! | 56+B+S | 4 | times consumed before |
//! | 60+B+S | 8 | physical offset of the half message |
//! | 68+B+S | 4 | body length, then the body |
//! | | 1 | topic length (2 in version 2), then the topic |
//! | | 2 | properties length, then the properties |
//!
//! What is deliberately absent: where a record lies, and whether its neighbours are sound; that is `store`.

mod batch;
mod decode;
mod encode;
mod error;
mod head;
mod text;

use std::net::SocketAddr;

use bytes::Bytes;

pub use batch::{BatchItem, BatchItemRef, BatchItems, decode_batch, encode_batch_item};
pub use decode::{decode, decode_all};
pub use encode::{RecordParts, size_and_sys_flag, stamp};
pub use error::RecordError;
pub use head::RecordHead;
pub use text::Text;

use crate::protocol::ids;
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

/// A message record, topic length in one byte.
pub const MAGIC_V1: u32 = 0xDAA3_20A7;
/// A message record of 5.x with a topic over 127 bytes: its length takes two bytes.
pub const MAGIC_V2: u32 = 0xDAA3_20AB;
/// The blank that fills the rest of a log segment.
pub const MAGIC_BLANK: u32 = 0xCBD4_3194;
/// Longest properties text in bytes: its length is a signed 16-bit number.
pub const PROPERTIES_LENGTH_MAX: usize = i16::MAX as usize;

/// The CRC that a record carries for its body: CRC-32 (IEEE) with the top bit cleared, 0 for no body.
#[must_use]
pub fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

/// A decoded message. Body and texts are slices of the block it was decoded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was sent.
    pub topic: Text,
    /// The queue of the topic.
    pub queue_id: QueueId,
    /// The application's own number.
    pub flag: i32,
    /// Its number in the queue.
    pub queue_offset: QueueOffset,
    /// Its place in the log.
    pub physical_offset: PhysicalOffset,
    /// Bits of [`sys_flag`](crate::protocol::sys_flag).
    pub sys_flag: i32,
    /// When the producer made it.
    pub born_time: BornTime,
    /// Where the producer is.
    pub born_host: SocketAddr,
    /// When the broker stored it.
    pub store_time: StoreTime,
    /// Which broker stored it.
    pub store_host: SocketAddr,
    /// How often a consumer has sent it back.
    pub reconsume_times: i32,
    /// Where the half message of a committed transaction lies; 0 for others.
    pub prepared_transaction_offset: i64,
    /// What the record says of its body; not checked by decoding, see [`Message::check_body`].
    pub body_crc: u32,
    /// The body as stored: still compressed if the sys flag says so.
    pub body: Bytes,
    /// The properties as stored, see [`properties`].
    pub properties: Text,
}

impl Message {
    /// The last value of a property.
    #[must_use]
    pub fn property(&self, key: &str) -> Option<&str> {
        properties::find(&self.properties, key)
    }

    /// The tag, which filters look at.
    #[must_use]
    pub fn tags(&self) -> Option<&str> {
        self.property(keys::TAGS)
    }

    /// The keys, which key queries look at, separated by blanks.
    #[must_use]
    pub fn keys(&self) -> Option<&str> {
        self.property(keys::KEYS)
    }

    /// The id that the producer gave.
    #[must_use]
    pub fn unique_id(&self) -> Option<&str> {
        self.property(keys::UNIQ_KEY)
    }

    /// The id that tells where the message lies, as clients print it.
    #[must_use]
    pub fn offset_id(&self) -> String {
        ids::offset_id(self.store_host, self.physical_offset)
    }

    /// Length of the record in bytes.
    #[must_use]
    pub fn stored_size(&self) -> usize {
        self.parts().encoded_len()
    }

    /// Appends the record, byte for byte as the broker stores it.
    ///
    /// # Errors
    /// A text is longer than its length field can say.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let parts = self.parts();
        parts.check()?;
        parts.append_to(out);
        Ok(())
    }

    /// Compares the body with the CRC that came with it.
    ///
    /// # Errors
    /// [`RecordError::BodyCrc`] with both numbers.
    pub fn check_body(&self) -> Result<(), RecordError> {
        let computed = body_crc(&self.body);
        if computed != self.body_crc && !self.body.is_empty() {
            return Err(RecordError::BodyCrc { stored: self.body_crc, computed });
        }
        Ok(())
    }

    fn parts(&self) -> RecordParts<'_> {
        RecordParts {
            topic: &self.topic,
            queue_id: self.queue_id,
            flag: self.flag,
            queue_offset: self.queue_offset,
            physical_offset: self.physical_offset,
            sys_flag: self.sys_flag,
            born_time: self.born_time,
            born_host: self.born_host,
            store_time: self.store_time,
            store_host: self.store_host,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: self.prepared_transaction_offset,
            body_crc: self.body_crc,
            body: &self.body,
            properties: self.properties.as_bytes(),
        }
    }
}
