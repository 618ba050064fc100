//! A disk that fails or panics at the wrong moment: what was acknowledged is in its queue, once and in order, at the latest
//! after the next start.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::units::StoreTime;
use ferromq::store::disk::FileDisk;
use ferromq::store::{StoreOptions, open};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::load::LIMIT;
use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::{small, wait_until};
use crate::watched_disk::{Call, Watch, WatchedDisk};

const WELL: u8 = 0;
const FULL: u8 = 1;
const NO_DESCRIPTOR: u8 = 2;
const BROKEN: u8 = 3;
const PANICS: u8 = 4;

/// EMFILE.
const TOO_MANY_OPEN_FILES: i32 = 24;

/// What befalls whoever needs more of a file in one directory.
#[derive(Debug)]
struct Stumbles {
    directory: &'static str,
    how: AtomicU8,
    /// How often it did.
    times: AtomicI64,
}

impl Stumbles {
    fn over(directory: &'static str) -> Arc<Self> {
        Arc::new(Self { directory, how: AtomicU8::new(WELL), times: AtomicI64::new(0) })
    }

    fn set(&self, how: u8) {
        self.how.store(how, Ordering::SeqCst);
        self.times.store(0, Ordering::SeqCst);
    }

    async fn has_stumbled(&self) {
        wait_until(LIMIT, "the disk was asked", || self.times.load(Ordering::SeqCst) > 0).await;
    }
}

impl Watch for Stumbles {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let concerned = path.components().any(|part| part.as_os_str() == self.directory);
        let how = self.how.load(Ordering::SeqCst);
        if how == WELL || !concerned || !matches!(call, Call::Open | Call::Allocate) {
            return Ok(());
        }
        self.times.fetch_add(1, Ordering::SeqCst);
        match how {
            FULL => return Err(io::ErrorKind::StorageFull.into()),
            NO_DESCRIPTOR => return Err(io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES)),
            // Once: whoever goes on as if nothing had happened finds the disk well.
            _ => self.how.store(WELL, Ordering::SeqCst),
        }
        assert_eq!(how, BROKEN, "a disk that panics");
        Err(io::Error::other("a broken disk"))
    }
}

/// Entries of a queue file: few, so that files are needed often.
fn options(directory: &TempDir, disk: &Arc<Stumbles>) -> BrokerOptions {
    let options = small(directory);
    let store = StoreOptions { queue_file_bytes: 200, index_slots: 20, index_entries: 10, ..options.store };
    BrokerOptions { store, disk: Arc::new(WatchedDisk(Arc::clone(disk))), ..options }
}

fn max_offset() -> Command {
    ask_for(request::GET_MAX_OFFSET, &[("topic", &"Steps"), ("queueId", &0)])
}

async fn send(client: &mut Raw, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let send = send_to("Steps", 0, "KEYS\u{1}key\u{2}", format!("message {number}"));
        assert_eq!(client.ask(send).await.code, response::SUCCESS);
    }
}

async fn all_are_there(client: &mut Raw, count: i64) {
    client.ask_until(max_offset(), |reply| reply.ext.int64("offset").unwrap() == count).await;
    for number in 0..count {
        let pulled = client.pull(pull_from("Steps", 0, number, 1)).await;
        let body = format!("message {number}");
        assert!(pulled.body.windows(body.len()).any(|part| part == body.as_bytes()), "{body} at {number}");
    }
}

#[actix::test]
async fn a_process_without_file_descriptors_goes_on_when_there_are_some() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), Stumbles::over("consumequeue"));
    let broker = Broker::builder(options(&directory, &disk)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    send(&mut client, 0..15).await;
    all_are_there(&mut client, 15).await;
    disk.set(NO_DESCRIPTOR);
    send(&mut client, 15..40).await;
    disk.has_stumbled().await;
    assert_eq!(broker.faults().terminal(), None);
    disk.set(WELL);
    all_are_there(&mut client, 40).await;
    broker.stop().await.unwrap();
}

/// Entries wait for room when the disk breaks: none of those behind may take the place of the one that failed.
#[actix::test]
async fn a_queue_that_broke_while_it_waited_is_whole_after_the_next_start() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), Stumbles::over("consumequeue"));
    let broker = Broker::builder(options(&directory, &disk)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    send(&mut client, 0..15).await;
    all_are_there(&mut client, 15).await;
    disk.set(FULL);
    send(&mut client, 15..40).await;
    disk.has_stumbled().await;
    disk.set(BROKEN);
    timeout(LIMIT, broker.ended()).await.expect("an error that is no shortage ends the broker");
    drop(broker.stop().await);

    disk.set(WELL);
    let broker = Broker::builder(options(&directory, &disk)).start().await.unwrap();
    all_are_there(&mut Raw::connect(broker.address()).await, 40).await;
    broker.stop().await.unwrap();
}

/// What the IndexActor died of costs one key; it goes on with the others by itself, so that the store closes in order.
#[actix::test]
async fn an_index_that_panicked_takes_up_what_was_left() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), Stumbles::over("index"));
    let broker = Broker::builder(options(&directory, &disk)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    disk.set(PANICS);
    assert_eq!(client.ask(send_to("Steps", 0, "KEYS\u{1}one two\u{2}", "message 0")).await.code, response::SUCCESS);
    disk.has_stumbled().await;
    all_are_there(&mut client, 1).await;
    broker.stop().await.unwrap();

    let options = options(&directory, &disk).store;
    assert!(!options.file("abort").exists(), "all was settled at the end");
    let store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    let index = store.index.as_ref().unwrap();
    let found = |key| index.lookup("Steps", key, 64, StoreTime(0), StoreTime(i64::MAX)).unwrap().records.len();
    assert_eq!((found("one"), found("two")), (0, 1));
}

/// A message is not acknowledged whose topic is in no file, whoever asks and however often.
#[actix::test]
async fn a_topic_that_cannot_be_written_takes_no_message() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), Stumbles::over("config"));
    let broker = Broker::builder(options(&directory, &disk)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    disk.set(FULL);
    for _ in 0..3 {
        assert_ne!(client.ask(send_to("Steps", 0, "", "message 0")).await.code, response::SUCCESS);
    }
    disk.set(WELL);
    client.ask_until(send_to("Steps", 0, "", "message 0"), |reply| reply.code == response::SUCCESS).await;
    let written = std::fs::read_to_string(directory.path().join("store/config/topics.json")).unwrap();
    assert!(written.contains("Steps"), "{written}");
    all_are_there(&mut client, 1).await;
    broker.stop().await.unwrap();
}
