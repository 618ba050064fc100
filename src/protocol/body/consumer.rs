//! What a consumer says of itself when it is asked through a broker: its state, and how one message went.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::queue_table::QueueTable;
use super::subscription::SubscriptionData;
use super::{Body, json, plain_body};

/// Keys of [`ConsumerRunningInfo::properties`] that tools look at.
pub mod property {
    /// The name servers, each with a semicolon behind it.
    pub const NAME_SERVERS: &str = "PROP_NAMESERVER_ADDR";
    /// Threads that call the application.
    pub const THREADS: &str = "PROP_THREADPOOL_CORE_SIZE";
    /// `true` when queues are consumed in order.
    pub const IN_ORDER: &str = "PROP_CONSUMEORDERLY";
    /// Who drives the pulls.
    pub const CONSUME_TYPE: &str = "PROP_CONSUME_TYPE";
    /// The release of the client, as `V4_9_7`.
    pub const VERSION: &str = "PROP_CLIENT_VERSION";
    /// When it began, in milliseconds since the epoch.
    pub const STARTED: &str = "PROP_CONSUMER_START_TIMESTAMP";
}

/// Answer of GET_CONSUMER_RUNNING_INFO.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.body.ConsumerRunningInfo` 4.9.7 (fixture).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerRunningInfo {
    /// The stacks of its threads, where they were asked for and the client has such a thing.
    pub jstack: Option<String>,
    /// What it holds of each queue.
    pub mq_table: QueueTable<ProcessQueueInfo>,
    /// Its settings, and those of [`property`].
    pub properties: BTreeMap<String, String>,
    /// How consuming goes, by topic.
    pub status_table: BTreeMap<String, ConsumeStatus>,
    /// What it wants.
    pub subscription_set: Vec<SubscriptionData>,
}

impl Body for ConsumerRunningInfo {
    fn encode(&self) -> Bytes {
        let mut out = b"{".to_vec();
        if let Some(jstack) = &self.jstack {
            out.extend(br#""jstack":"#);
            out.extend(json(jstack));
            out.push(b',');
        }
        out.extend(br#""mqTable":"#);
        self.mq_table.write(&mut out);
        out.extend(br#","properties":"#);
        out.extend(json(&self.properties));
        out.extend(br#","statusTable":"#);
        out.extend(json(&self.status_table));
        out.extend(br#","subscriptionSet":"#);
        out.extend(json(&self.subscription_set));
        out.push(b'}');
        out.into()
    }
}

/// What a consumer holds of a queue.
///
/// # Units
/// Times in milliseconds since the epoch, 0 for never.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.body.ProcessQueueInfo` 4.9.7 (fixture), whose `droped` Go clients write `dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProcessQueueInfo {
    /// Messages that were pulled and are not consumed.
    pub cached_msg_count: i32,
    /// The largest offset among them.
    pub cached_msg_max_offset: i64,
    /// The smallest.
    pub cached_msg_min_offset: i64,
    /// Their size in MiB.
    #[serde(rename = "cachedMsgSizeInMiB")]
    pub cached_msg_size_in_mib: i32,
    /// How far the group has come.
    pub commit_offset: i64,
    /// Whether the queue is another member's by now.
    #[serde(rename = "droped", alias = "dropped")]
    pub dropped: bool,
    /// When messages of it were handed to the application last.
    pub last_consume_timestamp: i64,
    /// When its lock was had or kept last.
    pub last_lock_timestamp: i64,
    /// When it was pulled last.
    pub last_pull_timestamp: i64,
    /// Whether the consumer has its lock.
    pub locked: bool,
    /// Messages being consumed in order.
    pub transaction_msg_count: i32,
    /// The largest offset among them.
    pub transaction_msg_max_offset: i64,
    /// The smallest.
    pub transaction_msg_min_offset: i64,
    /// How often it was tried in vain to give the lock back.
    pub try_unlock_times: i64,
}

/// How consuming a topic goes.
///
/// # Units
/// Times in milliseconds, rates per second, over the last minute; `consume_failed_msgs` over the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeStatus {
    /// Messages that the application could not handle.
    pub consume_failed_msgs: i64,
    /// The same, per second.
    #[serde(rename = "consumeFailedTPS")]
    pub consume_failed_tps: f64,
    /// Messages that it handled.
    #[serde(rename = "consumeOKTPS")]
    pub consume_ok_tps: f64,
    /// How long it took for one call.
    #[serde(rename = "consumeRT")]
    pub consume_rt: f64,
    /// How long a pull took.
    #[serde(rename = "pullRT")]
    pub pull_rt: f64,
    /// Messages pulled.
    #[serde(rename = "pullTPS")]
    pub pull_tps: f64,
}

/// Answer of CONSUME_MESSAGE_DIRECTLY.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.body.ConsumeMessageDirectlyResult` 4.9.7 (fixture).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeDirectlyResult {
    /// Whether it counts as consumed without being told so, for consumers in order.
    pub auto_commit: bool,
    /// How it went.
    pub consume_result: ConsumeOutcome,
    /// Whether the consumer consumes in order.
    pub order: bool,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// How long it took, in milliseconds.
    pub spent_time_mills: i64,
}

/// How the consumption of one message went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumeOutcome {
    /// It is consumed.
    #[default]
    #[serde(rename = "CR_SUCCESS")]
    Success,
    /// It is to come again later.
    #[serde(rename = "CR_LATER")]
    Later,
    /// In order: what was consumed is taken back.
    #[serde(rename = "CR_ROLLBACK")]
    Rollback,
    /// In order: what was consumed counts.
    #[serde(rename = "CR_COMMIT")]
    Commit,
    /// The application threw.
    #[serde(rename = "CR_THROW_EXCEPTION")]
    Threw,
    /// The application said nothing.
    #[serde(rename = "CR_RETURN_NULL")]
    Nothing,
}

plain_body!(ConsumeDirectlyResult);
