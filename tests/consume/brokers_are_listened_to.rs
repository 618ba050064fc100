//! What brokers tell and ask a consumer: where to go on, how far it has come.

use std::fmt::Display;
use std::time::Duration;

use ferromq::admin::Admin;
use ferromq::client::{Begin, ConsumerOptions, Wanted};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::consumer::{ConsumeOutcome, ConsumerRunningInfo};
use ferromq::protocol::body::offsets::ConsumerStatusBody;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::names::GroupName;

use crate::inbox::{Inbox, client, numbered, reader, send};
use crate::raw::{LIMIT, Raw, ask_for};
use crate::support::Cluster;

fn options() -> ConsumerOptions {
    let persist_interval = Duration::from_millis(10);
    ConsumerOptions { begin: Begin::First, persist_interval, ..ConsumerOptions::default() }
}

#[actix::test]
async fn a_group_whose_offsets_are_reset_goes_on_there() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..20)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let builder = client.push_consumer("readers").options(options()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(inbox.listener()).await.unwrap();
    inbox.holds(20).await;
    let fields: [(&str, &dyn Display); 4] =
        [("topic", &"Orders"), ("group", &"readers"), ("timestamp", &0), ("isForce", &true)];
    let mut tool = Raw::connect(cluster.broker.address()).await;
    // A broker moves what is stored.
    let reset = ask_for(request::INVOKE_BROKER_TO_RESET_OFFSET, &fields);
    tool.ask_until(reset, |reply| reply.code == response::SUCCESS).await;
    inbox.holds(40).await;
    consumer.stop().await.unwrap();
    let twice: Vec<String> = numbered(0..20).into_iter().flat_map(|body| [body.clone(), body]).collect();
    assert_eq!(inbox.sorted(), twice);
    cluster.stop().await;
}

#[actix::test]
async fn it_tells_how_far_it_has_come() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..20)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let builder = client.push_consumer("readers").options(options()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(inbox.listener()).await.unwrap();
    inbox.holds(20).await;
    let fields: [(&str, &dyn Display); 2] = [("topic", &"Orders"), ("group", &"readers")];
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let status = ask_for(request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS, &fields);
    let has_all = |status: &ConsumerStatusBody| {
        let offsets: Vec<_> =
            status.consumer_table.get(client.id()).into_iter().flat_map(|table| table.values()).collect();
        offsets == [&5; 4]
    };
    tool.ask_until(status, |reply| ConsumerStatusBody::decode(&reply.body).is_ok_and(|status| has_all(&status))).await;
    consumer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn it_tells_how_it_is_and_consumes_a_message_out_of_turn() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..20)).await;
    let (inbox, client) = (Inbox::default(), client(&cluster).await);
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(20).await;
    let admin = Admin::new(&cluster.name_servers()).unwrap();
    let (broker, group) = (cluster.broker.address().to_string(), GroupName::parse("readers").unwrap());
    let is_told = |info: &ConsumerRunningInfo| {
        let of_topic = |topic: &str| info.mq_table.keys().filter(|queue| queue.topic == topic).count();
        let rate = info.status_table.get("Orders").map_or(0.0, |status| status.consume_ok_tps);
        (of_topic("Orders"), (rate * 60.0).round() as i64) == (4, 20)
    };
    // What was consumed is told of a moment after it was.
    let told = async {
        loop {
            let info = admin.consumer_running_info(&broker, &group, client.id(), false).await.unwrap();
            if is_told(&info) {
                return info;
            }
        }
    };
    let info = tokio::time::timeout(LIMIT, told).await.expect("all of it is told");
    assert_eq!(info.properties["PROP_CONSUME_TYPE"], "CONSUME_PASSIVELY");
    let id = inbox.messages()[0].offset_id();
    let result = admin.consume_directly(&broker, &group, client.id(), &id).await.unwrap();
    assert_eq!((result.consume_result, result.order), (ConsumeOutcome::Success, false));
    assert_eq!(inbox.len(), 21, "it was consumed once more");
    consumer.stop().await.unwrap();
    cluster.stop().await;
}
