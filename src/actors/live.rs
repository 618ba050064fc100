//! The rules as they are now, with what replies to sends say of the broker: published by the BrokerActor, looked at by
//! services once for each batch.

use std::sync::Arc;

use super::send_reply::SendStyle;
use crate::broker::rules::Rules;

/// The rules of a broker at one moment, ready for use.
#[derive(Debug)]
pub struct Live {
    /// What the configuration says.
    pub rules: Rules,
    /// What follows from it for replies to sends.
    pub style: Arc<SendStyle>,
}

impl Live {
    /// These rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let style = Arc::new(SendStyle::new(rules.send.store_host, &rules.region, rules.trace_on));
        Self { rules, style }
    }
}
