//! What consumers were brought, and what is sent to them.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferromq::client::{
    Begin, Client, ConsumerOptions, Delivery, OutgoingMessage, PushConsumer, SendReceipt, Verdict, Wanted,
};
use ferromq::protocol::message::Message;

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The messages that listeners were brought.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Vec<Arc<Message>>>>);

impl Inbox {
    /// A listener that takes everything in, and says of each message what is to become of it.
    pub(crate) fn judging(
        &self,
        judge: impl Fn(&Message) -> Verdict + Send + Sync + 'static,
    ) -> impl Fn(Delivery) -> std::future::Ready<Verdict> + Send + Sync + 'static {
        let inbox = self.clone();
        move |delivery| {
            let verdict = delivery.messages.first().map_or(Verdict::Consumed, |message| judge(message));
            inbox.0.lock().unwrap_or_else(PoisonError::into_inner).extend(delivery.messages);
            std::future::ready(verdict)
        }
    }

    pub(crate) fn messages(&self) -> Vec<Arc<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn holds(&self, count: usize) {
        while self.messages().len() < count {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The bodies, sorted.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let mut bodies: Vec<_> = self.messages().iter().map(|message| body(message)).collect();
        bodies.sort();
        bodies
    }
}

pub(crate) fn body(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

pub(crate) fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("message {number:04}")).collect()
}

pub(crate) fn from_the_first() -> ConsumerOptions {
    ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() }
}

/// A consumer that takes everything.
pub(crate) async fn reader(
    client: &Client,
    group: &str,
    topic: &str,
    options: ConsumerOptions,
    inbox: &Inbox,
) -> Result<PushConsumer, Box<dyn Error>> {
    let builder = client.push_consumer(group).options(options).subscribe(topic, Wanted::All);
    Ok(builder.start(inbox.judging(|_| Verdict::Consumed)).await?)
}

/// Sends these to a topic, one after the other.
pub(crate) async fn send(client: &Client, topic: &str, bodies: &[String]) -> Result<Vec<SendReceipt>, Box<dyn Error>> {
    let producer = client.producer(&format!("P_{topic}")).start().await?;
    let mut receipts = Vec::new();
    for body in bodies {
        receipts.push(producer.send(&OutgoingMessage::to(topic, body.clone())?).await?);
    }
    producer.stop().await?;
    Ok(receipts)
}

/// An error if it is not so.
pub(crate) fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

/// Waits for as long as a check may take.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
