//! Keeps the broker known to every name server, and knows which ones there are.
//!
//! Takes [`Register`] at the start, [`TopicsChanged`] from the TopicActor and [`Unregister`] at the end; registers besides
//! every so often. Sends [`ApplyOrder`] to the TopicActor with what the name servers answer. A thread asks the address
//! server, if there is one. When the actor dies it starts again with the name servers that it knew: it holds nothing else
//! that the next registration does not say anew.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, Supervised,
};
use actix_rt::task::JoinHandle;
use tokio::sync::oneshot;

use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::live::Live;
use super::published::Published;
use super::topic_actor::ApplyOrder;
use crate::broker::name_servers::{self, AddressServer};
use crate::broker::topics::TopicTable;
use crate::client::address_server::{self, FetchError};
use crate::client::connection::Limits;
use crate::client::pool::Connections;
use crate::protocol::body::Body;
use crate::protocol::body::kv::KvTable;
use crate::protocol::body::register::{RegisterBrokerBody, body_crc32};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::{OfBroker, RegisterBroker};

/// Topics are others now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TopicsChanged;

/// Registers with every name server: done when each has answered or was given up. A broker says that it is ready after
/// its first registration, so that clients find it from then on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Register;

/// Takes the broker off every name server, before it stops.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Unregister;

/// Register now: sent to itself, so that changes that come together are one registration.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct RegisterNow;

/// What a broker says of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name of the set of master and slaves.
    pub broker_name: String,
    /// Its cluster.
    pub cluster: String,
    /// 0 for the master.
    pub broker_id: i64,
    /// Where clients reach it.
    pub address: String,
    /// Where slaves reach it.
    pub ha_address: String,
}

/// How to reach a RegistrationActor, or what stands in for one.
#[derive(Clone)]
pub struct RegistrationPorts {
    /// Tells of changes.
    pub changed: Recipient<TopicsChanged>,
    /// Registers now.
    pub register: Recipient<Register>,
    /// Takes the broker off.
    pub unregister: Recipient<Unregister>,
}

impl From<Addr<RegistrationActor>> for RegistrationPorts {
    fn from(registration: Addr<RegistrationActor>) -> Self {
        Self {
            changed: registration.clone().recipient(),
            register: registration.clone().recipient(),
            unregister: registration.recipient(),
        }
    }
}

/// The parts that a RegistrationActor is made of.
pub struct RegistrationParts {
    /// The name servers, `ip:port` each; until an address server names others.
    pub name_servers: Vec<String>,
    /// Who is asked for name servers.
    pub address_server: Option<AddressServer>,
    /// Who registers.
    pub identity: Identity,
    /// What is registered.
    pub topics: Published<TopicTable>,
    /// How often.
    pub every: Duration,
    /// The rules: how long one name server may take, whether topics are sent compressed, and what every topic may be used
    /// for while the broker itself may not be used for all.
    pub live: Published<Live>,
    /// The TopicActor.
    pub apply_order: Recipient<ApplyOrder>,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Registers a broker.
pub struct RegistrationActor {
    parts: RegistrationParts,
    connections: Connections,
    due: bool,
    /// Whether the broker has said goodbye: its arbiter may live on, and must not bring it back.
    gone: bool,
}

impl RegistrationActor {
    /// An actor that has registered nowhere yet.
    #[must_use]
    pub fn new(parts: RegistrationParts) -> Self {
        Self { parts, connections: Connections::new(Limits::default()), due: false, gone: false }
    }

    fn schedule(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.due, true) {
            ctx.notify(RegisterNow);
        }
    }

    /// Registers with all name servers at once; what is given back is done when each has answered or was given up.
    fn register(&mut self) -> impl Future<Output = ()> + use<> {
        self.due = false;
        let (command, limit) = (self.registration(), self.parts.live.load().rules.register_limit);
        let name_servers = self.parts.name_servers.iter().filter(|_| !self.gone);
        let calls: Vec<_> = name_servers
            .map(|name_server| {
                let call = call(self.connections.clone(), name_server.clone(), command.clone(), limit);
                let apply_order = self.parts.apply_order.clone();
                actix_rt::spawn(async move {
                    let Some(reply) = call.await else { return };
                    if let Ok(ordered) = KvTable::decode(&reply.body) {
                        notify(&apply_order, ApplyOrder { ordered });
                    }
                })
            })
            .collect();
        all_of(calls)
    }

    /// Has a thread ask which name servers there are: neither HTTP nor the resolution of names waits where others are
    /// served. It is left to itself, so that a stop does not wait for it.
    fn ask(&mut self, ctx: &mut Context<Self>) {
        let Some(AddressServer { url, limit, every, .. }) = self.parts.address_server.clone().filter(|_| !self.gone)
        else {
            return;
        };
        let (tell, told) = oneshot::channel();
        let asking = std::thread::Builder::new().name("ferromq-address".into()).spawn(move || {
            // The broker may have stopped meanwhile.
            let _ = tell.send(address_server::fetch(&url, limit));
        });
        if let Err(error) = asking {
            tracing::warn!(%error, "cannot start the thread that asks the address server");
        }
        let told = wrap_future::<_, Self>(told).map(move |answer, actor, ctx| {
            // Ahead of what the answer brings about, so that it is asked again whatever that is.
            ctx.run_later(every, Self::asks);
            let Ok(answer) = answer else { return };
            guarded(actor, ctx, "answer", |actor, ctx| actor.hear(answer, ctx));
        });
        ctx.spawn(told);
    }

    fn asks(&mut self, ctx: &mut Context<Self>) {
        guarded(self, ctx, "ask", Self::ask);
    }

    /// Takes over what the address server says; whatever is no list leaves the known one.
    fn hear(&mut self, answer: Result<String, FetchError>, ctx: &mut Context<Self>) {
        let url = self.parts.address_server.as_ref().map(|server| server.url.as_str()).unwrap_or_default();
        let known = &self.parts.name_servers;
        let heard = answer
            .map_err(|error| error.to_string())
            .and_then(|answer| name_servers::heard(known, &answer).map_err(|error| error.to_string()));
        match heard {
            Ok(None) => {}
            Ok(Some(name_servers)) => {
                tracing::info!(url, before = ?known, now = ?name_servers, "the name servers are others now");
                self.parts.name_servers = name_servers;
                self.schedule(ctx);
            }
            Err(error) => {
                tracing::warn!(url, error, ?known, "the address server names no name servers; the known ones stay");
            }
        }
    }

    fn registration(&self) -> Command {
        let live = self.parts.live.load();
        let (compressed, mut topics) = (live.rules.compressed_register, self.parts.topics.load().body());
        if let Some(permission) = live.rules.restriction() {
            topics.topic_config_table.values_mut().for_each(|topic| Arc::make_mut(topic).perm = permission);
        }
        let body = RegisterBrokerBody { topic_config_serialize_wrapper: topics, ..RegisterBrokerBody::default() };
        let body = if compressed { body.deflate() } else { body.encode() };
        let identity = &self.parts.identity;
        let header = RegisterBroker {
            broker_name: identity.broker_name.clone(),
            broker_addr: identity.address.clone(),
            cluster_name: identity.cluster.clone(),
            ha_server_addr: identity.ha_address.clone(),
            broker_id: identity.broker_id,
            compressed,
            body_crc32: Some(body_crc32(&body)),
        };
        Command::request(request::REGISTER_BROKER).with_ext(header.to_ext()).with_body(body)
    }

    /// Says goodbye to all at once; one that does not answer is not waited for beyond the limit.
    fn unregister(&mut self) -> impl Future<Output = ()> + use<> {
        self.gone = true;
        let limit = self.parts.live.load().rules.register_limit;
        let identity = &self.parts.identity;
        let header = OfBroker {
            broker_name: identity.broker_name.clone(),
            broker_addr: identity.address.clone(),
            cluster_name: identity.cluster.clone(),
            broker_id: identity.broker_id,
        };
        let command = Command::request(request::UNREGISTER_BROKER).with_ext(header.to_ext());
        let calls: Vec<_> = self
            .parts
            .name_servers
            .iter()
            .map(|name_server| {
                let call = call(self.connections.clone(), name_server.clone(), command.clone(), limit);
                actix_rt::spawn(async move { drop(call.await) })
            })
            .collect();
        all_of(calls)
    }
}

async fn all_of(calls: Vec<JoinHandle<()>>) {
    for call in calls {
        // A call that panicked has been reported by its task.
        let _ = call.await;
    }
}

async fn call(connections: Connections, name_server: String, command: Command, limit: Duration) -> Option<Command> {
    let code = command.code;
    let called = async {
        let connection = connections.to(&name_server).await?;
        connection.request(command, limit).await
    };
    match called.await {
        Ok(reply) if reply.code == response::SUCCESS => Some(reply),
        Ok(reply) => {
            let remark = reply.remark.unwrap_or_default();
            tracing::warn!(name_server, code = reply.code, remark, "a name server refused this broker");
            None
        }
        Err(error) => {
            tracing::warn!(name_server, request = request::name(code), %error, "cannot reach a name server");
            None
        }
    }
}

impl Actor for RegistrationActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.every, |actor, ctx| {
            guarded(actor, ctx, "interval", |actor, _| drop(actor.register()));
        });
        if let Some(server) = &self.parts.address_server {
            ctx.run_later(server.first_after, Self::asks);
        }
    }
}

impl Supervised for RegistrationActor {}

impl Guarded for RegistrationActor {
    const NAME: &'static str = "RegistrationActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<TopicsChanged> for RegistrationActor {
    type Result = ();

    fn handle(&mut self, _: TopicsChanged, ctx: &mut Context<Self>) {
        guarded(self, ctx, "TopicsChanged", Self::schedule);
    }
}

impl Handler<RegisterNow> for RegistrationActor {
    type Result = ();

    fn handle(&mut self, _: RegisterNow, ctx: &mut Context<Self>) {
        guarded(self, ctx, "RegisterNow", |actor, _| drop(actor.register()));
    }
}

impl Handler<Register> for RegistrationActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Register, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        match guarded(self, ctx, "Register", |actor, _| actor.register()) {
            Some(done) => Box::pin(done),
            None => Box::pin(std::future::ready(())),
        }
    }
}

impl Handler<Unregister> for RegistrationActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Unregister, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        match guarded(self, ctx, "Unregister", |actor, _| actor.unregister()) {
            Some(done) => Box::pin(done),
            None => Box::pin(std::future::ready(())),
        }
    }
}
