//! However many queues there are, and files of a queue, a repair has few of them open.

use std::fs;
use std::process::Command;

use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::layout::file_name;
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{QueueEntry, StoreOptions};

use crate::fault_disk::FaultDisk;
use crate::fixture::Fixture;
use crate::tool::check_sound;

/// Queues that hold files at once, and what else is open: the log, the index, what is synced.
const OPEN_MAX: usize = 256 + 32;

/// Makes a queue whose only record is gone with the beginning of the log.
fn expired_queue(fixture: &Fixture, number: u32) {
    let entry = QueueEntry { physical: PhysicalOffset(100), size: 100, tags_code: 0 };
    let mut bytes = entry.encode().to_vec();
    bytes.resize(2000, 0);
    let directory = fixture.options().queues_dir().join("Expired").join(number.to_string());
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(file_name(0)), &bytes).unwrap();
}

#[test]
fn of_queues_whose_records_are_gone() {
    let fixture = Fixture::unpack("d-segments-deleted");
    for number in 0..600 {
        expired_queue(&fixture, number);
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

/// A shell gives a command 1,024 of them, or fewer, though it may have more.
#[test]
fn a_command_takes_what_it_may_have() {
    let fixture = Fixture::unpack("d-segments-deleted");
    for number in 0..100 {
        expired_queue(&fixture, number);
    }
    let program = assert_cmd::cargo::cargo_bin!("ferromq").display();
    let line = format!("ulimit -Sn 64; {program} store inspect {}", fixture.options().root.display());
    let ran = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
