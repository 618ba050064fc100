//! Where each connection is a member, and which connections a producer's id stands for: so that nobody has to be looked
//! for in all groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Peer;
use crate::protocol::units::ConnectionId;

/// The groups of one connection.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// Those that it produces in,
    pub(super) produces: BTreeSet<Arc<str>>,
    /// and those that it consumes in.
    pub(super) consumes: BTreeSet<Arc<str>>,
    /// What it called itself last; nothing unless it produces.
    client_id: Option<Arc<str>>,
}

/// The groups of all connections.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    of: HashMap<ConnectionId, Membership>,
    producers: BTreeMap<Arc<str>, BTreeSet<ConnectionId>>,
}

impl Memberships {
    pub(super) fn produces(&mut self, peer: &Peer, group: &Arc<str>) {
        let membership = self.of.entry(peer.connection).or_default();
        membership.produces.insert(Arc::clone(group));
        if membership.client_id.as_ref() != Some(&peer.client_id) {
            let before = membership.client_id.replace(Arc::clone(&peer.client_id));
            self.producers.entry(Arc::clone(&peer.client_id)).or_default().insert(peer.connection);
            self.forget_id(before, peer.connection);
        }
    }

    pub(super) fn consumes(&mut self, connection: ConnectionId, group: &Arc<str>) {
        self.of.entry(connection).or_default().consumes.insert(Arc::clone(group));
    }

    pub(super) fn produces_no_more(&mut self, connection: ConnectionId, group: &str) {
        let Some(membership) = self.of.get_mut(&connection) else { return };
        membership.produces.remove(group);
        let id = if membership.produces.is_empty() { membership.client_id.take() } else { None };
        self.forget_id(id, connection);
        self.forget_if_nowhere(connection);
    }

    pub(super) fn consumes_no_more(&mut self, connection: ConnectionId, group: &str) {
        let Some(membership) = self.of.get_mut(&connection) else { return };
        membership.consumes.remove(group);
        self.forget_if_nowhere(connection);
    }

    /// Forgets a connection, and tells where it was a member.
    pub(super) fn leave(&mut self, connection: ConnectionId) -> Membership {
        let mut left = self.of.remove(&connection).unwrap_or_default();
        self.forget_id(left.client_id.take(), connection);
        left
    }

    /// The newest connection of the producers that call themselves so.
    pub(super) fn producer(&self, client_id: &str) -> Option<ConnectionId> {
        self.producers.get(client_id)?.last().copied()
    }

    fn forget_id(&mut self, id: Option<Arc<str>>, connection: ConnectionId) {
        let Some(id) = id else { return };
        let Some(connections) = self.producers.get_mut(&id) else { return };
        connections.remove(&connection);
        if connections.is_empty() {
            self.producers.remove(&id);
        }
    }

    fn forget_if_nowhere(&mut self, connection: ConnectionId) {
        let nowhere = |membership: &Membership| membership.produces.is_empty() && membership.consumes.is_empty();
        if self.of.get(&connection).is_some_and(nowhere) {
            self.of.remove(&connection);
        }
    }

    /// Whether nobody is a member of anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty() && self.producers.is_empty()
    }
}
