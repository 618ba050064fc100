//! Messages that tell of transactions.

use std::sync::{Arc, Mutex};

use ferromq::actors::options::BrokerOptions;
use ferromq::client::transactions::Deciding;
use ferromq::client::{OutgoingMessage, SendReceipt, TransactionListener, TransactionState};
use ferromq::protocol::message::Message;

use crate::inbox::{Inbox, body, client, reader};
use crate::support::Cluster;

/// Ends each transaction as its message says, and what it does not know at first as its message says behind that.
#[derive(Clone, Default)]
struct AsSaid {
    checked: Arc<Mutex<Vec<String>>>,
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
        self.checked.lock().unwrap().push(text.clone());
        Box::pin(async move { state(text.split(' ').next_back().unwrap()) })
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
