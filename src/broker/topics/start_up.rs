//! The topics that a broker has from the start, and the names that are its own.

use std::sync::LazyLock;

use crate::protocol::body::topic_config::{Permission, TopicConfig};
use crate::protocol::names::Topic;

/// After whose pattern topics are made when something is sent to an unknown one.
pub const AUTO_CREATE_TOPIC: &str = "TBW102";
pub use crate::store::dispatch::{SCHEDULE_TOPIC, TIMER_TOPIC};
/// Where the broker reports consumers that asked for offsets it no longer has.
pub const OFFSET_MOVED_EVENT: &str = "OFFSET_MOVED_EVENT";

/// Where half messages wait for the end of their transaction.
pub const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Where it stands which half messages are done with.
pub const OP_HALF_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Where half messages end about whose transaction nobody could say anything.
pub const CHECKED_TOO_OFTEN_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// Where message traces go unless `msgTraceTopicName` says otherwise.
pub const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";

const SELF_TEST_TOPIC: &str = "SELF_TEST_TOPIC";
const BENCHMARK_TOPIC: &str = "BenchmarkTest";
const SCHEDULE_LEVELS: u32 = 18;
const TIMER_QUEUES: u32 = 2;

/// Names that are the broker's own whatever its settings are.
///
/// # Source
/// `org.apache.rocketmq.common.topic.TopicValidator` 4.9.7 (read).
const SYSTEM_TOPICS: [&str; 9] = [
    AUTO_CREATE_TOPIC,
    SCHEDULE_TOPIC,
    BENCHMARK_TOPIC,
    HALF_TOPIC,
    OP_HALF_TOPIC,
    CHECKED_TOO_OFTEN_TOPIC,
    TRACE_TOPIC,
    SELF_TEST_TOPIC,
    OFFSET_MOVED_EVENT,
];
const SYSTEM_TOPIC_PREFIX: &str = "rmq_sys_";

/// What the configuration says about topics.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// `brokerClusterName`.
    pub cluster: String,
    /// `brokerName`.
    pub broker_name: String,
    /// `autoCreateTopicEnable`.
    pub auto_create: bool,
    /// `defaultTopicQueueNums`: queues of TBW102, and so the most that a topic gets which is made by a send.
    pub default_queues: u32,
    /// `clusterTopicEnable`.
    pub cluster_topic: bool,
    /// `brokerTopicEnable`.
    pub broker_topic: bool,
    /// `msgTraceTopicName` when `traceTopicEnable` is set.
    pub trace_topic: Option<String>,
    /// `timerWheelEnable`: there is a topic of messages with a delivery time.
    pub timer_topic: bool,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            cluster: "DefaultCluster".into(),
            broker_name: "broker-a".into(),
            auto_create: true,
            default_queues: 8,
            cluster_topic: true,
            broker_topic: true,
            trace_topic: None,
            timer_topic: false,
        }
    }
}

static SCHEDULE: LazyLock<Topic> = LazyLock::new(|| named(SCHEDULE_TOPIC));
static HALF: LazyLock<Topic> = LazyLock::new(|| named(HALF_TOPIC));
static OP_HALF: LazyLock<Topic> = LazyLock::new(|| named(OP_HALF_TOPIC));
static CHECKED_TOO_OFTEN: LazyLock<Topic> = LazyLock::new(|| named(CHECKED_TOO_OFTEN_TOPIC));

static OFFSET_MOVED: LazyLock<Topic> = LazyLock::new(|| named(OFFSET_MOVED_EVENT));

/// [`OFFSET_MOVED_EVENT`] as a name.
#[must_use]
pub fn offset_moved_topic() -> &'static Topic {
    &OFFSET_MOVED
}

fn named(name: &str) -> Topic {
    Topic::parse(name).expect("the broker's own topics have legal names")
}

/// [`SCHEDULE_TOPIC`] as a name.
#[must_use]
pub fn schedule_topic() -> &'static Topic {
    &SCHEDULE
}

/// [`HALF_TOPIC`] as a name.
#[must_use]
pub fn half_topic() -> &'static Topic {
    &HALF
}

/// [`OP_HALF_TOPIC`] as a name.
#[must_use]
pub fn op_half_topic() -> &'static Topic {
    &OP_HALF
}

/// [`CHECKED_TOO_OFTEN_TOPIC`] as a name.
#[must_use]
pub fn checked_too_often_topic() -> &'static Topic {
    &CHECKED_TOO_OFTEN
}

/// The topic that replies of a cluster's request-reply go to.
#[must_use]
pub fn reply_topic(cluster: &str) -> String {
    format!("{cluster}_REPLY_TOPIC")
}

/// The topics of a broker that has no file yet.
///
/// # Source
/// Constructor of `TopicConfigManager` 4.9.7 (read; compared with a fresh broker).
pub(super) fn topics(settings: &TopicSettings) -> Vec<TopicConfig> {
    let open = |enabled: bool| if enabled { Permission::READ_WRITE_INHERIT } else { Permission::INHERIT };
    let mut topics = vec![
        TopicConfig::new(SELF_TEST_TOPIC, 1, Permission::READ_WRITE),
        TopicConfig::new(BENCHMARK_TOPIC, 1024, Permission::READ_WRITE),
        TopicConfig::new(&settings.cluster, 16, open(settings.cluster_topic)),
        TopicConfig::new(&settings.broker_name, 1, open(settings.broker_topic)),
        TopicConfig::new(OFFSET_MOVED_EVENT, 1, Permission::READ_WRITE),
        TopicConfig::new(SCHEDULE_TOPIC, SCHEDULE_LEVELS, Permission::READ_WRITE),
        TopicConfig::new(reply_topic(&settings.cluster), 1, Permission::READ_WRITE),
    ];
    if settings.auto_create {
        topics.push(TopicConfig::new(AUTO_CREATE_TOPIC, settings.default_queues, Permission::READ_WRITE_INHERIT));
    }
    if let Some(trace_topic) = &settings.trace_topic {
        topics.push(TopicConfig::new(trace_topic, 1, Permission::READ_WRITE));
    }
    if settings.timer_topic {
        topics.push(TopicConfig::new(TIMER_TOPIC, TIMER_QUEUES, Permission::READ_WRITE));
    }
    topics
}

/// Whether a name is every broker's own, whatever its settings are.
#[must_use]
pub fn is_reserved_topic(name: &str) -> bool {
    SYSTEM_TOPICS.contains(&name) || name.starts_with(SYSTEM_TOPIC_PREFIX)
}

/// Whether a name is the broker's own, so that administrators may neither change nor delete the topic.
#[must_use]
pub fn is_system_topic(settings: &TopicSettings, name: &str) -> bool {
    is_reserved_topic(name)
        || name == settings.cluster
        || name == settings.broker_name
        || name == reply_topic(&settings.cluster)
        || settings.trace_topic.as_deref() == Some(name)
}

/// The names that GET_SYSTEM_TOPIC_LIST_FROM_BROKER answers with.
pub fn system_topics(settings: &TopicSettings) -> impl Iterator<Item = String> {
    let configured = [settings.cluster.clone(), settings.broker_name.clone(), reply_topic(&settings.cluster)];
    let timer = settings.timer_topic.then(|| TIMER_TOPIC.to_owned());
    SYSTEM_TOPICS.iter().map(ToString::to_string).chain(configured).chain(settings.trace_topic.clone()).chain(timer)
}
