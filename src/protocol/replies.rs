//! The two replies that are written too often to be built from named texts: to a send, and to a pull.
//!
//! Both give the same bytes as a [`super::command::Command`] with these fields would; a test holds them to it.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, BytesMut};

use super::command::{Language, Serialization, VERSION};
use super::properties::keys;
use super::units::{Opaque, PhysicalOffset, QueueId, QueueOffset};
use super::{frame, header_binary, header_json, text};

const REPLY_FLAG: i32 = 1;

/// What a send is answered with when it was stored.
#[derive(Clone, Copy, Debug)]
pub struct SendAnswer<'a> {
    /// SUCCESS, or one of the codes that say how safe the message is not.
    pub code: i32,
    /// Pairs it with the request.
    pub opaque: Opaque,
    /// The first half of message ids.
    pub store_host: SocketAddr,
    /// Where the queue is.
    pub queue_id: QueueId,
    /// The number of the first message in its queue.
    pub queue_offset: QueueOffset,
    /// `MSG_REGION`.
    pub region: &'a str,
    /// `TRACE_ON`.
    pub trace_on: bool,
}

impl SendAnswer<'_> {
    /// Appends the frame; `offsets` are the places of the messages in the log.
    pub fn write(
        &self,
        offsets: impl Iterator<Item = PhysicalOffset>,
        serialization: Serialization,
        out: &mut BytesMut,
    ) {
        let fields = |fields: &mut Fields<'_>| {
            fields.value("msgId", |out| write_ids(self.store_host, offsets, out));
            fields.number("queueId", self.queue_id.0.into());
            fields.number("queueOffset", self.queue_offset.0 as i64);
            fields.plain(keys::MSG_REGION, self.region);
            fields.plain(keys::TRACE_ON, if self.trace_on { "true" } else { "false" });
        };
        write(self.code, self.opaque, None, 0, serialization, out, fields);
    }
}

/// What stands ahead of the messages that answer a pull.
#[derive(Clone, Copy, Debug)]
pub struct PullAnswer {
    /// How it went.
    pub code: i32,
    /// How it went in RocketMQ's words.
    pub remark: &'static str,
    /// The broker to pull from next.
    pub suggested_broker: u64,
    /// Where the next pull goes on.
    pub next: QueueOffset,
    /// The first entry that is there.
    pub min: QueueOffset,
    /// The entry that will be written next.
    pub max: QueueOffset,
}

impl PullAnswer {
    /// Appends the frame up to its body, of which `body_len` bytes have to follow.
    pub fn write(&self, opaque: Opaque, body_len: usize, serialization: Serialization, out: &mut BytesMut) {
        write(self.code, opaque, Some(self.remark), body_len, serialization, out, |fields| {
            fields.number("suggestWhichBrokerId", self.suggested_broker as i64);
            fields.number("nextBeginOffset", self.next.0 as i64);
            fields.number("minOffset", self.min.0 as i64);
            fields.number("maxOffset", self.max.0 as i64);
        });
    }
}

fn write(
    code: i32,
    opaque: Opaque,
    remark: Option<&str>,
    body_len: usize,
    serialization: Serialization,
    out: &mut BytesMut,
    fields: impl FnOnce(&mut Fields<'_>),
) {
    frame::write_head(serialization, body_len, out, |out| match serialization {
        Serialization::Json => {
            header_json::begin(code, REPLY_FLAG, Language::Java, opaque, VERSION, out);
            if let Some(remark) = remark {
                out.put_slice(br#","remark":"#);
                text::put_json_string(out, remark);
            }
            out.put_slice(br#","extFields":{"#);
            fields(&mut Fields { out, serialization, first: true });
            out.put_slice(b"}}");
        }
        Serialization::Binary => {
            header_binary::begin(code, REPLY_FLAG, Language::Java, opaque, VERSION, out);
            header_binary::put_text(out, remark.unwrap_or_default());
            header_binary::write_ext(out, |out| fields(&mut Fields { out, serialization, first: true }));
        }
    });
}

/// Writes ext fields in either encoding.
struct Fields<'a> {
    out: &'a mut BytesMut,
    serialization: Serialization,
    first: bool,
}

impl Fields<'_> {
    fn number(&mut self, key: &str, value: i64) {
        self.value(key, |out| text::put_decimal(out, value));
    }

    /// A value that may need escaping.
    fn plain(&mut self, key: &str, value: &str) {
        match self.serialization {
            Serialization::Json => {
                self.key(key);
                text::put_json_string(self.out, value);
            }
            Serialization::Binary => header_binary::put_field(self.out, key, value.as_bytes()),
        }
    }

    /// A value of digits, letters and commas that `write` appends.
    fn value(&mut self, key: &str, write: impl FnOnce(&mut BytesMut)) {
        match self.serialization {
            Serialization::Json => {
                self.key(key);
                self.out.put_u8(b'"');
                write(self.out);
                self.out.put_u8(b'"');
            }
            Serialization::Binary => {
                let start = self.out.len();
                header_binary::put_field(self.out, key, b"");
                let value = self.out.len();
                write(self.out);
                let length = (self.out.len() - value) as i32;
                debug_assert!(start < value, "a field has a key and a length");
                if let Some(slot) = self.out.get_mut(value - 4..value) {
                    slot.copy_from_slice(&length.to_be_bytes());
                }
            }
        }
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.put_u8(b',');
        }
        self.out.put_u8(b'"');
        self.out.put_slice(key.as_bytes());
        self.out.put_slice(b"\":");
    }
}

/// Message ids joined by commas: see [`super::ids::offset_id`].
fn write_ids(store_host: SocketAddr, offsets: impl Iterator<Item = PhysicalOffset>, out: &mut BytesMut) {
    for (number, offset) in offsets.enumerate() {
        if number > 0 {
            out.put_u8(b',');
        }
        match store_host.ip() {
            IpAddr::V4(ip) => put_hex(&ip.octets(), out),
            IpAddr::V6(ip) => put_hex(&ip.octets(), out),
        }
        put_hex(&u32::from(store_host.port()).to_be_bytes(), out);
        put_hex(&offset.0.to_be_bytes(), out);
    }
}

fn put_hex(bytes: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.put_u8(DIGITS[usize::from(byte >> 4)]);
        out.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::codes::response;
    use crate::protocol::command::{Command, ExtFields};
    use crate::protocol::ids;

    fn decoded(mut bytes: BytesMut) -> (Command, usize) {
        let length = frame::needed(&bytes).unwrap();
        bytes.resize(length, b'x');
        let mut frames = Vec::new();
        frame::decode_all(&mut bytes, frame::FRAME_BYTES_MAX, &mut frames).unwrap();
        let command = frames.remove(0).command().unwrap();
        let body = command.body.len();
        (Command { body: bytes::Bytes::new(), ..command }, body)
    }

    #[test]
    fn the_answer_to_a_send_is_what_a_command_would_be() {
        for (serialization, host) in
            [(Serialization::Json, "10.0.0.1:10911"), (Serialization::Binary, "[2001:db8::1]:10911")]
        {
            let store_host: SocketAddr = host.parse().unwrap();
            let offsets = [PhysicalOffset(7), PhysicalOffset(1 << 40)];
            let answer = SendAnswer {
                code: response::FLUSH_DISK_TIMEOUT,
                opaque: Opaque(-5),
                store_host,
                queue_id: QueueId(3),
                queue_offset: QueueOffset(9),
                region: "quo\"ted",
                trace_on: true,
            };
            let mut out = BytesMut::new();
            answer.write(offsets.into_iter(), serialization, &mut out);
            let mut ext = ExtFields::builder();
            let msg_ids = offsets.map(|offset| ids::offset_id(store_host, offset)).join(",");
            ext.push("msgId", msg_ids).push("queueId", 3).push("queueOffset", 9);
            ext.push("MSG_REGION", "quo\"ted").push("TRACE_ON", true);
            let expected = Command::reply(response::FLUSH_DISK_TIMEOUT, Opaque(-5)).with_ext(ext.build());
            let mut whole = BytesMut::new();
            frame::encode(&expected, serialization, &mut whole);
            assert_eq!(out, whole);
            assert_eq!(decoded(out), (expected, 0));
        }
    }

    #[test]
    fn the_answer_to_a_pull_is_what_a_command_would_be() {
        for serialization in [Serialization::Json, Serialization::Binary] {
            let answer = PullAnswer {
                code: response::SUCCESS,
                remark: "FOUND",
                suggested_broker: 1,
                next: QueueOffset(12),
                min: QueueOffset(2),
                max: QueueOffset(1 << 33),
            };
            let mut out = BytesMut::new();
            answer.write(Opaque(4), 100, serialization, &mut out);
            let mut ext = ExtFields::builder();
            ext.push("suggestWhichBrokerId", 1).push("nextBeginOffset", 12);
            ext.push("minOffset", 2).push("maxOffset", 1u64 << 33);
            let expected = Command::reply(response::SUCCESS, Opaque(4)).with_remark("FOUND").with_ext(ext.build());
            assert_eq!(decoded(out), (expected, 100));
        }
    }
}
