//! A client of a cluster: one identity, its connections, its routes, and the groups that it is a member of.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::actors::discovery_actor;
use super::actors::engine::{Engine, Threads};
use super::actors::instance_actor::InstanceParts;
use super::connection::{ConnectionOptions, Limits};
use super::discovery::{Discovery, listed};
use super::error::ClientError;
use super::member::Kind;
use super::namespace::Namespace;
use super::pool::Connections;
use super::producer::ProducerBuilder;
use super::pull_consumer::PullConsumerBuilder;
use super::push_consumer::PushConsumerBuilder;
use super::requests::Replies;
use super::route::Routes;
use super::route_cache::RouteCache;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::signature::Credentials;
use crate::time::{SharedClock, SystemClock};

/// Requests that may wait for their replies on one connection: RocketMQ's `clientAsyncSemaphoreValue`.
const REQUESTS_UNDER_WAY: usize = 65_535;
/// How many requests of brokers may wait to be looked at.
const PUSHES_WAITING: usize = 1024;

/// How a client finds its cluster, and what it is called there.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use ferromq::client::ClientOptions;
///
/// let options = ClientOptions { heartbeat_interval: Duration::from_secs(10), ..ClientOptions::of("10.0.0.1:9876;10.0.0.2:9876") };
/// assert!(options.credentials.is_none());
/// ```
#[derive(Clone)]
pub struct ClientOptions {
    /// Where the name servers are known from.
    pub discovery: Discovery,
    /// The namespace of its topics and groups.
    pub namespace: Namespace,
    /// What tells it from other clients of the machine; its process and the time unless it is said. Two clients of one name
    /// on one machine are one to the brokers.
    pub instance_name: Option<String>,
    /// The unit of a cross-unit deployment.
    pub unit_name: Option<String>,
    /// What requests are signed with, where brokers ask who may do what: `aclEnable`.
    pub credentials: Option<Credentials>,
    /// Whether messages are sent to the second port of brokers, which takes no pulls: `vipChannelEnabled`.
    pub vip_channel: bool,
    /// What each connection may use.
    pub limits: Limits,
    /// How often brokers are told that it is there.
    pub heartbeat_interval: Duration,
    /// Which thread its actors run on.
    pub threads: Threads,
    /// Its clock.
    pub clock: SharedClock,
}

impl ClientOptions {
    /// RocketMQ's settings, for the cluster of these name servers: a list as `host:port;host:port`, or an address server.
    #[must_use]
    pub fn of(discovery: impl Into<Discovery>) -> Self {
        Self {
            discovery: discovery.into(),
            namespace: Namespace::default(),
            instance_name: None,
            unit_name: None,
            credentials: None,
            vip_channel: false,
            limits: Limits { requests_under_way: REQUESTS_UNDER_WAY, ..Limits::default() },
            heartbeat_interval: Duration::from_secs(30),
            threads: Threads::default(),
            clock: SystemClock::shared(),
        }
    }

    /// The same for the name servers that the environment names in `NAMESRV_ADDR`.
    ///
    /// # Errors
    /// It names none.
    pub fn of_environment() -> Result<Self, ClientError> {
        Discovery::of_environment().map(Self::of)
    }
}

/// A client; clones share it, and it ends with the last of them and of what it has started.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{Client, ClientOptions, OutgoingMessage};
///
/// let client = Client::new(ClientOptions::of(name_servers)).await?;
/// let producer = client.producer("billing").start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// assert!(client.id().contains('@'));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

/// What everything of one client shares.
pub(super) struct Shared {
    pub(super) client_id: Arc<str>,
    pub(super) host: IpAddr,
    pub(super) namespace: Namespace,
    /// The connections of its actors.
    pub(super) connections: Connections,
    /// Those of whoever sends, on whose runtime they are.
    pub(super) sends: Connections,
    pub(super) vip_channel: bool,
    pub(super) routes: Arc<RouteCache>,
    pub(super) replies: Arc<Replies>,
    pub(super) clock: SharedClock,
    pub(super) engine: Engine,
}

impl Client {
    /// A client of the cluster that these name servers know. Nothing is asked of them yet.
    ///
    /// # Errors
    /// No name server is given, an address server names none, or the system gives no thread.
    pub async fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let (name_servers, address_server) = match &options.discovery {
            Discovery::Listed(list) => (listed(list)?, None),
            Discovery::AddressServer(server) => {
                let heard = discovery_actor::ask(server.clone(), Vec::new()).await?;
                (heard.unwrap_or_default(), Some(server.clone()))
            }
        };
        let (pushed, pushes) = mpsc::channel(PUSHES_WAITING);
        let credentials = options.credentials.clone().map(Arc::new);
        let limits = options.limits;
        let sends =
            Connections::new(ConnectionOptions { limits, credentials: credentials.clone(), ..Default::default() });
        let connections = Connections::new(ConnectionOptions { limits, credentials, pushes: Some(pushed) });
        let host = own_address(name_servers.first()).await;
        let routes = Routes::of_addresses(connections.clone(), name_servers);
        let routes = Arc::new(RouteCache::new(routes, Arc::clone(&options.clock)));
        let client_id: Arc<str> = client_id(host, &options).into();
        let replies = Arc::new(Replies::default());
        let parts = InstanceParts {
            client_id: Arc::clone(&client_id),
            connections: connections.clone(),
            pushes,
            routes: Arc::clone(&routes),
            replies: Arc::clone(&replies),
            address_server,
            heartbeat_interval: options.heartbeat_interval,
        };
        let engine = Engine::start(options.threads, parts).await?;
        let ClientOptions { namespace, clock, vip_channel, .. } = options;
        let shared =
            Shared { client_id, host, namespace, connections, sends, vip_channel, routes, replies, clock, engine };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What brokers know it as: `address@instance`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.client_id
    }

    /// A producer of a group, which matters to transactions and to whoever looks at the cluster.
    #[must_use]
    pub fn producer(&self, group: &str) -> ProducerBuilder {
        ProducerBuilder::new(self.clone(), group)
    }

    /// A consumer that is brought messages, as a member of `group`.
    #[must_use]
    pub fn push_consumer(&self, group: &str) -> PushConsumerBuilder {
        PushConsumerBuilder::new(self.clone(), group, Kind::Pushed)
    }

    /// A consumer that is asked for messages, as a member of `group`.
    #[must_use]
    pub fn pull_consumer(&self, group: &str) -> PullConsumerBuilder {
        PullConsumerBuilder::new(self.clone(), group)
    }

    /// A topic as the cluster calls it.
    pub(super) fn topic(&self, name: &str) -> Result<Topic, ClientError> {
        Ok(Topic::parse(&self.shared.namespace.qualified(name))?)
    }

    /// A group as the cluster calls it.
    pub(super) fn group(&self, name: &str) -> Result<GroupName, ClientError> {
        Ok(GroupName::parse(&self.shared.namespace.qualified(name))?)
    }
}

/// # Source
/// `ClientConfig.buildMQClientId` and `changeInstanceNameToPID` 4.9.7 (read).
fn client_id(host: IpAddr, options: &ClientOptions) -> String {
    let own_name = || {
        let nanos = i128::from(options.clock.now_ms()) * 1_000_000 + i128::from(fastrand::u32(..1_000_000));
        format!("{}#{nanos}", std::process::id())
    };
    let instance = options.instance_name.clone().unwrap_or_else(own_name);
    let unit = options.unit_name.as_ref().filter(|unit| !unit.is_empty()).map(|unit| format!("@{unit}"));
    format!("{host}@{instance}{}", unit.unwrap_or_default())
}

/// The address by which this machine reaches the first name server. Nothing is sent to learn it.
async fn own_address(name_server: Option<&String>) -> IpAddr {
    let asked = async {
        let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await.ok()?;
        socket.connect(name_server?).await.ok()?;
        socket.local_addr().ok()
    };
    asked.await.map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
}
