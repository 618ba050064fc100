//! Owns a name server's routes, its key-value table and its settings.
//!
//! Takes [`Requests`] with every name server code and [`PeerClosed`] from the connections. Sends to nobody. When it dies
//! it starts with empty routes, which the brokers fill within 30 seconds, and with the key-value table that it had.
//!
//! What brokers and clients ask is here; what only tools ask is in `tools`.

mod tools;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Recipient, Supervised};

use super::client_actor::PeerClosed;
use super::config_writer::ConfigWriter;
use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::requests::{Requests, answer, success};
use crate::namesrv::config::NamesrvConfig;
use crate::namesrv::kv_config::{KvConfig, LOG_DELAY_MS, LOG_INTERVAL_MS, ORDER_TOPIC_CONFIG};
use crate::namesrv::route_table::{BrokerId, RouteTable, SCAN_DELAY_MS, SCAN_INTERVAL_MS, UnitTopics};
use crate::net::peer::Peer;
use crate::net::router::Request;
use crate::protocol::body::Body;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::lists::TopicList;
use crate::protocol::body::register::{RegisterBrokerBody, crc_matches};
use crate::protocol::body::topic_config::TopicConfigTable;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::{DataVersionReply, OfBroker, RegisterBroker, RegisterBrokerReply, RouteOf};
use crate::protocol::refusal::{Refusal, SEE_FAQ};
use crate::protocol::units::ConnectionId;
use crate::time::SharedClock;

/// The codes that a name server answers.
pub const CODES: [i32; 20] = [
    request::REGISTER_BROKER,
    request::UNREGISTER_BROKER,
    request::QUERY_DATA_VERSION,
    request::GET_ROUTEINFO_BY_TOPIC,
    request::GET_BROKER_CLUSTER_INFO,
    request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
    request::UPDATE_NAMESRV_CONFIG,
    request::GET_NAMESRV_CONFIG,
    request::PUT_KV_CONFIG,
    request::GET_KV_CONFIG,
    request::DELETE_KV_CONFIG,
    request::GET_KVLIST_BY_NAMESPACE,
    request::WIPE_WRITE_PERM_OF_BROKER,
    request::ADD_WRITE_PERM_OF_BROKER,
    request::DELETE_TOPIC_IN_NAMESRV,
    request::GET_TOPICS_BY_CLUSTER,
    request::GET_SYSTEM_TOPIC_LIST_FROM_NS,
    request::GET_UNIT_TOPIC_LIST,
    request::GET_HAS_UNIT_SUB_TOPIC_LIST,
    request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST,
];

/// Brokers of this version and later send a body with their filter servers; older ones their topics alone.
const REGISTER_BODY_SINCE_VERSION: i32 = 37;
/// Clients of this version (4.9.4) and later are sent routes in standard JSON, older ones if they ask for it.
const STANDARD_JSON_SINCE_VERSION: i32 = 401;

/// How to reach a NamesrvActor, or what stands in for one.
#[derive(Clone)]
pub struct NamesrvPorts {
    /// Serves brokers, clients and tools.
    pub requests: Recipient<Requests>,
    /// Tells of connections that ended.
    pub closed: Recipient<PeerClosed>,
}

impl From<Addr<NamesrvActor>> for NamesrvPorts {
    fn from(namesrv: Addr<NamesrvActor>) -> Self {
        Self { requests: namesrv.clone().recipient(), closed: namesrv.recipient() }
    }
}

/// The parts that a NamesrvActor is made of.
pub struct NamesrvParts {
    /// The settings.
    pub config: NamesrvConfig,
    /// What the key-value file said.
    pub kv: KvConfig,
    /// Where the key-value table is written.
    pub kv_file: ConfigWriter,
    /// Where changed settings are written.
    pub config_file: ConfigWriter,
    /// Tells how long brokers are silent.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// A name server.
pub struct NamesrvActor {
    parts: NamesrvParts,
    routes: RouteTable,
    /// The connections of registered brokers, to be closed when these fall silent.
    peers: HashMap<ConnectionId, Arc<Peer>>,
}

impl NamesrvActor {
    /// An actor that knows no broker yet.
    #[must_use]
    pub fn new(parts: NamesrvParts) -> Self {
        Self { parts, routes: RouteTable::default(), peers: HashMap::new() }
    }

    fn serve(&mut self, request: &Request) -> Result<Command, Refusal> {
        let command = &request.command;
        match command.code {
            request::REGISTER_BROKER => self.register(request),
            request::UNREGISTER_BROKER => self.unregister(command),
            request::QUERY_DATA_VERSION => self.data_version(command),
            request::GET_ROUTEINFO_BY_TOPIC => self.route(command),
            request::GET_BROKER_CLUSTER_INFO => Ok(success().with_body(self.routes.cluster_info().encode())),
            request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => listed(&self.routes.topics()),
            request::GET_TOPICS_BY_CLUSTER => self.topics_of_cluster(command),
            request::GET_SYSTEM_TOPIC_LIST_FROM_NS => listed(&self.routes.system_topics()),
            request::GET_UNIT_TOPIC_LIST => listed(&self.routes.unit_topics(UnitTopics::OfUnit)),
            request::GET_HAS_UNIT_SUB_TOPIC_LIST => listed(&self.routes.unit_topics(UnitTopics::Subscribed)),
            request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST => {
                listed(&self.routes.unit_topics(UnitTopics::SubscribedOfNoUnit))
            }
            request::DELETE_TOPIC_IN_NAMESRV => self.delete_topic(request),
            request::WIPE_WRITE_PERM_OF_BROKER => self.wipe_write_permission(request),
            request::ADD_WRITE_PERM_OF_BROKER => self.add_write_permission(request),
            request::PUT_KV_CONFIG => self.put_kv(request),
            request::GET_KV_CONFIG => self.kv_value(command),
            request::DELETE_KV_CONFIG => self.delete_kv(request),
            request::GET_KVLIST_BY_NAMESPACE => self.kv_namespace(command),
            request::UPDATE_NAMESRV_CONFIG => self.update_config(command),
            _ => Ok(success().with_body(self.parts.config.to_properties().into())),
        }
    }

    fn register(&mut self, request: &Request) -> Result<Command, Refusal> {
        let command = &request.command;
        let header = RegisterBroker::parse(&command.ext)?;
        if !crc_matches(&command.body, header.body_crc32.unwrap_or(0)) {
            return Err(Refusal::error("crc32 not match"));
        }
        let body = match command.version {
            version if version >= REGISTER_BODY_SINCE_VERSION => {
                RegisterBrokerBody::decode_registration(&command.body, header.compressed)
            }
            _ => TopicConfigTable::decode(&command.body).map(|topics| RegisterBrokerBody {
                topic_config_serialize_wrapper: topics,
                ..RegisterBrokerBody::default()
            }),
        };
        let body = body.map_err(|error| Refusal::error(format!("the registration cannot be read: {error}")))?;
        let broker = BrokerId {
            cluster: &header.cluster_name,
            name: &header.broker_name,
            address: &header.broker_addr,
            id: header.broker_id,
        };
        let peer = request.reply.peer();
        self.peers.insert(peer.id, Arc::clone(peer));
        let now_ms = self.parts.clock.now_ms();
        let registered = self.routes.register(now_ms, peer.id, broker, &header.ha_server_addr, &body);
        let (ha_server_addr, master_addr) = (registered.ha_server_addr, registered.master_addr);
        let reply = success().with_ext(RegisterBrokerReply { ha_server_addr, master_addr }.to_ext());
        Ok(match self.parts.kv.list(ORDER_TOPIC_CONFIG) {
            Some(ordered) => reply.with_body(ordered.encode()),
            None => reply,
        })
    }

    fn unregister(&mut self, command: &Command) -> Result<Command, Refusal> {
        let header = OfBroker::parse(&command.ext)?;
        self.routes.unregister(BrokerId {
            cluster: &header.cluster_name,
            name: &header.broker_name,
            address: &header.broker_addr,
            id: header.broker_id,
        });
        Ok(success())
    }

    fn data_version(&mut self, command: &Command) -> Result<Command, Refusal> {
        let header = OfBroker::parse(&command.ext)?;
        let version = DataVersion::decode(&command.body)
            .map_err(|error| Refusal::error(format!("the data version cannot be read: {error}")))?;
        let check = self.routes.check_version(self.parts.clock.now_ms(), &header.broker_addr, version);
        let reply = success().with_ext(DataVersionReply { changed: check.changed }.to_ext());
        Ok(match check.known {
            Some(known) => reply.with_body(known.encode()),
            None => reply,
        })
    }

    fn route(&self, command: &Command) -> Result<Command, Refusal> {
        let RouteOf { topic, accept_standard_json_only } = RouteOf::parse(&command.ext)?;
        let order = self.parts.kv.value(ORDER_TOPIC_CONFIG, &topic).filter(|_| self.parts.config.order_message_enable);
        let Some(route) = self.routes.route_of(&topic, order.map(Into::into)) else {
            let remark = format!("No topic route info in name server for the topic: {topic}{SEE_FAQ}");
            return Err(Refusal::new(response::TOPIC_NOT_EXIST, remark));
        };
        let standard = accept_standard_json_only || command.version >= STANDARD_JSON_SINCE_VERSION;
        Ok(success().with_body(if standard { route.encode() } else { route.encode_bare() }))
    }

    fn expire(&mut self) {
        for (address, connection) in self.routes.expire(self.parts.clock.now_ms()) {
            tracing::warn!(address, "a broker fell silent and is routed to no more");
            // It stays in the table until its end is heard of: others may have registered on it.
            if let Some(peer) = self.peers.get(&connection) {
                peer.close();
            }
        }
    }
}

/// Answers with names.
fn listed(topics: &TopicList) -> Result<Command, Refusal> {
    Ok(success().with_body(topics.encode()))
}

impl Actor for NamesrvActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        repeat(ctx, "scan", [SCAN_DELAY_MS, SCAN_INTERVAL_MS], Self::expire);
        repeat(ctx, "key-value log", [LOG_DELAY_MS, LOG_INTERVAL_MS], Self::log_kv);
    }
}

/// Does something after a delay, and then once every interval.
fn repeat(
    ctx: &mut Context<NamesrvActor>,
    what: &'static str,
    [delay_ms, interval_ms]: [u64; 2],
    act: fn(&mut NamesrvActor),
) {
    ctx.run_later(Duration::from_millis(delay_ms), move |actor, ctx| {
        guarded(actor, ctx, what, |actor, _| act(actor));
        ctx.run_interval(Duration::from_millis(interval_ms), move |actor, ctx| {
            guarded(actor, ctx, what, |actor, _| act(actor));
        });
    });
}

impl Supervised for NamesrvActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.routes = RouteTable::default();
        self.peers.clear();
    }
}

impl Guarded for NamesrvActor {
    const NAME: &'static str = "NamesrvActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for NamesrvActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                let outcome = actor.serve(&request);
                answer(request.reply, outcome);
            }
        });
    }
}

impl Handler<PeerClosed> for NamesrvActor {
    type Result = ();

    fn handle(&mut self, closed: PeerClosed, ctx: &mut Context<Self>) {
        guarded(self, ctx, "PeerClosed", |actor, _| {
            if actor.peers.remove(&closed.connection).is_some() {
                for address in actor.routes.connection_closed(closed.connection) {
                    tracing::info!(address, "a broker's connection ended; it is routed to no more");
                }
            }
        });
    }
}
