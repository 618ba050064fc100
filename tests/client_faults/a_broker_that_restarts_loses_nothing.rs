//! Producers and consumers go on by themselves when their broker comes back: nothing that was acknowledged is missing.

use std::collections::BTreeSet;
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::BrokerOptions;
use ferromq::client::{
    Client, ClientOptions, ConsumerOptions, Order, OutgoingMessage, Producer, ProducerOptions, Wanted,
};
use ferromq::protocol::codes::response;
use ferromq::protocol::names::Topic;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::fake_broker::{FakeBroker, reply, route_reply};
use crate::inbox::{Inbox, from_the_first, numbered};
use crate::panics;
use crate::raw::LIMIT;
use crate::support::{free_port, namesrv_in, small, wait_until};

/// Sends in a task of its own, over and over, until each is acknowledged.
async fn send_all(producer: Producer, bodies: Vec<String>) {
    for body in bodies {
        let message = OutgoingMessage::new(Topic::parse("Orders").unwrap(), body);
        while producer.send(&message).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn has_all(inbox: &Inbox, count: usize) -> bool {
    inbox.bodies().into_iter().collect::<BTreeSet<_>>().len() == count
}

pub(crate) async fn start(options: BrokerOptions) -> Broker {
    // A port is free again when the system says so.
    for _ in 0..1_000 {
        if let Ok(broker) = Broker::builder(options.clone()).start().await {
            return broker;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the port is not free again")
}

fn in_both_orders() -> [ConsumerOptions; 2] {
    let persist_interval = Duration::from_millis(50);
    let any = ConsumerOptions { persist_interval, ..from_the_first() };
    [any.clone(), ConsumerOptions { order: Order::Queue, ..any }]
}

/// Where the broker of a test is, each time that it starts.
fn broker_options(directory: &tempfile::TempDir, name_servers: &str) -> BrokerOptions {
    BrokerOptions { name_servers: vec![name_servers.to_owned()], ..small(directory) }
}

#[actix::test]
async fn while_messages_are_sent_and_consumed() {
    panics::watch();
    for options in in_both_orders() {
        let directory = tempfile::tempdir().unwrap();
        let namesrv = Namesrv::builder(namesrv_in(&directory)).start().await.unwrap();
        let name_servers = namesrv.address().to_string();
        let mut broker = Broker::builder(broker_options(&directory, &name_servers)).start().await.unwrap();
        let same = BrokerOptions { listen: broker.address(), ..broker_options(&directory, &name_servers) };
        let client = Client::new(ClientOptions::of(&*name_servers)).await.unwrap();
        let quick = ProducerOptions { send_timeout: Duration::from_secs(1), ..ProducerOptions::default() };
        let producer = client.producer("writers").options(quick).start().await.unwrap();
        let inbox = Inbox::default();
        send_all(producer.clone(), numbered(0..40)).await;
        let builder = client.push_consumer("readers").options(options).subscribe("Orders", Wanted::All);
        let consumer = builder.start(inbox.listener()).await.unwrap();
        inbox.holds(1).await;
        for round in 1..=2 {
            let more = tokio::task::spawn_local(send_all(producer.clone(), numbered(40 * round..40 * (round + 1))));
            broker.stop().await.unwrap();
            broker = start(same.clone()).await;
            timeout(LIMIT, more).await.expect("sends go on within the limit").unwrap();
        }
        wait_until(LIMIT, "all that was acknowledged is consumed", || has_all(&inbox, 120)).await;
        consumer.stop().await.unwrap();
        producer.stop().await.unwrap();
        broker.stop().await.unwrap();
        namesrv.stop().await;
    }
    panics::none();
}

/// A consumer that begins before its broker does is known to it soon after, and not only with the next heartbeat.
#[actix::test]
async fn also_when_it_was_away_as_the_consumer_began() {
    let closing = TcpListener::bind(free_port()).await.unwrap();
    let address = closing.local_addr().unwrap();
    let name_server = FakeBroker::start(move |command, _| {
        let is_meant = command.ext.get("topic").is_some_and(|topic| topic == "Orders");
        let unknown = || reply(command, response::TOPIC_NOT_EXIST);
        Some(vec![if is_meant { route_reply(command, &address.to_string(), 4) } else { unknown() }])
    })
    .await;
    let client = Client::new(ClientOptions::of(&name_server.address)).await.unwrap();
    let inbox = Inbox::default();
    let builder = client.push_consumer("readers").options(from_the_first()).subscribe("Orders", Wanted::All);
    let (consumer, closed) = tokio::join!(builder.start(inbox.listener()), closing.accept());
    drop((closed.unwrap(), closing));
    let directory = tempfile::tempdir().unwrap();
    let broker = start(BrokerOptions { listen: address, ..small(&directory) }).await;
    // Other clients have other connections.
    let writer = Client::new(ClientOptions::of(&name_server.address)).await.unwrap();
    send_all(writer.producer("writers").start().await.unwrap(), numbered(0..8)).await;
    wait_until(LIMIT, "all is consumed", || has_all(&inbox, 8)).await;
    consumer.unwrap().stop().await.unwrap();
    broker.stop().await.unwrap();
}
