//! No room for queue and index files: what is acknowledged waits in the log, and is there when there is room again. No
//! room for the log: sends are told so, and reads go on.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{QueueId, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::open;
use tempfile::TempDir;

use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::small;
use crate::watched_disk::{Call, Watch, WatchedDisk};

const MESSAGES: i64 = 40;

/// A disk that has no room while it is full, but for what the log needs.
#[derive(Debug, Default)]
struct Room {
    full: AtomicBool,
    for_the_log_too: AtomicBool,
}

impl Watch for Room {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let log = path.components().any(|part| part.as_os_str() == "commitlog");
        let full = if log { &self.for_the_log_too } else { &self.full };
        match call == Call::Allocate && full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

fn max_offset() -> Command {
    ask_for(request::GET_MAX_OFFSET, &[("topic", &"Full"), ("queueId", &0)])
}

/// A broker on a full disk that has acknowledged messages.
async fn start(directory: &TempDir, room: &Arc<Room>) -> (Broker, Raw) {
    let disk = Arc::new(WatchedDisk(Arc::clone(room)));
    let broker = Broker::builder(BrokerOptions { disk, ..small(directory) }).start().await.unwrap();
    room.full.store(true, Ordering::SeqCst);
    let mut client = Raw::connect(broker.address()).await;
    for number in 0..MESSAGES {
        let send = send_to("Full", 0, "KEYS\u{1}key\u{2}", format!("message {number}"));
        assert_eq!(client.ask(send).await.code, response::SUCCESS);
    }
    assert_eq!(client.ask(max_offset()).await.ext.int64("offset").unwrap(), 0);
    (broker, client)
}

/// Each message is in the queue once, and found by its key.
fn check(directory: &TempDir) {
    let mut store = open(FileDisk::shared(), small(directory).store, &mut |_| {}).unwrap();
    let next = store.log.offsets().next(&Topic::parse("Full").unwrap(), QueueId(0));
    assert_eq!(next.0 as i64, MESSAGES);
    let found = store.index.as_mut().unwrap().lookup("Full", "key", 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
    assert_eq!(found.records.len() as i64, MESSAGES);
}

#[actix::test]
async fn consumers_go_on_when_there_is_room_again() {
    let (directory, room) = (tempfile::tempdir().unwrap(), Arc::new(Room::default()));
    let (broker, mut client) = start(&directory, &room).await;
    room.full.store(false, Ordering::SeqCst);
    client.ask_until(max_offset(), |reply| reply.ext.int64("offset").unwrap() == MESSAGES).await;
    assert_eq!(client.pull(pull_from("Full", 0, MESSAGES - 1, 1)).await.code, response::SUCCESS);
    broker.stop().await.unwrap();
    check(&directory);
}

#[actix::test]
async fn the_next_start_makes_up_for_what_had_no_room_until_the_end() {
    let (directory, room) = (tempfile::tempdir().unwrap(), Arc::new(Room::default()));
    let (broker, _) = start(&directory, &room).await;
    broker.stop().await.unwrap();
    check(&directory);
}

#[actix::test]
async fn sends_are_told_when_the_log_has_no_room_and_reads_go_on() {
    let (directory, room) = (tempfile::tempdir().unwrap(), Arc::new(Room::default()));
    let disk = Arc::new(WatchedDisk(Arc::clone(&room)));
    let broker = Broker::builder(BrokerOptions { disk, ..small(&directory) }).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    let big = || send_to("Full", 0, "", vec![7; 1 << 20]);
    assert_eq!(client.ask(big()).await.code, response::SUCCESS);
    room.for_the_log_too.store(true, Ordering::SeqCst);
    let mut acknowledged = 1;
    let refused = loop {
        let reply = client.ask(big()).await;
        if reply.code != response::SUCCESS {
            break reply;
        }
        acknowledged += 1;
    };
    let remark = refused.remark.unwrap_or_default();
    assert_eq!(refused.code, response::SERVICE_NOT_AVAILABLE, "{remark}");
    assert!(remark.contains("disk full"), "{remark}");
    client.ask_until(max_offset(), |reply| reply.ext.int64("offset").unwrap() == acknowledged).await;
    assert_eq!(client.pull(pull_from("Full", 0, acknowledged - 1, 1)).await.code, response::SUCCESS);
    room.for_the_log_too.store(false, Ordering::SeqCst);
    client.ask_until(big(), |reply| reply.code == response::SUCCESS).await;
    client.ask_until(max_offset(), |reply| reply.ext.int64("offset").unwrap() == acknowledged + 1).await;
    broker.stop().await.unwrap();
}
