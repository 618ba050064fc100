//! A message that its broker does not take back is sent to its group anew, and where nobody takes it, it is consumed here again.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::BrokerOptions;
use ferromq::client::{
    Client, ClientOptions, ConsumerOptions, Delivery, Order, OutgoingMessage, Queue, RetryWhen, Verdict, Wanted,
};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::headers::send::SendHeader;
use ferromq::protocol::message::Message;
use ferromq::protocol::properties::{self, keys};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fake_broker::{reply, route_reply};
use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::{Inbox, body, from_the_first, quick};
use crate::raw::{LIMIT, Raw, ask_for};
use crate::support::{namesrv_in, small, wait_until};

#[tokio::test]
async fn keeps_its_place_where_order_matters() {
    let cluster = FakeCluster::start(1, |command, _| match command.code {
        request::PULL_MESSAGE if command.ext.int64("queueOffset") == Ok(0) => {
            Some(vec![pulled(command, response::SUCCESS, 2, [record(0, "first"), record(1, "second")].concat())])
        }
        request::CONSUMER_SEND_MSG_BACK => Some(vec![reply(command, response::SYSTEM_ERROR)]),
        _ => None,
    })
    .await;
    let inbox = Inbox::default();
    let seen = inbox.clone();
    let listener = move |delivery: Delivery| {
        let is_bad = body(&delivery.messages[0]) == "first" && seen.len() < 2;
        seen.take_in(delivery);
        let never = Verdict::Retry { consumed: 0, when: RetryWhen::Never };
        std::future::ready(if is_bad { never } else { Verdict::Consumed })
    };
    let suspend = Duration::from_millis(10);
    let options = ConsumerOptions { order: Order::Queue, suspend, ..from_the_first() };
    let builder = cluster.client().await.push_consumer("readers").options(options).subscribe("T", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(4).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.bodies(), ["first", "first", "first", "second"]);
}

/// The broker has the message no more, or cannot be asked: the group's next attempt is a message of its own.
#[tokio::test]
async fn is_sent_to_its_group_as_a_new_one() {
    let cluster = FakeCluster::start(1, |command, own| match command.code {
        request::GET_ROUTEINFO_BY_TOPIC if command.ext.get("topic").is_some_and(|topic| topic == "%RETRY%readers") => {
            Some(vec![route_reply(command, own, 1)])
        }
        request::PULL_MESSAGE if command.ext.get("topic").is_some_and(|topic| topic == "T") => {
            (command.ext.int64("queueOffset") == Ok(0))
                .then(|| vec![pulled(command, response::SUCCESS, 1, record(0, "bad"))])
        }
        request::CONSUMER_SEND_MSG_BACK => Some(vec![reply(command, response::SYSTEM_ERROR)]),
        _ => None,
    })
    .await;
    let client = cluster.client().await;
    let retries =
        [(RetryWhen::ByRule, (1, Some("3"))), (RetryWhen::Level(5), (1, Some("5"))), (RetryWhen::Never, (16, None))];
    for (number, (when, (times, level))) in retries.into_iter().enumerate() {
        let listener = move |_| std::future::ready(Verdict::Retry { consumed: 0, when });
        let builder = client.push_consumer("readers").options(from_the_first());
        let consumer = builder.subscribe("T", Wanted::All).start(listener).await.unwrap();
        let sent = || cluster.broker.received(request::SEND_MESSAGE_V2).len() > number;
        wait_until(LIMIT, "the message is sent anew", sent).await;
        consumer.stop().await.unwrap();
        let anew = &cluster.broker.received(request::SEND_MESSAGE_V2)[number];
        let header = SendHeader::parse(&anew.ext).unwrap();
        assert_eq!((header.topic.to_string(), header.reconsume_times), ("%RETRY%readers".into(), Some(times)));
        assert_eq!(header.max_reconsume_times, Some(16));
        let text = header.properties.unwrap().to_string();
        assert_eq!(properties::find(&text, keys::DELAY), level, "{when:?}");
        assert_eq!(properties::find(&text, keys::RETRY_TOPIC), Some("T"));
        assert_eq!(properties::find(&text, keys::TAGS), Some("red"), "what it said before it says still");
        assert_eq!(anew.body, "bad");
    }
}

/// Two brokers that know the topic, and have a message each: `broker-0` number 0.
async fn two_brokers(directories: &[TempDir; 2], name_server: &Namesrv) -> [Broker; 2] {
    let name_servers = name_server.address().to_string();
    let options = |place: usize| BrokerOptions {
        name_servers: vec![name_servers.clone()],
        broker_name: format!("broker-{place}"),
        ..quick(small(&directories[place]))
    };
    let brokers =
        [Broker::builder(options(0)).start().await.unwrap(), Broker::builder(options(1)).start().await.unwrap()];
    let client = Client::new(ClientOptions::of(&*name_servers)).await.unwrap();
    let producer = client.producer("writers").start().await.unwrap();
    for number in 0..2 {
        let name = format!("broker-{number}");
        let message = OutgoingMessage::to("Orders", format!("number {number}")).unwrap().key("1");
        let is_of_it = |queue: &Queue| *queue.broker_name == *name;
        producer.send_by(&message, |queues| queues.iter().position(is_of_it)).await.unwrap();
    }
    let knows_both =
        |reply: &Command| TopicRouteData::decode(&reply.body).is_ok_and(|route| route.broker_datas.len() == 2);
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"Orders")]);
    Raw::connect(name_server.address()).await.ask_until(route, knows_both).await;
    brokers
}

/// One of two brokers goes away while its message is consumed; the other one brings it again.
#[actix::test]
async fn comes_again_from_another_broker() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let namesrv = Namesrv::builder(namesrv_in(&directories[0])).start().await.unwrap();
    let [first, second] = two_brokers(&directories, &namesrv).await;
    let (began, goes_on, inbox) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Inbox::default());
    let (begins, waits, seen) = (Arc::clone(&began), Arc::clone(&goes_on), inbox.clone());
    let listener = move |delivery: Delivery| {
        let message = &delivery.messages[0];
        let is_first = body(message) == "number 0" && message.reconsume_times == 0;
        let (begins, waits) = (Arc::clone(&begins), Arc::clone(&waits));
        seen.take_in(delivery);
        async move {
            if is_first {
                begins.notify_one();
                waits.notified().await;
                return Verdict::Retry { consumed: 0, when: RetryWhen::ByRule };
            }
            Verdict::Consumed
        }
    };
    let client = Client::new(ClientOptions::of(namesrv.address().to_string())).await.unwrap();
    let builder = client.push_consumer("readers").options(from_the_first()).subscribe("Orders", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    timeout(LIMIT, began.notified()).await.expect("the first message has come");
    first.stop().await.unwrap();
    goes_on.notify_one();
    inbox.holds(3).await;
    let messages = inbox.messages();
    let [before, again] = [0, 1].map(|times| {
        let is_it = |message: &&Arc<Message>| body(message) == "number 0" && message.reconsume_times == times;
        messages.iter().find(is_it).unwrap()
    });
    assert_eq!((&*again.topic, again.keys()), ("Orders", Some("1")));
    assert_eq!(again.unique_id(), before.unique_id(), "it is known by the same id");
    consumer.stop().await.unwrap();
    second.stop().await.unwrap();
    namesrv.stop().await;
}
