//! Makes the actors that know topics, groups and clients.

use std::sync::Arc;

use super::{State, Storage, Wiring};
use crate::actors::arbiters::supervise_on;
use crate::actors::broker_actor::{BrokerActor, BrokerParts};
use crate::actors::builder::StateMakers;
use crate::actors::client_actor::ClientParts;
use crate::actors::group_actor::GroupParts;
use crate::actors::late::Late;
use crate::actors::offset_actor::OffsetParts;
use crate::actors::published::Published;
use crate::actors::queue_lock_actor::QueueLockParts;
use crate::actors::registration_actor::RegistrationParts;
use crate::actors::tables::StateTables;
use crate::actors::topic_actor::TopicParts;
use crate::broker::clients::SubscriptionTable;

impl Wiring<'_> {
    pub(super) fn state(&self, make: StateMakers, tables: StateTables, storage: &Storage) -> State {
        let (options, on) = (self.options, &self.arbiters.rest);
        let (topics, published_topics) = Published::new(tables.topics.table());
        let (groups, published_groups) = Published::new(tables.groups.table());
        let (subscriptions, published_subscriptions) = Published::new(SubscriptionTable::default());
        // Topics and registration tell each other things, so one of them is named late.
        let changed = Late::default();
        let topic_parts = TopicParts {
            topics: tables.topics,
            published: published_topics,
            file: tables.topics_file,
            clock: Arc::clone(&options.clock),
            changed: changed.clone(),
            faults: self.faults.clone(),
        };
        let topic = (make.topic)(topic_parts, on);
        let registration_parts = RegistrationParts {
            name_servers: options.name_servers.clone(),
            identity: self.identity(),
            topics: topics.clone(),
            every: options.register_every,
            limit: options.register_limit,
            compressed: options.compressed_register,
            permission: options.permission(),
            apply_order: topic.apply_order.clone(),
            faults: self.faults.clone(),
        };
        let registration = (make.registration)(registration_parts, on);
        changed.name(registration.changed.clone());
        let offset_parts = OffsetParts {
            offsets: tables.offsets,
            file: tables.offsets_file,
            persist_every: options.persist_offsets_every,
            queue_of: storage.dispatch.queue_of.clone(),
            pool: storage.pool.clone(),
            memory_bytes: options.pull_limits.memory_bytes,
            faults: self.faults.clone(),
        };
        let offsets = (make.offset)(offset_parts, on);
        let group_parts = GroupParts {
            groups: tables.groups,
            published: published_groups,
            file: tables.groups_file,
            clock: Arc::clone(&options.clock),
            ensure_topic: topic.ensure.clone(),
            forget_offsets: offsets.forget.clone(),
            faults: self.faults.clone(),
        };
        let group = (make.group)(group_parts, on);
        let client_parts = ClientParts {
            notifies: options.notify_ids_changed,
            subscriptions: published_subscriptions,
            groups: groups.clone(),
            ensure_group: group.ensure.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let client = (make.client)(client_parts, on);
        let broker_parts = BrokerParts {
            properties: options.properties.clone(),
            log: storage.log.clone(),
            topics: topics.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let queue_lock_parts = QueueLockParts { clock: Arc::clone(&options.clock), faults: self.faults.clone() };
        let queue_lock = (make.queue_lock)(queue_lock_parts, on);
        let broker = supervise_on(on, |_| BrokerActor::new(broker_parts)).recipient();
        State { topic, group, offsets, client, registration, queue_lock, broker, topics, groups, subscriptions }
    }
}
