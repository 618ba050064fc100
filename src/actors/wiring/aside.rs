//! Makes the actors that bring messages on which were stored elsewhere first, those of delay levels and those of
//! transactions; and last the one that speaks for the broker.

use std::sync::Arc;

use actix::Recipient;

use super::{Aside, State, Storage, Wiring};
use crate::actors::arbiters::supervise_on;
use crate::actors::broker_actor::{BrokerActor, BrokerParts};
use crate::actors::builder::AsideMakers;
use crate::actors::config_writer::ConfigWriter;
use crate::actors::delay_offset_actor::DelayOffsetParts;
use crate::actors::live::Live;
use crate::actors::published::Publisher;
use crate::actors::requests::Requests;
use crate::actors::retention_actor::{Means, RetentionParts};
use crate::actors::runtime_info::RuntimeInfo;
use crate::actors::schedule_actor::{ScheduleParts, SchedulePorts};
use crate::actors::tables::{DelayTable, TimerTable};
use crate::actors::timer_actor::TimerParts;
use crate::actors::transaction_actor::TransactionParts;
use crate::protocol::refusal::Refusal;

impl Wiring<'_> {
    pub(super) fn aside(
        &self,
        make: AsideMakers,
        (delays, timer): (DelayTable, TimerTable),
        full: Publisher<Option<Refusal>>,
        storage: &Storage,
        state: &State,
    ) -> Aside {
        let (options, on) = (self.options, &self.arbiters.rest);
        let DelayTable { offsets: delays, file } = delays;
        let next_of: Vec<_> = (1..).zip(&options.store.delay_levels_ms).map(|(level, _)| delays.next(level)).collect();
        let delay_offset_parts = DelayOffsetParts {
            offsets: delays,
            file,
            persist_every: options.persist_delays_every,
            log: storage.log.clone(),
            faults: self.faults.clone(),
        };
        let delay_offsets = (make.delay_offset)(delay_offset_parts, on);
        let levels = (1..).zip(&options.store.delay_levels_ms).zip(next_of).map(|((level, delay_ms), next)| {
            let parts = ScheduleParts {
                level,
                delay_ms: *delay_ms,
                next,
                make_queue: storage.dispatch.make_queue.clone(),
                pool: storage.pools.deliver.clone(),
                append: storage.commit_log.append.clone(),
                delivered: delay_offsets.delivered.clone(),
                clock: Arc::clone(&options.clock),
                faults: self.faults.clone(),
            };
            (make.schedule)(parts, on)
        });
        let levels: Vec<SchedulePorts> = levels.collect();
        let transaction_parts = TransactionParts {
            live: self.live.clone(),
            every: options.transactions.check_interval,
            make_queue: storage.dispatch.make_queue.clone(),
            make_topic: state.topic.make.clone(),
            stored: state.offsets.stored.clone(),
            commit: state.offsets.commit.clone(),
            pool: storage.pools.deliver.clone(),
            append: storage.commit_log.append.clone(),
            ask_producer: state.client.ask_producer.clone(),
            log: storage.log.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let transactions = (make.transaction)(transaction_parts, on);
        let timer_parts = || TimerParts {
            progress: timer.progress,
            file: timer.file,
            persist_every: options.persist_delays_every,
            disk: Arc::clone(&options.disk),
            root: options.store.root.clone(),
            make_queue: storage.dispatch.make_queue.clone(),
            pool: storage.pools.deliver.clone(),
            append: storage.commit_log.append.clone(),
            log: storage.log.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let timer = options.timer.map(|_| (make.timer)(timer_parts(), on));
        let retention = (make.retention)(self.retention_parts(full, storage, state), on);
        Aside { delay_offsets, levels, transactions, timer, retention }
    }

    fn retention_parts(&self, full: Publisher<Option<Refusal>>, storage: &Storage, state: &State) -> RetentionParts {
        let options = self.options;
        let means = Means {
            live: self.live.clone(),
            log: storage.log.clone(),
            disk: Arc::clone(&options.disk),
            store: options.store.clone(),
            pool: storage.pools.questions.clone(),
            files: Arc::clone(&self.files),
            topics: storage.dispatch.topics.clone(),
            queues: storage.dispatch.cleaning.clone(),
            index: storage.index.as_ref().map(|index| index.detach.clone()),
            sync_queues: storage.flush.sync_queues.clone(),
            log_begins: state.topic.log_begins.clone(),
            clock: Arc::clone(&options.clock),
        };
        RetentionParts { times: options.retention.times, full, means, faults: self.faults.clone() }
    }

    /// Makes the actor that speaks for the broker, which knows most of the others.
    pub(super) fn broker(
        &self,
        live: Publisher<Live>,
        storage: &Storage,
        state: &State,
        aside: &Aside,
    ) -> Recipient<Requests> {
        let options = self.options;
        let info = RuntimeInfo {
            figures: storage.stats.figures.clone(),
            levels: aside.delay_offsets.levels.clone(),
            queue_of: storage.dispatch.queue_of.clone(),
            pool: storage.pools.deliver.clone(),
            duplicates: Arc::clone(&storage.duplicates),
            log: storage.log.clone(),
            disk: Arc::clone(&options.disk),
            store: options.store.clone(),
            clock: Arc::clone(&options.clock),
        };
        let parts = BrokerParts {
            config: options.config.clone(),
            file: options.config_file.clone().map(|path| ConfigWriter::new(Arc::clone(&options.disk), path)),
            live,
            send_limit: self.send_limit.clone(),
            topics_follow: state.topic.settings.clone(),
            info,
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        supervise_on(&self.arbiters.rest, |_| BrokerActor::new(parts)).recipient()
    }
}
