//! A broker that goes away while it has a batch, or half a transaction, costs no message and ends nothing twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::BrokerOptions;
use ferromq::client::producer_options::Gathering;
use ferromq::client::transactions::Deciding;
use ferromq::client::{
    Client, ClientError, ClientOptions, OutgoingMessage, ProducerOptions, SendReceipt, TransactionListener,
    TransactionState,
};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use ferromq::protocol::body::topic_config::Permission;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::ids;
use ferromq::protocol::message::Message;
use ferromq::protocol::units::PhysicalOffset;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fake_broker::{FakeBroker, reply};
use crate::fake_cluster::FakeCluster;
use crate::inbox::{Inbox, reader};
use crate::raw::{LIMIT, ext};
use crate::support::{namesrv_in, small, wait_until};

/// A broker that goes away as soon as it is sent a message.
async fn dying() -> FakeBroker {
    FakeBroker::start_for_clients(|command, _| match command.code {
        request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => None,
        _ => Some(vec![reply(command, response::SUCCESS)]),
    })
    .await
}

/// A topic with one queue on each of the brokers, in their order.
fn route(to: &Command, brokers: [&str; 2]) -> Command {
    let names = ["a", "b"];
    let brokers = names.iter().zip(brokers);
    let (broker_datas, queue_datas) = brokers
        .map(|(&name, address)| {
            let broker_addrs = [(0, address.to_owned())].into();
            let broker = BrokerData { broker_addrs, broker_name: name.into(), cluster: "c".into() };
            let queues = QueueData {
                broker_name: name.into(),
                perm: Permission::READ_WRITE,
                read_queue_nums: 1,
                write_queue_nums: 1,
                ..QueueData::default()
            };
            (broker, queues)
        })
        .unzip();
    let route = TopicRouteData { broker_datas, queue_datas, ..TopicRouteData::default() };
    reply(to, response::SUCCESS).with_body(route.encode())
}

/// A topic on two brokers, of which the first goes away when it is sent something, and the second, which is the name server as
/// well, has no room or stores everything.
async fn one_of_two_dies(has_room: bool) -> (FakeCluster, FakeBroker) {
    let first = dying().await;
    let its_address = first.address.clone();
    let cluster = FakeCluster::start(1, move |command, own| match command.code {
        request::GET_ROUTEINFO_BY_TOPIC => Some(vec![route(command, [&its_address, own])]),
        request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE if has_room => Some(vec![stored(command, own)]),
        request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => Some(vec![reply(command, response::SYSTEM_ERROR)]),
        _ => None,
    });
    (cluster.await, first)
}

/// A message, or a batch of three, was stored at the places from 41 on.
fn stored(to: &Command, own: &str) -> Command {
    let own = own.parse().unwrap();
    let ids: Vec<_> = (0..3).map(|place| ids::offset_id(own, PhysicalOffset(100 * place))).collect();
    let ids = if to.code == request::SEND_BATCH_MESSAGE { ids.join(",") } else { ids[0].clone() };
    reply(to, response::SUCCESS).with_ext(ext(&[("msgId", &ids), ("queueId", &0), ("queueOffset", &41)]))
}

fn message(body: &str) -> OutgoingMessage {
    OutgoingMessage::to("T", body.to_owned()).unwrap()
}

#[tokio::test]
async fn of_a_batch_that_another_one_takes() {
    let (cluster, dying) = one_of_two_dies(true).await;
    let producer = cluster.client().await.producer("writers").start().await.unwrap();
    // The queues take turns: of two batches one was for the broker that dies, at least.
    for _ in 0..2 {
        let receipt = producer.send_batch(&["one", "two", "three"].map(message)).await.unwrap();
        assert_eq!(&*receipt.broker_name, "b");
    }
    assert!(!dying.received(request::SEND_BATCH_MESSAGE).is_empty());
}

#[tokio::test]
async fn of_what_was_gathered_each_sender_hears_of_its_own() {
    let (cluster, dying) = one_of_two_dies(true).await;
    let gathering = Gathering { messages: 3, linger: Duration::from_secs(10), ..Gathering::default() };
    let options = ProducerOptions { gathering: Some(gathering), ..ProducerOptions::default() };
    let producer = cluster.client().await.producer("writers").options(options).start().await.unwrap();
    for _ in 0..2 {
        let messages = ["one", "two", "three"].map(message);
        let sends =
            tokio::join!(producer.send(&messages[0]), producer.send(&messages[1]), producer.send(&messages[2]),);
        let offsets = [sends.0, sends.1, sends.2].map(|receipt| receipt.unwrap().queue_offset.0);
        assert_eq!(offsets, [41, 42, 43]);
    }
    assert!(!dying.received(request::SEND_BATCH_MESSAGE).is_empty());
}

#[tokio::test]
async fn when_all_die_each_sender_hears_which_were_tried() {
    let (first, second) = (dying().await, dying().await);
    let (its, other) = (first.address.clone(), second.address.clone());
    let says = move |command: &Command, _: &str| {
        (command.code == request::GET_ROUTEINFO_BY_TOPIC).then(|| vec![route(command, [&its, &other])])
    };
    let cluster = FakeCluster::start(1, says).await;
    let gathering = Gathering { messages: 2, linger: Duration::from_secs(10), ..Gathering::default() };
    let options = ProducerOptions { gathering: Some(gathering), retries: 1, ..ProducerOptions::default() };
    let producer = cluster.client().await.producer("writers").options(options).start().await.unwrap();
    let (one, two) = (message("one"), message("two"));
    let (one, two) = tokio::join!(producer.send(&one), producer.send(&two));
    for error in [one.unwrap_err(), two.unwrap_err()] {
        let ClientError::OfBatch(error) = error else { panic!("{error}") };
        let text = error.to_string();
        assert!(text.contains("a, b") || text.contains("b, a"), "{text}");
    }
}

/// Counts what it carries out, and commits it.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl TransactionListener for Counting {
    fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { TransactionState::Commit })
    }

    fn check<'a>(&'a self, _: &'a Message) -> Deciding<'a> {
        Box::pin(async { TransactionState::Commit })
    }
}

#[tokio::test]
async fn with_a_half_message_that_another_one_takes() {
    let (cluster, dying) = one_of_two_dies(true).await;
    let listener = Counting::default();
    let client = cluster.client().await;
    let producer = client.producer("writers").start_transactional(listener.clone()).await.unwrap();
    for _ in 0..2 {
        let (receipt, state) = producer.send(&message("paid")).await.unwrap();
        assert_eq!((&*receipt.broker_name, state), ("b", TransactionState::Commit));
    }
    assert!(!dying.received(request::SEND_MESSAGE_V2).is_empty());
    let told = || cluster.broker.received(request::END_TRANSACTION).len() == 2;
    wait_until(LIMIT, "the broker that has the half messages is told", told).await;
    assert_eq!(dying.received(request::END_TRANSACTION), []);
    assert_eq!(listener.0.load(Ordering::SeqCst), 2, "each is carried out once");
}

#[tokio::test]
async fn with_a_half_message_that_nobody_takes() {
    let (cluster, _dying) = one_of_two_dies(false).await;
    let listener = Counting::default();
    let client = cluster.client().await;
    let producer = client.producer("writers").start_transactional(listener.clone()).await.unwrap();
    producer.send(&message("paid")).await.unwrap_err();
    assert_eq!(listener.0.load(Ordering::SeqCst), 0, "what is not stored is not carried out");
}

/// Carries out a transaction that takes until somebody says that it is done, and knows afterwards that it was.
#[derive(Clone, Default)]
struct Slow {
    began: Arc<Notify>,
    goes_on: Arc<Notify>,
    checked: Arc<AtomicUsize>,
}

impl TransactionListener for Slow {
    fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
        Box::pin(async {
            self.began.notify_one();
            self.goes_on.notified().await;
            TransactionState::Commit
        })
    }

    fn check<'a>(&'a self, _: &'a Message) -> Deciding<'a> {
        self.checked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { TransactionState::Commit })
    }
}

/// Options that have the broker ask about transactions soon.
fn impatient(directory: &tempfile::TempDir, name_servers: &str) -> BrokerOptions {
    let mut options = BrokerOptions { name_servers: vec![name_servers.to_owned()], ..small(directory) };
    options.transactions.check_interval = Duration::from_millis(50);
    options.transactions.timeout = Duration::from_millis(50);
    options
}

/// The broker goes away between the half message and its end, and asks when it is back.
#[actix::test]
async fn before_it_hears_how_a_transaction_ended() {
    let directory = tempfile::tempdir().unwrap();
    let namesrv = Namesrv::builder(namesrv_in(&directory)).start().await.unwrap();
    let name_servers = namesrv.address().to_string();
    // Nobody is asked before the broker has gone: a transaction has more time than the test takes.
    let mut patient = impatient(&directory, &name_servers);
    patient.transactions.timeout = Duration::from_secs(3_600);
    let broker = Broker::builder(patient).start().await.unwrap();
    let address = broker.address();
    let client = Client::new(ClientOptions::of(&*name_servers)).await.unwrap();
    let listener = Slow::default();
    let producer = client.producer("writers").start_transactional(listener.clone()).await.unwrap();
    let message = message("paid");
    let while_it_is_carried_out = async {
        listener.began.notified().await;
        broker.stop().await.unwrap();
        listener.goes_on.notify_one();
    };
    let both = async { tokio::join!(producer.send(&message), while_it_is_carried_out) };
    let (sent, ()) = timeout(LIMIT, both).await.expect("it is carried out once");
    assert_eq!(sent.unwrap().1, TransactionState::Commit, "what became of it is known here");
    assert_eq!(listener.checked.load(Ordering::SeqCst), 0);
    let broker = crate::a_broker_that_restarts_loses_nothing::start(BrokerOptions {
        listen: address,
        ..impatient(&directory, &name_servers)
    })
    .await;
    let inbox = Inbox::default();
    let consumer = reader(&client, "T", &inbox).await;
    inbox.holds(1).await;
    assert!(listener.checked.load(Ordering::SeqCst) > 0, "it was asked");
    consumer.stop().await.unwrap();
    producer.stop().await.unwrap();
    assert_eq!(inbox.bodies(), ["paid"]);
    broker.stop().await.unwrap();
    namesrv.stop().await;
}
