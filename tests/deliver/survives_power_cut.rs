//! What is written down as being on the disk is there after a power cut: log, queues and index.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::commitlog_actor::FlushPolicy;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::response;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{QueueId, StoreTime};
use ferromq::store::disk::FileDisk;
use ferromq::store::{StoreOptions, open};

use crate::power::PowerDisk;
use crate::raw::{LIMIT, Raw, send_to};
use crate::support::{Cluster, small, wait_until};

/// Some segments, queue files and index files full of them, and more.
const MESSAGES: usize = 50;
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

#[actix::test]
async fn every_acknowledged_message_is_in_its_queue_and_found_by_its_keys() {
    let disk = Arc::new(PowerDisk::default());
    let with_power_disk = Arc::clone(&disk);
    let cluster = Cluster::start_with(|options| BrokerOptions {
        disk: with_power_disk,
        flush: FlushPolicy::Sync,
        flush_queues_every: Duration::from_millis(5),
        ..with_small_files(options)
    })
    .await;
    let store = cluster.directory.path().join("store");
    let state = store.join("ferromq.state");
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..MESSAGES {
        let send = send_to("Cut", (number % 2) as i32, KEYS, format!("message {number}"));
        assert_eq!(client.ask(send).await.code, response::SUCCESS);
    }
    // The first writing from now on may end a round of syncs that began before.
    let written = disk.writes(&state);
    wait_until(LIMIT, "a whole round of syncs", || disk.writes(&state) >= written + 2).await;

    let left = tempfile::tempdir().unwrap();
    disk.cut(&store, &left.path().join("store"));
    let options = with_small_files(small(&left)).store;
    let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    let topic = Topic::parse("Cut").unwrap();
    for queue in 0..2 {
        let queue = store.queues.queue_mut(&topic, QueueId(queue)).unwrap();
        assert_eq!(queue.max_offset().0, MESSAGES as u64 / 2);
    }
    for key in ["one", "two"] {
        let found = store.index.as_ref().unwrap().lookup("Cut", key, 64, StoreTime(0), StoreTime(i64::MAX));
        assert_eq!(found.records.len(), MESSAGES, "{key}");
    }
    cluster.stop().await;
}
