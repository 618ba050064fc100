//! Owns the consumer groups' settings. Publishes them for those who pull, and writes `subscriptionGroup.json`.
//!
//! Takes [`CreateOnPull`] from the pull service, [`CreateOnSendBack`] from the send service, [`EnsureGroup`] from the
//! ClientActor, [`SwitchOff`] from the SlowGroupActor, [`Requests`] with the group codes. When it dies it goes on with the
//! table that it published last.

use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, Supervised};

use super::backlog::RETRY_AFTER;
use super::config_writer::ConfigWriter;
use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::live::Live;
use super::offset_actor::ForgetGroup;
use super::published::{Published, Publisher};
use super::pull_service::PullService;
use super::requests::{Requests, Share, answer, success};
use super::send_service::SendService;
use super::topic_actor::EnsureTopic;
use crate::broker::groups::{GroupTable, Groups};
use crate::broker::topics::Changed;
use crate::net::reply::ReplyTo;
use crate::net::router::{Request, Service};
use crate::protocol::body::Body;
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::body::topic_config::{Permission, TopicConfig, topic_sys_flag};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::pull::PullHeader;
use crate::protocol::headers::topic::{DeleteGroup, OfGroup};
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::refusal::{Refusal, SEE_FAQ};
use crate::time::SharedClock;

/// The codes that a GroupActor answers.
pub const CODES: [i32; 4] = [
    request::GET_SUBSCRIPTIONGROUP_CONFIG,
    request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
    request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    request::DELETE_SUBSCRIPTIONGROUP,
];

/// A pull of an unknown group: makes the group if it may be made, and has the pull served then.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CreateOnPull {
    /// The pull.
    pub request: Request,
    /// Who serves it.
    pub then: PullService,
}

/// A send to the retry topic of an unknown group: makes the group if it may be made, and has the send served then.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CreateOnSendBack {
    /// The group.
    pub group: Box<str>,
    /// The send.
    pub request: Request,
    /// Who serves it.
    pub then: Arc<SendService>,
}

/// A group's settings; an unknown one is made if it may be made.
#[derive(Debug, Message)]
#[rtype(result = "Result<Arc<SubscriptionGroupConfig>, Refusal>")]
pub struct FindGroup {
    /// Its name.
    pub group: String,
}

/// A group that has sent a heartbeat is to exist, and its retry topic with it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EnsureGroup {
    /// The group.
    pub group: Arc<str>,
    /// Whether it belongs to one unit of a cross-unit deployment.
    pub unit_mode: bool,
    /// The heartbeat: its client pulls from the retry topic next.
    pub share: Share,
}

/// A group is not to consume any more until somebody allows it again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SwitchOff {
    /// Its name.
    pub group: Arc<str>,
}

/// Write the table down: sent to itself behind everything in the mailbox.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Persist;

/// How to reach a GroupActor, or what stands in for one.
#[derive(Clone)]
pub struct GroupPorts {
    /// Serves clients.
    pub requests: Recipient<Requests>,
    /// Makes groups for pulls.
    pub create: Recipient<CreateOnPull>,
    /// Makes groups for sends to their retry topics.
    pub create_on_send_back: Recipient<CreateOnSendBack>,
    /// Asks for a group.
    pub find: Recipient<FindGroup>,
    /// Makes groups for heartbeats.
    pub ensure: Recipient<EnsureGroup>,
    /// Switches groups off.
    pub switch_off: Recipient<SwitchOff>,
}

impl From<Addr<GroupActor>> for GroupPorts {
    fn from(groups: Addr<GroupActor>) -> Self {
        Self {
            requests: groups.clone().recipient(),
            create: groups.clone().recipient(),
            create_on_send_back: groups.clone().recipient(),
            find: groups.clone().recipient(),
            ensure: groups.clone().recipient(),
            switch_off: groups.recipient(),
        }
    }
}

/// The parts that a GroupActor is made of.
pub struct GroupParts {
    /// The table.
    pub groups: Groups,
    /// Where it is published.
    pub published: Publisher<GroupTable>,
    /// Where it is written.
    pub file: ConfigWriter,
    /// Tells the time of changes.
    pub clock: SharedClock,
    /// The TopicActor.
    pub ensure_topic: Recipient<EnsureTopic>,
    /// The OffsetActor.
    pub forget_offsets: Recipient<ForgetGroup>,
    /// The rules.
    pub live: Published<Live>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Keeps groups.
pub struct GroupActor {
    parts: GroupParts,
    replies: Vec<ReplyTo>,
    persist_due: bool,
}

impl GroupActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: GroupParts) -> Self {
        Self { parts, replies: Vec::new(), persist_due: false }
    }

    fn create_on_pull(&mut self, create: CreateOnPull, ctx: &mut Context<Self>) {
        let CreateOnPull { request, then } = create;
        let made = PullHeader::parse(&request.command.ext)
            .map_err(Refusal::from)
            .and_then(|header| self.find_or_create(&header.consumer_group, ctx).map(|_| ()));
        match made {
            Ok(()) => then.serve(vec![request]),
            Err(refusal) => then.refuse(request, refusal),
        }
    }

    fn create_on_send_back(&mut self, create: CreateOnSendBack, ctx: &mut Context<Self>) {
        let CreateOnSendBack { group, request, then } = create;
        match self.find_or_create(&group, ctx) {
            Ok(_) => then.serve_again(request),
            Err(refusal) => then.refuse(request, refusal),
        }
    }

    fn find_or_create(
        &mut self,
        group: &str,
        ctx: &mut Context<Self>,
    ) -> Result<Arc<SubscriptionGroupConfig>, Refusal> {
        let auto_create = self.parts.live.load().rules.auto_create_groups;
        let found = self.parts.groups.find_or_create(group, auto_create, self.parts.clock.now_ms());
        let Some((config, changed)) = found else {
            let remark = format!("subscription group [{group}] does not exist, {SEE_FAQ}");
            return Err(Refusal::new(response::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
        };
        if changed == Changed::Yes {
            self.changed(ctx);
        }
        Ok(config)
    }

    fn ensure(&mut self, ensure: EnsureGroup, ctx: &mut Context<Self>) {
        // A group that may not be made, or has no legal name, gets no retry topic either.
        let Ok(config) = self.find_or_create(&ensure.group, ctx) else { return };
        let topic = GroupName::parse(&ensure.group).and_then(|group| Topic::retry_of(&group));
        let Ok(topic) = topic else { return };
        let topic_sys_flag = if ensure.unit_mode { topic_sys_flag::UNIT_SUBSCRIPTION } else { 0 };
        let config = TopicConfig {
            topic_sys_flag,
            ..TopicConfig::new(topic.as_str(), config.retry_queue_nums, Permission::READ_WRITE)
        };
        notify(&self.parts.ensure_topic, EnsureTopic { topic, config, share: ensure.share });
    }

    fn serve(&mut self, request: Request, ctx: &mut Context<Self>) {
        let Request { command, reply, .. } = request;
        let done = match command.code {
            request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => {
                let body = self.parts.groups.table().body().encode();
                return reply.send(success().with_body(body));
            }
            request::GET_SUBSCRIPTIONGROUP_CONFIG => return answer(reply, self.tell(&command)),
            request::DELETE_SUBSCRIPTIONGROUP => self.delete(&command),
            _ => self.update(&command),
        };
        match done {
            Ok(()) => {
                self.replies.push(reply);
                self.changed(ctx);
            }
            Err(refusal) => answer(reply, Err(refusal)),
        }
    }

    fn tell(&self, command: &Command) -> Result<Command, Refusal> {
        let name = OfGroup::parse(&command.ext)?.group;
        let table = self.parts.groups.table();
        let unknown = || {
            let remark = format!("No group in this broker. group: {name}");
            Refusal::new(response::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        };
        Ok(success().with_body(table.find(&name).ok_or_else(unknown)?.encode()))
    }

    fn update(&mut self, command: &Command) -> Result<(), Refusal> {
        let config = SubscriptionGroupConfig::decode(&command.body)
            .map_err(|error| Refusal::error(format!("the group's settings cannot be read: {error}")))?;
        GroupName::parse(&config.group_name)?;
        if i32::try_from(config.retry_queue_nums).is_err() {
            let remark = format!("retryQueueNums is {}, which is no number of queues", config.retry_queue_nums);
            return Err(Refusal::error(remark));
        }
        self.parts.groups.update(config, self.parts.clock.now_ms());
        Ok(())
    }

    fn delete(&mut self, command: &Command) -> Result<(), Refusal> {
        let header = DeleteGroup::parse(&command.ext)?;
        self.parts.groups.delete(&header.group_name, self.parts.clock.now_ms());
        if header.removes_offsets() {
            notify(&self.parts.forget_offsets, ForgetGroup { group: header.group_name });
        }
        Ok(())
    }

    /// Publishes the table at once and has it written when the mailbox is empty.
    fn changed(&mut self, ctx: &mut Context<Self>) {
        self.parts.published.publish(self.parts.groups.table());
        if !std::mem::replace(&mut self.persist_due, true) {
            ctx.notify(Persist);
        }
    }

    fn persist(&mut self, ctx: &mut Context<Self>) {
        self.persist_due = false;
        let written = self.parts.file.write(&self.parts.groups.table().to_json());
        if let Err(error) = &written {
            tracing::error!(%error, "cannot write the consumer groups; trying again");
            self.persist_due = true;
            ctx.notify_later(Persist, RETRY_AFTER);
        }
        for reply in self.replies.drain(..) {
            match &written {
                Ok(()) => reply.succeed(),
                Err(error) => reply.refuse(Refusal::error(error.to_string())),
            }
        }
    }
}

impl Actor for GroupActor {
    type Context = Context<Self>;
}

impl Supervised for GroupActor {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.parts.groups.replace(self.parts.published.last().body());
        self.replies.clear();
        // What was published last may not have been written yet.
        self.persist_due = true;
        ctx.notify(Persist);
    }
}

impl Guarded for GroupActor {
    const NAME: &'static str = "GroupActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<CreateOnPull> for GroupActor {
    type Result = ();

    fn handle(&mut self, create: CreateOnPull, ctx: &mut Context<Self>) {
        guarded(self, ctx, "CreateOnPull", |actor, ctx| actor.create_on_pull(create, ctx));
    }
}

impl Handler<CreateOnSendBack> for GroupActor {
    type Result = ();

    fn handle(&mut self, create: CreateOnSendBack, ctx: &mut Context<Self>) {
        guarded(self, ctx, "CreateOnSendBack", |actor, ctx| actor.create_on_send_back(create, ctx));
    }
}

impl Handler<FindGroup> for GroupActor {
    type Result = Result<Arc<SubscriptionGroupConfig>, Refusal>;

    fn handle(&mut self, find: FindGroup, ctx: &mut Context<Self>) -> Self::Result {
        let found = guarded(self, ctx, "FindGroup", |actor, ctx| actor.find_or_create(&find.group, ctx));
        found.unwrap_or_else(|| Err(Refusal::error("a part of the broker failed, see its log")))
    }
}

impl Handler<EnsureGroup> for GroupActor {
    type Result = ();

    fn handle(&mut self, ensure: EnsureGroup, ctx: &mut Context<Self>) {
        guarded(self, ctx, "EnsureGroup", |actor, ctx| actor.ensure(ensure, ctx));
    }
}

impl Handler<SwitchOff> for GroupActor {
    type Result = ();

    fn handle(&mut self, switch_off: SwitchOff, ctx: &mut Context<Self>) {
        guarded(self, ctx, "SwitchOff", |actor, ctx| {
            let now_ms = actor.parts.clock.now_ms();
            if actor.parts.groups.switch_off(&switch_off.group, now_ms) == Changed::Yes {
                actor.changed(ctx);
            }
        });
    }
}

impl Handler<Requests> for GroupActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                actor.serve(request, ctx);
            }
        });
    }
}

impl Handler<Persist> for GroupActor {
    type Result = ();

    fn handle(&mut self, _: Persist, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Persist", Self::persist);
    }
}
