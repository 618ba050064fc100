//! What the tests of this folder share: recorded cases, hexadecimal, and one frame at a time.

use std::fs;
use std::path::Path;

use bytes::BytesMut;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::error::ProtocolError;
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX, Frame};
use serde_json::Value;

/// All recorded cases of a kind, sorted by name. At least one, or the test would prove nothing.
pub(crate) fn fixtures(kind: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let cases = paths.iter().map(|path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap());
    let cases: Vec<_> = cases.filter(|case| case["kind"] == kind).collect();
    assert!(!cases.is_empty(), "no fixture of kind {kind}");
    cases
}

/// The recorded case of this name.
pub(crate) fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire").join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The bytes that hexadecimal digits stand for; blanks between them are skipped.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// The frames in `bytes`, and how much is left over.
pub(crate) fn decode_all(bytes: &[u8]) -> (Vec<Frame>, usize, Result<(), ProtocolError>) {
    let (mut buffer, mut frames) = (BytesMut::from(bytes), Vec::new());
    let outcome = frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames);
    (frames, buffer.len(), outcome)
}

/// The one frame that `bytes` are.
pub(crate) fn decode_one(bytes: &[u8]) -> Frame {
    let (mut frames, left, outcome) = decode_all(bytes);
    assert_eq!((frames.len(), left, outcome), (1, 0, Ok(())));
    frames.remove(0)
}

/// The frame of a command.
pub(crate) fn encode(command: &Command, serialization: Serialization) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame::encode(command, serialization, &mut out);
    out.to_vec()
}
