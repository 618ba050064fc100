//! Single messages and entries of queues, by the functions of the library.

use ferromq::admin::MessageQuery;
use ferromq::client::{Client, ClientOptions, OutgoingMessage, SendReceipt};
use ferromq::protocol::ids::parse_offset_id;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};

use crate::fixtures::{Site, group, topic, until};

async fn sent(site: &Site, body: Vec<u8>, key: &str) -> SendReceipt {
    let client = Client::new(ClientOptions::of(site.cluster.name_servers())).await.unwrap();
    let producer = client.producer("PG").start().await.unwrap();
    let message = OutgoingMessage { keys: Some(key.into()), ..OutgoingMessage::new(topic("orders"), body) };
    producer.send(&message).await.unwrap()
}

#[actix::test]
async fn by_key_by_unique_key_and_by_place() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let orders = site.with_topic("orders", 1).await;
    // Long enough to travel compressed.
    let body = vec![b'x'; 10_000];
    let receipt = sent(&site, body.clone(), "order-1 order-2").await;
    sent(&site, b"another".to_vec(), "order-3").await;

    let by_key = MessageQuery::by_key(orders.clone(), "order-2");
    let ask = async || admin.query_messages(broker, &by_key).await.unwrap();
    let found = until(ask, |found| !found.is_empty()).await;
    assert_eq!(found.iter().map(|message| &message.body[..]).collect::<Vec<_>>(), [&body[..]]);
    let by_id = MessageQuery::by_unique_key(orders.clone(), &*receipt.unique_id);
    assert_eq!(admin.query_messages(broker, &by_id).await.unwrap(), found);
    for none in [
        MessageQuery::by_key(orders.clone(), "order"),
        MessageQuery::by_key(topic("nope"), "order-2"),
        MessageQuery { to: StoreTime(1), ..by_key.clone() },
    ] {
        assert_eq!(admin.query_messages(broker, &none).await.unwrap(), [], "{none:?}");
    }

    let (_, at) = parse_offset_id(&receipt.offset_id).unwrap();
    assert_eq!(admin.message_at(broker, at).await.unwrap(), found[0]);
    let nowhere = admin.message_at(broker, PhysicalOffset(at.0 + 1)).await.unwrap_err();
    assert!(nowhere.refusal().is_some(), "{nowhere}");
    site.stop().await;
}

#[actix::test]
async fn a_queue_entry_by_entry() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let orders = site.with_topic("orders", 2).await;
    site.with_messages("orders", QueueId(0), 3).await;
    let entries = async |queue, from, count| {
        admin.consume_queue(broker, &orders, QueueId(queue), QueueOffset(from), count, Some(&group("CG"))).await
    };
    let page = entries(0, 1, 10).await.unwrap().unwrap();
    assert_eq!((page.min_queue_index, page.max_queue_index, page.queue_data.len()), (0, 3, 2));
    assert_eq!(page.filter_data.as_deref(), Some("CG@orders is not online!"));
    assert_eq!(entries(0, 3, 10).await.unwrap(), None);
    assert!(entries(7, 0, 1).await.unwrap_err().refusal().is_some());
    assert!(admin.earliest_store_time(broker, &orders, QueueId(0)).await.unwrap().is_some());
    assert_eq!(admin.earliest_store_time(broker, &orders, QueueId(1)).await.unwrap(), None);
    site.stop().await;
}
