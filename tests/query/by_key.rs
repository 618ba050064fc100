//! By a key and a time range, by the producer's id; what is not there is said to be so.

use std::fmt::Display;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message;
use ferromq::store::StoreOptions;

use crate::messages::{bodies, lies_at};
use crate::raw::{Raw, ask_for, send_to, with};
use crate::support::Cluster;

fn query(topic: &str, key: &str, max: i32) -> Command {
    let fields: [(&str, &dyn Display); 6] = [
        ("topic", &topic),
        ("key", &key),
        ("maxNum", &max),
        ("beginTimestamp", &0),
        ("endTimestamp", &i64::MAX),
        ("_UNIQUE_KEY_QUERY", &false),
    ];
    ask_for(request::QUERY_MESSAGE, &fields)
}

async fn finds(client: &mut Raw, query: Command) -> Vec<String> {
    let reply = client.ask_until(query, |reply| reply.code == response::SUCCESS).await;
    assert!(reply.ext.int64("indexLastUpdateTimestamp").unwrap() > 0, "{reply:?}");
    bodies(&message::decode_all(reply.body).unwrap())
}

async fn finds_nothing(client: &mut Raw, query: Command) {
    let reply = client.ask(query).await;
    let text = "can not find message, maybe time range not correct";
    assert_eq!((reply.code, reply.remark.as_deref()), (response::QUERY_NOT_FOUND, Some(text)), "{reply:?}");
}

#[actix::test]
async fn every_word_of_the_keys_and_the_producers_id() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let properties = |keys: &str, id: &str| format!("KEYS\u{1}{keys}\u{2}UNIQ_KEY\u{1}{id}");
    lies_at(&client.ask(send_to("T", 0, &properties("a b", "ID1"), "one")).await);
    lies_at(&client.ask(send_to("T", 1, &properties("b c", "ID2"), "two")).await);
    lies_at(&client.ask(send_to("U", 0, &properties("b", "ID3"), "other topic")).await);
    let all = |reply: &Command| message::decode_all(reply.body.clone()).is_ok_and(|found| found.len() == 2);
    client.ask_until(query("T", "b", 32), all).await;
    for (key, expected) in [("a", vec!["one"]), ("b", vec!["one", "two"]), ("c", vec!["two"]), ("ID2", vec!["two"])] {
        assert_eq!(finds(&mut client, query("T", key, 32)).await, expected, "{key}");
    }
    assert_eq!(finds(&mut client, query("U", "b", 32)).await, ["other topic"]);
    for (topic, key) in [("T", "d"), ("T", "a b"), ("none", "a"), ("no topic", "a"), ("T", "")] {
        finds_nothing(&mut client, query(topic, key, 32)).await;
    }
    finds_nothing(&mut client, query("T", &"k".repeat(1 << 20), 32)).await;
    finds_nothing(&mut client, with(query("T", "a", 32), "endTimestamp", 1)).await;
    finds_nothing(&mut client, with(query("T", "a", 32), "beginTimestamp", i64::MAX)).await;
    finds_nothing(&mut client, query("T", "b", 0)).await;
    finds_nothing(&mut client, query("T", "b", -1)).await;
    cluster.stop().await;
}

#[actix::test]
async fn the_newest_ones_up_to_a_limit_oldest_first() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let sent: Vec<String> = (0..100).map(|number| format!("{number:02}")).collect();
    for body in &sent {
        lies_at(&client.ask(send_to("T", 0, "KEYS\u{1}k", body.clone())).await);
    }
    lies_at(&client.ask(send_to("T", 0, "KEYS\u{1}last", "last")).await);
    finds(&mut client, query("T", "last", 1)).await;
    assert_eq!(finds(&mut client, query("T", "k", 3)).await, ["97", "98", "99"]);
    assert_eq!(finds(&mut client, query("T", "k", 1_000)).await, sent[36..]);
    // A query by the producer's id has a limit of the broker's.
    assert_eq!(finds(&mut client, with(query("T", "k", 3), "_UNIQUE_KEY_QUERY", true)).await, sent[68..]);
    cluster.stop().await;
}

#[actix::test]
async fn more_than_fits_a_frame_is_not_sent() {
    let cluster = Cluster::start_with(|options| BrokerOptions {
        store: StoreOptions { log_segment_bytes: 32 << 20, ..options.store },
        ..options
    })
    .await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for _ in 0..6 {
        lies_at(&client.ask(send_to("T", 0, "KEYS\u{1}large", vec![b'x'; 4 << 20])).await);
    }
    lies_at(&client.ask(send_to("T", 0, "KEYS\u{1}last", "last")).await);
    finds(&mut client, query("T", "last", 1)).await;
    assert_eq!(finds(&mut client, query("T", "large", 6)).await.len(), 3);
    cluster.stop().await;
}

#[actix::test]
async fn without_an_index_nothing_is_found() {
    let cluster = Cluster::start_with(|options| BrokerOptions {
        store: StoreOptions { index_enabled: false, ..options.store },
        ..options
    })
    .await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    lies_at(&client.ask(send_to("T", 0, "KEYS\u{1}k", "x")).await);
    finds_nothing(&mut client, query("T", "k", 1)).await;
    cluster.stop().await;
}

/// `maxMsgsNumBatch`, also for who asks by the producer's id.
#[actix::test]
async fn no_more_than_a_query_may_find() {
    let cluster = Cluster::start_with(|options| BrokerOptions { query_results_max: 2, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for body in ["one", "two", "three"] {
        lies_at(&client.ask(send_to("T", 0, "KEYS\u{1}k\u{2}UNIQ_KEY\u{1}id", body)).await);
    }
    let newest = |reply: &Command| bodies(&message::decode_all(reply.body.clone()).unwrap()) == ["two", "three"];
    client.ask_until(query("T", "k", 32), newest).await;
    assert_eq!(finds(&mut client, with(query("T", "id", 32), "_UNIQUE_KEY_QUERY", true)).await, ["two", "three"]);
    assert_eq!(finds(&mut client, query("T", "k", 1)).await, ["three"]);
    cluster.stop().await;
}
