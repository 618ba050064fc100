//! Tags, keys, properties, flags, order and times of messages, and bodies that travel compressed.

use std::collections::BTreeSet;

use ferromq::client::namespace::Namespace;
use ferromq::client::{Client, ClientOptions, Compression, Delay, OutgoingMessage, ProducerOptions};
use ferromq::protocol::compression::Algorithm;
use ferromq::protocol::sys_flag;

use crate::fast_port::with_fast_port;
use crate::inbox::{Inbox, client, quick, reader};
use crate::support::Cluster;

#[actix::test]
async fn everything_that_was_said() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").start().await.unwrap();
    let mut message =
        OutgoingMessage::to("Orders", "body").unwrap().tag("paid").key("k1").key("k2").property("land", "nl");
    message.flag = 17;
    let receipt = producer.send(&message).await.unwrap();
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(1).await;
    consumer.stop().await.unwrap();
    let got = &inbox.messages()[0];
    assert_eq!((got.tags(), got.keys(), got.property("land"), got.flag), (Some("paid"), Some("k1 k2"), Some("nl"), 17));
    assert_eq!(got.unique_id(), Some(&*receipt.unique_id));
    cluster.stop().await;
}

#[actix::test]
async fn messages_of_one_key_are_in_one_queue_in_their_order() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").start().await.unwrap();
    let mut queues = [BTreeSet::new(), BTreeSet::new()];
    for number in 0..20 {
        for (key, queues) in ["customer-1", "customer-2"].into_iter().zip(&mut queues) {
            let message = OutgoingMessage::to("Orders", format!("{key} {number:02}")).unwrap().sharding_key(key);
            queues.insert(producer.send(&message).await.unwrap().queue_id);
        }
    }
    assert_eq!(queues.map(|queues| queues.len()), [1, 1]);
    cluster.stop().await;
}

#[actix::test]
async fn large_bodies_travel_compressed_as_it_was_said() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let large = "abcdefgh".repeat(2_000);
    for (algorithm, kind) in [(Algorithm::Zlib, 0), (Algorithm::Lz4, 1), (Algorithm::Zstd, 2)] {
        let compression = Some(Compression { algorithm, ..Compression::default() });
        let options = ProducerOptions { compression, ..ProducerOptions::default() };
        let producer = client.producer("writers").options(options).start().await.unwrap();
        let topic = format!("{algorithm:?}");
        for body in [large.as_str(), "small"] {
            producer.send(&OutgoingMessage::to(&topic, body.to_owned()).unwrap()).await.unwrap();
        }
        producer.stop().await.unwrap();
        let inbox = Inbox::default();
        let consumer = reader(&client, &topic, &inbox).await;
        inbox.holds(2).await;
        consumer.stop().await.unwrap();
        assert_eq!(inbox.sorted(), [large.as_str(), "small"]);
        for message in inbox.messages() {
            let is_large = message.body.len() > 5;
            assert_eq!(message.sys_flag & sys_flag::COMPRESSED != 0, is_large, "{algorithm:?}");
            assert_eq!(sys_flag::compression_type(message.sys_flag), if is_large { kind } else { 0 });
        }
    }
    cluster.stop().await;
}

#[actix::test]
async fn what_is_delayed_comes_later() {
    let cluster = Cluster::start_with(quick).await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").start().await.unwrap();
    let delayed = OutgoingMessage::to("Orders", "later").unwrap().delay(Delay::Level(2));
    let receipt = producer.send(&delayed).await.unwrap();
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(1).await;
    consumer.stop().await.unwrap();
    let got = &inbox.messages()[0];
    assert_eq!(got.unique_id(), Some(&*receipt.unique_id));
    assert!(got.store_time.0 - got.born_time.0 >= 50, "stored again when its time had come: {got:?}");
    cluster.stop().await;
}

#[actix::test]
async fn namespaces_do_not_see_each_other() {
    let cluster = Cluster::start().await;
    let in_namespace = async |name: &str| {
        let namespace = Namespace::new(name).unwrap();
        Client::new(ClientOptions { namespace, ..ClientOptions::of(cluster.name_servers()) }).await.unwrap()
    };
    let (north, south, outside) = (in_namespace("north").await, in_namespace("south").await, in_namespace("").await);
    for (client, body) in [(&north, "from the north"), (&south, "from the south")] {
        let producer = client.producer("writers").start().await.unwrap();
        producer.send(&OutgoingMessage::to("Orders", body).unwrap()).await.unwrap();
    }
    let inboxes = [Inbox::default(), Inbox::default(), Inbox::default()];
    let readers = [(&north, "Orders"), (&south, "Orders"), (&outside, "north%Orders")];
    for ((client, topic), inbox) in readers.into_iter().zip(&inboxes) {
        let consumer = reader(client, topic, inbox).await;
        inbox.holds(1).await;
        consumer.stop().await.unwrap();
    }
    assert_eq!(inboxes.each_ref().map(Inbox::bodies), [["from the north"], ["from the south"], ["from the north"]]);
    let topics = inboxes.each_ref().map(|inbox| inbox.messages()[0].topic.to_string());
    assert_eq!(topics, ["Orders", "Orders", "north%Orders"], "as the application knows them");
    cluster.stop().await;
}

#[actix::test]
async fn messages_go_to_the_second_port_if_that_is_wanted() {
    let (cluster, second_port) = with_fast_port().await;
    let options = ClientOptions { vip_channel: true, ..ClientOptions::of(cluster.name_servers()) };
    let client = Client::new(options).await.unwrap();
    let producer = client.producer("writers").start().await.unwrap();
    producer.send(&OutgoingMessage::to("Orders", "fast").unwrap()).await.unwrap();
    let to_second = connections_to(second_port);
    assert_eq!(to_second, 1, "the one that messages are sent on");
    cluster.stop().await;
}

/// The established connections of this machine to a port, as the kernel lists them.
fn connections_to(address: std::net::SocketAddr) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", address.port());
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[2].ends_with(&port) && row[3] == "01").count()
}
