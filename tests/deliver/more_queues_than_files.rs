//! Queues in use outnumber those that may hold files: some let go of theirs and open them again, and nobody notices.

use std::path::Path;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::response;
use ferromq::protocol::message;

use crate::raw::{LIMIT, Raw, pull_from, send_to};
use crate::support::{Cluster, wait_until};

const QUEUES: i32 = 40;
const OPEN_MAX: usize = 5;
const ROUNDS: i64 = 6;

/// Queue files that this process has open.
fn open_files(store: &Path) -> usize {
    let queues = store.join("consumequeue");
    let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().path().read_link().ok());
    links.filter(|target| target.starts_with(&queues)).count()
}

#[actix::test]
async fn nothing_is_lost_and_few_files_are_open() {
    let cluster = Cluster::start_with(|options| BrokerOptions { open_queues_max: OPEN_MAX, ..options }).await;
    let store = cluster.directory.path().join("store");
    let mut client = Raw::connect(cluster.broker.address()).await;
    for round in 0..ROUNDS {
        for queue in 0..QUEUES {
            let body = format!("{queue} in round {round}");
            let topic = format!("Many{queue}");
            assert_eq!(client.ask(send_to(&topic, 0, "", body.clone())).await.code, response::SUCCESS);
            let pulled = client.pull(pull_from(&topic, 0, round, 1)).await;
            let (message, _) = message::decode(&pulled.body).unwrap();
            assert_eq!((message.body, message.queue_offset.0 as i64), (body.into_bytes().into(), round));
        }
    }
    // Who is asked to close does so when its turn comes.
    wait_until(LIMIT, "no more files are open than may be", || open_files(&store) <= OPEN_MAX).await;
    assert!(open_files(&store) > 0, "those that were used last are kept open");
    // The first queue was closed long ago.
    let pulled = client.pull(pull_from("Many0", 0, 0, 32)).await;
    let messages = message::decode_all(pulled.body).unwrap();
    let bodies: Vec<_> = messages.iter().map(|message| &message.body[..]).collect();
    let sent: Vec<_> = (0..ROUNDS).map(|round| format!("0 in round {round}")).collect();
    assert_eq!(bodies, sent.iter().map(String::as_bytes).collect::<Vec<_>>());
    cluster.stop().await;
}
