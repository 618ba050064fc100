//! Makes the actors that bring messages on which were stored elsewhere first: those of delay levels.

use std::sync::Arc;

use super::{Aside, Storage, Wiring};
use crate::actors::builder::AsideMakers;
use crate::actors::delay_offset_actor::DelayOffsetParts;
use crate::actors::schedule_actor::{ScheduleParts, SchedulePorts};
use crate::actors::tables::DelayTable;

impl Wiring<'_> {
    pub(super) fn aside(&self, make: AsideMakers, delays: DelayTable, storage: &Storage) -> Aside {
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
        Aside { delay_offsets, levels }
    }
}
