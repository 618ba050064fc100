//! A send request made once, and stamped anew for every message.
//!
//! Encoding a header costs more than everything else a load generator does for a message, so the frame is made by the
//! real codec once per connection and only the parts that must differ are written over it in place: opaque, time of
//! birth, queue, the message's own id and its key. All of them have a fixed width.
//!
//! Where these parts are is not computed but looked for: the frame is encoded twice with two values that differ in
//! every digit, and where the two frames differ, there it is. So this file knows nothing of either header encoding.

use std::ops::Range;

use bytes::BytesMut;

use crate::client::route::{TEMPLATE_QUEUES_MAX, TEMPLATE_TOPIC};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, ExtFields, Serialization};
use crate::protocol::frame;
use crate::protocol::message::encode_batch_item;
use crate::protocol::properties::{self, keys};
use crate::protocol::units::Opaque;

/// The opaque of the first request. Those that follow have ten digits as well, since JSON allows no leading zeros.
const OPAQUE_FIRST: i32 = 1_000_000_000;
/// How many running numbers there are before they start again from zero: a power of two, so that rings of a power of
/// two go on without a break, and below 10^9, so that opaques keep to ten digits that begin with a 1.
const SEQUENCES: u32 = 1 << 29;
/// Digits of a time of birth: milliseconds from the year 2001 to 2286.
const BORN_DIGITS: usize = 13;
/// Hex digits at the end of a message's id that count messages. The ones before tell hosts and connections apart.
const COUNTER_DIGITS: usize = 12;
/// Digits of a key's number.
const KEY_DIGITS: usize = 8;

/// What every request of one connection has in common.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The topic to send to.
    pub topic: String,
    /// The producer group.
    pub group: String,
    /// How many queues the topic has.
    pub queues: u32,
    /// Bytes of each message's body.
    pub body_bytes: usize,
    /// How many different keys the messages have; 0 for messages without keys.
    pub keys: u32,
    /// The tag of all messages, if any.
    pub tag: Option<String>,
    /// Further properties of all messages, by name.
    pub properties: Vec<(String, String)>,
    /// Bits of all messages.
    pub sys_flag: i32,
    /// Messages per request; 1 is an ordinary send.
    pub batch: u32,
    /// Whether no replies are wanted.
    pub oneway: bool,
    /// How the header is written.
    pub serialization: Serialization,
    /// A number that no other connection has, here or in another process.
    pub instance: u32,
    /// Where the messages' own numbers begin.
    pub first_counter: u64,
}

/// A request frame and the places in it that differ from one request to the next.
#[derive(Debug)]
pub struct Template {
    frame: Vec<u8>,
    body_bytes: usize,
    sequence: u32,
    counter: u64,
    key_count: u32,
    random: fastrand::Rng,
    opaque: OpaqueSlot,
    born: Range<usize>,
    queue: Range<usize>,
    counters: Vec<Range<usize>>,
    keys: Vec<Range<usize>>,
}

/// How the opaque is written: as digits in JSON, as four bytes in the binary header.
#[derive(Debug)]
enum OpaqueSlot {
    Digits(Range<usize>),
    Word(Range<usize>),
}

impl Template {
    /// Makes the frame of one connection's requests.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let zeros = Stamps { opaque: OPAQUE_FIRST, ..Stamps::all('0', shape) };
        let ones = Stamps { opaque: OPAQUE_FIRST + 111_111_111, ..Stamps::all('1', shape) };
        let frame = encode(shape, &zeros);
        let differing = |stamps: &Stamps| runs_of_difference(&frame, &encode(shape, stamps));
        let opaque = one(differing(&Stamps { opaque: ones.opaque, ..zeros.clone() }));
        let born = one(differing(&Stamps { born: ones.born.clone(), ..zeros.clone() }));
        let queue = one(differing(&Stamps { queue: ones.queue.clone(), ..zeros.clone() }));
        let counters = differing(&Stamps { counter: ones.counter.clone(), ..zeros.clone() });
        let keys = differing(&Stamps { key: ones.key, ..zeros });
        assert_eq!(born.len(), BORN_DIGITS, "the time of birth is written as digits");
        assert!(counters.iter().all(|slot| slot.len() == COUNTER_DIGITS), "ids are written as digits");
        let opaque = match shape.serialization {
            Serialization::Json => OpaqueSlot::Digits(opaque),
            Serialization::Binary => OpaqueSlot::Word(opaque),
        };
        Self {
            frame,
            body_bytes: shape.body_bytes,
            sequence: 0,
            counter: shape.first_counter,
            key_count: shape.keys,
            random: fastrand::Rng::with_seed(shape.instance.into()),
            opaque,
            born,
            queue,
            counters,
            keys,
        }
    }

    /// The running number of the next request.
    #[must_use]
    pub fn next_sequence(&self) -> u32 {
        self.sequence
    }

    /// The running number of the request that a reply's opaque belongs to; `None` for one that was never given out.
    #[must_use]
    pub fn sequence_of(opaque: i32) -> Option<u32> {
        u32::try_from(opaque.checked_sub(OPAQUE_FIRST)?).ok().filter(|sequence| *sequence < SEQUENCES)
    }

    /// Bytes of one frame.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    /// Sets the time of birth of the requests from now on, in milliseconds since the epoch.
    pub fn set_born(&mut self, now_ms: i64) {
        write_decimal(&mut self.frame[self.born.clone()], now_ms.unsigned_abs());
    }

    /// Writes `head` over the beginning of a single message's body, as far as the body reaches.
    pub fn set_body_head(&mut self, head: &[u8]) {
        let start = self.frame.len() - self.body_bytes;
        let length = head.len().min(self.body_bytes);
        self.frame[start..start + length].copy_from_slice(&head[..length]);
    }

    /// Appends the next request, for a queue, to `out`.
    pub fn stamp(&mut self, queue: u32, out: &mut Vec<u8>) {
        match &self.opaque {
            OpaqueSlot::Digits(at) => write_decimal(&mut self.frame[at.clone()], self.sequence.into()),
            OpaqueSlot::Word(at) => {
                let opaque = OPAQUE_FIRST as u32 + self.sequence;
                self.frame[at.clone()].copy_from_slice(&opaque.to_be_bytes());
            }
        }
        write_decimal(&mut self.frame[self.queue.clone()], queue.into());
        for slot in &self.counters {
            write_hex(&mut self.frame[slot.clone()], self.counter);
            self.counter += 1;
        }
        for slot in &self.keys {
            write_decimal(&mut self.frame[slot.clone()], self.random.u32(..self.key_count).into());
        }
        out.extend_from_slice(&self.frame);
        self.sequence = (self.sequence + 1) % SEQUENCES;
    }
}

/// Values for the places that differ, all of the width they will have.
#[derive(Clone)]
struct Stamps {
    opaque: i32,
    born: String,
    queue: String,
    counter: String,
    key: String,
}

impl Stamps {
    /// Queue numbers have as many digits as the largest one; servers read `07` as 7.
    fn all(digit: char, shape: &Shape) -> Self {
        let digits = |count: usize| digit.to_string().repeat(count);
        Self {
            opaque: OPAQUE_FIRST,
            born: digits(BORN_DIGITS),
            queue: digits(shape.queues.saturating_sub(1).to_string().len()),
            counter: digits(COUNTER_DIGITS),
            key: digits(KEY_DIGITS),
        }
    }
}

fn encode(shape: &Shape, stamps: &Stamps) -> Vec<u8> {
    let batch = shape.batch > 1;
    let text = body(shape.body_bytes);
    let (code, shared, body) = if batch {
        let mut items = Vec::new();
        for _ in 0..shape.batch {
            let properties = message_properties(shape, stamps);
            encode_batch_item(0, &text, &properties, &mut items).expect("the limits were checked with the options");
        }
        (request::SEND_BATCH_MESSAGE, properties::encode([(keys::WAIT, "true")]), items)
    } else {
        (request::SEND_MESSAGE_V2, message_properties(shape, stamps), text)
    };
    let mut ext = ExtFields::builder();
    ext.push("a", &shape.group)
        .push("b", &shape.topic)
        .push("c", TEMPLATE_TOPIC)
        .push("d", TEMPLATE_QUEUES_MAX)
        .push("e", &stamps.queue)
        .push("f", shape.sys_flag)
        .push("g", &stamps.born)
        .push("h", 0)
        .push("i", shared)
        .push("j", 0)
        .push("k", false)
        .push("m", batch);
    let command = Command::request(code).with_ext(ext.build()).with_body(body.into());
    let command = command.with_opaque(Opaque(stamps.opaque));
    let mut out = BytesMut::new();
    frame::encode(&if shape.oneway { command.oneway() } else { command }, shape.serialization, &mut out);
    out.to_vec()
}

/// The properties that official clients set: the message's own id (eight hex digits of address, four of the process,
/// eight of the connection, twelve that count), and that the answer may wait for the disk.
fn message_properties(shape: &Shape, stamps: &Stamps) -> String {
    let process = std::process::id() as u16;
    let id = format!("7F000001{process:04X}{:08X}{}", shape.instance, stamps.counter);
    let key = (shape.keys > 0).then(|| format!("key-{}", stamps.key));
    let optional = [(keys::TAGS, shape.tag.as_deref()), (keys::KEYS, key.as_deref())];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let further = shape.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    properties::encode([(keys::UNIQ_KEY, id.as_str()), (keys::WAIT, "true")].into_iter().chain(optional).chain(further))
}

/// A body of letters, not all the same, in case something on the way compresses.
fn body(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(bytes as u64);
    (0..bytes).map(|_| random.alphanumeric() as u8).collect()
}

/// The runs of bytes in which two frames of one length differ.
fn runs_of_difference(left: &[u8], right: &[u8]) -> Vec<Range<usize>> {
    assert_eq!(left.len(), right.len(), "what is stamped has a fixed width");
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in left.iter().zip(right).enumerate().filter(|(_, (left, right))| left != right) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

fn one(runs: Vec<Range<usize>>) -> Range<usize> {
    let [run] = <[_; 1]>::try_from(runs).expect("each of these stands in the frame once, in one piece");
    run
}

/// Writes a number with leading zeros; what does not fit is cut off on the left.
fn write_decimal(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn write_hex(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEF"[(value & 15) as usize];
        value >>= 4;
    }
}

#[cfg(test)]
mod tests;
