//! The administration client: every request that brokers and name servers take from tools, as an async function.
//!
//! ```text
//! Admin ─► Routes (name servers) ─► Connections (one per address) ─► Connection
//!   │
//!   ├ topics  groups  offsets  messages  queues      what is stored
//!   ├ consumers  producers                           who is there
//!   ├ brokers  name_servers                          the servers themselves
//!   ├ acl                                            who may do what there
//!   └ selection                                      which brokers: by address, by cluster, by what is stored there
//! ```
//!
//! Each function is one request to one server, but for those that say to whom else they talk. A broker is named by its
//! address, `host:port`. Nothing is cached and nothing is tried again at another server, except that questions to name servers
//! go to the next one when one cannot be reached.
//!
//! What is deliberately absent: words and tables, which are the business of `cli::admin`.

mod acl;
mod brokers;
mod consumers;
mod error;
mod groups;
mod messages;
mod name_servers;
mod offsets;
mod producers;
mod properties_text;
mod queues;
mod selection;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

pub use self::acl::AclVersions;
pub use self::consumers::StatusOf;
pub use self::error::AdminError;
pub use self::messages::MessageQuery;
pub use self::offsets::{Reset, ResetTo, StoredOffset};
pub use self::selection::{BrokerAt, Brokers, of_cluster};
pub use self::topics::UnitTopics;
use crate::client::membership::Membership;
use crate::client::pull::Puller;
use crate::client::{ClientError, Connection, Connections, Routes};
use crate::protocol::body::{Body, lenient};
use crate::protocol::codes::response;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::error::ProtocolError;
use crate::protocol::names::{GroupName, Topic};

/// How long a server has for an answer: longer than a broker gives consumers that it asks in turn.
pub const LIMIT: Duration = Duration::from_secs(15);

/// Asks brokers and name servers what administrators ask, and has done what they want done.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::admin::Admin;
///
/// let admin = Admin::new(&name_servers)?;
/// let brokers = admin.cluster_info().await?;
/// assert_eq!(brokers.broker_addr_table.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Admin {
    connections: Connections,
    routes: Routes,
    limit: Duration,
}

impl Admin {
    /// Works with the cluster of these name servers, a list as `host:port;host:port`. Nobody is connected to yet.
    ///
    /// # Errors
    /// There is no address in the list.
    pub fn new(name_servers: &str) -> Result<Self, ClientError> {
        Self::on(Connections::default(), name_servers)
    }

    /// The same on connections of one's own: such as sign what they send.
    ///
    /// # Errors
    /// As [`Admin::new`].
    pub fn on(connections: Connections, name_servers: &str) -> Result<Self, ClientError> {
        let routes = Routes::new(connections.clone(), name_servers)?;
        Ok(Self { connections, routes, limit: LIMIT })
    }

    /// The same, with other patience than [`LIMIT`].
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The name servers' addresses.
    #[must_use]
    pub fn name_servers(&self) -> Arc<Vec<String>> {
        self.routes.name_servers()
    }

    /// Asks for routes.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Reads a topic's queues in the name of `group`: GET_MAX_OFFSET, GET_MIN_OFFSET, SEARCH_OFFSET_BY_TIMESTAMP and
    /// PULL_MESSAGE.
    #[must_use]
    pub fn puller(&self, group: GroupName, topic: Topic) -> Puller {
        Puller::new(self.connections.clone(), group, topic)
    }

    /// Asks what a member of `group` asks: GET_CONSUMER_LIST_BY_GROUP and QUERY_CONSUMER_OFFSET. It is not made a member by that.
    #[must_use]
    pub fn membership(&self, group: GroupName) -> Membership {
        Membership::new(self.connections.clone(), "", group)
    }

    /// Asks a server for what has one good answer.
    async fn ask(&self, address: &str, command: Command) -> Result<Reply, ClientError> {
        let connection = self.connections.to(address).await?;
        let command = connection.call(command, self.limit).await?;
        Ok(Reply { connection, command })
    }

    /// The same of whichever name server replies.
    async fn ask_name_server(&self, command: &Command) -> Result<Reply, ClientError> {
        let (connection, reply) = self.routes.request(command, self.limit).await?;
        match reply.code {
            response::SUCCESS => Ok(Reply { connection, command: reply }),
            _ => Err(connection.refused(&reply)),
        }
    }

    /// Tells every name server, since they do not tell each other. All are told, whichever of them fail.
    async fn tell_name_servers(&self, command: &Command) -> Result<(), ClientError> {
        let mut outcome = Ok(());
        for address in self.name_servers().iter() {
            outcome = outcome.and(self.ask(address, command.clone()).await.map(drop));
        }
        outcome
    }
}

/// A request with these fields.
fn request(code: i32, ext: ExtFields) -> Command {
    Command::request(code).with_ext(ext)
}

/// What a server has answered, and which one.
struct Reply {
    connection: Connection,
    command: Command,
}

impl Reply {
    /// The body.
    fn body<T: Body>(&self) -> Result<T, ClientError> {
        T::decode(&self.command.body).map_err(|source| self.connection.unreadable_body(source))
    }

    /// What a field says in JSON.
    fn json<T: DeserializeOwned>(&self, text: &str) -> Result<T, ClientError> {
        lenient::read(text.as_bytes()).map_err(|source| self.connection.unreadable_body(source))
    }

    /// The body as text.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.command.body).into_owned()
    }

    /// The bytes of the body.
    fn bytes(self) -> Bytes {
        self.command.body
    }

    /// The fields.
    fn header<T>(&self, parse: impl Fn(&ExtFields) -> Result<T, ProtocolError>) -> Result<T, ClientError> {
        parse(&self.command.ext).map_err(|source| self.connection.unreadable(source))
    }

    /// The answer as the refusal that it is in spite of its code.
    fn refused(&self) -> ClientError {
        self.connection.refused(&self.command)
    }
}

/// An answer that is `None` where the server says that there is nothing of that name.
fn found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Err(error) if error.refusal() == Some(response::QUERY_NOT_FOUND) => Ok(None),
        answer => answer.map(Some),
    }
}
