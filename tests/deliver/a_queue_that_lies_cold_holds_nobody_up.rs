//! Where a queue's file lies may have to be read from the disk before the file can be: only who asks for it waits.

use std::sync::Arc;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::message;

use crate::held_disk::Held;
use crate::messages::wait_for;
use crate::raw::{LIMIT, Raw, pull_from, send_to};
use crate::support::{Cluster, small, wait_until};
use crate::watched_disk::{Call, WatchedDisk};

#[actix::test]
async fn who_sends_is_answered_while_a_queue_is_looked_for() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..10 {
        assert_eq!(client.ask(send_to("Cold", 0, "", format!("{number}"))).await.code, response::SUCCESS);
    }
    wait_for(&mut client, "Cold", 0, 0, 10).await;
    let directory = cluster.stop().await;

    let slow = Arc::new(Held::at(Call::Open, "Cold"));
    let disk = Arc::new(WatchedDisk(Arc::clone(&slow)));
    let broker = Broker::builder(BrokerOptions { disk, ..small(&directory) }).start().await.unwrap();
    let (mut reader, mut sender) = (Raw::connect(broker.address()).await, Raw::connect(broker.address()).await);
    slow.set(true);
    reader.send_as(pull_from("Cold", 0, 0, 32), Serialization::Json).await;
    wait_until(LIMIT, "the queue is looked for", || slow.is_waited_for()).await;
    let sent = tokio::time::timeout(LIMIT, sender.ask(send_to("Warm", 0, "", "quick"))).await;
    slow.set(false);
    assert_eq!(sent.expect("nobody who sends waits for the queue").code, response::SUCCESS);
    assert_eq!(message::decode_all(reader.next().await.unwrap().body).unwrap().len(), 10);
    broker.stop().await.unwrap();
}
