//! Owns the topics. Publishes them for those who send and pull, and writes `topics.json`.
//!
//! Takes [`CreateOnSend`] from the send service, [`EnsureTopic`] from the ClientActor, [`ApplyOrder`] from the
//! RegistrationActor, [`LogBegins`] from the RetentionActor, [`Requests`] with the topic codes. Tells the RegistrationActor of changes; has the CommitLogActor and
//! the DispatchActor remove what belongs to a topic that is deleted. When it dies it goes on with the table that it
//! published last.

mod removal;
mod settings;
mod update;

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, Supervised};

use tokio::sync::oneshot;

use super::backlog::RETRY_AFTER;
use super::config_writer::ConfigWriter;
use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::late::Late;
use super::published::Publisher;
use super::registration_actor::TopicsChanged;
use super::requests::{Requests, Share, answer, success};
use super::send_service::SendService;
use crate::broker::topics::{Changed, TopicTable, Topics, Wish};
use crate::net::reply::ReplyTo;
use crate::net::router::Request;
use crate::protocol::body::Body;
use crate::protocol::body::kv::KvTable;
use crate::protocol::body::lists::TopicList;
use crate::protocol::body::topic_config::{Permission, TopicConfig};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::send::SendHeader;
use crate::protocol::headers::topic::OfTopic;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::PhysicalOffset;
use crate::time::SharedClock;

pub use removal::TopicRemoval;
pub use settings::{Announce, SettingsChanged};

/// The codes that a TopicActor answers.
pub const CODES: [i32; 6] = [
    request::UPDATE_AND_CREATE_TOPIC,
    request::DELETE_TOPIC_IN_BROKER,
    request::CLEAN_UNUSED_TOPIC,
    request::GET_ALL_TOPIC_CONFIG,
    request::GET_TOPIC_CONFIG,
    request::GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
];

/// Sends to unknown topics: makes the topics if they may be made, and has the sends served then.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CreateOnSend {
    /// The sends, each with the topic that it lacks.
    pub requests: Vec<(Request, TopicWanted)>,
    /// Who serves them.
    pub then: Arc<SendService>,
}

/// Which topic a send lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicWanted {
    /// The one that it names, made after the pattern that it names.
    AsSent,
    /// This one, for a message that nobody could consume.
    DeadLetters(Topic),
}

/// A topic of the broker's own is to exist.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EnsureTopic {
    /// The topic.
    pub topic: Topic,
    /// What it is made as.
    pub config: TopicConfig,
    /// What waits for it.
    pub share: Share,
}

/// A topic of the broker's own is to exist before something is stored in it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct MakeTopic {
    /// The topic.
    pub topic: Topic,
    /// What it is made as.
    pub config: TopicConfig,
    /// Is told when it is there, or why it is not.
    pub tell: oneshot::Sender<Result<(), Refusal>>,
}

/// The name servers say which topics are ordered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ApplyOrder {
    /// Their table.
    pub ordered: KvTable,
}

/// The log begins later than before: what was deleted before that place is forgotten.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct LogBegins {
    /// Where it begins.
    pub at: PhysicalOffset,
}

/// Write the table down and go on with what waited for that: sent to itself behind everything in the mailbox, so that a
/// thousand topics made at once are one file written.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Persist;

/// How to reach a TopicActor, or what stands in for one.
#[derive(Clone)]
pub struct TopicPorts {
    /// Serves clients.
    pub requests: Recipient<Requests>,
    /// Makes topics for sends.
    pub create: Recipient<CreateOnSend>,
    /// Makes topics of the broker's own.
    pub ensure: Recipient<EnsureTopic>,
    /// The same, for who waits in this process.
    pub make: Recipient<MakeTopic>,
    /// Marks ordered topics.
    pub apply_order: Recipient<ApplyOrder>,
    /// Changes the settings.
    pub settings: Recipient<SettingsChanged>,
    /// Tells where the log begins.
    pub log_begins: Recipient<LogBegins>,
}

/// The parts that a TopicActor is made of.
pub struct TopicParts {
    /// The table.
    pub topics: Topics,
    /// Where it is published.
    pub published: Publisher<TopicTable>,
    /// Where it is written.
    pub file: ConfigWriter,
    /// Tells the time of changes.
    pub clock: SharedClock,
    /// The RegistrationActor.
    pub changed: Late<TopicsChanged>,
    /// Removes what belongs to topics that are deleted.
    pub removal: TopicRemoval,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Keeps topics.
pub struct TopicActor {
    parts: TopicParts,
    /// What goes on once the table is on the disk.
    after_persist: Vec<AfterPersist>,
    persist_due: bool,
    /// Whether the name servers are to be told when the table is on the disk.
    changed: bool,
}

enum AfterPersist {
    Send(Box<Request>, Arc<SendService>),
    Reply(ReplyTo),
    /// Goes on whatever comes of it: there is no refusal of a heartbeat that its client would understand.
    Share(Share),
    Tell(oneshot::Sender<Result<(), Refusal>>),
}

impl TopicActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: TopicParts) -> Self {
        Self { parts, after_persist: Vec::new(), persist_due: false, changed: false }
    }

    fn create_on_send(
        &mut self,
        request: Request,
        wanted: &TopicWanted,
        service: Arc<SendService>,
        ctx: &mut Context<Self>,
    ) {
        let made = match wanted {
            TopicWanted::AsSent => self.make_for(&request),
            TopicWanted::DeadLetters(topic) => {
                self.ensure(topic, dead_letters(topic));
                Ok(())
            }
        };
        match made {
            Ok(()) => {
                self.after_persist.push(AfterPersist::Send(Box::new(request), service));
                self.schedule_persist(ctx);
            }
            Err(refusal) => service.refuse(request, refusal),
        }
    }

    fn make_for(&mut self, request: &Request) -> Result<(), Refusal> {
        let header = SendHeader::parse(&request.command.ext)?;
        let topic = Topic::parse(&header.topic.text())?;
        let queues = u32::try_from(header.default_topic_queue_nums).unwrap_or(0);
        let wish = Wish { pattern: &header.default_topic.text(), queues, unit_mode: header.unit_mode };
        let changed = self.parts.topics.create_for_send(&topic, wish, self.parts.clock.now_ms())?;
        if changed == Changed::Yes {
            self.changed = true;
        }
        Ok(())
    }

    fn ensure(&mut self, topic: &Topic, config: TopicConfig) -> Changed {
        let changed = self.parts.topics.create_if_absent(topic, config, self.parts.clock.now_ms());
        self.changed |= changed == Changed::Yes;
        changed
    }

    /// Sees to it that there is such a topic; whether everybody has been told of it already.
    fn is_published_with(&mut self, topic: &Topic, config: TopicConfig, ctx: &mut Context<Self>) -> bool {
        if self.ensure(topic, config) == Changed::Yes {
            self.schedule_persist(ctx);
        }
        // It may have been made a moment ago, and not be published yet.
        !self.persist_due
    }

    fn serve(&mut self, request: Request, ctx: &mut Context<Self>) {
        let Request { command, reply, .. } = request;
        match command.code {
            request::UPDATE_AND_CREATE_TOPIC => {}
            request::DELETE_TOPIC_IN_BROKER => return self.delete(&command, reply, ctx),
            request::CLEAN_UNUSED_TOPIC => return self.clean_unused(reply, ctx),
            _ => return answer(reply, self.tell(&command)),
        }
        match self.update(&command) {
            Ok(()) => {
                self.after_persist.push(AfterPersist::Reply(reply));
                self.schedule_persist(ctx);
            }
            Err(refusal) => answer(reply, Err(refusal)),
        }
    }

    fn tell(&self, command: &Command) -> Result<Command, Refusal> {
        let body = match command.code {
            request::GET_ALL_TOPIC_CONFIG => self.parts.topics.table().body().encode(),
            request::GET_SYSTEM_TOPIC_LIST_FROM_BROKER => {
                TopicList { broker_addr: None, topic_list: self.parts.topics.system_topics().collect() }.encode()
            }
            _ => {
                let name = OfTopic::parse(&command.ext)?.topic;
                let table = self.parts.topics.table();
                let unknown = || {
                    let remark = format!("No topic in this broker. topic: {name}");
                    Refusal::new(response::TOPIC_NOT_EXIST, remark)
                };
                table.config(&name).ok_or_else(unknown)?.encode()
            }
        };
        Ok(success().with_body(body))
    }

    fn schedule_persist(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.persist_due, true) {
            ctx.notify(Persist);
        }
    }

    /// Writes the table, and publishes it then: a message must not be acknowledged whose topic is in no file.
    fn persist(&mut self, ctx: &mut Context<Self>) {
        self.persist_due = false;
        let table = self.parts.topics.table();
        let written = self.parts.file.write(&table.to_json());
        match &written {
            Ok(()) => {
                self.parts.published.publish(table);
                if std::mem::take(&mut self.changed) {
                    self.parts.changed.notify(TopicsChanged);
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot write the topics; what changed takes effect when they can be written");
                self.persist_due = true;
                ctx.notify_later(Persist, RETRY_AFTER);
            }
        }
        let refused = written.as_ref().err().map(|error| Refusal::error(error.to_string()));
        for waiting in self.after_persist.drain(..) {
            match (waiting, &refused) {
                (AfterPersist::Send(request, service), None) => service.serve_again(*request),
                (AfterPersist::Send(request, service), Some(refusal)) => service.refuse(*request, refusal.clone()),
                (AfterPersist::Reply(reply), None) => reply.succeed(),
                (AfterPersist::Reply(reply), Some(refusal)) => reply.refuse(refusal.clone()),
                (AfterPersist::Share(share), _) => drop(share),
                // Who asked may be gone.
                (AfterPersist::Tell(tell), None) => drop(tell.send(Ok(()))),
                (AfterPersist::Tell(tell), Some(refusal)) => drop(tell.send(Err(refusal.clone()))),
            }
        }
    }
}

/// A group's dead letters: one queue, which tools can read.
///
/// # Source
/// `AbstractSendMessageProcessor.DLQ_NUMS_PER_GROUP` and its use in 4.9.7 (measured; 4.7.1 forbids reading).
pub(super) fn dead_letters(topic: &Topic) -> TopicConfig {
    TopicConfig::new(topic.as_str(), 1, Permission::READ_WRITE)
}

impl Actor for TopicActor {
    type Context = Context<Self>;
}

impl Supervised for TopicActor {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        // A change that was not published is not acknowledged either: those who asked for it are refused by the drop.
        self.parts.topics.replace(TopicTable::clone(&self.parts.published.last()).body());
        self.after_persist.clear();
        self.persist_due = false;
        self.schedule_persist(ctx);
    }
}

impl Guarded for TopicActor {
    const NAME: &'static str = "TopicActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<CreateOnSend> for TopicActor {
    type Result = ();

    fn handle(&mut self, create: CreateOnSend, ctx: &mut Context<Self>) {
        guarded(self, ctx, "CreateOnSend", |actor, ctx| {
            for (request, wanted) in create.requests {
                actor.create_on_send(request, &wanted, Arc::clone(&create.then), ctx);
            }
        });
    }
}

impl Handler<EnsureTopic> for TopicActor {
    type Result = ();

    fn handle(&mut self, ensure: EnsureTopic, ctx: &mut Context<Self>) {
        guarded(self, ctx, "EnsureTopic", |actor, ctx| {
            if !actor.is_published_with(&ensure.topic, ensure.config, ctx) {
                actor.after_persist.push(AfterPersist::Share(ensure.share));
            }
        });
    }
}

impl Handler<MakeTopic> for TopicActor {
    type Result = ();

    fn handle(&mut self, make: MakeTopic, ctx: &mut Context<Self>) {
        guarded(self, ctx, "MakeTopic", |actor, ctx| match actor.is_published_with(&make.topic, make.config, ctx) {
            true => drop(make.tell.send(Ok(()))),
            false => actor.after_persist.push(AfterPersist::Tell(make.tell)),
        });
    }
}

impl Handler<ApplyOrder> for TopicActor {
    type Result = ();

    fn handle(&mut self, apply: ApplyOrder, ctx: &mut Context<Self>) {
        guarded(self, ctx, "ApplyOrder", |actor, ctx| {
            if actor.parts.topics.apply_order(&apply.ordered, actor.parts.clock.now_ms()) == Changed::Yes {
                actor.schedule_persist(ctx);
                actor.changed = true;
            }
        });
    }
}

impl Handler<Requests> for TopicActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                actor.serve(request, ctx);
            }
        });
    }
}

impl Handler<Persist> for TopicActor {
    type Result = ();

    fn handle(&mut self, _: Persist, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Persist", Self::persist);
    }
}

impl From<actix::Addr<TopicActor>> for TopicPorts {
    fn from(topics: actix::Addr<TopicActor>) -> Self {
        Self {
            requests: topics.clone().recipient(),
            create: topics.clone().recipient(),
            ensure: topics.clone().recipient(),
            make: topics.clone().recipient(),
            apply_order: topics.clone().recipient(),
            settings: topics.clone().recipient(),
            log_begins: topics.recipient(),
        }
    }
}
