//! Knows the groups of one client, tells every broker of them, and hands on what brokers ask.
//!
//! Takes [`AddConsumer`] and [`RemoveConsumer`] from consumers, [`AddProducer`] and [`RemoveProducer`] from producers, [`Beats`]
//! from RebalanceActors, and [`Pushed`] from the connections. Sends [`Beat`] to a ConnectionActor per broker, and what brokers
//! ask to the group that is meant. When it dies the client is at its end: brokers forget it in two minutes, and its calls fail.

mod pushes;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection_actor::{Beat, ConnectionActor};
use super::discovery_actor::DiscoveryActor;
use super::offset_store_actor::OffsetsOf;
use super::rebalance_actor::{Rebalance, ResetOffsets, StateOfAll};
use crate::broker::name_servers::AddressServer;
use crate::client::calls::Calls;
use crate::client::error::ClientError;
use crate::client::member::Member;
use crate::client::pool::Connections;
use crate::client::pushed::Pushed;
use crate::client::requests::Replies;
use crate::client::route_cache::RouteCache;
use crate::client::transactions::TransactionCheck;
use crate::net::mailbox::{notify, start_unbounded};
use crate::protocol::body::Body;
use crate::protocol::body::heartbeat::{HeartbeatData, ProducerData};
use crate::protocol::body::route::MASTER_ID;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::client::UnregisterClient;
use crate::protocol::names::GroupName;

/// How long a broker has to hear that a group is left.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A consumer begins: brokers are told of it from now on.
#[derive(Message)]
#[rtype(result = "Result<(), ClientError>")]
pub struct AddConsumer {
    /// The consumer.
    pub ports: ConsumerPorts,
}

/// A consumer ends: brokers are told so, if it was there.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveConsumer {
    /// The very one: another may have its group by now, or all along.
    pub member: Arc<Member>,
}

/// A producer begins.
#[derive(Message)]
#[rtype(result = "Result<(), ClientError>")]
pub struct AddProducer {
    /// Its group.
    pub group: GroupName,
    /// The producer.
    pub ports: ProducerPorts,
}

/// A producer ends: brokers are told so, if it was there.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveProducer {
    /// Its group.
    pub group: GroupName,
    /// The very one: another may have its group by now. See [`ProducerPorts::owner`].
    pub owner: Arc<()>,
}

/// Tells brokers what the groups are; done when each has answered or failed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Beats {
    /// Every broker that a route names.
    ToAll,
    /// Those that have not been told of all of them.
    ToNew,
}

/// A consumer, as what brokers ask reaches it.
///
/// See the example of [`RebalanceActor`](super::rebalance_actor::RebalanceActor).
#[derive(Clone)]
pub struct ConsumerPorts {
    /// What it wants.
    pub member: Arc<Member>,
    /// The members of its group are others now.
    pub rebalance: Recipient<Rebalance>,
    /// Its group is to go on elsewhere.
    pub reset: Recipient<ResetOffsets>,
    /// How far it has come.
    pub offsets: Recipient<OffsetsOf>,
    /// How it is.
    pub state: Recipient<StateOfAll>,
    /// Has its messages consumed.
    pub calls: Calls,
}

/// A producer, as what brokers ask reaches it.
///
/// See the example of [`InstanceActor`].
#[derive(Clone, Debug, Default)]
pub struct ProducerPorts {
    /// Tells it from others that have its group before or after it.
    pub owner: Arc<()>,
    /// How did a transaction end? Producers without any are not asked.
    pub(in crate::client) checks: Option<mpsc::Sender<TransactionCheck>>,
}

/// What an InstanceActor is made of.
///
/// See the example of [`InstanceActor`].
pub struct InstanceParts {
    /// The client's id.
    pub client_id: Arc<str>,
    /// Its connections.
    pub connections: Connections,
    /// What comes in on them unasked.
    pub pushes: mpsc::Receiver<Pushed>,
    /// The routes, which name the brokers.
    pub routes: Arc<RouteCache>,
    /// Who waits for answers to requests.
    pub replies: Arc<Replies>,
    /// Who is asked for the name servers every so often, if anybody is.
    pub address_server: Option<AddressServer>,
    /// How often brokers are told of the groups.
    pub heartbeat_interval: Duration,
}

/// One client.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::sync::Arc;
/// use std::time::Duration;
/// use actix::Actor;
/// use ferromq::client::actors::instance_actor::{AddProducer, Beats, InstanceActor, InstanceParts, ProducerPorts};
/// use ferromq::client::requests::Replies;
/// use ferromq::client::route_cache::RouteCache;
/// use ferromq::client::{ConnectionOptions, Connections, Routes};
/// use ferromq::protocol::names::{GroupName, Topic};
/// use ferromq::time::SystemClock;
/// use tokio::sync::mpsc;
///
/// let (pushed, pushes) = mpsc::channel(16);
/// let connections = Connections::new(ConnectionOptions { pushes: Some(pushed), ..ConnectionOptions::default() });
/// let routes = Routes::new(connections.clone(), &name_servers)?;
/// let routes = Arc::new(RouteCache::new(routes, SystemClock::shared()));
/// let instance = InstanceActor::new(InstanceParts {
///     client_id: "10.0.0.9@7".into(),
///     connections,
///     pushes,
///     routes: Arc::clone(&routes),
///     replies: Arc::<Replies>::default(),
///     address_server: None,
///     heartbeat_interval: Duration::from_secs(30),
/// });
/// let instance = instance.start();
/// instance.send(AddProducer { group: GroupName::parse("billing")?, ports: ProducerPorts::default() }).await??;
/// // It tells the brokers that some route names.
/// routes.of_publishing(&Topic::parse("Invoices")?).await?;
/// instance.send(Beats::ToNew).await?;
/// let known = ferromq::admin::Admin::new(&name_servers)?.producers(&cluster.broker().to_string()).await?;
/// assert!(known.data.contains_key("billing"));
/// # Ok(())
/// # }
/// ```
pub struct InstanceActor {
    client_id: Arc<str>,
    connections: Connections,
    pushes: Option<mpsc::Receiver<Pushed>>,
    routes: Arc<RouteCache>,
    replies: Arc<Replies>,
    address_server: Option<AddressServer>,
    /// Held, as an actor ends that nobody could send to.
    discovery: Option<Addr<DiscoveryActor>>,
    heartbeat_interval: Duration,
    consumers: BTreeMap<GroupName, ConsumerPorts>,
    producers: BTreeMap<GroupName, ProducerPorts>,
    brokers: HashMap<String, Addr<ConnectionActor>>,
    /// The brokers that have been told of all the groups.
    told: BTreeSet<String>,
}

impl InstanceActor {
    /// A client without groups.
    #[must_use]
    pub fn new(parts: InstanceParts) -> Self {
        let InstanceParts { client_id, connections, pushes, routes, replies, address_server, heartbeat_interval } =
            parts;
        Self {
            client_id,
            connections,
            pushes: Some(pushes),
            routes,
            replies,
            address_server,
            discovery: None,
            heartbeat_interval,
            consumers: BTreeMap::new(),
            producers: BTreeMap::new(),
            brokers: HashMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Tells every broker that some route names, slaves only if there are consumers, and lets go of the others.
    fn beat(&mut self, beats: Beats) -> impl Future<Output = ()> + use<> {
        let has_consumers = !self.consumers.is_empty();
        let named = self.routes.brokers(|id| has_consumers || id == MASTER_ID);
        // One whose actor has died gets another.
        self.brokers.retain(|address, broker| named.contains(address) && broker.connected());
        let data = HeartbeatData {
            client_id: self.client_id.to_string(),
            consumer_data_set: self.consumers.values().map(|ports| ports.member.heartbeat()).collect(),
            producer_data_set: self.producers.keys().map(producer_data).collect(),
        };
        let data = data.encode();
        let has_groups = has_consumers || !self.producers.is_empty();
        let is_meant = |address: &String| has_groups && (beats == Beats::ToAll || !self.told.contains(address));
        let meant: Vec<_> = named.iter().filter(|address| is_meant(address)).cloned().collect();
        self.told = named;
        let mut under_way = JoinSet::new();
        for address in meant {
            let connections = &self.connections;
            let broker = self
                .brokers
                .entry(address.clone())
                .or_insert_with(|| start_unbounded(|_| ConnectionActor::new(address.clone(), connections.clone())));
            let beating = broker.send(Beat { data: data.clone() });
            under_way.spawn_local(async move {
                if let Ok(Err(error)) = beating.await {
                    tracing::warn!(address, %error, "a broker did not take a heartbeat");
                }
            });
        }
        async move { while under_way.join_next().await.is_some() {} }
    }

    /// Tells every broker that a group is left: one of producers, or one of consumers.
    fn leave(&self, left: Option<(Option<String>, Option<String>)>) -> impl Future<Output = ()> + use<> {
        let command = left.map(|(producer_group, consumer_group)| {
            let header = UnregisterClient { client_id: self.client_id.to_string(), producer_group, consumer_group };
            Command::request(request::UNREGISTER_CLIENT).with_ext(header.to_ext())
        });
        let mut farewells = JoinSet::new();
        for (address, command) in self.told.iter().cloned().zip(command.into_iter().cycle()) {
            let connections = self.connections.clone();
            farewells.spawn_local(async move {
                let said = async { connections.to(&address).await?.call(command, LEAVE_TIMEOUT).await };
                if let Err(error) = said.await {
                    tracing::debug!(address, %error, "a broker did not hear that the client left a group");
                }
            });
        }
        async move { while farewells.join_next().await.is_some() {} }
    }

    /// Asks for the routes that have become old, then beats.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        let (routes, beat) = (Arc::clone(&self.routes), ctx.address().recipient());
        actix_rt::spawn(async move {
            for topic in routes.topics() {
                // What cannot be learned now is asked for again by who needs it.
                let _ = routes.of(&topic).await;
            }
            notify(&beat, Beats::ToAll);
        });
    }
}

impl Actor for InstanceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.heartbeat_interval, Self::tick);
        if let Some(server) = self.address_server.take() {
            self.discovery = Some(start_unbounded(|_| DiscoveryActor::new(server, Arc::clone(&self.routes))));
        }
        let Some(mut pushes) = self.pushes.take() else { return };
        let own = ctx.address().recipient();
        actix_rt::spawn(async move {
            while let Some(pushed) = pushes.recv().await {
                notify(&own, pushed);
            }
        });
    }
}

impl Message for Pushed {
    type Result = ();
}

impl Handler<Pushed> for InstanceActor {
    type Result = ();

    fn handle(&mut self, pushed: Pushed, _: &mut Context<Self>) {
        self.push(pushed);
    }
}

impl Handler<Beats> for InstanceActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, beats: Beats, _: &mut Context<Self>) -> ResponseFuture<()> {
        Box::pin(self.beat(beats))
    }
}

impl Handler<AddConsumer> for InstanceActor {
    type Result = Result<(), ClientError>;

    fn handle(&mut self, add: AddConsumer, _: &mut Context<Self>) -> Self::Result {
        self.told.clear();
        let group = add.ports.member.group().clone();
        insert(&mut self.consumers, group, add.ports)
    }
}

impl Handler<AddProducer> for InstanceActor {
    type Result = Result<(), ClientError>;

    fn handle(&mut self, add: AddProducer, _: &mut Context<Self>) -> Self::Result {
        self.told.clear();
        insert(&mut self.producers, add.group, add.ports)
    }
}

impl Handler<RemoveConsumer> for InstanceActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, remove: RemoveConsumer, _: &mut Context<Self>) -> ResponseFuture<()> {
        let group = remove.member.group();
        let is_it = self.consumers.get(group).is_some_and(|ports| Arc::ptr_eq(&ports.member, &remove.member));
        let left = is_it.then(|| (None, Some(group.to_string())));
        if is_it {
            self.consumers.remove(group);
        }
        Box::pin(self.leave(left))
    }
}

impl Handler<RemoveProducer> for InstanceActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, remove: RemoveProducer, _: &mut Context<Self>) -> ResponseFuture<()> {
        let group = &remove.group;
        let is_it = self.producers.get(group).is_some_and(|ports| Arc::ptr_eq(&ports.owner, &remove.owner));
        let left = is_it.then(|| (Some(group.to_string()), None));
        if is_it {
            self.producers.remove(group);
        }
        Box::pin(self.leave(left))
    }
}

/// A client has one member of a group.
fn insert<P>(members: &mut BTreeMap<GroupName, P>, group: GroupName, ports: P) -> Result<(), ClientError> {
    match members.entry(group) {
        Entry::Occupied(taken) => Err(ClientError::GroupTaken { group: taken.key().to_string() }),
        Entry::Vacant(free) => {
            free.insert(ports);
            Ok(())
        }
    }
}

fn producer_data(group: &GroupName) -> ProducerData {
    ProducerData { group_name: group.to_string() }
}

#[cfg(test)]
mod tests {
    use actix::ActorContext;

    use super::*;
    use crate::actors::local_cluster::LocalCluster;
    use crate::client::route::Routes;
    use crate::protocol::names::Topic;
    use crate::time::SystemClock;

    #[actix::test]
    async fn a_broker_whose_actor_has_died_gets_another_with_the_next_heartbeat() {
        let cluster = LocalCluster::start().expect("there is room for a cluster");
        let (connections, address) = (Connections::default(), cluster.broker().to_string());
        let routes = Routes::new(connections.clone(), &cluster.name_servers()).expect("it is an address");
        let routes = Arc::new(RouteCache::new(routes, SystemClock::shared()));
        routes.of_publishing(&Topic::parse("T").expect("it is one")).await.expect("the template has a route");
        let (_pushed, pushes) = mpsc::channel(1);
        let mut instance = InstanceActor::new(InstanceParts {
            client_id: "c".into(),
            connections: connections.clone(),
            pushes,
            routes,
            replies: Arc::default(),
            address_server: None,
            heartbeat_interval: Duration::from_secs(30),
        });
        instance.producers.insert(GroupName::parse("G").expect("it is one"), ProducerPorts::default());
        let dead = ConnectionActor::create(|ctx| {
            ctx.stop();
            ConnectionActor::new(address.clone(), connections)
        });
        while dead.connected() {
            tokio::task::yield_now().await;
        }
        instance.brokers.insert(address.clone(), dead);
        instance.beat(Beats::ToAll).await;
        assert!(instance.brokers.get(&address).is_some_and(Addr::connected));
    }
}
