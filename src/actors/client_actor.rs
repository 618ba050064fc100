//! Owns the registry of clients: who is online, in which groups, wanting what.
//!
//! Takes [`Requests`] with the client codes and [`PeerClosed`] from the connections. Tells clients of changes in their
//! group, and the GroupActor of groups. Publishes what the groups want. When it dies it goes on with those it knows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::filter_actor::{RegisterFilters, UnregisterFilters};
use super::group_actor::EnsureGroup;
use super::live::Live;
use super::published::{Published, Publisher};
use super::requests::{Requests, Share, answer, success};
use crate::broker::clients::{ClientEffect, Clients, Peer as ClientPeer, SubscriptionTable};
use crate::broker::filter::SqlFilter;
use crate::broker::groups::GroupTable;
use crate::net::peer::Peer;
use crate::net::router::Request;
use crate::protocol::body::Body;
use crate::protocol::body::heartbeat::HeartbeatData;
use crate::protocol::body::subscription::{CheckClientRequestBody, EXPRESSION_SQL92};
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, Language};
use crate::protocol::headers::client::{OfConsumerGroup, OfProducerGroup, UnregisterClient};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::ConnectionId;
use crate::time::SharedClock;

/// The codes that a ClientActor answers.
pub const CODES: [i32; 7] = [
    request::HEART_BEAT,
    request::UNREGISTER_CLIENT,
    request::GET_CONSUMER_LIST_BY_GROUP,
    request::CHECK_CLIENT_CONFIG,
    request::GET_CONSUMER_CONNECTION_LIST,
    request::GET_PRODUCER_CONNECTION_LIST,
    request::GET_ALL_PRODUCER_INFO,
];

/// How often clients that have fallen silent are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// Largest heartbeat that is read, in bytes: room for ten thousand topics. What comes every 30 seconds from everybody has to
/// be read in a moment.
const HEARTBEAT_BYTES_MAX: usize = 4 << 20;

/// A connection is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PeerClosed {
    /// Which.
    pub connection: ConnectionId,
}

/// Asks one producer of a group about a transaction, each time another one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AskProducer {
    /// The group.
    pub group: String,
    /// What it is asked; it answers by ending the transaction.
    pub command: Command,
}

/// By which connection is a producer reached that gives itself this id?
#[derive(Debug, Message)]
#[rtype(result = "Option<Arc<Peer>>")]
pub struct ProducerOf {
    /// The id.
    pub client_id: String,
}

/// Who of a consumer group is online?
#[derive(Debug, Message)]
#[rtype(result = "Vec<OnlineConsumer>")]
pub struct ConsumersOf {
    /// The group.
    pub group: String,
}

/// A consumer that is online.
#[derive(Clone, Debug)]
pub struct OnlineConsumer {
    /// What it says of itself.
    pub client: ClientPeer,
    /// How it is reached.
    pub peer: Arc<Peer>,
}

/// How to reach a ClientActor, or what stands in for one.
#[derive(Clone)]
pub struct ClientPorts {
    /// Serves clients.
    pub requests: Recipient<Requests>,
    /// Tells of connections that ended.
    pub closed: Recipient<PeerClosed>,
    /// Asks a producer.
    pub ask_producer: Recipient<AskProducer>,
    /// Asks for a producer.
    pub producer_of: Recipient<ProducerOf>,
    /// Asks for the members of a consumer group.
    pub consumers_of: Recipient<ConsumersOf>,
}

impl From<Addr<ClientActor>> for ClientPorts {
    fn from(clients: Addr<ClientActor>) -> Self {
        Self {
            requests: clients.clone().recipient(),
            closed: clients.clone().recipient(),
            ask_producer: clients.clone().recipient(),
            producer_of: clients.clone().recipient(),
            consumers_of: clients.recipient(),
        }
    }
}

/// The parts that a ClientActor is made of.
pub struct ClientParts {
    /// Where it is published what the groups want.
    pub subscriptions: Publisher<SubscriptionTable>,
    /// The groups' settings.
    pub groups: Published<GroupTable>,
    /// The GroupActor.
    pub ensure_group: Recipient<EnsureGroup>,
    /// The rules.
    pub live: Published<Live>,
    /// The FilterActor: told of conditions,
    pub register_filters: Recipient<RegisterFilters>,
    /// and of groups that are gone.
    pub unregister_filters: Recipient<UnregisterFilters>,
    /// Tells how long clients are silent.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Keeps clients.
pub struct ClientActor {
    parts: ClientParts,
    clients: Clients,
    /// The connections behind those that are registered.
    peers: HashMap<ConnectionId, Arc<Peer>>,
    /// The groups that are online and have conditions on properties.
    filtering: HashSet<Arc<str>>,
    /// How many questions producers were asked: the next one goes to the next of its group.
    asked: usize,
}

impl ClientActor {
    /// An actor that knows nobody yet.
    #[must_use]
    pub fn new(parts: ClientParts) -> Self {
        let clients = Clients::new();
        Self { parts, clients, peers: HashMap::new(), filtering: HashSet::new(), asked: 0 }
    }

    fn serve(&mut self, request: &Request) -> Result<Command, Refusal> {
        let command = &request.command;
        match command.code {
            request::UNREGISTER_CLIENT => self.unregister(request),
            request::GET_CONSUMER_LIST_BY_GROUP => self.consumer_list(command),
            request::CHECK_CLIENT_CONFIG => check_client(command, self.parts.live.load().rules.pull.property_filter),
            request::GET_CONSUMER_CONNECTION_LIST => self.consumer_connection(command),
            request::GET_PRODUCER_CONNECTION_LIST => self.producer_connection(command),
            _ => Ok(success().with_body(self.clients.producer_table().encode())),
        }
    }

    /// Is answered when the retry topics of its groups are there.
    fn heartbeat(&mut self, request: Request) {
        let heartbeat = match read_heartbeat(&request.command.body) {
            Ok(heartbeat) => heartbeat,
            Err(refusal) => return request.reply.refuse(refusal),
        };
        let peer = request.reply.peer();
        if peer.is_closed() {
            // Its end was announced already: registering it now would keep it for two minutes.
            return;
        }
        self.peers.insert(peer.id, Arc::clone(peer));
        let client = ClientPeer {
            connection: peer.id,
            client_id: heartbeat.client_id.as_str().into(),
            address: peer.remote,
            language: request.command.language.name(),
            version: request.command.version,
        };
        let groups = self.parts.groups.load();
        let effects = self.clients.heartbeat(self.parts.clock.now_ms(), &client, &heartbeat, &groups);
        drop(groups);
        let share = Share::of(request.reply);
        self.register_filters(&heartbeat, &share);
        self.perform(effects, Some(&share));
    }

    /// Tells of the conditions that groups have, and of groups that had some.
    fn register_filters(&mut self, heartbeat: &HeartbeatData, share: &Share) {
        for consumer in &heartbeat.consumer_data_set {
            let group: Arc<str> = consumer.group_name.as_str().into();
            let has_conditions = consumer.subscription_data_set.iter().any(|wanted| !wanted.is_by_tag());
            if has_conditions {
                self.filtering.insert(Arc::clone(&group));
            }
            if self.filtering.contains(&group) {
                let (subscriptions, share) = (consumer.subscription_data_set.clone(), share.clone());
                notify(&self.parts.register_filters, RegisterFilters { group, subscriptions, share });
            }
        }
    }

    fn unregister_filters(&mut self) {
        let Self { filtering, clients, parts, .. } = self;
        let online = clients.subscriptions();
        filtering.retain(|group| {
            let stays = online.group(group).is_some();
            if !stays {
                notify(&parts.unregister_filters, UnregisterFilters { group: Arc::clone(group) });
            }
            stays
        });
    }

    fn unregister(&mut self, request: &Request) -> Result<Command, Refusal> {
        let header = UnregisterClient::parse(&request.command.ext)?;
        let groups = self.parts.groups.load();
        let (producer, consumer) = (header.producer_group.as_deref(), header.consumer_group.as_deref());
        let effects = self.clients.unregister(request.reply.peer().id, producer, consumer, &groups);
        drop(groups);
        self.perform(effects, None);
        Ok(success())
    }

    fn consumer_list(&self, command: &Command) -> Result<Command, Refusal> {
        let group = OfConsumerGroup::parse(&command.ext)?.consumer_group;
        let list = self.clients.consumer_list(&group).filter(|list| !list.consumer_id_list.is_empty());
        let list = list.ok_or_else(|| Refusal::error(format!("no consumer for this group, {group}")))?;
        Ok(success().with_body(list.encode()))
    }

    fn consumer_connection(&self, command: &Command) -> Result<Command, Refusal> {
        let group = OfConsumerGroup::parse(&command.ext)?.consumer_group;
        let found = self.clients.consumer_connection(&group).ok_or_else(|| {
            Refusal::new(response::CONSUMER_NOT_ONLINE, format!("the consumer group[{group}] not online"))
        })?;
        Ok(success().with_body(found.encode()))
    }

    fn producer_connection(&self, command: &Command) -> Result<Command, Refusal> {
        let group = OfProducerGroup::parse(&command.ext)?.producer_group;
        let found = self
            .clients
            .producer_connection(&group)
            .ok_or_else(|| Refusal::error(format!("the producer group[{group}] not exist")))?;
        Ok(success().with_body(found.encode()))
    }

    fn perform(&mut self, effects: Vec<ClientEffect>, heartbeat: Option<&Share>) {
        for effect in effects {
            match effect {
                ClientEffect::NotifyIdsChanged { group, connections } => {
                    if self.parts.live.load().rules.notify_consumers {
                        self.tell(&group, &connections);
                    }
                }
                ClientEffect::CreateRetryTopic { group, unit_mode } => {
                    if let Some(share) = heartbeat.cloned() {
                        notify(&self.parts.ensure_group, EnsureGroup { group, unit_mode, share });
                    }
                }
                ClientEffect::WarnOfDifference { group, before, now } => tracing::warn!(
                    %group,
                    topic = now.topic,
                    before = before.sub_string,
                    now = now.sub_string,
                    "members of a group want different messages of a topic; each may miss what only another one wants, until \
                     all subscribe to the same"
                ),
                ClientEffect::Close(connection) => {
                    // It stays in the table until its end is heard of: it may be a member of other groups.
                    if let Some(peer) = self.peers.get(&connection) {
                        peer.close();
                    }
                }
                ClientEffect::PublishSubscriptions => {
                    self.parts.subscriptions.publish(self.clients.subscriptions());
                    self.unregister_filters();
                }
            }
        }
    }

    fn ask_producer(&mut self, ask: AskProducer) {
        let producers: Vec<_> = self.clients.producers(&ask.group).map(|producer| producer.connection).collect();
        self.asked = self.asked.wrapping_add(1);
        let chosen = self.asked.checked_rem(producers.len()).and_then(|chosen| producers.get(chosen));
        match chosen.and_then(|connection| self.peers.get(connection)) {
            Some(peer) => peer.notify(ask.command),
            // The half message is asked about again in the next round.
            None => tracing::warn!(group = ask.group, "no producer is online to be asked about its transaction"),
        }
    }

    fn tell(&self, group: &str, connections: &[ConnectionId]) {
        let notice = OfConsumerGroup { consumer_group: group.into() };
        for peer in connections.iter().filter_map(|connection| self.peers.get(connection)) {
            let command = Command::request(request::NOTIFY_CONSUMER_IDS_CHANGED).with_language(Language::Java);
            peer.notify(command.with_ext(notice.to_ext()));
        }
    }
}

fn read_heartbeat(body: &[u8]) -> Result<HeartbeatData, Refusal> {
    let unreadable = |why: String| Refusal::error(format!("the heartbeat cannot be read: {why}"));
    match body.len() {
        0..=HEARTBEAT_BYTES_MAX => HeartbeatData::decode(body).map_err(|error| unreadable(error.to_string())),
        bytes => Err(unreadable(format!("it has {bytes} bytes, at most {HEARTBEAT_BYTES_MAX} are taken"))),
    }
}

/// # Source
/// `ClientManageProcessor.checkClientConfig` 4.9.7 (read). What is wrong with a condition is said in our words.
fn check_client(command: &Command, property_filter: bool) -> Result<Command, Refusal> {
    let body = CheckClientRequestBody::decode(&command.body)
        .map_err(|error| Refusal::error(format!("the subscription cannot be read: {error}")))?;
    let subscription = &body.subscription_data;
    if subscription.is_by_tag() {
        return Ok(success());
    }
    let kind = &subscription.expression_type;
    if property_filter && kind == EXPRESSION_SQL92 {
        let read = SqlFilter::parse(&subscription.sub_string);
        return read
            .map(|_| success())
            .map_err(|error| Refusal::new(response::SUBSCRIPTION_PARSE_FAILED, error.to_string()));
    }
    Err(Refusal::error(format!("The broker does not support consumer to filter message by {kind}")))
}

impl Actor for ClientActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(EXPIRE_EVERY, |actor, ctx| {
            guarded(actor, ctx, "expiry", |actor, _| {
                let effects = actor.clients.expire(actor.parts.clock.now_ms());
                actor.perform(effects, None);
            });
        });
    }
}

impl Supervised for ClientActor {
    /// It goes on with the clients that it knows: what a panic left half done of one of them its next heartbeat mends, while
    /// without the others their groups would be divided anew, twice.
    fn restarting(&mut self, _: &mut Context<Self>) {}
}

impl Guarded for ClientActor {
    const NAME: &'static str = "ClientActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for ClientActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                if request.command.code == request::HEART_BEAT {
                    actor.heartbeat(request);
                } else {
                    let outcome = actor.serve(&request);
                    answer(request.reply, outcome);
                }
            }
        });
    }
}

impl Handler<AskProducer> for ClientActor {
    type Result = ();

    fn handle(&mut self, ask: AskProducer, ctx: &mut Context<Self>) {
        guarded(self, ctx, "AskProducer", |actor, _| actor.ask_producer(ask));
    }
}

impl Handler<ProducerOf> for ClientActor {
    type Result = MessageResult<ProducerOf>;

    fn handle(&mut self, of: ProducerOf, _: &mut Context<Self>) -> Self::Result {
        let producer = self.clients.producer(&of.client_id);
        MessageResult(producer.and_then(|connection| self.peers.get(&connection)).cloned())
    }
}

impl Handler<ConsumersOf> for ClientActor {
    type Result = MessageResult<ConsumersOf>;

    fn handle(&mut self, of: ConsumersOf, _: &mut Context<Self>) -> Self::Result {
        let online = self.clients.consumers(&of.group).filter_map(|client| {
            let peer = Arc::clone(self.peers.get(&client.connection)?);
            Some(OnlineConsumer { client: client.clone(), peer })
        });
        MessageResult(online.collect())
    }
}

impl Handler<PeerClosed> for ClientActor {
    type Result = ();

    fn handle(&mut self, closed: PeerClosed, ctx: &mut Context<Self>) {
        guarded(self, ctx, "PeerClosed", |actor, _| {
            if actor.peers.remove(&closed.connection).is_some() {
                let effects = actor.clients.connection_closed(closed.connection);
                actor.perform(effects, None);
            }
        });
    }
}
