//! Messages that are answered: a request is a message, and so is its reply, which its broker brings to whoever asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::error::ClientError;
use super::outgoing::OutgoingMessage;
use super::producer::{Choice, Producer};
use super::receipt::SendReceipt;
use crate::protocol::codes::request;
use crate::protocol::compression;
use crate::protocol::frame::FRAME_BYTES_MAX;
use crate::protocol::headers::send::PushReply;
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::properties::{self, keys};

/// What a reply's `MSG_TYPE` says.
const REPLY: &str = "reply";

/// An answer to a request.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Begin, Client, ClientError, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Wanted};
///
/// let serving = Client::new(ClientOptions::of(&name_servers)).await?;
/// let replier = serving.producer("echo").start().await?;
/// let listener = move |delivery: Delivery| {
///     let replier = replier.clone();
///     async move {
///         for message in &delivery.messages {
///             replier.reply(message, message.body.clone()).await?;
///         }
///         Ok::<_, ClientError>(())
///     }
/// };
/// let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// let server = serving.push_consumer("echo").options(options).subscribe("Echo", Wanted::All).start(listener).await?;
///
/// let asking = Client::new(ClientOptions::of(&name_servers)).await?;
/// let producer = asking.producer("asking").start().await?;
/// let reply = producer.request(&OutgoingMessage::to("Echo", "hello")?, Duration::from_secs(30)).await?;
/// assert_eq!(reply.body, "hello");
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says.
    pub body: Bytes,
    /// Its properties, as they travel.
    pub properties: String,
}

impl Reply {
    /// The last value of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        properties::find(&self.properties, name)
    }
}

/// Who waits for which answer, by the id that ties the two together.
///
/// See the example of [`InstanceActor`](super::actors::instance_actor::InstanceActor).
#[derive(Debug, Default)]
pub struct Replies(Mutex<HashMap<String, oneshot::Sender<Reply>>>);

impl Replies {
    /// Takes in a reply that a broker has brought; gives whether somebody waits for it.
    pub(super) fn take_in(&self, header: &PushReply, body: &Bytes) -> bool {
        let properties = header.properties.clone().unwrap_or_default();
        let waiting =
            properties::find(&properties, keys::CORRELATION_ID).and_then(|id| self.with(|own| own.remove(id)));
        // A body that does not decompress is handed out as it is: its reader may know better.
        let plain = compression::plain_body(header.sys_flag, body, FRAME_BYTES_MAX).unwrap_or_else(|_| body.clone());
        waiting.is_some_and(|waiting| waiting.send(Reply { body: plain, properties }).is_ok())
    }

    fn enter(self: &Arc<Self>, id: &str) -> (Waits, oneshot::Receiver<Reply>) {
        let (tell, told) = oneshot::channel();
        self.with(|own| own.insert(id.to_owned(), tell));
        (Waits { replies: Arc::clone(self), id: id.to_owned() }, told)
    }

    /// A std mutex: it is held for one map operation and never across an await. No panic leaves the map half changed.
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<String, oneshot::Sender<Reply>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One that waits; when it stops, it is forgotten.
struct Waits {
    replies: Arc<Replies>,
    id: String,
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.replies.with(|own| own.remove(&self.id));
    }
}

impl Producer {
    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// As [`Producer::send`], and [`ClientError::NoReply`] when none comes within `limit`: then the request may have been acted
    /// upon.
    pub async fn request(&self, message: &OutgoingMessage, limit: Duration) -> Result<Reply, ClientError> {
        let shared = &self.own.client.shared;
        let id = self.own.unique_id();
        let (_waits, told) = shared.replies.enter(&id);
        let limit_ms = limit.as_millis().to_string();
        let more = [
            (keys::CORRELATION_ID, id.as_str()),
            (keys::MESSAGE_REPLY_TO_CLIENT, &shared.client_id),
            (keys::MESSAGE_TTL, &limit_ms),
        ];
        let answered = async {
            self.own.send_alone(message, &more, Choice::Free).await?;
            told.await.map_err(|_| ClientError::Ended)
        };
        let late = ClientError::NoReply { topic: message.topic.to_string(), after: limit };
        tokio::time::timeout(limit, answered).await.unwrap_or(Err(late))
    }

    /// Replies to a request that a consumer was brought.
    ///
    /// # Errors
    /// The message is no request, and as [`Producer::send`].
    pub async fn reply(&self, to: &Message, body: impl Into<Bytes>) -> Result<SendReceipt, ClientError> {
        let asked = |name: &'static str| to.property(name).ok_or(ClientError::NotARequest { property: name });
        let topic = Topic::parse(&format!("{}_REPLY_TOPIC", asked(keys::CLUSTER)?))?;
        let more = [
            (keys::MESSAGE_TYPE, REPLY),
            (keys::CORRELATION_ID, asked(keys::CORRELATION_ID)?),
            (keys::MESSAGE_REPLY_TO_CLIENT, asked(keys::MESSAGE_REPLY_TO_CLIENT)?),
            (keys::MESSAGE_TTL, to.property(keys::MESSAGE_TTL).unwrap_or_default()),
        ];
        let mut letter = self.own.letter(&OutgoingMessage::new(topic, body), &more)?;
        letter.code = request::SEND_REPLY_MESSAGE_V2;
        self.own.sender.deliver(&letter, self.own.sender.clock.elapsed()).await
    }
}
