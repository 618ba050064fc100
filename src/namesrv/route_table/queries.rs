//! What clients and tools ask the route table.

use std::collections::BTreeMap;

use super::RouteTable;
use crate::protocol::body::cluster::ClusterInfo;
use crate::protocol::body::lists::TopicList;
use crate::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use crate::protocol::body::topic_config::topic_sys_flag::{UNIT, UNIT_SUBSCRIPTION};

/// Which topics of cross-unit deployments are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitTopics {
    /// Those of one unit: GET_UNIT_TOPIC_LIST.
    OfUnit,
    /// Those that another unit subscribes to: GET_HAS_UNIT_SUB_TOPIC_LIST.
    Subscribed,
    /// Of the latter those that belong to no unit: GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST.
    SubscribedOfNoUnit,
}

impl RouteTable {
    /// Where a topic is; `None` when no broker that is up holds it. `order_conf` goes into the answer as it is.
    #[must_use]
    pub fn route_of(&self, topic: &str, order_conf: Option<String>) -> Option<TopicRouteData> {
        let queues = self.topics.get(topic)?;
        let brokers: Vec<&BrokerData> = queues.keys().filter_map(|name| self.brokers.get(name)).collect();
        if brokers.is_empty() {
            return None;
        }
        let addresses = brokers.iter().flat_map(|broker| broker.broker_addrs.values());
        let filter_servers = addresses.filter_map(|address| self.filter_servers.get_key_value(address));
        Some(TopicRouteData {
            filter_server_table: filter_servers.map(|(address, servers)| (address.clone(), servers.clone())).collect(),
            broker_datas: brokers.into_iter().cloned().collect(),
            order_topic_conf: order_conf,
            queue_datas: queues.values().cloned().collect(),
        })
    }

    /// All clusters and brokers.
    #[must_use]
    pub fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo {
            broker_addr_table: self.brokers.iter().map(|(name, set)| (name.to_string(), set.clone())).collect(),
            cluster_addr_table: self.clusters.clone(),
        }
    }

    /// The names of all topics.
    #[must_use]
    pub fn topics(&self) -> TopicList {
        self.topics_where(|_| true)
    }

    /// The names of the topics that some broker of a cluster holds.
    #[must_use]
    pub fn topics_of_cluster(&self, cluster: &str) -> TopicList {
        let names = self.clusters.get(cluster);
        self.topics_where(|queues| names.is_some_and(|names| queues.keys().any(|broker| names.contains(&**broker))))
    }

    /// The names that every broker has as topics, those of clusters and brokers; with one address to ask for the rest.
    #[must_use]
    pub fn system_topics(&self) -> TopicList {
        let clusters = self.clusters.iter();
        let names = clusters.flat_map(|(cluster, brokers)| std::iter::once(cluster).chain(brokers)).cloned();
        let address = self.brokers.values().find_map(|set| set.broker_addrs.values().next());
        TopicList { broker_addr: address.cloned(), topic_list: names.collect() }
    }

    /// Topics of cross-unit deployments, judged by the first broker that holds them, as in the reference.
    #[must_use]
    pub fn unit_topics(&self, which: UnitTopics) -> TopicList {
        self.topics_where(|queues| {
            let flags = queues.values().next().map_or(0, |queues| queues.topic_sys_flag);
            let (of_unit, subscribed) = (flags & UNIT != 0, flags & UNIT_SUBSCRIPTION != 0);
            match which {
                UnitTopics::OfUnit => of_unit,
                UnitTopics::Subscribed => subscribed,
                UnitTopics::SubscribedOfNoUnit => subscribed && !of_unit,
            }
        })
    }

    fn topics_where(&self, wanted: impl Fn(&BTreeMap<std::sync::Arc<str>, QueueData>) -> bool) -> TopicList {
        let topics = self.topics.iter().filter(|(_, queues)| wanted(queues));
        TopicList { broker_addr: None, topic_list: topics.map(|(topic, _)| topic.to_string()).collect() }
    }
}
