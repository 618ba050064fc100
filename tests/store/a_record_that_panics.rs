//! A record at which a start panics is no reason that no start succeeds: its entry is blank, and it is reported.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::protocol::message::RecordError;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{QueueId, QueueOffset};
use ferromq::store::disk::FileDisk;
use ferromq::store::open;

use crate::append_and_reopen::{message, options, put};
use crate::watched_disk::{Call, Watch, WatchedDisk};

/// Panics once, when the queue of a topic is made.
#[derive(Debug, Default)]
struct Panicking(AtomicBool);

impl Watch for Panicking {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let deadly = call == Call::Open && path.to_string_lossy().contains("/Deadly/");
        assert!(!deadly || self.0.swap(true, Ordering::SeqCst), "a record that nobody survives");
        Ok(())
    }
}

#[test]
fn gets_a_blank_entry_and_the_others_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(FileDisk::shared(), options(&directory), &mut |_| {}).unwrap();
    for number in 0..3 {
        put(&mut store, message(["Plain", "Deadly"][number % 2], 0, &[number as u8; 100]), 1).unwrap();
    }
    store.close().unwrap();
    // Queues and index are made again from the log.
    fs::remove_dir_all(options(&directory).queues_dir()).unwrap();
    fs::remove_dir_all(options(&directory).index_dir()).unwrap();
    let disk = WatchedDisk(Arc::new(Panicking::default()));
    let mut store = open(Arc::new(disk), options(&directory), &mut |_| {}).unwrap();
    let damaged = &store.report.damaged;
    let reported: Vec<_> = damaged.iter().map(|one| (&*one.topic, one.queue_offset, one.problem.clone())).collect();
    assert_eq!(reported, [("Deadly", QueueOffset(0), RecordError::Deadly)]);
    for (topic, blank) in [("Plain", vec![false, false]), ("Deadly", vec![true])] {
        let queue = store.queues.queue_mut(&Topic::parse(topic).unwrap(), QueueId(0)).unwrap();
        let end = queue.max_offset().0;
        let blank_at = |offset| queue.entry(QueueOffset(offset)).unwrap().unwrap().is_blank();
        assert_eq!((0..end).map(blank_at).collect::<Vec<_>>(), blank, "{topic}");
    }
    store.close().unwrap();
}
