//! Messages that consumers see only if what they tell of has happened: a local transaction that is carried out between the half
//! message and its commit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::actors::instance_actor::ProducerPorts;
use super::error::ClientError;
use super::namespace::Namespace;
use super::outgoing::OutgoingMessage;
use super::pool::Connections;
use super::producer::{Choice, Producer, ProducerBuilder};
use super::pull::decompress;
use super::receipt::{SendReceipt, SendStatus};
use super::send_hooks::{EndedTransaction, SendHooks};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::transaction::{CheckTransaction, EndTransaction};
use crate::protocol::ids;
use crate::protocol::message::{Message, Text};
use crate::protocol::names::GroupName;
use crate::protocol::properties::keys;
use crate::protocol::sys_flag;

/// How long the end of a transaction may wait for room on its way to the broker.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// Questions of brokers that may wait for the application: `checkRequestHoldMax`. One that finds no room is asked again.
const CHECKS_WAITING: usize = 2_000;
/// Questions that the listener has before it at once.
const CHECKS_AT_ONCE: usize = 16;
/// How long the listener has for one: as long as brokers wait before they ask again.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// How a local transaction ended.
///
/// See the example of [`TransactionListener`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// It is carried out: consumers get the message.
    Commit,
    /// It is not: nobody gets it.
    Rollback,
    /// Nobody knows yet: the broker asks again.
    Unknown,
}

impl TransactionState {
    fn bits(self) -> i32 {
        match self {
            Self::Commit => sys_flag::TRANSACTION_COMMIT,
            Self::Rollback => sys_flag::TRANSACTION_ROLLBACK,
            Self::Unknown => sys_flag::TRANSACTION_NONE,
        }
    }
}

/// What an answer takes its time for.
pub type Deciding<'a> = Pin<Box<dyn Future<Output = TransactionState> + Send + 'a>>;

/// Carries out the local transactions of a producer, and knows how they ended.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::collections::BTreeSet;
/// use std::sync::Mutex;
/// use ferromq::client::transactions::Deciding;
/// use ferromq::client::{OutgoingMessage, SendReceipt, TransactionListener, TransactionState};
/// use ferromq::protocol::message::Message;
/// # use ferromq::client::{Client, ClientOptions};
///
/// /// Books each invoice once.
/// #[derive(Default)]
/// struct Books(Mutex<BTreeSet<Vec<u8>>>);
///
/// impl TransactionListener for Books {
///     fn execute<'a>(&'a self, message: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
///         let is_new = self.0.lock().expect("nobody panics").insert(message.body.to_vec());
///         Box::pin(async move { if is_new { TransactionState::Commit } else { TransactionState::Rollback } })
///     }
///
///     fn check<'a>(&'a self, message: &'a Message) -> Deciding<'a> {
///         let is_booked = self.0.lock().expect("nobody panics").contains(&message.body[..]);
///         Box::pin(async move { if is_booked { TransactionState::Commit } else { TransactionState::Unknown } })
///     }
/// }
///
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").start_transactional(Books::default()).await?;
/// let invoice = OutgoingMessage::to("Invoices", "number 1")?;
/// assert_eq!(producer.send(&invoice).await?.1, TransactionState::Commit);
/// assert_eq!(producer.send(&invoice).await?.1, TransactionState::Rollback);
/// # Ok(())
/// # }
/// ```
pub trait TransactionListener: Send + Sync + 'static {
    /// Carries out the transaction that a message tells of; its half message is stored. It runs on the task that sends.
    fn execute<'a>(&'a self, message: &'a OutgoingMessage, receipt: &'a SendReceipt) -> Deciding<'a>;

    /// Says how the transaction of a half message ended, when its broker has not heard of that: after a crash, say. It runs on
    /// the tokio runtime that the producer was started on, for up to 16 messages at once, and has a minute for each: then it is
    /// dropped where it waits, and the broker asks again.
    fn check<'a>(&'a self, message: &'a Message) -> Deciding<'a>;
}

/// A question of a broker how a transaction ended.
#[derive(Debug)]
pub(super) struct TransactionCheck {
    /// `host:port` of the broker.
    pub(super) address: Arc<str>,
    /// Which one it means.
    pub(super) header: CheckTransaction,
    /// The half message.
    pub(super) message: Message,
}

/// A producer of messages that tell of transactions.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::transactions::Deciding;
/// use ferromq::client::{Client, ClientOptions, OutgoingMessage, SendReceipt, TransactionListener, TransactionState};
/// use ferromq::protocol::message::Message;
///
/// /// Commits everything.
/// struct Always;
///
/// impl TransactionListener for Always {
///     fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
///         Box::pin(async { TransactionState::Commit })
///     }
///
///     fn check<'a>(&'a self, _: &'a Message) -> Deciding<'a> {
///         Box::pin(async { TransactionState::Commit })
///     }
/// }
///
/// let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").start_transactional(Always).await?;
/// let (_, state) = producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// assert_eq!(state, TransactionState::Commit);
/// # Ok(())
/// # }
/// ```
pub struct TransactionProducer {
    producer: Producer,
    listener: Arc<dyn TransactionListener>,
}

impl ProducerBuilder {
    /// Makes a producer whose messages tell of transactions.
    ///
    /// # Errors
    /// As [`ProducerBuilder::start`].
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub async fn start_transactional(
        self,
        listener: impl TransactionListener,
    ) -> Result<TransactionProducer, ClientError> {
        let listener: Arc<dyn TransactionListener> = Arc::new(listener);
        let (checks, asked) = mpsc::channel(CHECKS_WAITING);
        let producer = self.start_with(ProducerPorts { checks: Some(checks), ..ProducerPorts::default() }).await?;
        let answers = Answers {
            listener: Arc::clone(&listener),
            group: producer.group().clone(),
            connections: producer.own.sender.connections.clone(),
            namespace: producer.own.client.shared.namespace.clone(),
            hooks: producer.own.hooks.clone(),
        };
        // It ends with the producer, whose ports hold the other end.
        Handle::current().spawn(answer_checks(asked, answers));
        Ok(TransactionProducer { producer, listener })
    }
}

impl TransactionProducer {
    /// Sends a half message, has the listener carry the transaction out, and tells the broker how that ended. When the broker
    /// did not store the half message as safely as it promises, nothing is carried out, and it is taken back.
    ///
    /// # Errors
    /// The half message could not be sent: nothing was carried out. Once it is stored the outcome is given, also when the broker
    /// could not be told of it: then it asks.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<(SendReceipt, TransactionState), ClientError> {
        let own = &self.producer.own;
        let more = [(keys::TRAN_MSG, "true"), (keys::PGROUP, own.sender.group.as_str())];
        // Whether it is delayed is nothing that a broker keeps of a half message.
        let half = OutgoingMessage { delay: super::outgoing::Delay::None, ..message.clone() };
        let receipt = own.send_alone(&half, &more, Choice::Free).await?;
        let state = match receipt.status {
            SendStatus::Stored => self.listener.execute(message, &receipt).await,
            SendStatus::FlushTimeout | SendStatus::ReplicaTimeout | SendStatus::NoReplica => TransactionState::Rollback,
        };
        if let Err(error) = self.end(&receipt, message, state).await {
            tracing::warn!(id = receipt.unique_id, ?state, %error, "the broker was not told how a transaction ended; it asks");
        }
        Ok((receipt, state))
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// As [`Producer::stop`].
    pub async fn stop(self) -> Result<(), ClientError> {
        self.producer.stop().await
    }

    async fn end(
        &self,
        receipt: &SendReceipt,
        message: &OutgoingMessage,
        state: TransactionState,
    ) -> Result<(), ClientError> {
        let own = &self.producer.own;
        let Some((_, offset)) = ids::parse_offset_id(&receipt.offset_id) else {
            return Err(ClientError::NotAnId { id: receipt.offset_id.clone() });
        };
        // The very broker that has the half message: another one of its set knows nothing of it.
        let address = &*receipt.broker_address;
        let header = EndTransaction {
            producer_group: own.sender.group.to_string(),
            tran_state_table_offset: receipt.queue_offset.0 as i64,
            commit_log_offset: offset.0 as i64,
            commit_or_rollback: state.bits(),
            from_transaction_check: false,
            msg_id: receipt.unique_id.clone(),
            transaction_id: receipt.transaction_id.clone(),
        };
        own.hooks.transaction_ended(&EndedTransaction {
            topic: message.topic.as_str(),
            message_id: &receipt.unique_id,
            tag: message.tag.as_deref(),
            keys: message.keys.as_deref(),
            broker_address: address,
            transaction_id: receipt.transaction_id.as_deref(),
            state,
            is_answer: false,
            region: receipt.region.as_deref(),
            trace_on: receipt.trace_on,
        });
        send_end(&own.sender.connections, address, &header).await
    }
}

/// Tells brokers how transactions ended that they have asked about.
struct Answers {
    listener: Arc<dyn TransactionListener>,
    group: GroupName,
    connections: Connections,
    namespace: Namespace,
    hooks: SendHooks,
}

/// Answers several questions at once, each in a task of its own: a check that hangs or panics leaves the others their answers,
/// and the broker asks again about its own.
async fn answer_checks(mut asked: mpsc::Receiver<TransactionCheck>, answers: Answers) {
    let (answers, places) = (Arc::new(answers), Arc::new(Semaphore::new(CHECKS_AT_ONCE)));
    while let Some(check) = asked.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            answers.answer(check).await;
            drop(place);
        });
    }
}

impl Answers {
    async fn answer(&self, check: TransactionCheck) {
        let TransactionCheck { address, header: asked, mut message } = check;
        decompress(&mut message);
        message.topic = Text::from(&*self.namespace.stripped(&message.topic));
        let topic = message.topic.as_str();
        let Ok(state) = timeout(CHECK_LIMIT, self.listener.check(&message)).await else {
            tracing::warn!(topic, after = ?CHECK_LIMIT, "nobody said how a transaction ended; its broker asks again");
            return;
        };
        let header = EndTransaction {
            producer_group: self.group.to_string(),
            tran_state_table_offset: asked.tran_state_table_offset,
            commit_log_offset: asked.commit_log_offset,
            commit_or_rollback: state.bits(),
            from_transaction_check: true,
            msg_id: message.unique_id().map(Into::into).or(asked.msg_id).unwrap_or_default(),
            transaction_id: asked.transaction_id,
        };
        self.hooks.transaction_ended(&EndedTransaction {
            topic,
            message_id: &header.msg_id,
            tag: message.tags(),
            keys: message.keys(),
            broker_address: &address,
            transaction_id: header.transaction_id.as_deref(),
            state,
            is_answer: true,
            region: message.property(keys::MSG_REGION),
            trace_on: message.property(keys::TRACE_ON) != Some("false"),
        });
        if let Err(error) = send_end(&self.connections, &address, &header).await {
            tracing::warn!(topic, %error, "the broker was not told how a transaction ended; it asks again");
        }
    }
}

async fn send_end(connections: &Connections, address: &str, header: &EndTransaction) -> Result<(), ClientError> {
    let command = Command::request(request::END_TRANSACTION).with_ext(header.to_ext());
    connections.to(address).await?.send_oneway(command, END_TIMEOUT).await
}
