//! What the configuration says that may change while the broker runs.
//!
//! A change makes a new value, which is published; whoever needs it looks at it once for each batch or request. What is
//! read at the start only is not in here: its keys are marked so, and a change of them is refused.

use std::sync::Arc;
use std::time::Duration;

use super::config::BrokerConfig;
use super::pull::PullLimits;
use super::pull::admission::PullRules;
use super::retention::RetentionRules;
use super::send::SendRules;
use super::topics::TopicSettings;
use super::transaction::check::CheckRules;
use crate::protocol::body::topic_config::Permission;

/// The rules of a broker at one moment.
#[derive(Clone, Debug)]
pub struct Rules {
    /// About sends. Shared, as each connection holds them.
    pub send: Arc<SendRules>,
    /// About pulls.
    pub pull: PullRules,
    /// The bounds of an answer to a pull.
    pub limits: PullLimits,
    /// About half messages.
    pub check: CheckRules,
    /// About what is old.
    pub retention: RetentionRules,
    /// About topics.
    pub topics: TopicSettings,
    /// `brokerPermission`.
    pub permission: Permission,
    /// `regionId`.
    pub region: String,
    /// `traceOn`.
    pub trace_on: bool,
    /// `autoCreateSubscriptionGroup`.
    pub auto_create_groups: bool,
    /// `notifyConsumerIdsChangedEnable`.
    pub notify_consumers: bool,
    /// `storeReplyMessageEnable`.
    pub store_replies: bool,
    /// `defaultQueryMaxNum`.
    pub unique_key_results: i32,
    /// `maxMsgsNumBatch`.
    pub query_results_max: i32,
    /// `waitTimeMillsInSendQueue`; none when `brokerFastFailureEnable` is off.
    pub send_wait: Option<Duration>,
    /// `consumerFallbehindThreshold`, with `disableConsumeIfConsumerReadSlowly`: groups further behind are switched off.
    pub behind_bytes_max: Option<u64>,
    /// `registerBrokerTimeoutMills`.
    pub register_limit: Duration,
    /// `compressedRegister`.
    pub compressed_register: bool,
}

impl Rules {
    /// The rules after a change of these keys, which have new values in `config`. The others are what they were, whatever
    /// `config` says of them: an application may have set them otherwise. `memory_bytes` is the machine's physical memory.
    #[must_use]
    pub fn changed(&self, keys: &[&'static str], config: &BrokerConfig, memory_bytes: u64) -> Self {
        let mut rules = self.clone();
        keys.iter().for_each(|key| rules.follow(key, config, memory_bytes));
        rules
    }

    fn follow(&mut self, key: &str, config: &BrokerConfig, memory_bytes: u64) {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let send = Arc::make_mut(&mut self.send);
        let limits = config.pull_limits(memory_bytes);
        match key {
            "brokerPermission" => {
                self.permission = config.permission;
                send.writable = config.permission.writable();
                self.pull.readable = config.permission.readable();
            }
            "maxMessageSize" => send.message_bytes_max = config.message_bytes_max,
            "startAcceptSendRequestTimeStamp" => send.accept_from_ms = config.accept_sends_from_ms,
            "rejectTransactionMessage" => send.reject_transactions = config.transactions.reject,
            "longPollingEnable" | "shortPollingTimeMills" => self.pull.short_polling = config.polling.short_polling(),
            "slaveReadEnable" => self.pull.slave_read = config.slave_read,
            "enablePropertyFilter" => self.pull.property_filter = config.filters.enabled,
            "filterSupportRetry" => self.pull.filter_retried = config.filters.retried,
            "maxTransferCountOnMessageInMemory" => self.limits.count_in_memory = limits.count_in_memory,
            "maxTransferBytesOnMessageInMemory" => self.limits.bytes_in_memory = limits.bytes_in_memory,
            "maxTransferCountOnMessageInDisk" => self.limits.count_on_disk = limits.count_on_disk,
            "maxTransferBytesOnMessageInDisk" => self.limits.bytes_on_disk = limits.bytes_on_disk,
            "accessMessageInMemoryMaxRatio" => self.limits.memory_bytes = limits.memory_bytes,
            "transactionTimeOut" => self.check.timeout_ms = millis(config.transactions.timeout),
            "transactionCheckMax" => self.check.check_max = config.transactions.check_max,
            "fileReservedTime" => {
                self.retention.keep = config.retention.rules.keep;
                self.check.keep_ms = millis(config.transactions.keep);
            }
            "deleteWhen" => self.retention.hours.clone_from(&config.retention.rules.hours),
            "diskMaxUsedSpaceRatio" => self.retention.used_max = config.retention.rules.used_max,
            "cleanFileForciblyEnable" => self.retention.forces = config.retention.rules.forces,
            "diskSpaceCleanForciblyRatio" => self.retention.force_above = config.retention.rules.force_above,
            "diskSpaceWarningLevelRatio" => self.retention.refuse_above = config.retention.rules.refuse_above,
            "deleteCommitLogFilesInterval" => self.retention.segment_pause = config.retention.rules.segment_pause,
            "deleteConsumeQueueFilesInterval" => self.retention.queue_pause = config.retention.rules.queue_pause,
            "redeleteHangedFileInterval" => self.retention.pinned_limit = config.retention.rules.pinned_limit,
            "autoCreateTopicEnable" => self.topics.auto_create = config.topics.auto_create,
            "regionId" => self.region.clone_from(&config.region),
            "traceOn" => self.trace_on = config.trace_on,
            "autoCreateSubscriptionGroup" => self.auto_create_groups = config.auto_create_groups,
            "notifyConsumerIdsChangedEnable" => self.notify_consumers = config.notify_consumers,
            "storeReplyMessageEnable" => self.store_replies = config.store_replies,
            "defaultQueryMaxNum" => self.unique_key_results = config.unique_key_results,
            "maxMsgsNumBatch" => self.query_results_max = config.query_results_max,
            "brokerFastFailureEnable" | "waitTimeMillsInSendQueue" => self.send_wait = config.waits.send_wait(),
            "disableConsumeIfConsumerReadSlowly" | "consumerFallbehindThreshold" => {
                self.behind_bytes_max = config.behind_bytes_max;
            }
            "registerBrokerTimeoutMills" => self.register_limit = config.registration.timeout,
            "compressedRegister" => self.compressed_register = config.registration.compressed,
            // It has no effect, or belongs to something that is not there yet.
            _ => {}
        }
    }

    /// The broker's own permission, unless it allows everything.
    #[must_use]
    pub fn restriction(&self) -> Option<Permission> {
        (!self.permission.readable() || !self.permission.writable()).then_some(self.permission)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::properties_file::{Effect, Kind};

    fn rules(config: &BrokerConfig) -> Rules {
        let millis = |duration: Duration| duration.as_millis() as i64;
        Rules {
            send: Arc::new(SendRules {
                cluster: config.cluster.clone(),
                store_host: "127.0.0.1:1".parse().unwrap(),
                message_bytes_max: config.message_bytes_max,
                accept_from_ms: config.accept_sends_from_ms,
                writable: config.permission.writable(),
                delay_levels: 18,
                reject_transactions: config.transactions.reject,
                timer: config.timer,
            }),
            pull: PullRules {
                readable: config.permission.readable(),
                short_polling: config.polling.short_polling(),
                slave_read: config.slave_read,
                property_filter: config.filters.enabled,
                filter_retried: config.filters.retried,
            },
            limits: config.pull_limits(1_000_000),
            check: CheckRules {
                timeout_ms: millis(config.transactions.timeout),
                check_max: config.transactions.check_max,
                keep_ms: millis(config.transactions.keep),
            },
            retention: config.retention.rules.clone(),
            topics: config.topics.clone(),
            permission: config.permission,
            region: config.region.clone(),
            trace_on: config.trace_on,
            auto_create_groups: config.auto_create_groups,
            notify_consumers: config.notify_consumers,
            store_replies: config.store_replies,
            unique_key_results: config.unique_key_results,
            query_results_max: config.query_results_max,
            send_wait: config.waits.send_wait(),
            behind_bytes_max: config.behind_bytes_max,
            register_limit: config.registration.timeout,
            compressed_register: config.registration.compressed,
        }
    }

    /// A key that is taken while the broker runs and does nothing would be a lie.
    #[test]
    fn every_key_that_is_used_and_may_change_changes_a_rule_and_no_other_does() {
        let before = BrokerConfig::default()
            .updated(b"longPollingEnable=false\ndisableConsumeIfConsumerReadSlowly=true")
            .unwrap()
            .config;
        let rules = rules(&before);
        let settings = BrokerConfig::settings_at_default();
        let mut changing = 0;
        for key in settings.keys().filter(|key| key.at_run_time) {
            let value = match key.kind {
                Kind::Bool => {
                    if before.to_properties().contains(&format!("\n{}=true\n", key.name)) {
                        "false"
                    } else {
                        "true"
                    }
                }
                Kind::Number { .. } if key.default == "5" => "6",
                Kind::Number { .. } => "5",
                Kind::Word(words) => words[1],
                Kind::Text if key.name == "deleteWhen" => "05",
                Kind::Text => "other",
            };
            let update = before.updated(format!("{}={value}", key.name).as_bytes()).unwrap();
            assert_eq!(update.changed, [key.name], "{value} {:?}", update.refused);
            let after = rules.changed(&update.changed, &update.config, 1_000_000);
            let is_other = format!("{after:?}") != format!("{rules:?}");
            assert_eq!(is_other, key.effect == Effect::Used, "{}", key.name);
            changing += usize::from(is_other);
        }
        assert!(changing > 20, "{changing}");
    }

    #[test]
    fn what_an_application_has_set_stays_when_something_else_changes() {
        let config = BrokerConfig::default();
        let mut rules = rules(&config);
        rules.limits.count_in_memory = 7;
        let update = config.updated(b"maxTransferCountOnMessageInDisk=3").unwrap();
        let after = rules.changed(&update.changed, &update.config, 1_000_000);
        assert_eq!((after.limits.count_in_memory, after.limits.count_on_disk), (7, 3));
    }

    #[test]
    fn only_a_permission_that_lacks_something_restricts() {
        let config = BrokerConfig::default();
        let rules = rules(&config);
        assert_eq!(rules.restriction(), None);
        let update = config.updated(b"brokerPermission=4").unwrap();
        let after = rules.changed(&update.changed, &update.config, 0);
        assert_eq!(after.restriction(), Some(Permission::READ));
        assert!(!after.send.writable && after.pull.readable && rules.send.writable);
    }
}
