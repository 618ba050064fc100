//! Letters that are told apart, and spools on a simulated disk.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ferromq::client::SpoolOptions;
use ferromq::client::letter::Letter;
use ferromq::client::spool::Spool;
use ferromq::protocol::codes::request;
use ferromq::protocol::names::Topic;

use crate::disk::SimDisk;

/// A letter of this number, whose length depends on it.
pub(crate) fn letter(number: u64) -> Letter {
    Letter {
        topic: Topic::parse("Orders").unwrap(),
        code: request::SEND_MESSAGE_V2,
        unique_ids: format!("id-{number}"),
        properties: format!("UNIQ_KEY\u{1}id-{number}\u{2}IDEMPOTENCE_KEY\u{1}id-{number}"),
        sys_flag: number as i32,
        flag: -1,
        body: Bytes::from(vec![number as u8; (number * 137 % 900) as usize + 1]),
    }
}

/// The number of a letter, which is as it was made.
pub(crate) fn number(found: &Letter) -> u64 {
    let number = found.unique_ids.strip_prefix("id-").unwrap().parse().unwrap();
    assert_eq!(*found, letter(number), "another letter than was put");
    number
}

/// A spool on a disk, in a directory that no other test has: locks are the process's.
pub(crate) fn options(disk: &SimDisk, bytes_max: u64) -> SpoolOptions {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let directory = PathBuf::from(format!("/sim/spool-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    SpoolOptions { disk: disk.shared(), bytes_max, ..SpoolOptions::at(directory) }
}

/// Puts letters and commits them as one group.
pub(crate) fn put(spool: &mut Spool, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| spool.put(&letter(number)).unwrap());
    spool.commit().unwrap();
}

/// Takes all letters out.
pub(crate) fn drain(spool: &mut Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(letter) = spool.front().unwrap() {
        numbers.push(number(&letter));
        spool.sent().unwrap();
    }
    numbers
}
