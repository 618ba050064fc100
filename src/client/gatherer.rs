//! Gathers messages that are sent one by one into batches: one request for many.
//!
//! The first message of a batch waits for others until its time is over or the batch is full; each sender is told what became
//! of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::error::ClientError;
use super::outgoing::{Delay, OutgoingMessage};
use super::producer::Own;
use super::producer_options::Gathering;
use super::receipt::SendReceipt;
use crate::protocol::names::Topic;

/// The batches of one producer that are being filled.
pub(super) struct Gatherer {
    gathering: Gathering,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    batches: HashMap<Topic, Batch>,
    begun: u64,
}

/// A batch, its messages and who waits for them in the same order.
struct Batch {
    number: u64,
    bytes: usize,
    messages: Vec<OutgoingMessage>,
    waiting: Vec<oneshot::Sender<Told>>,
}

/// What a sender is told; an error is told to all of a batch.
type Told = Result<SendReceipt, Arc<ClientError>>;

/// What follows from a message that was added.
enum Added {
    /// It is the first: the batch of this number goes when its time is over.
    First(u64),
    /// The batch is full and goes now.
    Full(Batch),
    /// It waits with the others.
    Further,
}

impl Gatherer {
    pub(super) fn new(gathering: Gathering) -> Self {
        Self { gathering, pending: Mutex::default() }
    }

    /// Whether a message may be part of a batch: brokers delay single messages only, and what has a key has a queue of its own.
    pub(super) fn takes(&self, message: &OutgoingMessage) -> bool {
        let is_free = message.delay == Delay::None && message.sharding_key.is_none();
        is_free && message.body.len() < self.gathering.bytes
    }

    pub(super) async fn send(&self, own: &Arc<Own>, message: &OutgoingMessage) -> Result<SendReceipt, ClientError> {
        let (tell, told) = oneshot::channel();
        match self.add(message, tell) {
            Added::First(number) => {
                let (own, topic, linger) = (Arc::clone(own), message.topic.clone(), self.gathering.linger);
                tokio::spawn(async move {
                    tokio::time::sleep(linger).await;
                    if let Some(batch) = own.gatherer.as_ref().and_then(|gatherer| gatherer.take(&topic, number)) {
                        batch.send(&own).await;
                    }
                });
            }
            Added::Full(batch) => {
                let own = Arc::clone(own);
                // In a task of its own: whoever filled it may stop waiting, and the others would never hear of theirs.
                tokio::spawn(async move { batch.send(&own).await });
            }
            Added::Further => {}
        }
        // A task that ended without a word went down with its runtime.
        told.await.map_err(|_| ClientError::Ended)?.map_err(ClientError::OfBatch)
    }

    fn add(&self, message: &OutgoingMessage, tell: oneshot::Sender<Told>) -> Added {
        self.with(|pending| {
            let next = pending.begun;
            let batch = pending.batches.entry(message.topic.clone()).or_insert_with(|| {
                pending.begun += 1;
                Batch { number: next, bytes: 0, messages: Vec::new(), waiting: Vec::new() }
            });
            batch.bytes += message.body.len();
            batch.messages.push(message.clone());
            batch.waiting.push(tell);
            if batch.bytes >= self.gathering.bytes || batch.messages.len() >= self.gathering.messages {
                return pending.batches.remove(&message.topic).map_or(Added::Further, Added::Full);
            }
            if batch.messages.len() == 1 { Added::First(batch.number) } else { Added::Further }
        })
    }

    /// The batch of this number, if it has not gone yet.
    fn take(&self, topic: &Topic, number: u64) -> Option<Batch> {
        self.with(|pending| {
            let is_it = pending.batches.get(topic).is_some_and(|batch| batch.number == number);
            if is_it { pending.batches.remove(topic) } else { None }
        })
    }

    /// A std mutex: it is held for one look into the map and never across an await. No panic leaves the map half changed.
    fn with<T>(&self, look: impl FnOnce(&mut Pending) -> T) -> T {
        look(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Batch {
    async fn send(self, own: &Own) {
        let outcome = own.send_batch(&self.messages).await.map_err(Arc::new);
        for (place, waiting) in self.waiting.into_iter().enumerate() {
            // Who has stopped waiting need not be told.
            let _ = waiting.send(outcome.clone().map(|receipt| receipt.of_one(place)));
        }
    }
}
