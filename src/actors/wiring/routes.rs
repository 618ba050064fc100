//! Which request goes to whom.

use std::sync::Arc;

use actix::Recipient;

use super::{Aside, PULL_CODES, SEND_CODES, State, Storage, Wiring};
use crate::actors::client_actor::PeerClosed;
use crate::actors::consume_stats_service::{self, ConsumeStatsService};
use crate::actors::consumer_service::{self, ConsumerService};
use crate::actors::end_transaction_service::{self, EndTransactionService};
use crate::actors::fault::notify;
use crate::actors::hold_actor::ConnectionClosed;
use crate::actors::lookup_service::LookupService;
use crate::actors::pull_service::PullService;
use crate::actors::reply_service::{self, ReplyService};
use crate::actors::requests::{PATIENCE, Requests, ToActor};
use crate::actors::send_back_service::{self, SendBackService};
use crate::actors::send_service::SendService;
use crate::actors::store_reads::StoreReads;
use crate::actors::waiting_messages::WaitingMessages;
use crate::actors::{
    broker_actor, client_actor, delay_offset_actor, group_actor, lookup_service, offset_actor, queue_lock_actor,
    retention_actor, stats_actor, topic_actor,
};
use crate::net::budget::Budget;
use crate::net::exchange::ExchangeHook;
use crate::net::router::{Lane, Router};
use crate::net::terms::Patience;

impl Wiring<'_> {
    /// Which request goes to whom.
    pub(super) fn router(
        &self,
        storage: &Storage,
        state: &State,
        aside: &Aside,
        broker: &Recipient<Requests>,
    ) -> Router {
        let options = self.options;
        let asked = |lane: Lane| lane.patient(Some(PATIENCE));
        let actor = |requests: &Recipient<Requests>| asked(Lane::to(ToActor(requests.clone())));
        let sends = Arc::new(self.sends(storage, state));
        let replies = self.replies(storage, state);
        let reply_patience = Patience { limit: PATIENCE.limit + reply_service::PUSH_LIMIT, ..PATIENCE };
        let sends = Lane::in_place(move || Box::new(sends.batch())).patient(Some(PATIENCE));
        let sends = sends.for_as_long_as(self.send_limit.clone());
        // The consumer would send the message itself otherwise, to the retry topic, while it is there already.
        let send_back_patience = Patience { limit: PATIENCE.limit + options.sync_limit, ..PATIENCE };
        let relay_patience = Patience { limit: PATIENCE.limit + consumer_service::RELAY_LIMIT, ..PATIENCE };
        let lookups = self.lookups(storage, state);
        let consume_stats = self.consume_stats(storage, &lookups, state);
        let consumers = self.consumers(&lookups, state);
        let (hold, client) = (storage.hold.connection_closed.clone(), state.client.closed.clone());
        let exchanges =
            self.hooks.exchanged.clone().map(|hook| -> ExchangeHook { Arc::new(move |told| hook.tell(told)) });
        Router::new()
            .on_exchange(exchanges)
            .route(&client_actor::CODES, actor(&state.client.requests))
            .route(&offset_actor::CODES, actor(&state.offsets.requests))
            .route(&offset_actor::NEVER_BUSY, Lane::to(ToActor(state.offsets.requests.clone())))
            .route(&SEND_CODES, sends.within(Arc::new(Budget::new(options.send_bytes_max))))
            .route(&PULL_CODES, asked(Lane::to(self.pulls(storage, state))))
            .route(&reply_service::CODES, Lane::to(replies).patient(Some(reply_patience)))
            .route(
                &send_back_service::CODES,
                Lane::to(self.send_backs(storage, state)).patient(Some(send_back_patience)),
            )
            .route(&end_transaction_service::CODES, asked(Lane::to(self.ended_transactions(storage))))
            .route(&lookup_service::CODES, asked(Lane::to(lookups)))
            .route(&consume_stats_service::CODES, asked(Lane::to(consume_stats)))
            .route(&consumer_service::CODES, Lane::to(consumers).patient(Some(relay_patience)))
            .route(&topic_actor::CODES, actor(&state.topic.requests))
            .route(&group_actor::CODES, actor(&state.group.requests))
            .route(&queue_lock_actor::CODES, actor(&state.queue_lock.requests))
            .route(&broker_actor::CODES, actor(broker))
            .route(&retention_actor::CODES, actor(&aside.retention.requests))
            .route(&stats_actor::CODES, actor(&storage.stats.requests))
            .route(&delay_offset_actor::CODES, actor(&aside.delay_offsets.requests))
            .on_closed(move |peer| {
                notify(&hold, ConnectionClosed { connection: peer.id });
                notify(&client, PeerClosed { connection: peer.id });
            })
    }

    fn sends(&self, storage: &Storage, state: &State) -> SendService {
        let options = self.options;
        SendService {
            live: self.live.clone(),
            topics: state.topics.clone(),
            groups: state.groups.clone(),
            append: storage.commit_log.append.clone(),
            create: state.topic.create.clone(),
            create_group: state.group.create_on_send_back.clone(),
            waiting: WaitingMessages {
                index: storage.index.as_ref().map(|index| index.snapshot.clone()),
                settled: storage.dispatch.settled.clone(),
                pool: storage.pools.questions.clone(),
                log: storage.log.clone(),
                clock: Arc::clone(&options.clock),
            },
            clock: Arc::clone(&options.clock),
            seed: options.seed.into(),
            hook: self.hooks.sent.clone(),
            faults: self.faults.clone(),
        }
    }

    fn lookups(&self, storage: &Storage, state: &State) -> LookupService {
        LookupService {
            broker_name: self.options.broker_name.as_str().into(),
            topics: state.topics.clone(),
            reads: StoreReads { queue_of: storage.dispatch.queue_of.clone(), pool: storage.pools.questions.clone() },
            index: storage.index.as_ref().map(|index| index.snapshot.clone()),
            live: self.live.clone(),
            log: storage.log.clone(),
            permits: lookup_service::permits(),
        }
    }

    /// Shares the permits of the lookups: they wait for the same disk.
    fn consume_stats(&self, storage: &Storage, lookups: &LookupService, state: &State) -> ConsumeStatsService {
        ConsumeStatsService {
            broker_name: Arc::clone(&lookups.broker_name),
            address: self.identity().address.into(),
            topics: state.topics.clone(),
            groups: state.groups.clone(),
            subscriptions: state.subscriptions.clone(),
            filters: state.filters.clone(),
            offsets_of: state.offsets.of.clone(),
            clone_offsets: state.offsets.clone_group.clone(),
            group_rates: storage.stats.group_rates.clone(),
            reads: lookups.reads.clone(),
            clock: Arc::clone(&self.options.clock),
            permits: Arc::clone(&lookups.permits),
        }
    }

    fn consumers(&self, lookups: &LookupService, state: &State) -> ConsumerService {
        ConsumerService {
            broker_name: Arc::clone(&lookups.broker_name),
            host: self.store_host(),
            topics: state.topics.clone(),
            consumers_of: state.client.consumers_of.clone(),
            offsets_of: state.offsets.of.clone(),
            reads: lookups.reads.clone(),
            permits: Arc::clone(&lookups.permits),
            direct: consumer_service::direct_permits(),
        }
    }

    fn replies(&self, storage: &Storage, state: &State) -> ReplyService {
        ReplyService {
            live: self.live.clone(),
            topics: state.topics.clone(),
            producer_of: state.client.producer_of.clone(),
            append: storage.commit_log.append.clone(),
            clock: Arc::clone(&self.options.clock),
            seed: Arc::new(self.options.seed.into()),
        }
    }

    fn send_backs(&self, storage: &Storage, state: &State) -> SendBackService {
        SendBackService {
            live: self.live.clone(),
            delay_levels: self.options.delay_levels(),
            topics: state.topics.clone(),
            find_group: state.group.find.clone(),
            make_topic: state.topic.make.clone(),
            pool: storage.pools.deliver.clone(),
            append: storage.commit_log.append.clone(),
            sent_back: storage.stats.sent_back.clone(),
            seed: Arc::new(self.options.seed.into()),
        }
    }

    fn ended_transactions(&self, storage: &Storage) -> EndTransactionService {
        EndTransactionService {
            host: self.store_host(),
            delay_levels: self.options.delay_levels(),
            pool: storage.pools.deliver.clone(),
            append: storage.commit_log.append.clone(),
            clock: Arc::clone(&self.options.clock),
        }
    }

    fn pulls(&self, storage: &Storage, state: &State) -> PullService {
        PullService {
            live: self.live.clone(),
            topics: state.topics.clone(),
            groups: state.groups.clone(),
            subscriptions: state.subscriptions.clone(),
            filters: state.filters.clone(),
            directory: storage.directory.clone(),
            open_queue: storage.dispatch.open_queue.clone(),
            create_group: state.group.create.clone(),
            commit: state.offsets.commit.clone(),
            hook: self.hooks.consumed.clone(),
        }
    }
}
