//! Where a topic's queues are: asked of the name servers, and turned into the lists that producers and pullers use.
//!
//! Nothing is cached here: who keeps routes also knows when they are stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connection::Connection;
use super::discovery::listed;
use super::error::ClientError;
use super::pool::Connections;
use crate::protocol::body::Body;
use crate::protocol::body::cluster::ClusterInfo;
use crate::protocol::body::route::{MASTER_ID, TopicRouteData};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::RouteOf;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueId;

/// How long a name server has for an answer.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(3);

/// The topic whose route stands in for that of a topic which is yet to be created.
pub const TEMPLATE_TOPIC: &str = "TBW102";
/// Most queues of a broker that are believed: what is more would fill the memory, and is a mistake.
const QUEUES_MAX: u32 = 65_536;
/// Most queues that a topic gets when its first message creates it.
pub const TEMPLATE_QUEUES_MAX: u32 = 4;

/// One queue of a topic, and the broker that serves it.
///
/// See the example of [`Routes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The set's name.
    pub broker_name: Arc<str>,
    /// `host:port` of the broker to talk to.
    pub address: Arc<str>,
    /// The queue's number at that broker.
    pub id: QueueId,
}

/// The name servers of one client. It stays with one as long as that answers.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::route::publish_queues;
/// use ferromq::client::{ClientError, Connections, Queue, Routes};
/// use ferromq::protocol::names::Topic;
///
/// let (routes, topic) = (Routes::new(Connections::default(), &name_servers)?, Topic::parse("Invoices")?);
/// assert!(matches!(routes.of(&topic).await, Err(ClientError::NoRoute { .. })));
/// // The first message makes the topic, wherever the template has queues.
/// let queues: Vec<Queue> = publish_queues(&routes.of_publishing(&topic).await?);
/// assert_eq!(queues.len(), 4);
/// assert_eq!(*queues[0].address, cluster.broker().to_string());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Routes {
    connections: Connections,
    name_servers: ArcSwap<Vec<String>>,
    chosen: AtomicUsize,
}

impl Routes {
    /// Asks the name servers of a list as `host:port;host:port`.
    ///
    /// # Errors
    /// There is no address in the list, or something else.
    pub fn new(connections: Connections, name_servers: &str) -> Result<Self, ClientError> {
        Ok(Self::of_addresses(connections, listed(name_servers)?))
    }

    /// The same for name servers one by one.
    #[must_use]
    pub fn of_addresses(connections: Connections, name_servers: Vec<String>) -> Self {
        Self { connections, name_servers: ArcSwap::from_pointee(name_servers), chosen: AtomicUsize::new(0) }
    }

    /// The name servers that are asked.
    #[must_use]
    pub fn name_servers(&self) -> Arc<Vec<String>> {
        self.name_servers.load_full()
    }

    /// Asks these from now on.
    pub fn replace_name_servers(&self, name_servers: Vec<String>) {
        self.name_servers.store(Arc::new(name_servers));
    }

    /// The route of a topic.
    ///
    /// # Errors
    /// [`ClientError::NoRoute`] when a name server says so; otherwise the last error, after all have been tried.
    pub async fn of(&self, topic: &Topic) -> Result<TopicRouteData, ClientError> {
        let header = RouteOf { topic: topic.as_str().into(), accept_standard_json_only: true };
        let command = Command::request(request::GET_ROUTEINFO_BY_TOPIC).with_ext(header.to_ext());
        let (connection, reply) = self.request(&command, ROUTE_TIMEOUT).await?;
        match reply.code {
            response::SUCCESS => {
                TopicRouteData::decode(&reply.body).map_err(|source| connection.unreadable_body(source))
            }
            response::TOPIC_NOT_EXIST => Err(ClientError::NoRoute {
                topic: topic.as_str().into(),
                reason: reply.remark.unwrap_or_else(|| "it does not exist".into()),
            }),
            _ => Err(connection.refused(&reply)),
        }
    }

    /// Asks one name server after the other until one replies, whatever its code; returns the reply and whose it is.
    ///
    /// # Errors
    /// The last error, after all have been tried.
    pub async fn request(&self, command: &Command, limit: Duration) -> Result<(Connection, Command), ClientError> {
        let first = self.chosen.load(Ordering::Relaxed);
        let mut failure = ClientError::NoNameServer;
        let name_servers = self.name_servers();
        for turn in 0..name_servers.len() {
            let at = (first + turn) % name_servers.len();
            let address = &name_servers[at];
            let answer = match self.request_of(address, command, limit).await {
                // It may have been idle for longer than the server allows: a new one tells.
                Err(ClientError::Closed { .. }) => self.request_of(address, command, limit).await,
                answer => answer,
            };
            match answer {
                Err(error) if error.is_of_transport() => failure = error,
                answer => {
                    self.chosen.store(at, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(failure)
    }

    /// The route by which to send to a topic: that of the template when the topic is not there yet and its first
    /// message is to create it.
    ///
    /// # Errors
    /// As [`Routes::of`]; the topic is the one that was asked for.
    pub async fn of_publishing(&self, topic: &Topic) -> Result<TopicRouteData, ClientError> {
        let missing = match self.of(topic).await {
            Err(error @ ClientError::NoRoute { .. }) => error,
            answer => return answer,
        };
        let template = Topic::parse(TEMPLATE_TOPIC)?;
        let mut route = self.of(&template).await.map_err(|_| missing)?;
        for queues in &mut route.queue_datas {
            queues.write_queue_nums = queues.write_queue_nums.min(queues.read_queue_nums).min(TEMPLATE_QUEUES_MAX);
            queues.read_queue_nums = queues.write_queue_nums;
        }
        Ok(route)
    }

    /// Whether the name servers know any broker.
    ///
    /// # Errors
    /// None of them answers, or not with what brokers it knows.
    pub async fn is_a_broker_known(&self) -> Result<bool, ClientError> {
        let command = Command::request(request::GET_BROKER_CLUSTER_INFO);
        let (connection, reply) = self.request(&command, ROUTE_TIMEOUT).await?;
        if reply.code != response::SUCCESS {
            return Err(connection.refused(&reply));
        }
        let cluster = ClusterInfo::decode(&reply.body).map_err(|source| connection.unreadable_body(source))?;
        Ok(!cluster.broker_addr_table.is_empty())
    }

    async fn request_of(
        &self,
        name_server: &str,
        command: &Command,
        limit: Duration,
    ) -> Result<(Connection, Command), ClientError> {
        let connection = self.connections.to(name_server).await?;
        let reply = connection.request(command.clone(), limit).await?;
        Ok((connection, reply))
    }
}

/// The queues that messages may be sent to, in the order of the broker names, or in that which an ordered topic names.
/// Brokers without a master are left out: only masters take messages.
#[must_use]
pub fn publish_queues(route: &TopicRouteData) -> Vec<Queue> {
    if let Some(order) = route.order_topic_conf.as_deref().filter(|order| !order.is_empty()) {
        let parts = order.split(';').filter_map(|part| part.split_once(':'));
        return parts
            .filter_map(|(broker, count)| Some((broker, master_address(route, broker)?, count.trim().parse().ok()?)))
            .flat_map(|(broker, address, count)| queues_of(broker, address, count))
            .collect();
    }
    let mut datas: Vec<_> = route.queue_datas.iter().filter(|data| data.perm.writable()).collect();
    datas.sort_by(|left, right| left.broker_name.cmp(&right.broker_name));
    datas
        .into_iter()
        .filter_map(|data| Some((data, master_address(route, &data.broker_name)?)))
        .flat_map(|(data, address)| queues_of(&data.broker_name, address, data.write_queue_nums))
        .collect()
}

/// The queues that messages may be read from; from a slave where there is no master.
#[must_use]
pub fn subscribe_queues(route: &TopicRouteData) -> Vec<Queue> {
    let mut datas: Vec<_> = route.queue_datas.iter().filter(|data| data.perm.readable()).collect();
    datas.sort_by(|left, right| left.broker_name.cmp(&right.broker_name));
    datas
        .into_iter()
        .filter_map(|data| {
            let name = &data.broker_name;
            Some((data, master_address(route, name).or_else(|| any_address(route, name))?))
        })
        .flat_map(|(data, address)| queues_of(&data.broker_name, address, data.read_queue_nums))
        .collect()
}

/// The address of a set's master.
#[must_use]
pub fn master_address<'a>(route: &'a TopicRouteData, broker_name: &str) -> Option<&'a str> {
    let broker = route.broker_datas.iter().find(|data| data.broker_name == broker_name)?;
    broker.broker_addrs.get(&MASTER_ID).map(String::as_str)
}

fn any_address<'a>(route: &'a TopicRouteData, broker_name: &str) -> Option<&'a str> {
    let broker = route.broker_datas.iter().find(|data| data.broker_name == broker_name)?;
    broker.broker_addrs.values().next().map(String::as_str)
}

fn queues_of(broker_name: &str, address: &str, count: u32) -> impl Iterator<Item = Queue> + use<> {
    let (broker_name, address): (Arc<str>, Arc<str>) = (broker_name.into(), address.into());
    (0..count.min(QUEUES_MAX)).map(move |id| Queue {
        broker_name: broker_name.clone(),
        address: address.clone(),
        id: QueueId(id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::body::route::{BrokerData, QueueData};
    use crate::protocol::body::topic_config::Permission;

    /// A topic on b (2 write queues, 3 read queues), on a (read only), and on c, which has lost its master.
    fn route() -> TopicRouteData {
        let broker = |name: &str, id| BrokerData {
            broker_addrs: [(id, format!("{name}:1"))].into(),
            broker_name: name.into(),
            cluster: "c".into(),
        };
        let queues = |name: &str, perm| QueueData {
            broker_name: name.into(),
            perm,
            read_queue_nums: 3,
            write_queue_nums: 2,
            topic_sys_flag: 0,
        };
        let (both, read) = (Permission::READ_WRITE, Permission::READ);
        TopicRouteData {
            broker_datas: vec![broker("b", 0), broker("a", 0), broker("c", 1)],
            queue_datas: vec![queues("c", both), queues("b", both), queues("a", read)],
            ..TopicRouteData::default()
        }
    }

    fn names(queues: &[Queue]) -> Vec<String> {
        queues.iter().map(|queue| format!("{}{}", queue.address, queue.id)).collect()
    }

    #[test]
    fn messages_go_to_writable_queues_of_masters_only() {
        assert_eq!(names(&publish_queues(&route())), ["b:10", "b:11"]);
    }

    #[test]
    fn messages_are_read_wherever_they_can_be() {
        let expected = ["a:10", "a:11", "a:12", "b:10", "b:11", "b:12", "c:10", "c:11", "c:12"];
        assert_eq!(names(&subscribe_queues(&route())), expected);
    }

    #[test]
    fn an_ordered_topic_says_itself_which_queues_it_has() {
        let route = TopicRouteData { order_topic_conf: Some("b:1;a:2;gone:4".into()), ..route() };
        assert_eq!(names(&publish_queues(&route)), ["b:10", "a:10", "a:11"]);
    }
}
