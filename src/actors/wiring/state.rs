//! Makes the actors that know topics, groups and clients.

use std::sync::Arc;
use std::time::Duration;

use super::{State, Storage, Wiring};
use crate::actors::builder::{Make, StateMakers};
use crate::actors::client_actor::ClientParts;
use crate::actors::config_writer::ConfigWriter;
use crate::actors::filter_actor::{FilterParts, FilterPorts};
use crate::actors::group_actor::GroupParts;
use crate::actors::late::Late;
use crate::actors::offset_actor::OffsetParts;
use crate::actors::published::{Published, Publisher};
use crate::actors::queue_lock_actor::QueueLockParts;
use crate::actors::registration_actor::{RegistrationParts, RegistrationPorts};
use crate::actors::slow_group_actor::SlowGroupParts;
use crate::actors::store_reads::StoreReads;
use crate::actors::tables::StateTables;
use crate::actors::topic_actor::{TopicParts, TopicPorts, TopicRemoval};
use crate::broker::clients::SubscriptionTable;
use crate::broker::filter::ConsumerFilters;
use crate::broker::topics::{TopicTable, Topics};
use crate::store::DeletedTopics;

/// How often `consumerFilter.json` is written if it has changed.
///
/// # Source
/// `ConsumerFilterManager.start` in `BrokerController` 4.9.7 (read).
const FILTERS_EVERY: Duration = Duration::from_secs(10);

/// The conditions of groups as they are published, and the right to publish others.
type Filters = (Published<ConsumerFilters>, Publisher<ConsumerFilters>);

impl Wiring<'_> {
    pub(super) fn state(&self, make: StateMakers, tables: StateTables, storage: &Storage, filters: Filters) -> State {
        let (options, on) = (self.options, &self.arbiters.rest);
        let (topic, registration, topics) =
            self.topics((make.topic, make.registration), (tables.topics, tables.topics_file), storage);
        let (groups, published_groups) = Published::new(tables.groups.table());
        let (subscriptions, published_subscriptions) = Published::new(SubscriptionTable::default());
        let offset_parts = OffsetParts {
            offsets: tables.offsets,
            file: tables.offsets_file,
            persist_every: options.persist_offsets_every,
            queue_of: storage.dispatch.queue_of.clone(),
            pool: storage.pools.deliver.clone(),
            live: self.live.clone(),
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
            live: self.live.clone(),
            faults: self.faults.clone(),
        };
        let group = (make.group)(group_parts, on);
        let (filters, publish_filters) = filters;
        let filter = self.filters(make.filter, tables.filters, tables.filters_file, publish_filters);
        let client_parts = ClientParts {
            subscriptions: published_subscriptions,
            groups: groups.clone(),
            ensure_group: group.ensure.clone(),
            live: self.live.clone(),
            register_filters: filter.register.clone(),
            unregister_filters: filter.unregister.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let client = (make.client)(client_parts, on);
        let queue_lock_parts = QueueLockParts { clock: Arc::clone(&options.clock), faults: self.faults.clone() };
        let queue_lock = (make.queue_lock)(queue_lock_parts, on);
        let slow_group_parts = SlowGroupParts {
            live: self.live.clone(),
            every: options.behind_check_every,
            groups: groups.clone(),
            subscriptions: subscriptions.clone(),
            offsets_of: offsets.of.clone(),
            switch_off: group.switch_off.clone(),
            reads: StoreReads { queue_of: storage.dispatch.queue_of.clone(), pool: storage.pools.questions.clone() },
            faults: self.faults.clone(),
        };
        let slow_groups = (make.slow_group)(slow_group_parts, on);
        State {
            slow_groups,
            topic,
            group,
            offsets,
            client,
            registration,
            queue_lock,
            filter,
            topics,
            groups,
            subscriptions,
            filters,
        }
    }

    fn topics(
        &self,
        (make_topic, make_registration): (Make<TopicParts, TopicPorts>, Make<RegistrationParts, RegistrationPorts>),
        (topics, file): (Topics, ConfigWriter),
        storage: &Storage,
    ) -> (TopicPorts, RegistrationPorts, Published<TopicTable>) {
        let (options, on) = (self.options, &self.arbiters.rest);
        let (published, publisher) = Published::new(topics.table());
        // Topics and registration tell each other things, so one of them is named late.
        let changed = Late::default();
        let topic_parts = TopicParts {
            topics,
            published: publisher,
            file,
            clock: Arc::clone(&options.clock),
            changed: changed.clone(),
            removal: self.removal(storage),
            faults: self.faults.clone(),
        };
        let topic = make_topic(topic_parts, on);
        let registration_parts = RegistrationParts {
            name_servers: options.name_servers.clone(),
            address_server: options.address_server.clone().filter(|_| options.name_servers.is_empty()),
            identity: self.identity(),
            topics: published.clone(),
            every: options.register_every,
            live: self.live.clone(),
            apply_order: topic.apply_order.clone(),
            faults: self.faults.clone(),
        };
        let registration = make_registration(registration_parts, on);
        changed.name(registration.changed.clone());
        (topic, registration, published)
    }

    fn removal(&self, storage: &Storage) -> TopicRemoval {
        let options = self.options;
        TopicRemoval {
            deleted: storage.deleted.clone(),
            file: Arc::new(ConfigWriter::new(Arc::clone(&options.disk), DeletedTopics::path(&options.store))),
            log: storage.log.clone(),
            close: storage.commit_log.close.clone(),
            open: storage.commit_log.open.clone(),
            remove: storage.dispatch.remove.clone(),
            with_queues: storage.dispatch.topics.clone(),
        }
    }

    fn filters(
        &self,
        make: Make<FilterParts, FilterPorts>,
        filters: ConsumerFilters,
        file: ConfigWriter,
        published: Publisher<ConsumerFilters>,
    ) -> FilterPorts {
        let parts = FilterParts {
            filters,
            published,
            file,
            persist_every: FILTERS_EVERY,
            keep_dead: self.options.filters.keep_dead,
            clock: Arc::clone(&self.options.clock),
            faults: self.faults.clone(),
        };
        make(parts, &self.arbiters.rest)
    }
}
