//! GET_TOPIC_STATS_INFO tells what each queue of a topic holds, and since when nothing has come.

use ferromq::protocol::body::stats::{TopicOffset, TopicStatsTable};
use ferromq::protocol::body::{Body, lenient};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::message;

use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::Cluster;

async fn stats(client: &mut Raw, topic: &str) -> TopicStatsTable {
    let reply = client.ask(ask_for(request::GET_TOPIC_STATS_INFO, &[("topic", &topic)])).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    let stats: TopicStatsTable = lenient::read(&reply.body).unwrap();
    assert_eq!(reply.body, stats.encode(), "keys are objects");
    stats
}

#[actix::test]
async fn a_topic_tells_what_its_queues_hold() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for _ in 0..3 {
        assert_eq!(client.ask(send_to("T", 2, "", "x")).await.code, response::SUCCESS);
    }
    let newest = client.ask_until(pull_from("T", 2, 2, 1), |reply| reply.code == response::SUCCESS).await;
    let store_time = message::decode_all(newest.body).unwrap()[0].store_time;
    let stats = stats(&mut client, "T").await;
    let empty = TopicOffset::default();
    let full = TopicOffset { last_update_timestamp: store_time.0, max_offset: 3, min_offset: 0 };
    let told: Vec<_> = stats.offset_table.iter().map(|(queue, held)| (queue.queue_id, *held)).collect();
    assert_eq!(told, [(0, empty), (1, empty), (2, full), (3, empty)]);
    assert!(stats.offset_table.keys().all(|queue| queue.broker_name == "broker-a" && queue.topic == "T"));
    cluster.stop().await;
}

#[actix::test]
async fn a_topic_that_is_unknown_or_has_more_queues_than_fit_is_refused() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let unknown = client.ask(ask_for(request::GET_TOPIC_STATS_INFO, &[("topic", &"nn")])).await;
    assert_eq!((unknown.code, unknown.remark.as_deref()), (response::TOPIC_NOT_EXIST, Some("topic[nn] not exist")));
    let wide = ask_for(
        request::UPDATE_AND_CREATE_TOPIC,
        &[("topic", &"Wide"), ("readQueueNums", &i32::MAX), ("writeQueueNums", &i32::MAX), ("perm", &6)],
    );
    assert_eq!(client.ask(wide).await.code, response::SUCCESS);
    let reply = client.ask(ask_for(request::GET_TOPIC_STATS_INFO, &[("topic", &"Wide")])).await;
    assert_eq!(reply.code, response::SYSTEM_ERROR, "{reply:?}");
    cluster.stop().await;
}
