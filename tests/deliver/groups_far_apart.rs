//! Groups that lag at different places of one queue are all served from disk, also when their pulls come together.

use bytes::BytesMut;
use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;
use ferromq::store::StoreOptions;

use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::small;

/// Enough for places that are not read ahead together: 256 KiB of entries at once.
const MESSAGES: usize = 80_000;
const PLACES: [i64; 5] = [10, 15_000, 30_000, 45_000, 60_000];

async fn fill(options: BrokerOptions) {
    let broker = Broker::builder(options).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    assert_eq!(client.ask(send_to("Old", 0, "", "the first")).await.code, response::SUCCESS);
    let mut sends = BytesMut::new();
    for _ in 1..MESSAGES {
        frame::encode(&send_to("Old", 0, "", "another").oneway(), Serialization::Json, &mut sends);
    }
    assert!(client.write(&sends).await);
    let max_offset = ask_for(request::GET_MAX_OFFSET, &[("topic", &"Old"), ("queueId", &0)]);
    client.ask_until(max_offset, |reply| reply.ext.int64("offset").unwrap() == MESSAGES as i64).await;
    broker.stop().await.unwrap();
}

#[actix::test]
async fn pulls_at_many_places_of_an_old_queue_are_all_answered() {
    let directory = tempfile::tempdir().unwrap();
    let options = || {
        let options = small(&directory);
        let store = StoreOptions { log_segment_bytes: 64 << 20, ..options.store };
        BrokerOptions { store, ..options }
    };
    fill(options()).await;
    let broker = Broker::builder(options()).start().await.unwrap();
    let mut clients = Vec::new();
    for _ in PLACES {
        clients.push(Raw::connect(broker.address()).await);
    }
    for round in 0..20 {
        for (client, place) in clients.iter_mut().zip(PLACES) {
            client.send_as(pull_from("Old", 0, place + round, 1), Serialization::Json).await;
        }
        for client in &mut clients {
            let reply = client.next().await.unwrap();
            assert_eq!(reply.code, response::SUCCESS, "{:?}", reply.remark);
        }
    }
    broker.stop().await.unwrap();
}
