//! Which clients are there, on which connections, in which groups.
//!
//! A connection is a member of a group from its first heartbeat to its end, its leave, or 120 seconds of silence. What a
//! change asks others to do is returned as [`ClientEffect`]s. Pulls read only the groups' subscriptions, which are
//! published as a [`SubscriptionTable`].
//!
//! Locks of queues are not here, nor are the settings of groups; nothing outlives the process.

mod memberships;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::protocol::body::connection::{
    Connection, ConsumerConnection, ProducerConnection, ProducerInfo, ProducerTableInfo,
};
use crate::protocol::body::heartbeat::{ConsumerData, HeartbeatData};
use crate::protocol::body::lists::ConsumerList;
use crate::protocol::body::subscription::SubscriptionData;
use crate::protocol::units::ConnectionId;

use super::groups::GroupTable;
use memberships::Memberships;
pub use subscriptions::{GroupSubscription, SubscriptionRefusal, SubscriptionTable, WantedTopic};

/// A client that has been silent for longer is gone.
///
/// # Source
/// `ClientHousekeepingService`, `ConsumerManager`, `ProducerManager` 4.9.7 (read).
pub const SILENT_MS_MAX: i64 = 120_000;

/// The client at the other end of a connection, as its last heartbeat showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The connection.
    pub connection: ConnectionId,
    /// The id that the client gives itself.
    pub client_id: Arc<str>,
    /// Its end of the connection.
    pub address: SocketAddr,
    /// The language its frames name.
    pub language: &'static str,
    /// The version number of its frames.
    pub version: i32,
}

/// What is to be done after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEffect {
    /// Tell these connections that the group's members or topics are others now: NOTIFY_CONSUMER_IDS_CHANGED, one way.
    NotifyIdsChanged {
        /// The group.
        group: Arc<str>,
        /// All its connections, the one that caused it included.
        connections: Vec<ConnectionId>,
    },
    /// See to it that the group and its retry topic exist. Comes with each heartbeat, since either may have been deleted.
    CreateRetryTopic {
        /// The group.
        group: Arc<str>,
        /// Whether it belongs to one unit of a cross-unit deployment.
        unit_mode: bool,
    },
    /// Tell the operator that a member wants something else of a topic than the others said before it: they share its queues,
    /// and each would miss what only another one wants.
    WarnOfDifference {
        /// The group.
        group: Arc<str>,
        /// What its members said before.
        before: Arc<SubscriptionData>,
        /// What this one says, which counts from now on.
        now: Arc<SubscriptionData>,
    },
    /// Close a connection that has been silent for too long.
    Close(ConnectionId),
    /// Publish [`Clients::subscriptions`] again.
    PublishSubscriptions,
}

type Members = BTreeMap<ConnectionId, Member>;

#[derive(Clone, Debug)]
struct Member {
    peer: Peer,
    seen_ms: i64,
}

#[derive(Debug, Default)]
struct ConsumerGroup {
    members: Members,
    subscription: Arc<GroupSubscription>,
}

/// The registry of all clients of a broker.
#[derive(Debug, Default)]
pub struct Clients {
    consumers: BTreeMap<Arc<str>, ConsumerGroup>,
    producers: BTreeMap<Arc<str>, Members>,
    memberships: Memberships,
    subscriptions: SubscriptionTable,
}

impl Clients {
    /// A registry without clients.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the groups that are online want.
    #[must_use]
    pub fn subscriptions(&self) -> SubscriptionTable {
        self.subscriptions.clone()
    }

    /// Takes a heartbeat. `groups` says which groups want to be told of changes.
    ///
    /// # Source
    /// `ClientManageProcessor.heartBeat`, `ConsumerManager.registerConsumer` 4.9.7 (read; recorded).
    pub fn heartbeat(
        &mut self,
        now_ms: i64,
        peer: &Peer,
        heartbeat: &HeartbeatData,
        groups: &GroupTable,
    ) -> Vec<ClientEffect> {
        let mut effects = Vec::new();
        let before = self.subscriptions.clone();
        for consumer in &heartbeat.consumer_data_set {
            self.consumer_heartbeat(now_ms, peer, consumer, groups, &mut effects);
        }
        for producer in &heartbeat.producer_data_set {
            let name = name_in(&self.producers, &producer.group_name);
            self.memberships.produces(peer, &name);
            let members = self.producers.entry(name).or_default();
            members.insert(peer.connection, Member { peer: peer.clone(), seen_ms: now_ms });
        }
        self.publish_if_changed(&before, &mut effects);
        effects
    }

    fn consumer_heartbeat(
        &mut self,
        now_ms: i64,
        peer: &Peer,
        consumer: &ConsumerData,
        groups: &GroupTable,
        effects: &mut Vec<ClientEffect>,
    ) {
        let name = name_in(&self.consumers, &consumer.group_name);
        self.memberships.consumes(peer.connection, &name);
        effects.push(ClientEffect::CreateRetryTopic { group: name.clone(), unit_mode: consumer.unit_mode });
        let group = self.consumers.entry(name.clone()).or_default();
        let is_new = group.members.insert(peer.connection, Member { peer: peer.clone(), seen_ms: now_ms }).is_none();
        let mut subscription = GroupSubscription::clone(&group.subscription);
        let taken = subscription.take(consumer);
        if subscription != *group.subscription || self.subscriptions.group(&name).is_none() {
            group.subscription = Arc::new(subscription);
            self.subscriptions.insert(name.clone(), group.subscription.clone());
        }
        if group.members.len() > 1 {
            let warnings = taken.changes.into_iter();
            effects.extend(warnings.map(|(before, now)| ClientEffect::WarnOfDifference {
                group: name.clone(),
                before,
                now,
            }));
        }
        if (is_new || taken.topics_changed) && groups.notifies(&name) {
            self.notify(&name, effects);
        }
    }

    /// Takes a client out of the groups that UNREGISTER_CLIENT names.
    pub fn unregister(
        &mut self,
        connection: ConnectionId,
        producer_group: Option<&str>,
        consumer_group: Option<&str>,
        groups: &GroupTable,
    ) -> Vec<ClientEffect> {
        let mut effects = Vec::new();
        let before = self.subscriptions.clone();
        if let Some(group) = producer_group {
            self.remove_producer(group, connection);
        }
        if let Some(group) = consumer_group
            && self.remove_consumer(group, connection)
            && groups.notifies(group)
        {
            self.notify(group, &mut effects);
        }
        self.publish_if_changed(&before, &mut effects);
        effects
    }

    /// Takes a connection that has ended out of all groups.
    pub fn connection_closed(&mut self, connection: ConnectionId) -> Vec<ClientEffect> {
        let mut effects = Vec::new();
        let before = self.subscriptions.clone();
        let left = self.memberships.leave(connection);
        for group in &left.produces {
            self.remove_producer(group, connection);
        }
        for group in &left.consumes {
            self.remove_consumer(group, connection);
            self.notify(group, &mut effects);
        }
        self.publish_if_changed(&before, &mut effects);
        effects
    }

    /// Takes out who has been silent for longer than [`SILENT_MS_MAX`], and has the connection closed.
    ///
    /// The rest of the group is not told, as in the reference: it finds out with its next rebalance by time.
    pub fn expire(&mut self, now_ms: i64) -> Vec<ClientEffect> {
        let mut effects = Vec::new();
        let before = self.subscriptions.clone();
        let silent = |member: &Member| now_ms - member.seen_ms > SILENT_MS_MAX;
        let mut closed = BTreeSet::new();
        for (group, connection) in silent_members(self.producers.iter(), silent) {
            self.remove_producer(&group, connection);
            closed.insert(connection);
        }
        let consumers = self.consumers.iter().map(|(name, group)| (name, &group.members));
        for (group, connection) in silent_members(consumers, silent) {
            self.remove_consumer(&group, connection);
            closed.insert(connection);
        }
        effects.extend(closed.into_iter().map(ClientEffect::Close));
        self.publish_if_changed(&before, &mut effects);
        effects
    }

    fn remove_producer(&mut self, group: &str, connection: ConnectionId) {
        self.memberships.produces_no_more(connection, group);
        let Some(members) = self.producers.get_mut(group) else { return };
        members.remove(&connection);
        if members.is_empty() {
            self.producers.remove(group);
        }
    }

    /// Returns whether the connection was a member.
    fn remove_consumer(&mut self, name: &str, connection: ConnectionId) -> bool {
        self.memberships.consumes_no_more(connection, name);
        let Some(group) = self.consumers.get_mut(name) else { return false };
        let was_member = group.members.remove(&connection).is_some();
        if group.members.is_empty() {
            self.consumers.remove(name);
            self.subscriptions.remove(name);
        }
        was_member
    }

    fn notify(&self, name: &str, effects: &mut Vec<ClientEffect>) {
        let Some((name, group)) = self.consumers.get_key_value(name) else { return };
        let connections = group.members.keys().copied().collect();
        effects.push(ClientEffect::NotifyIdsChanged { group: name.clone(), connections });
    }

    fn publish_if_changed(&self, before: &SubscriptionTable, effects: &mut Vec<ClientEffect>) {
        if !self.subscriptions.is_same(before) {
            effects.push(ClientEffect::PublishSubscriptions);
        }
    }
}

/// Questions.
impl Clients {
    /// Answer of GET_CONSUMER_LIST_BY_GROUP; `None` when nobody is online.
    #[must_use]
    pub fn consumer_list(&self, group: &str) -> Option<ConsumerList> {
        let ids = self.consumers.get(group)?.members.values().map(|member| member.peer.client_id.to_string());
        Some(ConsumerList { consumer_id_list: ids.collect() })
    }

    /// The members of a consumer group.
    pub fn consumers(&self, group: &str) -> impl Iterator<Item = &Peer> {
        self.consumers.get(group).into_iter().flat_map(|group| group.members.values().map(|member| &member.peer))
    }

    /// One member of a consumer group by its client id.
    #[must_use]
    pub fn consumer(&self, group: &str, client_id: &str) -> Option<&Peer> {
        self.consumers(group).find(|peer| &*peer.client_id == client_id)
    }

    /// The members of a producer group.
    pub fn producers(&self, group: &str) -> impl Iterator<Item = &Peer> {
        self.producers.get(group).into_iter().flat_map(|members| members.values().map(|member| &member.peer))
    }

    /// The connection of a producer by its client id, in whatever group: where a reply to a request goes. The newest of
    /// several.
    #[must_use]
    pub fn producer(&self, client_id: &str) -> Option<ConnectionId> {
        self.memberships.producer(client_id)
    }

    /// Answer of GET_CONSUMER_CONNECTION_LIST; `None` when nobody is online.
    #[must_use]
    pub fn consumer_connection(&self, group: &str) -> Option<ConsumerConnection> {
        let group = self.consumers.get(group)?;
        Some(ConsumerConnection {
            connection_set: group.members.values().map(|member| connection_of(&member.peer)).collect(),
            consume_from_where: group.subscription.consume_from_where,
            consume_type: group.subscription.consume_type,
            message_model: group.subscription.message_model,
            subscription_table: told(&group.subscription),
        })
    }

    /// Answer of GET_PRODUCER_CONNECTION_LIST; `None` when nobody is online.
    #[must_use]
    pub fn producer_connection(&self, group: &str) -> Option<ProducerConnection> {
        let members = self.producers.get(group)?;
        Some(ProducerConnection {
            connection_set: members.values().map(|member| connection_of(&member.peer)).collect(),
        })
    }

    /// Answer of GET_ALL_PRODUCER_INFO.
    #[must_use]
    pub fn producer_table(&self) -> ProducerTableInfo {
        let info = |member: &Member| ProducerInfo {
            client_id: member.peer.client_id.to_string(),
            language: member.peer.language.into(),
            last_update_timestamp: member.seen_ms,
            remote_ip: format!("/{}", member.peer.address),
            version: member.peer.version,
        };
        let groups = self.producers.iter();
        ProducerTableInfo {
            data: groups.map(|(group, members)| (group.to_string(), members.values().map(info).collect())).collect(),
        }
    }
}

fn told(subscription: &GroupSubscription) -> BTreeMap<Arc<str>, Arc<SubscriptionData>> {
    subscription.topics.iter().map(|(topic, wanted)| (Arc::clone(topic), Arc::clone(&wanted.data))).collect()
}

fn connection_of(peer: &Peer) -> Connection {
    Connection {
        client_addr: peer.address.to_string(),
        client_id: peer.client_id.to_string(),
        language: peer.language.into(),
        version: peer.version,
    }
}

/// A group's name: the one that is in use already, if there is one.
fn name_in<G>(groups: &BTreeMap<Arc<str>, G>, name: &str) -> Arc<str> {
    groups.get_key_value(name).map_or_else(|| name.into(), |(name, _)| Arc::clone(name))
}

fn silent_members<'a>(
    groups: impl Iterator<Item = (&'a Arc<str>, &'a Members)>,
    silent: impl Fn(&Member) -> bool,
) -> Vec<(Arc<str>, ConnectionId)> {
    let mut found = Vec::new();
    for (name, members) in groups {
        let silent = members.values().filter(|member| silent(member));
        found.extend(silent.map(|member| (name.clone(), member.peer.connection)));
    }
    found
}

#[cfg(test)]
mod tests;
