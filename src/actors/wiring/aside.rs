//! Makes the actors that bring messages on which were stored elsewhere first: those of delay levels and those of
//! transactions.

use std::sync::Arc;

use super::{Aside, State, Storage, Wiring};
use crate::actors::builder::AsideMakers;
use crate::actors::delay_offset_actor::DelayOffsetParts;
use crate::actors::schedule_actor::{ScheduleParts, SchedulePorts};
use crate::actors::tables::DelayTable;
use crate::actors::transaction_actor::TransactionParts;

impl Wiring<'_> {
    pub(super) fn aside(&self, make: AsideMakers, delays: DelayTable, storage: &Storage, state: &State) -> Aside {
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
                pool: storage.pool.clone(),
                append: storage.commit_log.append.clone(),
                delivered: delay_offsets.delivered.clone(),
                clock: Arc::clone(&options.clock),
                faults: self.faults.clone(),
            };
            (make.schedule)(parts, on)
        });
        let levels: Vec<SchedulePorts> = levels.collect();
        let transaction_parts = TransactionParts {
            rules: options.check_rules(),
            every: options.transactions.check_interval,
            make_queue: storage.dispatch.make_queue.clone(),
            make_topic: state.topic.make.clone(),
            stored: state.offsets.stored.clone(),
            commit: state.offsets.commit.clone(),
            pool: storage.pool.clone(),
            append: storage.commit_log.append.clone(),
            ask_producer: state.client.ask_producer.clone(),
            log: storage.log.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let transactions = (make.transaction)(transaction_parts, on);
        Aside { delay_offsets, levels, transactions }
    }
}
