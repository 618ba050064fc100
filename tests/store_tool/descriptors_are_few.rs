//! However many queues there are, and files of a queue, a repair has few of them open.

use std::fs;

use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::layout::file_name;
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{QueueEntry, StoreOptions};

use crate::fault_disk::FaultDisk;
use crate::fixture::Fixture;
use crate::tool::check_sound;

/// Queues that hold files at once, and what else is open: the log, the index, what is synced.
const OPEN_MAX: usize = 256 + 32;

#[test]
fn of_queues_whose_records_are_gone() {
    let fixture = Fixture::unpack("d-segments-deleted");
    let entry = QueueEntry { physical: PhysicalOffset(100), size: 100, tags_code: 0 };
    let mut bytes = entry.encode().to_vec();
    bytes.resize(2000, 0);
    for number in 0..600 {
        let directory = fixture.options().queues_dir().join("Expired").join(number.to_string());
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(file_name(0)), &bytes).unwrap();
    }
    let disk = FaultDisk::sound();
    let plan = repair::repair(disk.clone(), &fixture.options(), Request::default(), None, &mut |_| {}).unwrap();
    assert_eq!(plan.queues.values().filter(|queue| queue.is_expired).count(), 600);
    assert!(disk.most_open() < OPEN_MAX, "{} files were open", disk.most_open());
    check_sound(&fixture);
}

#[test]
fn of_a_queue_of_many_files() {
    let fixture = Fixture::unpack("c5-queues-and-index-missing");
    let options = StoreOptions { queue_file_bytes: 20, ..fixture.options() };
    let disk = FaultDisk::sound();
    repair::repair(disk.clone(), &options, Request::default(), None, &mut |_| {}).unwrap();
    assert_eq!(fs::read_dir(options.queues_dir().join("FixPlain/1")).unwrap().count(), 53);
    assert!(disk.most_open() < 32, "{} files were open", disk.most_open());
}
