//! Messages that tell of transactions.

use std::sync::{Arc, Mutex};

use ferromq::actors::options::BrokerOptions;
use ferromq::client::namespace::Namespace;
use ferromq::client::transactions::Deciding;
use ferromq::client::{Client, ClientOptions, OutgoingMessage, SendReceipt, TransactionListener, TransactionState};
use ferromq::protocol::message::Message;

use crate::inbox::{Inbox, body, client, reader};
use crate::support::Cluster;

/// Ends each transaction as its message says, and what it does not know at first as its message says behind that.
#[derive(Clone, Default)]
struct AsSaid {
    checked: Arc<Mutex<Vec<String>>>,
    topics: Arc<Mutex<Vec<String>>>,
}

fn state(text: &str) -> TransactionState {
    match text {
        "commit" => TransactionState::Commit,
        "rollback" => TransactionState::Rollback,
        _ => TransactionState::Unknown,
    }
}

impl TransactionListener for AsSaid {
    fn execute<'a>(&'a self, message: &'a OutgoingMessage, receipt: &'a SendReceipt) -> Deciding<'a> {
        assert!(!receipt.unique_id.is_empty());
        let text = String::from_utf8(message.body.to_vec()).unwrap();
        Box::pin(async move { state(text.split(' ').next().unwrap()) })
    }

    fn check<'a>(&'a self, message: &'a Message) -> Deciding<'a> {
        let text = body(message);
        let is_first = !self.checked.lock().unwrap().contains(&text);
        self.checked.lock().unwrap().push(text.clone());
        self.topics.lock().unwrap().push(message.topic.to_string());
        Box::pin(async move {
            match text.split(' ').next_back().unwrap() {
                "hang" if is_first => std::future::pending().await,
                "panic" => panic!("a check that panics"),
                known => state(known),
            }
        })
    }
}

fn impatient(options: BrokerOptions) -> BrokerOptions {
    let mut options = options;
    options.transactions.check_interval = std::time::Duration::from_millis(50);
    options.transactions.timeout = std::time::Duration::from_millis(50);
    options
}

#[actix::test]
async fn what_is_committed_comes_and_what_is_not_known_is_asked_about() {
    let cluster = Cluster::start_with(impatient).await;
    let client = client(&cluster).await;
    let listener = AsSaid::default();
    let producer = client.producer("writers").start_transactional(listener.clone()).await.unwrap();
    let bodies = ["commit", "rollback", "unknown then commit", "unknown then rollback"];
    let mut states = Vec::new();
    for body in bodies {
        let message = OutgoingMessage::to("Orders", body).unwrap();
        states.push(producer.send(&message).await.unwrap().1);
    }
    use TransactionState::{Commit, Rollback, Unknown};
    assert_eq!(states, [Commit, Rollback, Unknown, Unknown]);
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(2).await;
    let asked = || listener.checked.lock().unwrap().iter().any(|text| text == "unknown then rollback");
    crate::support::wait_until(crate::raw::LIMIT, "the broker has asked about both", asked).await;
    consumer.stop().await.unwrap();
    producer.stop().await.unwrap();
    assert_eq!(inbox.sorted(), ["commit", "unknown then commit"]);
    cluster.stop().await;
}

/// Whatever the check of one message does, the others are answered.
#[actix::test]
async fn a_check_that_hangs_or_panics_holds_up_no_other() {
    let cluster = Cluster::start_with(impatient).await;
    let client = client(&cluster).await;
    let producer = client.producer("writers").start_transactional(AsSaid::default()).await.unwrap();
    for body in ["unknown then hang", "unknown then panic", "unknown then commit"] {
        producer.send(&OutgoingMessage::to("Orders", body).unwrap()).await.unwrap();
    }
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(1).await;
    consumer.stop().await.unwrap();
    producer.stop().await.unwrap();
    assert_eq!(inbox.bodies(), ["unknown then commit"]);
    cluster.stop().await;
}

/// The listener is shown what was sent, and not what is stored: compressed, and under a name of the cluster's.
#[actix::test]
async fn a_check_sees_the_message_as_it_was_sent() {
    let cluster = Cluster::start_with(impatient).await;
    let namespace = Namespace::new("north").unwrap();
    let options = ClientOptions { namespace, ..ClientOptions::of(cluster.name_servers()) };
    let client = Client::new(options).await.unwrap();
    let listener = AsSaid::default();
    let producer = client.producer("writers").start_transactional(listener.clone()).await.unwrap();
    let long = format!("unknown {}then commit", "and ".repeat(5_000));
    producer.send(&OutgoingMessage::to("Orders", long.clone()).unwrap()).await.unwrap();
    let inbox = Inbox::default();
    let consumer = reader(&client, "Orders", &inbox).await;
    inbox.holds(1).await;
    consumer.stop().await.unwrap();
    producer.stop().await.unwrap();
    assert_eq!(listener.checked.lock().unwrap()[0], long);
    assert_eq!(listener.topics.lock().unwrap()[0], "Orders");
    cluster.stop().await;
}
