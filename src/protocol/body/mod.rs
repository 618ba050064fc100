//! JSON bodies: one serde structure per body, a file per family.
//!
//! Writing is strict everywhere but in two points: tables keyed by a message queue have *objects* as keys, since that is
//! the only form every client reads ([`queue_table`]), and routes have a form for old clients ([`route`]). Reading takes
//! everything that Java, Go and Node peers send ([`lenient`]). Fields are declared in alphabetical order, which is the
//! order the reference writes them in and the order in which they leave; absent fields read as their default, unknown ones
//! are passed over.
//!
//! Names inside bodies are plain texts: the reference never checked them, and a host name with a dot is a topic of its
//! own start-up table. What creates something from such a text checks it.

pub mod acl;
pub mod cluster;
pub mod connection;
pub mod consume_queue;
pub mod consumer;
pub mod data_version;
pub mod heartbeat;
pub mod kv;
pub mod lenient;
pub mod lists;
pub mod lock;
pub mod offsets;
pub mod queue_table;
pub mod register;
pub mod route;
pub mod stats;
pub mod subscription;
pub mod subscription_group;
pub mod topic_config;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::compression::CompressionError;

/// Why bytes are not the body they should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not JSON, not even in fastjson's dialect.
    #[error("not JSON at byte {at}: expected {expected}")]
    Syntax {
        /// Where reading stopped, counted in the bytes given.
        at: usize,
        /// What would have been legal there.
        expected: &'static str,
    },
    /// JSON, but not of this body.
    #[error("not a {body}: {reason}")]
    Shape {
        /// The type that was to be read.
        body: &'static str,
        /// What does not fit, in serde's words.
        reason: String,
    },
    /// The compressed registration body ends early, or a length in it is not one.
    #[error("compressed registration: {expected} expected at byte {at} of {length}")]
    Registration {
        /// Where, in the inflated bytes.
        at: usize,
        /// How many inflated bytes there are.
        length: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// The compressed registration body does not inflate, or to too much.
    #[error("compressed registration: {0}")]
    Inflate(#[from] CompressionError),
}

/// A value that travels as the JSON body of a command.
pub trait Body: DeserializeOwned {
    /// Reads a body in whatever dialect the peer writes.
    ///
    /// # Errors
    /// Tells what is not JSON, or not this body.
    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        lenient::read(bytes)
    }

    /// The body as every peer reads it: compact, no line breaks.
    fn encode(&self) -> Bytes;
}

/// Implements [`Body`] for types whose map keys are texts or numbers.
macro_rules! plain_body {
    ($($body:ty),+ $(,)?) => {
        $(impl $crate::protocol::body::Body for $body {
            fn encode(&self) -> bytes::Bytes {
                $crate::protocol::body::json(self).into()
            }
        })+
    };
}
pub(crate) use plain_body;

/// Compact JSON of a value whose map keys are texts or numbers.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a body's keys are texts or numbers, which is all that serde_json asks for")
}

/// The same over several lines, indented by tabs as the reference writes its configuration files.
pub(crate) fn pretty<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))
        .expect("a body's keys are texts or numbers, which is all that serde_json asks for");
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

/// Appends a list or a table by hand, where serde_json would write its keys otherwise: `items` between two brackets, with
/// commas between them.
pub(crate) fn write_list<T>(
    out: &mut Vec<u8>,
    open: u8,
    items: impl IntoIterator<Item = T>,
    close: u8,
    write_item: impl Fn(&mut Vec<u8>, T),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_item(out, item);
    }
    out.push(close);
}
