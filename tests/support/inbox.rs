//! What consumers were brought, and what is sent to them.
#![allow(dead_code, reason = "not every test that includes this file consumes in every way")]

use std::sync::{Arc, Mutex};

use ferromq::actors::options::BrokerOptions;
use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, PushConsumer, Wanted};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message::Message;
use ferromq::protocol::names::Topic;

use crate::raw::{LIMIT, Raw, ask_for};
use crate::support::{Cluster, wait_until};

/// The messages that listeners were brought, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Vec<Arc<Message>>>>);

impl Inbox {
    pub(crate) fn take_in(&self, delivery: Delivery) {
        self.0.lock().unwrap().extend(delivery.messages);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// A listener that consumes everything.
    pub(crate) fn listener(&self) -> impl Fn(Delivery) -> std::future::Ready<()> + Send + Sync + 'static {
        let inbox = self.clone();
        move |delivery| {
            inbox.take_in(delivery);
            std::future::ready(())
        }
    }

    /// Waits until so many have come.
    pub(crate) async fn holds(&self, count: usize) {
        wait_until(LIMIT, &format!("{count} messages have come"), || self.len() >= count).await;
    }

    /// Waits until so many different ones have come: what changes hands may come twice.
    pub(crate) async fn holds_different(&self, count: usize) {
        let different = || self.bodies().into_iter().collect::<std::collections::BTreeSet<_>>().len();
        wait_until(LIMIT, &format!("{count} different messages have come"), || different() >= count).await;
    }

    pub(crate) fn messages(&self) -> Vec<Arc<Message>> {
        self.0.lock().unwrap().clone()
    }

    /// The bodies in their order.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.messages().iter().map(|message| body(message)).collect()
    }

    /// The bodies sorted: of messages that came in no order.
    pub(crate) fn sorted(&self) -> Vec<String> {
        let mut bodies = self.bodies();
        bodies.sort();
        bodies
    }
}

pub(crate) fn body(message: &Message) -> String {
    String::from_utf8(message.body.to_vec()).unwrap()
}

/// Bodies that sort as they are counted.
pub(crate) fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("message {number:04}")).collect()
}

/// A consumer that begins with the oldest message.
pub(crate) fn from_the_first() -> ConsumerOptions {
    ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() }
}

/// A consumer that has all of a topic put there.
pub(crate) async fn reader(client: &Client, topic: &str, inbox: &Inbox) -> PushConsumer {
    let builder = client.push_consumer("readers").options(from_the_first()).subscribe(topic, Wanted::All);
    builder.start(inbox.listener()).await.unwrap()
}

/// A client of the cluster.
pub(crate) async fn client(cluster: &Cluster) -> Client {
    Client::new(ClientOptions::of(cluster.name_servers())).await.unwrap()
}

/// Sends these one after the other, to the queues in turn.
pub(crate) async fn send(cluster: &Cluster, topic: &str, bodies: &[String]) {
    let producer = client(cluster).await.producer("writers").start().await.unwrap();
    for body in bodies {
        producer.send(&OutgoingMessage::new(Topic::parse(topic).unwrap(), body.clone())).await.unwrap();
    }
}

/// A broker whose first delay levels are short: those of a listener that says so, and the one of late deliveries.
pub(crate) fn quick(mut options: BrokerOptions) -> BrokerOptions {
    options.store.delay_levels_ms[..3].fill(50);
    options
}

/// Lets a topic be read, as those of dead letters may not be until somebody says so; done when name servers say it.
pub(crate) async fn allow_reading(cluster: &Cluster, topic: &str) {
    let fields: [(&str, &dyn std::fmt::Display); 5] =
        [("topic", &topic), ("readQueueNums", &1), ("writeQueueNums", &1), ("perm", &6), ("order", &false)];
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let updated = tool.ask(ask_for(request::UPDATE_AND_CREATE_TOPIC, &fields)).await;
    assert_eq!(updated.code, response::SUCCESS, "{updated:?}");
    let mut name_server = Raw::connect(cluster.namesrv.address()).await;
    let is_readable = |reply: &Command| {
        TopicRouteData::decode(&reply.body).is_ok_and(|route| route.queue_datas.iter().all(|data| data.perm.readable()))
    };
    name_server.ask_until(ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &topic)]), is_readable).await;
}
