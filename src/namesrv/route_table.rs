//! Which brokers are there, which topics they hold, and where clients find them.
//!
//! Everything is what brokers have said themselves, and lasts as long as they keep saying it: each repeats its
//! registration within 30 seconds and is forgotten with its connection or after 120 seconds of silence.
//!
//! ```text
//! topics:   topic ─► broker name ─► queues, permission
//! brokers:  broker name ─► cluster, id ─► address          live: address ─► last heard, version, connection
//! clusters: cluster ─► broker names
//! ```
//!
//! Questions about topics and clusters are in `queries`.
//!
//! # Source
//! `org.apache.rocketmq.namesrv.routeinfo.RouteInfoManager` 4.9.7 (read; route answers recorded).

mod queries;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::body::route::{BrokerData, MASTER_ID, QueueData};
use crate::protocol::body::topic_config::{Permission, TopicConfig};
use crate::protocol::units::ConnectionId;

pub use queries::UnitTopics;

/// A broker that has been silent for longer is gone.
pub const SILENT_MS_MAX: i64 = 120_000;
/// How often to look for those.
pub const SCAN_INTERVAL_MS: u64 = 10_000;
/// When to look for the first time after the start.
pub const SCAN_DELAY_MS: u64 = 5_000;

/// Which broker a request speaks of: the fields that 103, 104 and 322 have in common.
#[derive(Clone, Copy, Debug)]
pub struct BrokerId<'a> {
    /// The cluster it belongs to.
    pub cluster: &'a str,
    /// The set of master and slaves it belongs to.
    pub name: &'a str,
    /// Where clients find it, `ip:port`.
    pub address: &'a str,
    /// Its number within the set.
    pub id: i64,
}

/// Answer to a registration: for slaves, where their master is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// Where the master replicates from.
    pub ha_server_addr: Option<String>,
    /// Where clients find the master.
    pub master_addr: Option<String>,
}

/// Answer to QUERY_DATA_VERSION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionCheck {
    /// Whether the broker has to register in full.
    pub changed: bool,
    /// The version that is known here.
    pub known: Option<DataVersion>,
}

#[derive(Clone, Debug)]
struct Live {
    seen_ms: i64,
    version: DataVersion,
    connection: ConnectionId,
    ha_server_addr: String,
}

/// Everything that brokers have said.
#[derive(Debug, Default)]
pub struct RouteTable {
    topics: BTreeMap<Arc<str>, BTreeMap<Arc<str>, QueueData>>,
    brokers: BTreeMap<Arc<str>, BrokerData>,
    clusters: BTreeMap<String, BTreeSet<String>>,
    live: BTreeMap<String, Live>,
    filter_servers: BTreeMap<String, Vec<String>>,
}

impl RouteTable {
    /// Takes a registration.
    ///
    /// A master's topics are taken over when its version is another than the one known for its address, or its number is
    /// new. Topics that are missing are not removed: a registration after a change holds only the topic that changed.
    pub fn register(
        &mut self,
        now_ms: i64,
        connection: ConnectionId,
        broker: BrokerId<'_>,
        ha_server_addr: &str,
        body: &RegisterBrokerBody,
    ) -> Registered {
        let topics = &body.topic_config_serialize_wrapper;
        let is_new = self.enlist(broker);
        if broker.id == MASTER_ID && (is_new || self.version_of(broker.address) != Some(topics.data_version)) {
            let name: Arc<str> = broker.name.into();
            for (topic, config) in &topics.topic_config_table {
                let queues = queue_data(broker.name, config);
                self.topics.entry(topic.clone()).or_default().insert(name.clone(), queues);
            }
        }
        let live =
            Live { seen_ms: now_ms, version: topics.data_version, connection, ha_server_addr: ha_server_addr.into() };
        self.live.insert(broker.address.into(), live);
        if body.filter_server_list.is_empty() {
            self.filter_servers.remove(broker.address);
        } else {
            self.filter_servers.insert(broker.address.into(), body.filter_server_list.clone());
        }
        if broker.id == MASTER_ID { Registered::default() } else { self.master_of(broker.name) }
    }

    /// Enters a broker into its set and cluster; returns whether its number is new there.
    ///
    /// An address is one broker's: what was known under it by another name is forgotten, or nothing would ever end that.
    fn enlist(&mut self, broker: BrokerId<'_>) -> bool {
        self.forget_address(broker.address, |set| set != broker.name);
        self.clusters.entry(broker.cluster.into()).or_default().insert(broker.name.into());
        let set = self.brokers.entry(broker.name.into()).or_insert_with(|| BrokerData {
            broker_addrs: BTreeMap::new(),
            broker_name: broker.name.into(),
            cluster: broker.cluster.into(),
        });
        // A slave that has become master comes with the same address and another number.
        set.broker_addrs.retain(|id, address| *id == broker.id || address != broker.address);
        set.broker_addrs.insert(broker.id, broker.address.into()).is_none()
    }

    fn master_of(&self, name: &str) -> Registered {
        let master = self.brokers.get(name).and_then(|set| set.broker_addrs.get(&MASTER_ID));
        let Some((address, live)) = master.and_then(|address| self.live.get_key_value(address)) else {
            return Registered::default();
        };
        Registered { ha_server_addr: Some(live.ha_server_addr.clone()), master_addr: Some(address.clone()) }
    }

    /// Compares a broker's version with the one known here; when they agree, the broker counts as heard of.
    pub fn check_version(&mut self, now_ms: i64, address: &str, version: DataVersion) -> VersionCheck {
        let Some(live) = self.live.get_mut(address) else {
            return VersionCheck { changed: true, known: None };
        };
        let changed = live.version != version;
        if !changed {
            live.seen_ms = now_ms;
        }
        VersionCheck { changed, known: Some(live.version) }
    }

    /// Takes out the broker of an address, whatever it calls itself by now. With the last of its set, the set's queues and
    /// topics that nobody else holds go too.
    pub fn unregister(&mut self, broker: BrokerId<'_>) {
        self.take_out(broker.address);
    }

    /// Takes out the brokers that registered on a connection that has ended, and returns their addresses.
    pub fn connection_closed(&mut self, connection: ConnectionId) -> Vec<String> {
        self.remove_where(|live| live.connection == connection).into_iter().map(|(address, _)| address).collect()
    }

    /// Takes out the brokers that have been silent for longer than [`SILENT_MS_MAX`], and returns their addresses with
    /// the connections to close.
    pub fn expire(&mut self, now_ms: i64) -> Vec<(String, ConnectionId)> {
        self.remove_where(|live| now_ms - live.seen_ms > SILENT_MS_MAX)
    }

    fn remove_where(&mut self, gone: impl Fn(&Live) -> bool) -> Vec<(String, ConnectionId)> {
        let gone = self.live.iter().filter(|(_, live)| gone(live));
        let gone: Vec<_> = gone.map(|(address, live)| (address.clone(), live.connection)).collect();
        for (address, _) in &gone {
            self.take_out(address);
        }
        gone
    }

    fn take_out(&mut self, address: &str) {
        self.live.remove(address);
        self.filter_servers.remove(address);
        self.forget_address(address, |_| true);
    }

    /// Takes an address out of the sets that `affected` says yes to.
    fn forget_address(&mut self, address: &str, affected: impl Fn(&str) -> bool) {
        let holds = |set: &&BrokerData| set.broker_addrs.values().any(|known| known == address);
        let names = self.brokers.values().filter(holds).map(|set| set.broker_name.clone());
        for name in names.filter(|name| affected(name)).collect::<Vec<_>>() {
            if let Some(set) = self.brokers.get_mut(name.as_str()) {
                set.broker_addrs.retain(|_, known| known != address);
            }
            self.drop_if_empty(&name);
        }
    }

    fn drop_if_empty(&mut self, name: &str) {
        if self.brokers.get(name).is_none_or(|set| !set.broker_addrs.is_empty()) {
            return;
        }
        self.brokers.remove(name);
        self.clusters.retain(|_, names| {
            names.remove(name);
            !names.is_empty()
        });
        self.drop_queues(|broker, _| broker == name);
    }

    fn drop_queues(&mut self, dropped: impl Fn(&str, &str) -> bool) {
        self.topics.retain(|topic, brokers| {
            brokers.retain(|broker, _| !dropped(broker, topic));
            !brokers.is_empty()
        });
    }

    /// Forgets a topic, in one cluster or everywhere; a broker that still has it will say so again after a change.
    pub fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(cluster) = cluster else {
            self.topics.remove(topic);
            return;
        };
        let names = self.clusters.get(cluster).cloned().unwrap_or_default();
        self.drop_queues(|broker, held| held == topic && names.contains(broker));
    }

    /// Takes the write bit from all topics of a broker until it registers a change, and returns how many it has.
    pub fn wipe_write_permission(&mut self, broker: &str) -> usize {
        self.change_permission(broker, |permission| permission.without(Permission::WRITE))
    }

    /// Lets all topics of a broker be read and written until it registers a change, and returns how many it has.
    pub fn add_write_permission(&mut self, broker: &str) -> usize {
        self.change_permission(broker, |_| Permission::READ_WRITE)
    }

    fn change_permission(&mut self, broker: &str, change: impl Fn(Permission) -> Permission) -> usize {
        let queues = self.topics.values_mut().filter_map(|brokers| brokers.get_mut(broker));
        queues.map(|queues| queues.perm = change(queues.perm)).count()
    }

    fn version_of(&self, address: &str) -> Option<DataVersion> {
        self.live.get(address).map(|live| live.version)
    }
}

fn queue_data(broker_name: &str, config: &TopicConfig) -> QueueData {
    QueueData {
        broker_name: broker_name.into(),
        perm: config.perm,
        read_queue_nums: config.read_queue_nums,
        topic_sys_flag: config.topic_sys_flag,
        write_queue_nums: config.write_queue_nums,
    }
}

#[cfg(test)]
mod tests;
