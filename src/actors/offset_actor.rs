//! Owns how far each consumer group has come.
//!
//! Takes [`Commit`] from the pull service, [`ForgetGroup`] from the GroupActor, [`OffsetsOf`] and [`CloneOffsets`] from the
//! services for administrators and [`Requests`] with the offset codes from the connections; asks QueueActors where a queue
//! begins. Writes `consumerOffset.json`. When it dies it goes on with its table: a commit is one insert, which leaves
//! nothing half done.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised,
    WrapFuture,
};

use super::config_writer::ConfigWriter;
use super::dispatch_actor::QueueOf;
use super::fault::{Faults, Guarded, OnPanic, ask, guarded};
use super::live::Live;
use super::published::Published;
use super::queue_actor::{BoundsOf, SnapshotOf};
use super::queue_directory::QueueKey;
use super::read_pool::ReadPool;
use super::requests::Requests;
use crate::broker::offsets::{ConsumerOffsets, QueueStart};
use crate::broker::pull::QueueBounds;
use crate::net::reply::ReplyTo;
use crate::net::router::Request;
use crate::protocol::body::Body;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::offset::{OffsetReply, QueryConsumerOffset, UpdateConsumerOffset};
use crate::protocol::names::{self, NameError, Topic};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConsumedOffset, Opaque, PhysicalOffset, QueueId, QueueOffset};

/// The codes that an OffsetActor answers.
pub const CODES: [i32; 3] =
    [request::QUERY_CONSUMER_OFFSET, request::UPDATE_CONSUMER_OFFSET, request::GET_ALL_CONSUMER_OFFSET];

/// Of these, the ones that are answered late rather than told that the broker is busy: a 4.9.7 client takes any refusal for
/// "there is no offset" and begins at the end of the queue, which loses it messages. After five seconds without an answer it
/// leaves the queue out and asks again.
pub const NEVER_BUSY: [i32; 1] = [request::QUERY_CONSUMER_OFFSET];

/// How long after a failure to find out where a queue begins that is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A group has come this far.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Commit {
    /// The topic.
    pub topic: Arc<str>,
    /// The group.
    pub group: Arc<str>,
    /// The queue.
    pub queue_id: QueueId,
    /// The next entry that the group wants.
    pub offset: ConsumedOffset,
}

/// How far has a group come?
#[derive(Debug, Message)]
#[rtype(result = "Option<ConsumedOffset>")]
pub struct StoredOffset {
    /// The topic.
    pub topic: Arc<str>,
    /// The group.
    pub group: Arc<str>,
    /// The queue.
    pub queue_id: QueueId,
}

/// How far have groups come?
#[derive(Clone, Debug, Message)]
#[rtype(result = "ConsumerOffsets")]
pub struct OffsetsOf {
    /// In this topic; `None` stands for all of them.
    pub topic: Option<String>,
    /// This group; `None` stands for all of them.
    pub group: Option<String>,
}

/// A group is to go on where another is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloneOffsets {
    /// The group that has offsets.
    pub source: String,
    /// The group that gets them.
    pub target: String,
    /// In these topics.
    pub topics: Vec<String>,
}

/// A group is no more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ForgetGroup {
    /// Its name.
    pub group: String,
}

/// Writes the table down now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Persist;

/// The parts that an OffsetActor is made of.
pub struct OffsetParts {
    /// What the file said.
    pub offsets: ConsumerOffsets,
    /// Where the table is written.
    pub file: ConfigWriter,
    /// How often.
    pub persist_every: Duration,
    /// The DispatchActor.
    pub queue_of: Recipient<QueueOf>,
    /// Reads the first entry of a queue, which may have to wait for the disk.
    pub pool: ReadPool,
    /// The rules: how much of the log is taken to be in memory.
    pub live: Published<Live>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// How to reach an OffsetActor, or what stands in for one.
#[derive(Clone)]
pub struct OffsetPorts {
    /// Serves clients.
    pub requests: Recipient<Requests>,
    /// Notes an offset.
    pub commit: Recipient<Commit>,
    /// Asks for an offset.
    pub stored: Recipient<StoredOffset>,
    /// Asks for the offsets of many queues.
    pub of: Recipient<OffsetsOf>,
    /// Gives a group the offsets of another.
    pub clone_group: Recipient<CloneOffsets>,
    /// Forgets the offsets of a group.
    pub forget: Recipient<ForgetGroup>,
    /// Writes the table down.
    pub persist: Recipient<Persist>,
}

impl From<Addr<OffsetActor>> for OffsetPorts {
    fn from(offsets: Addr<OffsetActor>) -> Self {
        Self {
            requests: offsets.clone().recipient(),
            commit: offsets.clone().recipient(),
            stored: offsets.clone().recipient(),
            of: offsets.clone().recipient(),
            clone_group: offsets.clone().recipient(),
            forget: offsets.clone().recipient(),
            persist: offsets.recipient(),
        }
    }
}

/// Keeps consumer offsets.
pub struct OffsetActor {
    parts: OffsetParts,
}

impl OffsetActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: OffsetParts) -> Self {
        Self { parts }
    }

    fn serve(&mut self, request: Request, ctx: &mut Context<Self>) -> Result<(), (ReplyTo, Refusal)> {
        let Request { command, reply, .. } = request;
        match command.code {
            request::UPDATE_CONSUMER_OFFSET => match UpdateConsumerOffset::parse(&command.ext) {
                Ok(header) => match self.update(&header) {
                    Ok(()) => reply.succeed(),
                    Err(error) => return Err((reply, error.into())),
                },
                Err(error) => return Err((reply, error.into())),
            },
            request::QUERY_CONSUMER_OFFSET => match QueryConsumerOffset::parse(&command.ext) {
                Ok(header) => self.query(header, reply, ctx),
                Err(error) => return Err((reply, error.into())),
            },
            _ => reply.send(Command::reply(response::SUCCESS, Opaque(0)).with_body(self.parts.offsets.body().encode())),
        }
        Ok(())
    }

    /// What no group or topic can be called is not kept: whoever sends such names could fill the table with them.
    fn update(&mut self, header: &UpdateConsumerOffset) -> Result<(), NameError> {
        names::check_group(&header.consumer_group)?;
        names::check_topic(&header.topic)?;
        // A negative queue is nobody's; RocketMQ stores it and never reads it again.
        if let Ok(queue_id) = u32::try_from(header.queue_id) {
            let offset = ConsumedOffset(header.commit_offset);
            self.parts.offsets.commit(&header.topic, &header.consumer_group, QueueId(queue_id), offset);
        }
        Ok(())
    }

    /// A stored offset is answered at once. Without one the answer depends on where the queue begins, which is asked.
    fn query(&mut self, header: QueryConsumerOffset, reply: ReplyTo, ctx: &mut Context<Self>) {
        let queue_id = QueueId(u32::try_from(header.queue_id).unwrap_or(u32::MAX));
        if let Some(stored) = self.parts.offsets.stored(&header.topic, &header.consumer_group, queue_id) {
            return answer(reply, Some(stored));
        }
        let zero_if_young = header.set_zero_if_not_found.unwrap_or(true);
        let OffsetParts { queue_of, pool, live, .. } = &self.parts;
        let memory_bytes = live.load().rules.limits.memory_bytes;
        let start = start_of(queue_of.clone(), pool.clone(), memory_bytes, header.topic.clone(), queue_id);
        ctx.spawn(start.into_actor(self).map(move |start, actor, ctx| {
            let start = match start {
                Ok(start) => start.unwrap_or(QueueStart { min: QueueOffset(0), zero_in_memory: true }),
                Err(refusal) => {
                    tracing::warn!(?refusal, topic = header.topic, "cannot tell where a queue begins; trying again");
                    return actor.query_later(header, reply, ctx);
                }
            };
            let (topic, group) = (&header.topic, &header.consumer_group);
            answer(reply, actor.parts.offsets.query(topic, group, queue_id, start, zero_if_young));
        }));
    }

    /// Asks again as long as there is somebody to be answered: see [`NEVER_BUSY`].
    fn query_later(&mut self, header: QueryConsumerOffset, reply: ReplyTo, ctx: &mut Context<Self>) {
        if reply.peer().is_closed() {
            return;
        }
        ctx.run_later(RETRY_AFTER, |actor, ctx| {
            guarded(actor, ctx, "query again", |actor, ctx| actor.query(header, reply, ctx));
        });
    }

    fn persist(&mut self) {
        if let Some(text) = self.parts.offsets.changed_json()
            && let Err(error) = self.parts.file.write(&text)
        {
            tracing::error!(%error, "cannot write the consumer offsets; trying again");
            self.parts.offsets.mark_changed();
        }
    }
}

/// Where a queue begins, and whether its first message is young enough to be in memory; `None` if there is no such queue.
async fn start_of(
    queue_of: Recipient<QueueOf>,
    pool: ReadPool,
    memory_bytes: u64,
    topic: String,
    queue_id: QueueId,
) -> Result<Option<QueueStart>, Refusal> {
    let Ok(topic) = Topic::parse(&topic) else { return Ok(None) };
    let key = QueueKey { topic, queue_id };
    let Some(queue) = ask(&queue_of, QueueOf { key }).await?? else { return Ok(None) };
    let QueueBounds { min, log_min, log_end, .. } = ask(&queue.seldom.bounds(), BoundsOf).await?;
    let is_old = |physical: PhysicalOffset| log_end.0.saturating_sub(physical.0) > memory_bytes;
    if min.0 > 0 || !is_old(log_min) {
        return Ok(Some(QueueStart { min, zero_in_memory: min.0 == 0 }));
    }
    let snapshot = ask(&queue.seldom.snapshot(), SnapshotOf).await?;
    let first = pool.ask(move |_| snapshot.entry(QueueOffset(0))).await??;
    Ok(Some(QueueStart { min, zero_in_memory: !first.is_some_and(|first| is_old(first.physical)) }))
}

fn answer(reply: ReplyTo, offset: Option<ConsumedOffset>) {
    match offset {
        Some(offset) => {
            let ext = OffsetReply { offset: offset.0 }.to_ext();
            reply.send(Command::reply(response::SUCCESS, Opaque(0)).with_ext(ext));
        }
        None => {
            let remark = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first";
            reply.refuse(Refusal::new(response::QUERY_NOT_FOUND, remark));
        }
    }
}

impl Actor for OffsetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.persist_every, |actor, ctx| {
            guarded(actor, ctx, "persist interval", |actor, _| actor.persist());
        });
    }
}

impl Supervised for OffsetActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // What panicked may have been the writing of the table, which counts as written by then.
        self.parts.offsets.mark_changed();
    }
}

impl Guarded for OffsetActor {
    const NAME: &'static str = "OffsetActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for OffsetActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                if let Err((reply, refusal)) = actor.serve(request, ctx) {
                    reply.refuse(refusal);
                }
            }
        });
    }
}

impl Handler<ForgetGroup> for OffsetActor {
    type Result = ();

    fn handle(&mut self, forget: ForgetGroup, ctx: &mut Context<Self>) {
        guarded(self, ctx, "ForgetGroup", |actor, _| actor.parts.offsets.remove_group(&forget.group));
    }
}

impl Handler<Commit> for OffsetActor {
    type Result = ();

    fn handle(&mut self, commit: Commit, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Commit", |actor, _| {
            actor.parts.offsets.commit(&commit.topic, &commit.group, commit.queue_id, commit.offset);
        });
    }
}

impl Handler<StoredOffset> for OffsetActor {
    type Result = MessageResult<StoredOffset>;

    fn handle(&mut self, of: StoredOffset, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.offsets.stored(&of.topic, &of.group, of.queue_id))
    }
}

impl Handler<OffsetsOf> for OffsetActor {
    type Result = MessageResult<OffsetsOf>;

    fn handle(&mut self, of: OffsetsOf, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.offsets.only(of.topic.as_deref(), of.group.as_deref()))
    }
}

impl Handler<CloneOffsets> for OffsetActor {
    type Result = ();

    fn handle(&mut self, clone: CloneOffsets, ctx: &mut Context<Self>) {
        guarded(self, ctx, "CloneOffsets", |actor, _| {
            for topic in &clone.topics {
                actor.parts.offsets.clone_group(&clone.source, &clone.target, topic);
            }
        });
    }
}

impl Handler<Persist> for OffsetActor {
    type Result = ();

    fn handle(&mut self, _: Persist, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Persist", |actor, _| actor.persist());
    }
}
