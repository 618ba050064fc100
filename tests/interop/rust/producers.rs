//! Producers.

use std::sync::{Arc, Mutex, PoisonError};

use ferromq::client::transactions::Deciding;
use ferromq::client::{OutgoingMessage, SendReceipt, TransactionListener, TransactionState};
use ferromq::protocol::message::Message;

use crate::inbox::{Inbox, body, expect, from_the_first, numbered, reader};
use crate::{Outcome, Run};

pub(crate) async fn compressed(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("Compressed"), Inbox::default());
    let producer = client.producer(&topic).start().await?;
    let large = "abcdefgh".repeat(2_000);
    producer.send(&OutgoingMessage::to(&topic, large.clone())?).await?;
    let consumer = reader(&client, &topic, &topic, from_the_first(), &inbox).await?;
    inbox.holds(1).await;
    consumer.stop().await?;
    expect(inbox.bodies() == [large], || "the body is another one".into())
}

pub(crate) async fn oneway(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("Oneway"), Inbox::default());
    let producer = client.producer(&topic).start().await?;
    for body in numbered(0..20) {
        producer.send_oneway(&OutgoingMessage::to(&topic, body)?).await?;
    }
    let consumer = reader(&client, &topic, &topic, from_the_first(), &inbox).await?;
    inbox.holds(20).await;
    Ok(consumer.stop().await?)
}

/// Does not know at first how a transaction ended.
#[derive(Clone, Default)]
struct Forgetful(Arc<Mutex<Vec<String>>>);

impl TransactionListener for Forgetful {
    fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
        Box::pin(async { TransactionState::Unknown })
    }

    fn check<'a>(&'a self, message: &'a Message) -> Deciding<'a> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(body(message));
        Box::pin(async { TransactionState::Commit })
    }
}

pub(crate) async fn transaction_is_asked_about(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("Transaction"), Inbox::default());
    let listener = Forgetful::default();
    let producer = client.producer(&topic).start_transactional(listener.clone()).await?;
    producer.send(&OutgoingMessage::to(&topic, "half")?).await?;
    let consumer = reader(&client, &topic, &topic, from_the_first(), &inbox).await?;
    inbox.holds(1).await;
    consumer.stop().await?;
    let asked = listener.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    expect(asked.iter().any(|text| text == "half"), || format!("asked about {asked:?}"))
}
