//! The worked example of `docs/format/spool.md` is what a spool writes and reads.

use bytes::Bytes;
use ferromq::client::SpoolOptions;
use ferromq::client::letter::Letter;
use ferromq::client::spool::{HEADER_BYTES, RECORD_HEADER_BYTES, Spool};
use ferromq::protocol::codes::request;
use ferromq::protocol::names::Topic;

const FILE: &str = "00000000000000000000";

/// The bytes of an example on the page: two digits each, what follows a `;` is an explanation.
fn example(nth: usize) -> Vec<u8> {
    let page = include_str!("../../docs/format/spool.md");
    let block = page.split("```hex\n").nth(1 + nth).unwrap().split("```").next().unwrap();
    let digits: String = block.lines().flat_map(|line| line.split(';').next().unwrap().split_whitespace()).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

fn letter() -> Letter {
    Letter {
        topic: Topic::parse("TopicTest").unwrap(),
        code: request::SEND_MESSAGE_V2,
        unique_ids: "7F01".into(),
        properties: "UNIQ_KEY\u{1}7F01".into(),
        sys_flag: 0,
        flag: 7,
        body: Bytes::from_static(b"hello"),
    }
}

#[test]
fn is_what_is_written_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let options = SpoolOptions::at(directory.path());
    let mut spool = Spool::open(&options).unwrap();
    let second = Letter { body: Bytes::from_static(b"!"), ..letter() };
    for letter in [letter(), second.clone()] {
        spool.put(&letter).unwrap();
        spool.commit().unwrap();
    }
    let written = std::fs::read(directory.path().join(FILE)).unwrap();
    assert_eq!(hex(&written), hex(&example(0)));
    assert_eq!((HEADER_BYTES, RECORD_HEADER_BYTES), (8, 24));
    spool.front().unwrap().unwrap();
    spool.sent().unwrap();
    let position = std::fs::read(directory.path().join("sent")).unwrap();
    assert_eq!(hex(&position), hex(&example(1)));
    drop(spool);
    // The page alone is a spool, too.
    let copied = tempfile::tempdir().unwrap();
    std::fs::write(copied.path().join(FILE), example(0)).unwrap();
    let mut spool = Spool::open(&SpoolOptions::at(copied.path())).unwrap();
    assert_eq!((spool.waiting().messages, spool.front().unwrap()), (2, Some(letter())));
    drop(spool);
    std::fs::write(copied.path().join("sent"), example(1)).unwrap();
    let mut spool = Spool::open(&SpoolOptions::at(copied.path())).unwrap();
    assert_eq!((spool.waiting().messages, spool.front().unwrap()), (1, Some(second)));
}
