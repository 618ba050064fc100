//! What is written down as being on the disk is there after a power cut: log, queues and index.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::commitlog_actor::FlushPolicy;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::response;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, QueueId, QueueOffset, StoreTime};
use ferromq::store::disk::{FileDisk, SharedDisk};
use ferromq::store::{NewMessage, OpenStore, Placed, PutBatch, QueueEntry, StoreOptions, open};
use tokio::time::timeout;

use crate::power::PowerDisk;
use crate::raw::{LIMIT, Raw, send_to};
use crate::support::{Cluster, small, wait_until};

/// Some segments, queue files and index files full of them, and more.
const MESSAGES: usize = 50;
/// How often the power is cut under load.
const CUTS: usize = 40;
const KEYS: &str = "KEYS\u{1}one two\u{2}";

fn with_small_files(options: BrokerOptions) -> BrokerOptions {
    let store = StoreOptions {
        queue_file_bytes: 20_000,
        log_segment_bytes: 64 << 10,
        index_slots: 20,
        index_entries: 60,
        ..options.store
    };
    BrokerOptions { store, ..options }
}

/// The same, with extensions of queues.
fn extended(options: BrokerOptions) -> BrokerOptions {
    let options = with_small_files(options);
    let store = StoreOptions { queue_ext_enabled: true, queue_ext_file_bytes: 600, ..options.store };
    BrokerOptions { store, ..options }
}

/// A broker that waits for the disk, and writes down often what is on it.
async fn start(disk: &Arc<PowerDisk>, sized: fn(BrokerOptions) -> BrokerOptions) -> Cluster {
    let disk: SharedDisk = disk.clone();
    Cluster::start_with(|options| BrokerOptions {
        disk,
        flush: FlushPolicy::Sync,
        flush_queues_every: Duration::from_millis(5),
        ..sized(options)
    })
    .await
}

async fn send(client: &mut Raw, number: usize) {
    let send = send_to("Cut", (number % 2) as i32, KEYS, format!("message {number}"));
    assert_eq!(client.ask(send).await.code, response::SUCCESS);
}

/// Opens what a power cut leaves, and finds at least so many messages in each way.
fn check(disk: &PowerDisk, store: &Path, sent: usize, sized: fn(BrokerOptions) -> BrokerOptions) {
    let left = tempfile::tempdir().unwrap();
    disk.cut(store, &left.path().join("store"));
    let options = sized(small(&left)).store;
    let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    let topic = Topic::parse("Cut").unwrap();
    let view = store.log.view();
    for queue in 0..2 {
        let queue = store.queues.queue_mut(&topic, QueueId(queue)).unwrap();
        for offset in 0..queue.max_offset().0 {
            let entry = queue.entry(QueueOffset(offset)).unwrap().unwrap();
            let Some(address) = entry.unit_address() else { continue };
            let unit = queue.unit(address).unwrap().expect("what names a unit is not there before it");
            let stored = view.with_record(entry.physical, |record| record.store_time).unwrap();
            assert_eq!((unit.tags_code, unit.store_time), (0, stored), "{offset}");
        }
        assert!(queue.max_offset().0 >= sent as u64 / 2, "{:?} of {sent} / 2, {:?}", queue.max_offset(), store.report);
    }
    for key in ["one", "two"] {
        let found = store.index.as_ref().unwrap().lookup("Cut", key, 64, StoreTime(0), StoreTime(i64::MAX)).unwrap();
        assert!(found.records.len() >= sent.min(64), "{key}: {} of {sent}", found.records.len());
    }
}

#[actix::test]
async fn every_acknowledged_message_is_in_its_queue_and_found_by_its_keys() {
    let disk = PowerDisk::new();
    let cluster = start(&disk, with_small_files).await;
    let store = cluster.directory.path().join("store");
    let state = store.join("ferromq.state");
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..MESSAGES {
        send(&mut client, number).await;
    }
    // The first writing from now on may end a round of syncs that began before.
    let written = disk.writes(&state);
    wait_until(LIMIT, "a whole round of syncs", || disk.writes(&state) >= written + 2).await;
    check(&disk, &store, MESSAGES, with_small_files);
    cluster.stop().await;
}

/// A start does not walk over more of the log than is to be written between two rounds of syncs, however long ago the last
/// round was by the clock.
#[actix::test]
async fn a_start_walks_over_the_last_part_of_the_log_only() {
    const PART_BYTES: u64 = 4 << 10;
    let disk = PowerDisk::new();
    let shared: SharedDisk = disk.clone();
    let cluster = Cluster::start_with(|options| BrokerOptions {
        disk: shared,
        flush_every: Duration::from_millis(1),
        flush_queues_every: Duration::from_secs(3_600),
        flush_queues_every_bytes: PART_BYTES,
        ..with_small_files(options)
    })
    .await;
    let store = cluster.directory.path().join("store");
    let state = store.join("ferromq.state");
    let mut client = Raw::connect(cluster.broker.address()).await;
    let (begun, mut number) = (disk.writes(&state), 0);
    // Each part of the log gets its round, which may end when the next part is begun.
    while disk.writes(&state) < begun + 3 {
        send(&mut client, number).await;
        number += 1;
        assert!(number < 10_000, "the state is written though no hour is over");
    }
    let left = tempfile::tempdir().unwrap();
    disk.cut(&store, &left.path().join("store"));
    let report = open(FileDisk::shared(), with_small_files(small(&left)).store, &mut |_| {}).unwrap().report;
    assert!(report.walked_from.0 >= 2 * PART_BYTES, "{report:?}");
    cluster.stop().await;
}

/// The power may go at any moment, also while files are made and synced.
#[actix::test]
async fn whenever_it_comes() {
    cut_under_load(with_small_files).await;
}

/// A unit that is there is that of its record, and one that is named is there.
#[actix::test]
async fn whenever_it_comes_to_queues_with_extensions() {
    cut_under_load(extended).await;
}

async fn cut_under_load(sized: fn(BrokerOptions) -> BrokerOptions) {
    let disk = PowerDisk::new();
    let cluster = start(&disk, sized).await;
    let store = cluster.directory.path().join("store");
    let (acknowledged, count) = tokio::sync::watch::channel(0);
    let address = cluster.broker.address();
    let sending = actix::spawn(async move {
        let mut client = Raw::connect(address).await;
        for number in 0.. {
            send(&mut client, number).await;
            if acknowledged.send(number + 1).is_err() {
                return;
            }
        }
    });
    for cut in 1..=CUTS {
        let mut count = count.clone();
        let sent = *timeout(LIMIT, count.wait_for(|sent| *sent >= 7 * cut)).await.unwrap().unwrap();
        let (disk, store) = (Arc::clone(&disk), store.clone());
        // Beside the sender, who goes on.
        actix_rt::task::spawn_blocking(move || check(&disk, &store, sent, sized)).await.unwrap();
    }
    drop(count);
    sending.await.unwrap();
    cluster.stop().await;
}

/// What a killed process has left in the page cache is not on the disk: a start that finds it there makes it last.
#[test]
fn what_a_killed_process_left_lasts_after_the_next_start() {
    let (disk, directory) = (PowerDisk::new(), tempfile::tempdir().unwrap());
    let options = || with_small_files(small(&directory)).store;
    {
        let mut killed = open(disk.clone(), options(), &mut |_| {}).unwrap();
        for number in 0..MESSAGES {
            put(&mut killed, number);
        }
        // Nothing is closed, nothing was synced.
    }
    {
        let started = open(disk.clone(), options(), &mut |_| {}).unwrap();
        let made_again = started.report.entries_added;
        assert_eq!(made_again, MESSAGES as u64, "entries that may be in the page cache only are made again");
    }
    check(&disk, &options().root, MESSAGES, with_small_files);
}

/// Stores a message and dispatches it, as a broker does.
fn put(store: &mut OpenStore, number: usize) {
    let (topic, queue_id) = (Topic::parse("Cut").unwrap(), QueueId(number as u32 % 2));
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    let plain = NewMessage::plain(&topic, queue_id, BornTime(1), host, b"a message");
    let message = NewMessage { properties: KEYS.as_bytes(), ..plain };
    let mut placed = Vec::new();
    let batch = PutBatch::of(&message).unwrap();
    batch.iter().for_each(|put| store.log.append(put, StoreTime(1), &mut placed).unwrap());
    store.log.publish().unwrap();
    let Placed { physical, size, queue_offset } = placed[0];
    let queue = store.queues.queue_mut(&topic, queue_id).unwrap();
    queue.append(QueueEntry { physical, size: size as i32, tags_code: 0 }, queue_offset).unwrap();
    let index = store.index.as_mut().unwrap();
    store.log.view().with_record(physical, |record| index.put_record(record)).unwrap().unwrap();
}
