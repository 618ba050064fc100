//! What the clones of a producer share: the ways that a message takes, whoever sends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::broker::duplicates::IDEMPOTENCE_KEY;
use crate::client::actors::engine::InstancePorts;
use crate::client::actors::instance_actor::{Beats, RemoveProducer};
use crate::client::error::ClientError;
use crate::client::gatherer::Gatherer;
use crate::client::instance::Client;
use crate::client::letter::{Letter, topic_of_batch};
use crate::client::outgoing::OutgoingMessage;
use crate::client::receipt::SendReceipt;
use crate::client::route::Queue;
use crate::client::selector::place_by_key;
use crate::client::send_hooks::{SendHooks, SentMessage};
use crate::client::sender::{Sender, no_queue};
use crate::client::trace::tracer::Tracer;
use crate::net::mailbox::notify;
use crate::protocol::codes::request;
use crate::protocol::ids::UniqueIds;
use crate::protocol::names::Topic;
use crate::protocol::properties::{self, keys};
use crate::protocol::sys_flag;

/// What the clones of a producer share.
pub(in crate::client) struct Own {
    pub(in crate::client) client: Client,
    pub(super) instance: InstancePorts,
    /// What the instance knows it by.
    pub(super) owner: Arc<()>,
    pub(in crate::client) sender: Sender,
    pub(super) unique_ids: Mutex<UniqueIds>,
    /// Room for messages that are submitted.
    pub(super) submitted: Arc<Semaphore>,
    pub(in crate::client) gatherer: Option<Gatherer>,
    pub(in crate::client) hooks: SendHooks,
    pub(super) tracer: Option<Tracer>,
}

/// Which queue a message goes to.
#[derive(Clone, Copy)]
pub(in crate::client) enum Choice<'a> {
    /// The one of its sharding key, or the next in turn.
    Free,
    /// This one, whose broker has been met.
    Queue(&'a Queue),
}

impl Own {
    pub(in crate::client) fn letter(
        &self,
        message: &OutgoingMessage,
        more: &[(&str, &str)],
    ) -> Result<Letter, ClientError> {
        Letter::of(message, self.topic(&message.topic)?, self.unique_id(), more, &self.sender.options)
    }

    /// Sends a message by itself, with whatever else is to be said in its properties.
    pub(in crate::client) async fn send_alone(
        &self,
        message: &OutgoingMessage,
        more: &[(&str, &str)],
        choice: Choice<'_>,
    ) -> Result<SendReceipt, ClientError> {
        self.hooks.before(message)?;
        let letter = self.letter(message, more)?;
        let queue = match choice {
            Choice::Free => return self.deliver_first(message, &letter).await,
            Choice::Queue(queue) => queue,
        };
        let began = self.sender.clock.elapsed();
        let outcome = self.sender.deliver_to(&letter, queue).await;
        self.told(message, &letter, &outcome, began);
        outcome
    }

    /// The letter of a message by itself, with a key by which brokers know it again: the application's, or else its id.
    pub(in crate::client) fn keyed_letter(&self, message: &OutgoingMessage) -> Result<Letter, ClientError> {
        self.hooks.before(message)?;
        let id = self.unique_id();
        let is_named = message.properties.iter().any(|(name, value)| name == IDEMPOTENCE_KEY && !value.is_empty());
        let key = [(IDEMPOTENCE_KEY, id.as_str())];
        let more = if is_named { &[] } else { &key[..] };
        Letter::of(message, self.topic(&message.topic)?, id.clone(), more, &self.sender.options)
    }

    /// Delivers the letter of a message, and tells the hooks what became of it.
    pub(in crate::client) async fn deliver_first(
        &self,
        message: &OutgoingMessage,
        letter: &Letter,
    ) -> Result<SendReceipt, ClientError> {
        let began = self.sender.clock.elapsed();
        let outcome = self.deliver(letter, began).await;
        self.told(message, letter, &outcome, began);
        outcome
    }

    /// Tells the hooks what became of a message.
    fn told(
        &self,
        message: &OutgoingMessage,
        letter: &Letter,
        outcome: &Result<SendReceipt, ClientError>,
        began: Duration,
    ) {
        if self.hooks.is_empty() {
            return;
        }
        let is_half = sys_flag::transaction_type(letter.sys_flag) == sys_flag::TRANSACTION_PREPARED;
        let (outcome, took) = (outcome.as_ref(), self.took(began));
        self.hooks.after(&SentMessage { message, outcome, took, is_half });
    }

    /// Delivers a letter to the queue of its sharding key, where it is tried once, or to the queues in turn; its time is that of a
    /// send that began then.
    pub(in crate::client) async fn deliver(
        &self,
        letter: &Letter,
        began: Duration,
    ) -> Result<SendReceipt, ClientError> {
        self.meet(&letter.topic).await?;
        let Some(key) = properties::find(&letter.properties, keys::SHARDING_KEY) else {
            return self.sender.deliver(letter, began).await;
        };
        let route = self.sender.routes.of_publishing(&letter.topic).await?;
        let queue = place_by_key(key, route.publish.len()).and_then(|place| route.publish.get(place));
        let outcome = self.sender.deliver_to(letter, queue.ok_or_else(|| no_queue(letter))?).await;
        if outcome.as_ref().is_err_and(ClientError::is_of_transport) {
            // The queue's broker may be somewhere else by now.
            self.sender.routes.doubt(&letter.topic);
        }
        outcome
    }

    /// Whether an error says that nobody is there who could have taken a letter: the way to them failed, or the name servers, which
    /// know no route, know no broker at all.
    pub(in crate::client) async fn is_out_of_reach(&self, error: &ClientError) -> bool {
        match error {
            ClientError::NoRoute { .. } => !matches!(self.sender.routes.is_a_broker_known().await, Ok(true)),
            // An address server has none to name yet.
            ClientError::NoNameServer => true,
            error => error.is_of_transport(),
        }
    }

    pub(in crate::client) async fn send_batch(&self, messages: &[OutgoingMessage]) -> Result<SendReceipt, ClientError> {
        let topic = self.topic(topic_of_batch(messages)?)?;
        messages.iter().try_for_each(|message| self.hooks.before(message))?;
        let letter = Letter::of_batch(messages, topic, || self.unique_id(), &self.sender.options)?;
        let began = self.sender.clock.elapsed();
        self.meet(&letter.topic).await?;
        let outcome = self.sender.deliver(&letter, began).await;
        self.hooks.after_batch(messages, &outcome, self.took(began));
        outcome
    }

    fn took(&self, began: Duration) -> Duration {
        self.sender.clock.elapsed().saturating_sub(began)
    }

    /// Has the brokers of a topic told of the producer, before the first message goes there.
    pub(super) async fn meet(&self, topic: &Topic) -> Result<(), ClientError> {
        if self.sender.routes.known(topic).is_none() {
            let limit = self.sender.options.send_timeout;
            let code = request::SEND_MESSAGE_V2;
            let late = || ClientError::Timeout { address: topic.to_string(), code, after: limit };
            timeout(limit, self.sender.routes.of_publishing(topic)).await.unwrap_or_else(|_| Err(late()))?;
            // A message gets there without it, too, and must have time left.
            let _ = timeout(limit / 2, self.instance.beat.send(Beats::ToNew)).await;
        }
        Ok(())
    }

    /// That it leaves its group.
    pub(super) fn farewell(&self) -> RemoveProducer {
        RemoveProducer { group: self.sender.group.clone(), owner: Arc::clone(&self.owner) }
    }

    /// A topic as the cluster calls it.
    pub(in crate::client) fn topic(&self, topic: &Topic) -> Result<Topic, ClientError> {
        if self.client.shared.namespace.is_none() { Ok(topic.clone()) } else { self.client.topic(topic.as_str()) }
    }

    pub(in crate::client) fn unique_id(&self) -> String {
        self.unique_ids.lock().unwrap_or_else(PoisonError::into_inner).next_id(self.sender.clock.now_ms())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        notify(&self.instance.remove_producer, self.farewell());
    }
}
