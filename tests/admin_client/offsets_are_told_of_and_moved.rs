//! How far groups have come, by the functions of the library.

use std::collections::BTreeMap;

use ferromq::admin::{Reset, ResetTo, StoredOffset};
use ferromq::client::route::subscribe_queues;
use ferromq::protocol::body::queue_table::MessageQueue;
use ferromq::protocol::body::subscription_group::SubscriptionGroupConfig;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Language;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{ConsumedOffset, QueueId, StoreTime};

use crate::consumer::Consumer;
use crate::fixtures::{Site, group};

const FORWARD_TOO: Reset = Reset { to: ResetTo::End, force: true, consumers: Language::Java };

/// A topic with two queues, of which the first has three messages.
async fn site_with_orders() -> (Site, Topic) {
    let site = Site::start().await;
    let orders = site.with_topic("orders", 2).await;
    site.with_messages("orders", QueueId(0), 3).await;
    (site, orders)
}

fn queue(queue_id: i32) -> MessageQueue {
    MessageQueue { broker_name: "broker-a".into(), queue_id, topic: "orders".into() }
}

#[actix::test]
async fn offsets_are_stored_told_and_cloned() {
    let (site, orders) = site_with_orders().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let (billing, other) = (group("billing"), group("other"));
    admin.store_offset(broker, &billing, &orders, QueueId(0), ConsumedOffset(2)).await.unwrap();
    let queues = subscribe_queues(&admin.routes().of(&orders).await.unwrap());
    assert_eq!(admin.membership(billing.clone()).offset(&orders, &queues[0]).await.unwrap().map(|at| at.0), Some(2));
    let stats = admin.consume_stats(broker, &billing, Some(&orders)).await.unwrap();
    assert_eq!((stats.offset_table[&queue(0)].consumer_offset, stats.total_diff()), (2, 1));
    admin.save_group(broker, &SubscriptionGroupConfig::new("billing")).await.unwrap();
    let all = admin.broker_consume_stats(broker, false).await.unwrap();
    let of_billing = all.consume_stats_list.iter().find_map(|groups| groups.get("billing")).unwrap();
    assert_eq!((all.total_diff, of_billing[0].total_diff()), (1, 1));
    assert_eq!(admin.broker_consume_stats(broker, true).await.unwrap().total_diff, 0, "no topic is ordered");
    assert!(admin.groups_of_topic(broker, &orders).await.unwrap().group_list.contains("billing"));
    let spans = admin.consume_time_spans(broker, &billing, &orders).await.unwrap().consume_time_span_set;
    let oldest = admin.earliest_store_time(broker, &orders, QueueId(0)).await.unwrap().unwrap();
    assert_eq!(spans[0].min_time_stamp, oldest.0);

    admin.clone_offsets(broker, &billing, &other, Some(&orders), true).await.unwrap();
    let stored = admin.consumer_offsets(broker).await.unwrap().offset_table;
    assert_eq!(stored["orders@other"], BTreeMap::from([(0, 2)]));
    admin.store_offset(broker, &other, &orders, QueueId(0), ConsumedOffset(1)).await.unwrap();
    let smallest = |others| admin.correction_offsets(broker, &orders, others);
    assert_eq!(smallest(&[]).await.unwrap().correction_offsets[&0], 1);
    assert_eq!(smallest(&[other]).await.unwrap().correction_offsets[&0], 2);
    assert!(admin.delay_offsets(broker).await.unwrap().offset_table.is_empty());
    site.stop().await;
}

#[actix::test]
async fn a_group_that_is_online_is_told_where_to_go_on() {
    let (site, orders) = site_with_orders().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let billing = group("billing");
    for id in 0..2 {
        admin.store_offset(broker, &billing, &orders, QueueId(id), ConsumedOffset(0)).await.unwrap();
    }
    let away = admin.reset_offsets(broker, &billing, &orders, FORWARD_TOO).await.unwrap_err();
    assert_eq!(away.refusal(), Some(response::CONSUMER_NOT_ONLINE), "{away}");
    let mut consumer = Consumer::join(site.cluster.broker.address(), "c", "billing", &["orders"]).await;
    let told = admin.reset_offsets(broker, &billing, &orders, FORWARD_TOO).await.unwrap();
    assert_eq!(told.0, BTreeMap::from([(queue(0), 3), (queue(1), 0)]));
    let heard = consumer.hears().await;
    assert_eq!(heard.code, request::RESET_CONSUMER_CLIENT_OFFSET);
    assert!(heard.body.starts_with(br#"{"offsetTable":{{"brokerName""#), "{heard:?}");
    let before_all = Reset { to: ResetTo::Time(StoreTime(-1)), ..FORWARD_TOO };
    let told = admin.reset_offsets(broker, &billing, &orders, before_all).await.unwrap();
    assert_eq!(told.0, BTreeMap::from([(queue(0), 0), (queue(1), 0)]), "the wire's word for the end is no time");
    consumer.hears().await;
    let in_cpp = Reset { consumers: Language::Cpp, ..FORWARD_TOO };
    admin.reset_offsets(broker, &billing, &orders, in_cpp).await.unwrap();
    assert!(consumer.hears().await.body.starts_with(br#"{"offsetTable":["#));
    site.stop().await;
}

#[actix::test]
async fn of_a_group_that_is_not_what_is_stored_is_changed() {
    let (site, orders) = site_with_orders().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let billing = group("billing");
    let reset = async |reset| admin.reset_stored_offsets(broker, &billing, &orders, reset).await;
    admin.store_offset(broker, &billing, &orders, QueueId(0), ConsumedOffset(1)).await.unwrap();
    let moved = |before, now| StoredOffset { before: ConsumedOffset(before), now: ConsumedOffset(now) };
    for (to, force, expected) in [
        (ResetTo::End, false, moved(1, 1)),
        (ResetTo::End, true, moved(1, 3)),
        (ResetTo::Time(StoreTime(0)), false, moved(3, 0)),
        (ResetTo::End, true, moved(0, 3)),
        (ResetTo::Time(StoreTime(-1)), true, moved(3, 0)),
    ] {
        let stored = reset(Reset { to, force, ..FORWARD_TOO }).await.unwrap();
        assert_eq!(stored.get(&queue(0)), Some(&expected), "{to:?} {force}");
        let kept = admin.consumer_offsets(broker).await.unwrap().offset_table;
        assert_eq!(kept["orders@billing"][&0], expected.now.0, "{to:?} {force}");
    }
    site.stop().await;
}

#[actix::test]
async fn nothing_is_stored_where_a_group_stays_where_it_is() {
    let (site, orders) = site_with_orders().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let billing = group("billing");
    site.with_messages("orders", QueueId(1), 2).await;
    admin.store_offset(broker, &billing, &orders, QueueId(0), ConsumedOffset(1)).await.unwrap();
    let back_only = Reset { force: false, ..FORWARD_TOO };
    let told = admin.reset_stored_offsets(broker, &billing, &orders, back_only).await.unwrap();
    let stays = |at| StoredOffset { before: ConsumedOffset(at), now: ConsumedOffset(at) };
    assert_eq!(told, BTreeMap::from([(queue(0), stays(1)), (queue(1), stays(0))]));
    let kept = admin.consumer_offsets(broker).await.unwrap().offset_table;
    assert_eq!(kept["orders@billing"], BTreeMap::from([(0, 1)]), "a queue without an offset gets none");
    site.stop().await;
}
