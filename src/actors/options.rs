//! What a broker and a name server are told by whoever starts them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::arbiters::Layout;
use super::commitlog_actor::FlushPolicy;
use super::preparer::PAGES_AHEAD_BYTES;
use crate::broker::config::{BrokerConfig, FilterSettings, RetentionSettings, TransactionSettings};
use crate::broker::hold::HoldLimits;
use crate::broker::name_servers::AddressServer;
use crate::broker::pull::PullLimits;
use crate::broker::pull::admission::PullRules;
use crate::broker::rules::Rules;
use crate::broker::send::SendRules;
use crate::broker::timer::TimerRules;
use crate::broker::topics::TopicSettings;
use crate::broker::transaction::check::CheckRules;
use crate::namesrv::config::NamesrvConfig;
use crate::protocol::body::topic_config::Permission;
use crate::store::{Appender, FileDisk, MappedAppender, SharedDisk, StagedAppender, StoreOptions};
use crate::time::{SharedClock, SystemClock};

/// Physical memory is taken to be this much where the system does not say.
const MEMORY_BYTES_GUESS: u64 = 8 << 30;
/// `accessMessageInMemoryMaxRatio`: the share of memory that recent messages are taken to be held in.
const MEMORY_PER_CENT: u64 = 40;
/// Queues take one in so many of the file descriptors that there may be,
const OPEN_QUEUES_SHARE: usize = 4;
/// but within these bounds: a process has some 65,000 mappings.
const OPEN_QUEUES_MIN: usize = 64;
const OPEN_QUEUES_MAX: usize = 16_384;
/// A start after a crash walks over so much within a second, mostly.
const FLUSH_QUEUES_EVERY_BYTES: u64 = 256 << 20;
/// Bytes of sends in flight over all connections.
const SEND_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Everything about a broker that its surroundings decide. Change what differs from [`BrokerOptions::at`].
#[derive(Clone)]
pub struct BrokerOptions {
    /// Where it listens; the fast port is two below unless the port is 0.
    pub listen: SocketAddr,
    /// The host that clients are told (`brokerIP1`), an address or a name.
    pub announced_host: String,
    /// Its address, which is part of message ids.
    pub store_ip: IpAddr,
    /// `brokerName`.
    pub broker_name: String,
    /// `brokerClusterName`.
    pub cluster: String,
    /// `brokerId`, 0 for the master.
    pub broker_id: i64,
    /// The name servers, `ip:port` each.
    pub name_servers: Vec<String>,
    /// Who is asked for them when there are none (`fetchNamesrvAddrByAddressServer`).
    pub address_server: Option<AddressServer>,
    /// Where the store lies and how it is laid out.
    pub store: StoreOptions,
    /// When producers are answered.
    pub flush: FlushPolicy,
    /// How often the log is synced under [`FlushPolicy::Async`].
    pub flush_every: Duration,
    /// How often the queues are synced and the checkpoint is written.
    pub flush_queues_every: Duration,
    /// The same when the log has grown by so many bytes since: about what a start after a crash walks over.
    pub flush_queues_every_bytes: u64,
    /// How long a producer waits for a sync before it is told that it came late.
    pub sync_limit: Duration,
    /// The topics that there are from the start, and how others are made.
    pub topics: TopicSettings,
    /// `autoCreateSubscriptionGroup`.
    pub auto_create_group: bool,
    /// `brokerPermission`: whether it may be read.
    pub readable: bool,
    /// `brokerPermission`: whether it may be written to.
    pub writable: bool,
    /// `maxMessageSize`.
    pub message_bytes_max: usize,
    /// `regionId`.
    pub region: String,
    /// `traceOn`.
    pub trace_on: bool,
    /// `startAcceptSendRequestTimeStamp`.
    pub accept_from_ms: i64,
    /// The longest hold of a pull when `longPollingEnable` is off.
    pub short_polling: Option<Duration>,
    /// `slaveReadEnable`.
    pub slave_read: bool,
    /// `notifyConsumerIdsChangedEnable`.
    pub notify_ids_changed: bool,
    /// The bounds of an answer to a pull.
    pub pull_limits: PullLimits,
    /// `waitTimeMillsInSendQueue`; none when `brokerFastFailureEnable` is off.
    pub send_wait: Option<Duration>,
    /// Bytes of sends in flight over all connections before sockets are read no further.
    pub send_bytes_max: usize,
    /// `serverChannelMaxIdleTimeSeconds`.
    pub idle_limit: Duration,
    /// Connections that may be open at once on each port; those beyond are closed as they come.
    pub connections_max: usize,
    /// `flushConsumerOffsetInterval`.
    pub persist_offsets_every: Duration,
    /// `flushDelayOffsetInterval`.
    pub persist_delays_every: Duration,
    /// `storeReplyMessageEnable`.
    pub store_replies: bool,
    /// `defaultQueryMaxNum`.
    pub unique_key_results: i32,
    /// `maxMsgsNumBatch`.
    pub query_results_max: i32,
    /// What the configuration says about filters by properties.
    pub filters: FilterSettings,
    /// What the configuration says about transactions.
    pub transactions: TransactionSettings,
    /// What is removed and when.
    pub retention: RetentionSettings,
    /// `consumerFallbehindThreshold`: groups with more bytes of the log before them are switched off; `None` for never.
    pub behind_bytes_max: Option<u64>,
    /// How often is looked for such groups.
    pub behind_check_every: Duration,
    /// What is asked of delivery times (`timerWheelEnable`, `timerMaxDelaySec`); `None`: their properties mean nothing.
    pub timer: Option<TimerRules>,
    /// How many sends are remembered for topics that store each send once only (`duplicateKeysMax`).
    pub duplicate_keys_max: usize,
    /// `registerNameServerPeriod`.
    pub register_every: Duration,
    /// `registerBrokerTimeoutMills`.
    pub register_limit: Duration,
    /// `compressedRegister`.
    pub compressed_register: bool,
    /// Threads for reads that may have to wait for the disk.
    pub read_threads: usize,
    /// Queues that hold file descriptors and mappings at once; the others open theirs when they are used.
    pub open_queues_max: usize,
    /// Records and keys, some 30 bytes each, that queues and index may be behind by.
    pub dispatch_ahead_max: usize,
    /// Pulls that may wait for messages at once.
    pub hold: HoldLimits,
    /// Which actor runs on which thread.
    pub layout: Layout,
    /// Threads that serve nothing but connections; with none of them the one of log and queues does.
    pub connection_threads: usize,
    /// All configuration keys, for tools that ask for them or change them. Where it says otherwise than the options, those
    /// are right until the key is changed.
    pub config: BrokerConfig,
    /// Where a change of a key is written; without it, it is gone with the broker.
    pub config_file: Option<PathBuf>,
    /// Tells the time.
    pub clock: SharedClock,
    /// How bytes get into the log.
    pub appender: AppenderKind,
    /// Every choice that is left to chance follows from this.
    pub seed: u64,
    /// Where the store lies.
    pub disk: SharedDisk,
}

impl BrokerOptions {
    /// RocketMQ's defaults for a broker on the loopback address, with its store in `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let seconds = Duration::from_secs;
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 10_911),
            announced_host: Ipv4Addr::LOCALHOST.to_string(),
            store_ip: Ipv4Addr::LOCALHOST.into(),
            broker_name: "broker-a".into(),
            cluster: "DefaultCluster".into(),
            broker_id: 0,
            name_servers: Vec::new(),
            address_server: None,
            store: StoreOptions::at(root),
            flush: FlushPolicy::Async,
            flush_every: Duration::from_millis(500),
            flush_queues_every: seconds(60),
            flush_queues_every_bytes: FLUSH_QUEUES_EVERY_BYTES,
            sync_limit: seconds(5),
            topics: TopicSettings::default(),
            auto_create_group: true,
            readable: true,
            writable: true,
            message_bytes_max: 4 << 20,
            region: "DefaultRegion".into(),
            trace_on: true,
            accept_from_ms: 0,
            short_polling: None,
            slave_read: false,
            notify_ids_changed: true,
            pull_limits: PullLimits {
                count_in_memory: 32,
                bytes_in_memory: 256 * 1024,
                count_on_disk: 8,
                bytes_on_disk: 64 * 1024,
                memory_bytes: memory_bytes() * MEMORY_PER_CENT / 100,
            },
            send_wait: Some(Duration::from_millis(2_500)),
            send_bytes_max: SEND_BYTES_MAX,
            idle_limit: seconds(120),
            connections_max: connections_max(),
            persist_offsets_every: seconds(5),
            persist_delays_every: seconds(10),
            store_replies: true,
            unique_key_results: 32,
            query_results_max: 64,
            filters: FilterSettings::default(),
            transactions: TransactionSettings::default(),
            retention: RetentionSettings::default(),
            timer: None,
            duplicate_keys_max: 1_000_000,
            behind_bytes_max: None,
            behind_check_every: seconds(180),
            register_every: seconds(30),
            register_limit: seconds(6),
            compressed_register: false,
            read_threads: 2,
            open_queues_max: open_queues_max(),
            dispatch_ahead_max: 1 << 20,
            hold: HoldLimits::default(),
            layout: Layout::default(),
            connection_threads: 0,
            config: BrokerConfig::default(),
            config_file: None,
            clock: SystemClock::shared(),
            appender: AppenderKind::default(),
            seed: 0,
            disk: Arc::new(FileDisk),
        }
    }

    /// What may change while the broker runs, for one that clients reach at `store_host`.
    pub(super) fn rules(&self, store_host: SocketAddr) -> Rules {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let send = SendRules {
            cluster: self.cluster.clone(),
            store_host,
            message_bytes_max: self.message_bytes_max,
            accept_from_ms: self.accept_from_ms,
            writable: self.writable,
            delay_levels: self.delay_levels(),
            reject_transactions: self.transactions.reject,
            timer: self.timer,
        };
        Rules {
            send: Arc::new(send),
            pull: PullRules {
                readable: self.readable,
                short_polling: self.short_polling,
                slave_read: self.slave_read,
                property_filter: self.filters.enabled,
                filter_retried: self.filters.retried,
            },
            limits: self.pull_limits,
            check: CheckRules {
                timeout_ms: millis(self.transactions.timeout),
                check_max: self.transactions.check_max,
                keep_ms: millis(self.transactions.keep),
            },
            retention: self.retention.rules.clone(),
            topics: self.topics.clone(),
            permission: self.permission(),
            region: self.region.clone(),
            trace_on: self.trace_on,
            auto_create_groups: self.auto_create_group,
            notify_consumers: self.notify_ids_changed,
            store_replies: self.store_replies,
            unique_key_results: self.unique_key_results,
            query_results_max: self.query_results_max,
            send_wait: self.send_wait,
            behind_bytes_max: self.behind_bytes_max,
            register_limit: self.register_limit,
            compressed_register: self.compressed_register,
        }
    }

    /// Whether the bit maps of extensions are made: without extensions nobody would read them.
    pub(super) fn makes_bit_maps(&self) -> bool {
        self.store.queue_ext_enabled && self.filters.bit_maps
    }

    /// How many levels of delay there are.
    pub(super) fn delay_levels(&self) -> u32 {
        self.store.delay_levels_ms.len() as u32
    }

    fn permission(&self) -> Permission {
        let read = if self.readable { Permission::READ.0 } else { 0 };
        let write = if self.writable { Permission::WRITE.0 } else { 0 };
        Permission(read | write)
    }
}

/// How bytes get into the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppenderKind {
    /// Through the mapping: nothing is copied twice, and pages are made ahead of the writer.
    #[default]
    Mapped,
    /// Staged in memory and written once per batch: no page is touched by the writer (`transientStorePoolEnable`).
    Staged,
}

impl AppenderKind {
    pub(super) fn make(self) -> Box<dyn Appender> {
        match self {
            Self::Mapped => Box::new(MappedAppender::default()),
            Self::Staged => Box::new(StagedAppender::default()),
        }
    }

    pub(super) fn pages_ahead(self) -> u64 {
        match self {
            Self::Mapped => PAGES_AHEAD_BYTES,
            Self::Staged => 0,
        }
    }
}

/// Everything about a name server that its surroundings decide.
#[derive(Clone)]
pub struct NamesrvOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its settings.
    pub config: NamesrvConfig,
    /// Where its files lie unless the settings say otherwise.
    pub root: PathBuf,
    /// Which actor runs on which thread.
    pub layout: Layout,
    /// Tells the time.
    pub clock: SharedClock,
    /// Where its files lie.
    pub disk: SharedDisk,
}

impl NamesrvOptions {
    /// A name server on the loopback address, with its files in `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9_876),
            config: NamesrvConfig::default(),
            root: root.into(),
            layout: Layout::default(),
            clock: SystemClock::shared(),
            disk: Arc::new(FileDisk),
        }
    }
}

/// A share of the file descriptors that this process may have.
fn open_queues_max() -> usize {
    (descriptors_max() / OPEN_QUEUES_SHARE).clamp(OPEN_QUEUES_MIN, OPEN_QUEUES_MAX)
}

/// A quarter of them on each port, an eighth at a name server: whoever connects cannot take those of queues and log.
pub(super) fn connections_max() -> usize {
    descriptors_max() / 4
}

/// File descriptors that this process may have.
fn descriptors_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Physical memory of this machine.
#[must_use]
pub fn memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    match info.totalram as u64 * u64::from(info.mem_unit) {
        0 => MEMORY_BYTES_GUESS,
        bytes => bytes,
    }
}
