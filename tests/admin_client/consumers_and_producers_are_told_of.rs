//! Who is online, and what consumers say of themselves, by the functions of the library.

use ferromq::admin::StatusOf;
use ferromq::protocol::body::Body;
use ferromq::protocol::body::consumer::{ConsumeDirectlyResult, ConsumeOutcome, ConsumerRunningInfo, ProcessQueueInfo};
use ferromq::protocol::body::queue_table::{MessageQueue, QueueTable};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::units::QueueId;
use serde_json::json;

use crate::consumer::{Consumer, succeeds};
use crate::fixtures::{Site, group};
use crate::raw::ask_for;

fn queue() -> MessageQueue {
    MessageQueue { broker_name: "broker-a".into(), queue_id: 0, topic: "orders".into() }
}

async fn site_with_consumer() -> (Site, Consumer) {
    let site = Site::start().await;
    site.with_topic("orders", 1).await;
    let consumer = Consumer::join(site.cluster.broker.address(), "client-1", "billing", &["orders"]).await;
    (site, consumer)
}

#[actix::test]
async fn the_connections_of_consumers_and_producers() {
    let (site, consumer) = site_with_consumer().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let told = admin.consumer_connection(broker, &group("billing")).await.unwrap();
    let client = &told.connection_set[0];
    assert_eq!((&*client.client_id, client.client_addr.parse().unwrap()), ("client-1", consumer.address()));
    assert_eq!(told.subscription_table["orders"].sub_string, "*");
    assert_eq!(admin.membership(group("billing")).members(broker).await.unwrap(), ["client-1"]);
    let away = admin.consumer_connection(broker, &group("nobody")).await.unwrap_err();
    assert_eq!(away.refusal(), Some(response::CONSUMER_NOT_ONLINE), "{away}");

    let mut producer = site.raw().await;
    let body = json!({"clientID": "p", "consumerDataSet": [], "producerDataSet": [{"groupName": "shop"}]});
    succeeds(&mut producer, ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())).await;
    let told = admin.producer_connection(broker, &group("shop")).await.unwrap();
    assert_eq!(told.connection_set[0].client_id, "p");
    let told = admin.producers(broker).await.unwrap().data;
    assert_eq!(told["shop"][0].client_id, "p");
    assert!(admin.producer_connection(broker, &group("nobody")).await.unwrap_err().refusal().is_some());
    site.stop().await;
}

#[actix::test]
async fn a_consumer_tells_of_itself() {
    let (site, mut consumer) = site_with_consumer().await;
    let held = ProcessQueueInfo { commit_offset: 7, ..ProcessQueueInfo::default() };
    let info = ConsumerRunningInfo {
        mq_table: QueueTable([(queue(), held)].into()),
        properties: [("PROP_CLIENT_VERSION".to_owned(), "V4_9_7".to_owned())].into(),
        ..ConsumerRunningInfo::default()
    };
    let billing = group("billing");
    let asking = site.admin.consumer_running_info(&site.broker, &billing, "client-1", true);
    let (told, asked) = tokio::join!(asking, async {
        let asked = consumer.hears().await;
        consumer.answers(&asked, response::SUCCESS, info.encode()).await;
        asked
    });
    assert_eq!(told.unwrap(), info);
    assert_eq!(asked.ext.get("jstackEnable").as_deref(), Some("true"));
    let unknown = site.admin.consumer_running_info(&site.broker, &billing, "client-2", false).await.unwrap_err();
    assert!(unknown.refusal().is_some() && unknown.to_string().contains("client-2"), "{unknown}");
    site.stop().await;
}

#[actix::test]
async fn consumers_say_how_far_they_have_come() {
    let (site, mut consumer) = site_with_consumer().await;
    let (billing, orders) = (group("billing"), crate::fixtures::topic("orders"));
    for of in [StatusOf::All, StatusOf::Client("client-1")] {
        let asking = site.admin.consumer_status(&site.broker, &billing, &orders, of);
        let (told, ()) = tokio::join!(asking, async {
            let asked = consumer.hears().await;
            let body = r#"{"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"orders"}:7}}"#;
            consumer.answers(&asked, response::SUCCESS, body).await;
        });
        assert_eq!(told.unwrap()["client-1"].0, [(queue(), 7)].into());
    }
    let other = site.admin.consumer_status(&site.broker, &billing, &orders, StatusOf::Client("client-2")).await;
    assert!(other.unwrap().is_empty());
    consumer.has_heard_nothing().await;
    site.stop().await;
}

#[actix::test]
async fn a_message_is_consumed_once_more() {
    let (site, mut consumer) = site_with_consumer().await;
    let id = site.with_messages("orders", QueueId(0), 1).await;
    let result = ConsumeDirectlyResult {
        consume_result: ConsumeOutcome::Later,
        spent_time_mills: 3,
        remark: Some("not now".into()),
        ..ConsumeDirectlyResult::default()
    };
    let billing = group("billing");
    let asking = site.admin.consume_directly(&site.broker, &billing, "client-1", &id);
    let (told, ()) = tokio::join!(asking, async {
        let asked = consumer.hears().await;
        consumer.answers(&asked, response::SUCCESS, result.encode()).await;
    });
    assert_eq!(told.unwrap(), result);
    site.stop().await;
}
