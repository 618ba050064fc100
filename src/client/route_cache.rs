//! The routes that one client goes by: asked for when they are first needed, believed for a while, shared by everything that
//! sends and reads in its name.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error::ClientError;
use super::route::{Queue, Routes, publish_queues, subscribe_queues};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::route::{MASTER_ID, TopicRouteData};
use crate::protocol::names::Topic;
use crate::time::SharedClock;

/// How long a route is believed.
pub const ROUTE_AGE_MAX: Duration = Duration::from_secs(30);
/// When the name servers are asked again after none of them could be reached.
const ROUTE_RETRY: Duration = Duration::from_secs(5);

/// The route of one topic, as clients use it.
///
/// See the example of [`RouteCache`].
#[derive(Debug)]
pub struct TopicRoute {
    /// As the name server told it.
    pub data: TopicRouteData,
    /// Where messages may be sent.
    pub publish: Vec<Queue>,
    /// Where they may be read.
    pub subscribe: Vec<Queue>,
    turn: AtomicUsize,
}

impl TopicRoute {
    fn new(data: TopicRouteData) -> Self {
        let (publish, subscribe) = (publish_queues(&data), subscribe_queues(&data));
        let turn = AtomicUsize::new(fastrand::usize(..=publish.len()));
        Self { data, publish, subscribe, turn }
    }

    /// The next queue to send to, in turn: the first one that is liked, or just the next if none is.
    pub fn next_queue(&self, is_liked: impl Fn(&Queue) -> bool) -> Option<&Queue> {
        let count = self.publish.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = |step: usize| self.publish.get(first.wrapping_add(step) % count.max(1));
        (0..count).filter_map(in_turn).find(|queue| is_liked(queue)).or_else(|| in_turn(0))
    }

    /// The queues that members of a group share out.
    #[must_use]
    pub fn message_queues(&self, topic: &Topic) -> Vec<MessageQueue> {
        let name = |queue: &Queue| MessageQueue {
            broker_name: queue.broker_name.to_string(),
            queue_id: queue.id.0 as i32,
            topic: topic.to_string(),
        };
        self.subscribe.iter().map(name).collect()
    }

    /// The address of a set's broker of this id; of the next one, or of any, where that is not there.
    ///
    /// # Source
    /// `MQClientInstance.findBrokerAddressInSubscribe` 4.9.7 (read).
    #[must_use]
    pub fn broker_address(&self, broker_name: &str, id: i64) -> Option<(&str, i64)> {
        let set = self.data.broker_datas.iter().find(|data| data.broker_name == broker_name)?;
        let of = |id: i64| set.broker_addrs.get(&id).map(|address| (address.as_str(), id));
        // The id is what a broker has suggested, whatever that is.
        let next = || id.checked_add(1).filter(|_| id != MASTER_ID).and_then(of);
        of(id).or_else(next).or_else(|| set.broker_addrs.iter().next().map(|(id, address)| (address.as_str(), *id)))
    }

    /// A broker of the topic, which one is left to chance; the master of its set if there is one.
    #[must_use]
    pub fn any_broker(&self) -> Option<&str> {
        let sets = &self.data.broker_datas;
        let set = sets.get(fastrand::usize(..sets.len().max(1)))?;
        let any = || set.broker_addrs.values().next();
        set.broker_addrs.get(&MASTER_ID).or_else(any).map(String::as_str)
    }

    /// The addresses of all its brokers.
    pub fn addresses(&self) -> impl Iterator<Item = (i64, &str)> {
        let sets = self.data.broker_datas.iter();
        sets.flat_map(|set| set.broker_addrs.iter().map(|(id, address)| (*id, address.as_str())))
    }
}

/// The routes; everything of one client shares them.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::sync::Arc;
/// use ferromq::client::route_cache::{RouteCache, TopicRoute};
/// use ferromq::client::{Connections, Routes};
/// use ferromq::protocol::names::Topic;
/// use ferromq::time::SystemClock;
///
/// let routes = RouteCache::new(Routes::new(Connections::default(), &name_servers)?, SystemClock::shared());
/// let topic = Topic::parse("Invoices")?;
/// let route: Arc<TopicRoute> = routes.of_publishing(&topic).await?;
/// // Queues take turns.
/// assert_ne!(route.next_queue(|_| true), route.next_queue(|_| true));
/// assert!(Arc::ptr_eq(&route, &routes.of_publishing(&topic).await?), "it was asked for once");
/// # drop(cluster);
/// // A route that may be wrong is gone by as long as nobody tells a better one.
/// routes.doubt(&topic);
/// assert!(Arc::ptr_eq(&route, &routes.of_publishing(&topic).await?));
/// # Ok(())
/// # }
/// ```
pub struct RouteCache {
    routes: Routes,
    clock: SharedClock,
    known: Mutex<HashMap<Topic, Known>>,
}

struct Known {
    route: Arc<TopicRoute>,
    stale_at: Duration,
}

impl RouteCache {
    /// Knows nothing yet, and asks these.
    #[must_use]
    pub fn new(routes: Routes, clock: SharedClock) -> Self {
        Self { routes, clock, known: Mutex::default() }
    }

    /// The name servers that are asked.
    #[must_use]
    pub fn name_servers(&self) -> Arc<Vec<String>> {
        self.routes.name_servers()
    }

    /// Asks these from now on.
    pub fn replace_name_servers(&self, name_servers: Vec<String>) {
        self.routes.replace_name_servers(name_servers);
    }

    /// The route of a topic that messages are read from.
    ///
    /// # Errors
    /// As [`Routes::of`], unless an older route is known: that is gone by as long as nobody tells a better one.
    pub async fn of(&self, topic: &Topic) -> Result<Arc<TopicRoute>, ClientError> {
        match self.believed(topic) {
            Some(route) => Ok(route),
            // In a box, since asking takes kilobytes that the future of whoever needs a route would have room for otherwise.
            None => self.learn(topic, Box::pin(self.routes.of(topic)).await),
        }
    }

    /// The route by which to send to a topic, see [`Routes::of_publishing`].
    ///
    /// # Errors
    /// As [`RouteCache::of`].
    pub async fn of_publishing(&self, topic: &Topic) -> Result<Arc<TopicRoute>, ClientError> {
        match self.believed(topic) {
            Some(route) => Ok(route),
            None => self.learn(topic, Box::pin(self.routes.of_publishing(topic)).await),
        }
    }

    /// Whether the name servers know any broker.
    ///
    /// # Errors
    /// As [`Routes::is_a_broker_known`].
    pub async fn is_a_broker_known(&self) -> Result<bool, ClientError> {
        self.routes.is_a_broker_known().await
    }

    /// Has the route asked for when it is needed next: it has just proved wrong.
    pub fn doubt(&self, topic: &Topic) {
        self.with(|known| {
            if let Some(known) = known.get_mut(topic) {
                known.stale_at = Duration::ZERO;
            }
        });
    }

    /// What is known of a topic, however old.
    #[must_use]
    pub fn known(&self, topic: &Topic) -> Option<Arc<TopicRoute>> {
        self.with(|known| known.get(topic).map(|known| Arc::clone(&known.route)))
    }

    /// The addresses of all brokers that some route names: of the masters, or of all.
    #[must_use]
    pub fn brokers(&self, is_meant: impl Fn(i64) -> bool) -> BTreeSet<String> {
        self.with(|known| {
            let addresses = known.values().flat_map(|known| known.route.addresses());
            addresses.filter(|(id, _)| is_meant(*id)).map(|(_, address)| address.to_owned()).collect()
        })
    }

    /// The topics whose routes are known.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.with(|known| known.keys().cloned().collect())
    }

    /// The route if it is fresh. Of those who find it stale, one is sent to ask, and the others go on with it meanwhile.
    fn believed(&self, topic: &Topic) -> Option<Arc<TopicRoute>> {
        let now = self.clock.elapsed();
        self.with(|known| {
            let known = known.get_mut(topic)?;
            if known.stale_at > now {
                return Some(Arc::clone(&known.route));
            }
            known.stale_at = now + ROUTE_RETRY;
            None
        })
    }

    fn learn(
        &self,
        topic: &Topic,
        answer: Result<TopicRouteData, ClientError>,
    ) -> Result<Arc<TopicRoute>, ClientError> {
        let data = match (answer, self.known(topic)) {
            // Brokers serve without name servers, and where they were is where they most likely are: also when a name server
            // says that there are none, as it does that was just started.
            (Err(_), Some(route)) => return Ok(route),
            (Ok(data), Some(route)) if data.broker_datas.is_empty() => return Ok(route),
            (answer, known) => {
                let data = answer?;
                match known.filter(|known| known.data == data) {
                    Some(known) => return Ok(self.keep(topic, known)),
                    None => data,
                }
            }
        };
        Ok(self.keep(topic, Arc::new(TopicRoute::new(data))))
    }

    fn keep(&self, topic: &Topic, route: Arc<TopicRoute>) -> Arc<TopicRoute> {
        let stale_at = self.clock.elapsed() + ROUTE_AGE_MAX;
        self.with(|known| known.insert(topic.clone(), Known { route: Arc::clone(&route), stale_at }));
        route
    }

    /// A std mutex: it is held for a look into the map and never across an await. No panic leaves the map half changed.
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<Topic, Known>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::units::QueueId;

    #[test]
    fn queues_take_turns_and_what_is_not_liked_is_passed_over_if_there_is_another() {
        let queue = |broker: &str, id| Queue { broker_name: broker.into(), address: "h:1".into(), id: QueueId(id) };
        let publish = vec![queue("a", 0), queue("a", 1), queue("b", 0)];
        let route = TopicRoute { publish, turn: AtomicUsize::new(0), ..TopicRoute::new(TopicRouteData::default()) };
        let next = |failed: &str| {
            let queue = route.next_queue(|queue| &*queue.broker_name != failed);
            queue.map(|queue| format!("{}{}", queue.broker_name, queue.id))
        };
        let turns: Vec<_> = (0..4).filter_map(|_| next("")).collect();
        assert_eq!(turns, ["a0", "a1", "b0", "a0"]);
        assert_eq!(next("a").as_deref(), Some("b0"));
        assert_eq!(next("b").as_deref(), Some("a0"), "the turn was b's");
        let only = TopicRoute { publish: vec![queue("a", 0)], ..TopicRoute::new(TopicRouteData::default()) };
        assert!(only.next_queue(|_| false).is_some(), "one that has failed is better than none");
        assert!(TopicRoute::new(TopicRouteData::default()).next_queue(|_| true).is_none());
    }
}
