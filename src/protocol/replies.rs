//! The two replies that are written too often to be built from named texts: to a send, and to a pull.
//!
//! Both give the same bytes as a [`super::command::Command`] with these fields would; a test holds them to it.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, BytesMut};

use super::command::{Language, Serialization, VERSION};
use super::text::Line;
use super::units::{Opaque, PhysicalOffset, QueueId, QueueOffset};
use super::{frame, header_binary, text};

const REPLY_FLAG: i32 = 1;

/// Room for either reply as it usually is, in bytes, so that the buffer grows at most once.
const REPLY_BYTES_USUAL: usize = 320;

/// Makes a [`Name`] of a literal that needs no escapes.
macro_rules! name {
    ($name:literal) => {
        Name { json: concat!("\"", $name, "\":\""), binary: $name }
    };
}

/// How a broker answers sends that were stored: what is the same in each answer, written once.
#[derive(Clone, Debug)]
pub struct SendForm {
    /// The broker's half of message ids, in hex.
    host: Vec<u8>,
    /// The last fields in either encoding, and what ends the header.
    tail_json: Vec<u8>,
    tail_binary: Vec<u8>,
}

/// What differs from one answer to the next.
#[derive(Clone, Copy, Debug)]
pub struct SendAnswer {
    /// SUCCESS, or one of the codes that say how safe the message is not.
    pub code: i32,
    /// Pairs it with the request.
    pub opaque: Opaque,
    /// Where the queue is.
    pub queue_id: QueueId,
    /// The number of the first message in its queue.
    pub queue_offset: QueueOffset,
}

impl SendForm {
    /// The form of a broker: `store_host` is the address in message ids, `region` is `MSG_REGION`, `trace_on` is
    /// `TRACE_ON`.
    #[must_use]
    pub fn new(store_host: SocketAddr, region: &str, trace_on: bool) -> Self {
        let mut host = BytesMut::new();
        match store_host.ip() {
            IpAddr::V4(ip) => put_hex(ip.octets(), &mut host),
            IpAddr::V6(ip) => put_hex(ip.octets(), &mut host),
        }
        put_hex(u32::from(store_host.port()).to_be_bytes(), &mut host);
        let tail = |serialization| {
            let mut out = BytesMut::new();
            let mut fields = Fields { out: &mut out, serialization };
            fields.text(name!("MSG_REGION"), region);
            fields.value(name!("TRACE_ON"), |out| out.put_slice(if trace_on { b"true" } else { b"false" }));
            if serialization == Serialization::Json {
                close(&mut out);
            }
            out.to_vec()
        };
        Self { host: host.to_vec(), tail_json: tail(Serialization::Json), tail_binary: tail(Serialization::Binary) }
    }

    /// The id of a message that lies at `offset`: see [`super::ids::offset_id`].
    #[must_use]
    pub fn id(&self, offset: PhysicalOffset) -> String {
        let mut id = BytesMut::new();
        self.write_ids(std::iter::once(offset), &mut id);
        String::from_utf8_lossy(&id).into_owned()
    }

    /// Appends the frame; `offsets` are the places of the messages in the log.
    pub fn write(
        &self,
        answer: &SendAnswer,
        offsets: impl ExactSizeIterator<Item = PhysicalOffset>,
        serialization: Serialization,
        out: &mut BytesMut,
    ) {
        match serialization {
            Serialization::Json => self.write_json(answer, offsets, out),
            Serialization::Binary => write(answer.code, answer.opaque, None, 0, serialization, out, |fields| {
                fields.value(name!("msgId"), |out| self.write_ids(offsets, out));
                fields.number(name!("queueId"), answer.queue_id.0.into());
                fields.number(name!("queueOffset"), answer.queue_offset.0 as i64);
                fields.out.put_slice(&self.tail_binary);
            }),
        }
    }

    /// The busiest reply in the busiest form.
    fn write_json(
        &self,
        answer: &SendAnswer,
        offsets: impl ExactSizeIterator<Item = PhysicalOffset>,
        out: &mut BytesMut,
    ) {
        let id_bytes = self.host.len() + OFFSET_DIGITS + 1;
        let room_bytes = SEND_ANSWER_FIXED_BYTES_MAX + self.tail_json.len() + id_bytes * offsets.len();
        let start = out.len();
        out.resize(start + room_bytes, 0);
        let mut line = Line::new(out.get_mut(start..).unwrap_or_default());
        line.text(&[0; frame::PREFIX_BYTES]).text(br#"{"code":"#).number(answer.code.into());
        line.text(br#","flag":1,"language":"JAVA","opaque":"#).number(answer.opaque.0.into());
        line.text(br#","version":407,"extFields":{"msgId":""#);
        for (number, offset) in offsets.enumerate() {
            if number > 0 {
                line.text(b",");
            }
            line.text(&self.host).hex(offset.0);
        }
        line.text(br#"","queueId":""#).number(answer.queue_id.0.into());
        line.text(br#"","queueOffset":""#).number(answer.queue_offset.0 as i64).text(b"\",").text(&self.tail_json);
        let length = line.length();
        out.truncate(start + length);
        frame::patch_head(Serialization::Json, 0, start, out);
    }

    /// Message ids joined by commas: see [`super::ids::offset_id`].
    fn write_ids(&self, offsets: impl Iterator<Item = PhysicalOffset>, out: &mut BytesMut) {
        for (number, offset) in offsets.enumerate() {
            if number > 0 {
                out.put_u8(b',');
            }
            out.put_slice(&self.host);
            put_hex(offset.0.to_be_bytes(), out);
        }
    }
}

/// Digits of an offset in a message id.
const OFFSET_DIGITS: usize = 16;
/// More bytes than an answer to a send has besides its ids and its last fields: text of 130 and four numbers.
const SEND_ANSWER_FIXED_BYTES_MAX: usize = 256;

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
            fields.number(name!("suggestWhichBrokerId"), self.suggested_broker as i64);
            fields.number(name!("nextBeginOffset"), self.next.0 as i64);
            fields.number(name!("minOffset"), self.min.0 as i64);
            fields.number(name!("maxOffset"), self.max.0 as i64);
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
    out.reserve(REPLY_BYTES_USUAL);
    frame::write_head(serialization, body_len, out, |out| match serialization {
        Serialization::Json => {
            out.put_slice(br#"{"code":"#);
            text::put_decimal(out, code.into());
            // What `header_json` writes for a reply of a server, whose language and version do not change.
            out.put_slice(br#","flag":1,"language":"JAVA","opaque":"#);
            text::put_decimal(out, opaque.0.into());
            out.put_slice(br#","version":407"#);
            if let Some(remark) = remark {
                out.put_slice(br#","remark":"#);
                text::put_json_string(out, remark);
            }
            out.put_slice(br#","extFields":{"#);
            fields(&mut Fields { out, serialization });
            close(out);
        }
        Serialization::Binary => {
            header_binary::begin(code, REPLY_FLAG, Language::Java, opaque, VERSION, out);
            header_binary::put_text(out, remark.unwrap_or_default());
            header_binary::write_ext(out, |out| fields(&mut Fields { out, serialization }));
        }
    });
}

/// Ends fields and header; each field has left a comma behind it.
fn close(out: &mut BytesMut) {
    out.truncate(out.len() - 1);
    out.put_slice(b"}}");
}

/// The name of a field as either encoding has it.
#[derive(Clone, Copy)]
struct Name {
    /// With its quotes, its colon and the quote that opens the value, so that one copy writes them all.
    json: &'static str,
    binary: &'static str,
}

/// Writes ext fields in either encoding, at least one.
///
/// What a field costs is the number of copies into the buffer, not their size: there are three.
struct Fields<'a> {
    out: &'a mut BytesMut,
    serialization: Serialization,
}

impl Fields<'_> {
    fn number(&mut self, name: Name, value: i64) {
        self.value(name, |out| text::put_decimal(out, value));
    }

    /// A value that may need escapes.
    fn text(&mut self, name: Name, value: &str) {
        let plain = value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        if plain || self.serialization == Serialization::Binary {
            return self.value(name, |out| out.put_slice(value.as_bytes()));
        }
        self.out.put_slice(name.json.as_bytes());
        self.out.truncate(self.out.len() - 1);
        text::put_json_string(self.out, value);
        self.out.put_u8(b',');
    }

    /// A value that `write` appends, of characters that need no escapes.
    fn value(&mut self, name: Name, write: impl FnOnce(&mut BytesMut)) {
        match self.serialization {
            Serialization::Json => {
                self.out.put_slice(name.json.as_bytes());
                write(self.out);
                self.out.put_slice(b"\",");
            }
            Serialization::Binary => {
                header_binary::put_field(self.out, name.binary, b"");
                let start = self.out.len();
                write(self.out);
                let length = (self.out.len() - start) as i32;
                if let Some(slot) = self.out.get_mut(start - 4..start) {
                    slot.copy_from_slice(&length.to_be_bytes());
                }
            }
        }
    }
}

fn put_hex<const N: usize>(bytes: [u8; N], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digits = bytes.map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    out.put_slice(digits.as_flattened());
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
                queue_id: QueueId(3),
                queue_offset: QueueOffset(9),
            };
            let mut out = BytesMut::new();
            SendForm::new(store_host, "quo\"ted", true).write(&answer, offsets.into_iter(), serialization, &mut out);
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
