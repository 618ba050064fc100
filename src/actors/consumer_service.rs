//! Passes on to consumers what administrators ask of them or tell them.
//!
//! Runs in the connections' tasks and waits in tasks of its own, for consumers too: one that does not answer holds nobody
//! else up. Asks the ClientActor who is online, the OffsetActor for offsets; reads queues and messages in the pool.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use bytes::BytesMut;
use tokio::sync::Semaphore;

use super::client_actor::{ConsumersOf, OnlineConsumer};
use super::fault::ask;
use super::offset_actor::OffsetsOf;
use super::published::Published;
use super::requests::{answer, serve_each, success};
use super::store_reads::{StoreReads, nearest, record};
use crate::broker::ask_consumer;
use crate::broker::consume_stats::QueueCount;
use crate::broker::reset_offset;
use crate::broker::topics::TopicTable;
use crate::net::peer::CallError;
use crate::net::router::{Request, Service};
use crate::protocol::body::Body;
use crate::protocol::body::offsets::{ConsumerStatusBody, ResetOffsetBody};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::consumer::{ConsumeDirectly, ConsumerStatus, OfConsumer, ResetOffset};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConsumedOffset, QueueId, QueueOffset, StoreTime};
use crate::store::{LogView, QueueSnapshot, StoreError};

/// The codes that a ConsumerService answers.
pub(super) const CODES: [i32; 4] = [
    request::INVOKE_BROKER_TO_RESET_OFFSET,
    request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
    request::GET_CONSUMER_RUNNING_INFO,
    request::CONSUME_MESSAGE_DIRECTLY,
];

/// How long a consumer may take to answer what is passed on to it.
pub(super) const RELAY_LIMIT: Duration = Duration::from_secs(10);
/// How long consumers may take to say how far they have come.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// Messages on their way to consumers that are to consume them directly, of all requests together, in KiB: a consumer that
/// reads nothing would leave them in memory.
const DIRECT_KIB_MAX: u32 = 64 * 1024;

/// What a ConsumerService is made of.
#[derive(Clone)]
pub(super) struct ConsumerService {
    /// Name of the broker, which is part of the name of each of its queues.
    pub(super) broker_name: Arc<str>,
    /// The address that is part of the ids of its messages.
    pub(super) host: SocketAddr,
    /// The topics there are.
    pub(super) topics: Published<TopicTable>,
    /// The ClientActor.
    pub(super) consumers_of: Recipient<ConsumersOf>,
    /// The OffsetActor.
    pub(super) offsets_of: Recipient<OffsetsOf>,
    /// Reads queues and messages.
    pub(super) reads: StoreReads,
    /// Resets that are under way at once.
    pub(super) permits: Arc<Semaphore>,
    /// See [`direct_permits`].
    pub(super) direct: Arc<Semaphore>,
}

/// A permit per KiB of the messages that are on their way to be consumed directly.
pub(super) fn direct_permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(DIRECT_KIB_MAX as usize))
}

impl Service for ConsumerService {
    fn serve(&self, requests: Vec<Request>) {
        serve_each(
            self,
            requests,
            |_| None,
            async |service: &Self, request| {
                answer(request.reply, service.ask(&request.command).await);
            },
        );
    }
}

impl ConsumerService {
    async fn ask(&self, command: &Command) -> Result<Command, Refusal> {
        match command.code {
            request::INVOKE_BROKER_TO_RESET_OFFSET => self.reset(&ResetOffset::parse(&command.ext)?, command).await,
            request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => self.status(&ConsumerStatus::parse(&command.ext)?).await,
            request::GET_CONSUMER_RUNNING_INFO => {
                let OfConsumer { consumer_group, client_id, .. } = OfConsumer::parse(&command.ext)?;
                let consumer = self.consumer(&consumer_group, &client_id).await?;
                relay(&consumer_group, &consumer, ask_consumer::relayed(command)).await
            }
            _ => self.consume_directly(&ConsumeDirectly::parse(&command.ext)?, command).await,
        }
    }

    /// Tells the consumers of a group where to go on.
    async fn reset(&self, asked: &ResetOffset, command: &Command) -> Result<Command, Refusal> {
        reset_offset::check_extent(asked)?;
        let _permit = self.permits.acquire().await.ok();
        let queues = self.topics.load().config(&asked.topic).map(|config| config.write_queue_nums);
        let queues = queues.ok_or_else(|| reset_offset::no_topic(&asked.topic))?;
        QueueCount::new().add(&asked.topic, queues)?;
        let of = OffsetsOf { topic: Some(asked.topic.clone()), group: Some(asked.group.clone()) };
        let offsets = ask(&self.offsets_of, of).await?;
        let stored = |queue| offsets.stored(&asked.topic, &asked.group, QueueId(queue));
        let stored: Option<Vec<ConsumedOffset>> = (0..queues).map(stored).collect();
        let stored = stored.ok_or_else(|| reset_offset::no_offset(&asked.group))?;
        // Before the queues are searched, which takes long.
        let consumers = self.consumers(&asked.group).await?;
        reset_offset::check(asked, consumers.iter().map(|consumer| &consumer.client))?;
        let found = self.found(asked, queues).await?;
        let target = |((queue_id, found), stored): ((i32, QueueOffset), ConsumedOffset)| {
            let broker_name = self.broker_name.to_string();
            let queue = MessageQueue { broker_name, queue_id, topic: asked.topic.clone() };
            (queue, reset_offset::target(found, stored, asked.is_force))
        };
        let offset_table = (0..).zip(found).zip(stored).map(target).collect();
        let targets = ResetOffsetBody { offset_table };
        let push = reset_offset::push(asked, &targets, command.language, consumers.len())?;
        for consumer in &consumers {
            consumer.peer.notify(push.clone());
        }
        tracing::info!(group = asked.group, topic = asked.topic, consumers = consumers.len(), "offsets are reset");
        Ok(success().with_body(targets.encode()))
    }

    /// Where each queue is at the time that is asked for.
    async fn found(&self, asked: &ResetOffset, queues: u32) -> Result<Vec<QueueOffset>, Refusal> {
        let snapshots = self.reads.snapshots(&asked.topic, queues).await?;
        let timestamp = asked.timestamp;
        let found = move |log: &LogView| {
            let found = |queue: &Option<QueueSnapshot>| match queue {
                None => Ok(QueueOffset(0)),
                Some(queue) if timestamp == reset_offset::TO_THE_END => Ok(queue.max_offset()),
                Some(queue) => nearest(log, queue, StoreTime(timestamp)),
            };
            snapshots.iter().map(found).collect::<Result<Vec<_>, StoreError>>()
        };
        Ok(self.reads.pool.ask(found).await??)
    }

    /// Asks consumers how far they have come, all at the same time. Those that do not say are left out.
    async fn status(&self, asked: &ConsumerStatus) -> Result<Command, Refusal> {
        let consumers = self.consumers(&asked.group).await?;
        if consumers.is_empty() {
            return Err(ask_consumer::nobody(&asked.group));
        }
        reset_offset::check_versions(consumers.iter().map(|consumer| &consumer.client))?;
        let asked_ones = consumers.into_iter().filter(|consumer| ask_consumer::is_asked(asked, &consumer.client));
        let calls: Vec<_> = asked_ones
            .map(|OnlineConsumer { client, peer }| {
                let question = ask_consumer::status_question(asked);
                (client.client_id, actix_rt::spawn(async move { peer.call(question, STATUS_LIMIT).await }))
            })
            .collect();
        let mut told = ConsumerStatusBody::default();
        for (client_id, call) in calls {
            let Ok(Ok(status)) = call.await else { continue };
            if status.code == response::SUCCESS
                && let Ok(status) = ConsumerStatusBody::decode(&status.body)
            {
                told.consumer_table.insert(client_id.to_string(), status.message_queue_table);
            }
        }
        Ok(success().with_body(told.encode()))
    }

    /// Has a consumer consume one message, and says how it went.
    async fn consume_directly(&self, asked: &ConsumeDirectly, command: &Command) -> Result<Command, Refusal> {
        let at = ask_consumer::position(&asked.message_id, self.host)?;
        let consumer = self.consumer(&asked.consumer_group, &asked.client_id).await?;
        let read = move |log: &LogView| record(log, at.0.cast_signed(), &mut BytesMut::new());
        let body = self.reads.pool.ask(read).await??;
        let kib = u32::try_from(body.len().div_ceil(1024)).unwrap_or(DIRECT_KIB_MAX).min(DIRECT_KIB_MAX);
        let _permits = self.direct.acquire_many(kib).await.ok();
        let ext = ask_consumer::with_broker(&command.ext, &self.broker_name);
        let call = ask_consumer::relayed(command).with_ext(ext).with_body(body);
        relay(&asked.consumer_group, &consumer, call).await
    }

    async fn consumers(&self, group: &str) -> Result<Vec<OnlineConsumer>, Refusal> {
        ask(&self.consumers_of, ConsumersOf { group: group.to_owned() }).await
    }

    /// A consumer that can be asked.
    async fn consumer(&self, group: &str, client_id: &str) -> Result<OnlineConsumer, Refusal> {
        let consumers = self.consumers(group).await?;
        let found = consumers.into_iter().find(|consumer| *consumer.client.client_id == *client_id);
        ask_consumer::check(group, client_id, found.as_ref().map(|found| &found.client))?;
        found.ok_or_else(|| ask_consumer::failed(group, client_id, "it is gone"))
    }
}

/// What a consumer answers.
async fn relay(group: &str, consumer: &OnlineConsumer, call: Command) -> Result<Command, Refusal> {
    match consumer.peer.call(call, RELAY_LIMIT).await {
        Ok(answered) => Ok(ask_consumer::answer(answered)),
        Err(CallError::Timeout) => Err(ask_consumer::timeout(group, &consumer.client, RELAY_LIMIT.as_millis())),
        Err(error) => Err(ask_consumer::failed(group, &consumer.client.client_id, &error.to_string())),
    }
}
