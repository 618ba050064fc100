//! What dispatch hands to queues that have extensions.

use super::dispatch_actor::RECORDS_PER_TURN;
use super::published::Published;
use crate::broker::filter::ConsumerFilters;
use crate::protocol::message::RecordHead;
use crate::store::Extension;

/// Records per turn of dispatch where conditions are evaluated for each: others on that arbiter wait so long.
const RECORDS_EVALUATED_PER_TURN: usize = 32;

/// Makes what goes into the extensions of queues.
pub struct Extensions {
    /// The conditions that bit maps tell of; none where no bit maps are made.
    pub filters: Option<Published<ConsumerFilters>>,
}

impl Extensions {
    /// Most records taken in one turn of dispatch.
    pub(super) fn records_per_turn(&self) -> usize {
        if self.filters.is_some() { RECORDS_EVALUATED_PER_TURN } else { RECORDS_PER_TURN }
    }

    pub(super) fn of(&self, record: &RecordHead<'_>) -> Extension {
        // Loaded for each record: what was registered before a record was stored is to be in its bit map.
        let bit_map = self.filters.as_ref().and_then(|filters| filters.load().bit_map(record.topic, record.properties));
        Extension { store_time: record.store_time, bit_map: bit_map.unwrap_or_default() }
    }
}
