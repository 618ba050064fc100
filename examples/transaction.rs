//! A message that consumers see only if the transaction that it tells of was carried out.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example transaction
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferromq::client::transactions::Deciding;
use ferromq::client::{
    Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, SendReceipt, TransactionListener,
    TransactionState, Wanted,
};
use ferromq::protocol::message::Message;
use tokio::sync::mpsc;

/// The accounts of a bank: what is a database in earnest.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<BTreeSet<String>>>);

impl Ledger {
    fn state(&self, id: &str) -> TransactionState {
        let booked = self.0.lock().is_ok_and(|booked| booked.contains(id));
        if booked { TransactionState::Commit } else { TransactionState::Rollback }
    }
}

impl TransactionListener for Ledger {
    fn execute<'a>(&'a self, message: &'a OutgoingMessage, receipt: &'a SendReceipt) -> Deciding<'a> {
        Box::pin(async move {
            if message.body == "too much" {
                return TransactionState::Rollback;
            }
            if let Ok(mut booked) = self.0.lock() {
                booked.insert(receipt.unique_id.clone());
            }
            self.state(&receipt.unique_id)
        })
    }

    /// A broker that was not told, as when this process was killed before it could, asks for what is in the ledger.
    fn check<'a>(&'a self, message: &'a Message) -> Deciding<'a> {
        Box::pin(async move { self.state(message.unique_id().unwrap_or_default()) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("transaction-producer").start_transactional(Ledger::default()).await?;
    let mut booked = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for text in ["10 euros", "too much", "20 euros"] {
        let (receipt, state) = producer.send(&OutgoingMessage::to("Bookings", text)?).await?;
        let ids = if state == TransactionState::Commit { &mut booked } else { &mut refused };
        ids.insert(receipt.unique_id);
    }

    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let (seen, mut ids) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        for message in &delivery.messages {
            // The receiver is there until the consumer has stopped.
            let _ = seen.send(message.unique_id().unwrap_or_default().to_owned());
        }
        std::future::ready(())
    };
    let builder = client.push_consumer("transaction-consumer").options(options).subscribe("Bookings", Wanted::All);
    let consumer = builder.start(listener).await?;
    let all = async {
        while !booked.is_empty()
            && let Some(id) = ids.recv().await
        {
            booked.remove(&id);
            if refused.contains(&id) {
                return Err(format!("{id} was rolled back, and came"));
            }
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(50), all).await??;
    consumer.stop().await?;
    producer.stop().await?;
    Ok(())
}
