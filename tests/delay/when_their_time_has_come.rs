//! A delayed message is stored aside, and delivered when its level says: not before, and not much later.

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::store::StoreOptions;

use crate::messages::{bodies, lies_at, messages_in, property_pairs, wait_for};
use crate::raw::{Raw, ask_for, send_to, with};
use crate::support::{Cluster, small};

/// The levels of these tests, in milliseconds.
const LEVELS: [i64; 3] = [60, 150, 3_600_000];

fn short_levels(options: BrokerOptions) -> BrokerOptions {
    BrokerOptions { store: StoreOptions { delay_levels_ms: LEVELS.to_vec(), ..options.store }, ..options }
}

async fn send(client: &mut Raw, properties: &str, body: &str) -> i64 {
    let topic = client.ask(send_to("T", 1, "", "first of its topic")).await;
    assert_eq!(topic.code, response::SUCCESS);
    lies_at(&client.ask(send_to("T", 0, properties, body.to_owned())).await)
}

fn short_levels_with_extensions(options: BrokerOptions) -> BrokerOptions {
    let options = short_levels(options);
    BrokerOptions { store: StoreOptions { queue_ext_enabled: true, ..options.store }, ..options }
}

#[actix::test]
async fn not_before_and_not_much_later() {
    on_time(short_levels).await;
}

/// There the time stands in the extension.
#[actix::test]
async fn also_from_queues_with_extensions() {
    on_time(short_levels_with_extensions).await;
}

/// An entry whose unit is gone tells no time, which must not be taken for a time long past.
#[actix::test]
async fn also_when_the_extensions_are_lost() {
    let cluster = Cluster::start_with(short_levels_with_extensions).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "DELAY\u{1}3", "in an hour").await;
    wait_for(&mut client, "SCHEDULE_TOPIC_XXXX", 2, 0, 1).await;
    let directory = cluster.stop().await;
    std::fs::remove_dir_all(directory.path().join("store/consumequeue_ext")).unwrap();
    let options = short_levels_with_extensions(small(&directory));
    let broker = Broker::builder(options).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    send(&mut client, "DELAY\u{1}2", "soon").await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["soon"]);
    broker.stop().await.unwrap();
}

async fn on_time(options: fn(BrokerOptions) -> BrokerOptions) {
    let cluster = Cluster::start_with(options).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for level in [1, 2] {
        let at = send(&mut client, &format!("DELAY\u{1}{level}"), "late").await;
        let stored = client.ask(ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &at)])).await;
        let (stored, _) = ferromq::protocol::message::decode(&stored.body).unwrap();
        let delivered = wait_for(&mut client, "T", 0, level - 1, 1).await.remove(0);
        let waited = delivered.store_time.0 - stored.store_time.0;
        let due = LEVELS[level as usize - 1];
        // A debug build on a busy machine: the bound of an idle one is in BENCHMARKS.md.
        assert!((due..due + 1_000).contains(&waited), "level {level} waited {waited} ms");
        assert_eq!((stored.born_time, stored.born_host), (delivered.born_time, delivered.born_host));
    }
    cluster.stop().await;
}

#[actix::test]
async fn what_is_stored_aside_and_delivered_says_where_it_goes_and_keeps_its_text() {
    let cluster = Cluster::start_with(short_levels).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let sent = client.ask(send_to("T", 2, "WAIT\u{1}true\u{2}DELAY\u{1}1\u{2}TAGS\u{1}t\u{2}", "late")).await;
    assert_eq!((sent.ext.int32("queueId").unwrap(), sent.ext.int64("queueOffset").unwrap()), (2, 0));
    let aside = wait_for(&mut client, "SCHEDULE_TOPIC_XXXX", 0, 0, 1).await.remove(0);
    let text = ["CLUSTER=DefaultCluster", "DELAY=1", "REAL_QID=2", "REAL_TOPIC=T", "TAGS=t", "WAIT=true"];
    assert_eq!((&*aside.topic, aside.queue_id.0), ("SCHEDULE_TOPIC_XXXX", 0));
    assert_eq!(property_pairs(&aside), text);
    let delivered = wait_for(&mut client, "T", 2, 0, 1).await.remove(0);
    assert_eq!((&*delivered.topic, delivered.queue_id.0, &*delivered.body), ("T", 2, b"late".as_slice()));
    assert_eq!(property_pairs(&delivered), text);
    cluster.stop().await;
}

#[actix::test]
async fn a_level_delivers_in_the_order_of_its_sends() {
    let cluster = Cluster::start_with(short_levels).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let sent: Vec<String> = (0..600).map(|number| format!("{number}")).collect();
    for body in &sent {
        client.ask(send_to("T", 0, "DELAY\u{1}1", body.clone())).await;
    }
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, sent.len()).await), sent);
    cluster.stop().await;
}

#[actix::test]
async fn levels_beyond_the_last_are_the_last_and_levels_below_the_first_are_none() {
    let cluster = Cluster::start_with(short_levels).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for (level, kept) in [("99", "3"), ("2147483647", "3")] {
        let at = send(&mut client, &format!("DELAY\u{1}{level}"), "beyond").await;
        let stored = client.ask(ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &at)])).await;
        let (stored, _) = ferromq::protocol::message::decode(&stored.body).unwrap();
        assert_eq!((&*stored.topic, stored.queue_id.0), ("SCHEDULE_TOPIC_XXXX", 2), "{level}");
        assert_eq!(stored.property("DELAY"), Some(kept), "{level}");
    }
    send(&mut client, "DELAY\u{1}0", "zero").await;
    send(&mut client, "DELAY\u{1}-3", "negative").await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 2).await), ["zero", "negative"]);
    cluster.stop().await;
}

/// A consumer that could not send a message back by itself stores it in the retry topic, with a level.
#[actix::test]
async fn a_send_to_a_retry_topic_is_delayed_or_goes_to_the_dead_letters() {
    let cluster = Cluster::start_with(short_levels).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let retry = |reconsumed: i32, body: &str| {
        with(send_to("%RETRY%G", 0, "DELAY\u{1}1\u{2}A\u{1}a", body.to_owned()), "j", reconsumed)
    };
    lies_at(&client.ask(retry(15, "again")).await);
    lies_at(&client.ask(retry(16, "dead")).await);
    // That one waits as well.
    assert_eq!(messages_in(&mut client, "%DLQ%G", 0, 0).await, []);
    let dead = wait_for(&mut client, "%DLQ%G", 0, 0, 1).await;
    assert_eq!((bodies(&dead), dead[0].reconsume_times), (vec!["dead".to_owned()], 16));
    let again = wait_for(&mut client, "%RETRY%G", 0, 0, 1).await;
    assert_eq!((bodies(&again), again[0].reconsume_times), (vec!["again".to_owned()], 15));
    // Consumers older than 3.4.9 have the limit of their group.
    let old = ferromq::protocol::command::Command { version: 100, ..with(retry(15, "old"), "l", 1) };
    lies_at(&client.ask(old).await);
    assert_eq!(bodies(&wait_for(&mut client, "%RETRY%G", 0, 1, 1).await), ["old"]);
    // Those older than 4.6.1 leave the mark on a message that it had when it was prepared.
    let marked = send_to("%RETRY%G", 0, "DELAY\u{1}1\u{2}TRAN_MSG\u{1}true", "marked");
    lies_at(&client.ask(with(with(marked, "j", 1), "f", 4)).await);
    assert_eq!(bodies(&wait_for(&mut client, "%RETRY%G", 0, 2, 1).await), ["marked"]);
    cluster.stop().await;
}
