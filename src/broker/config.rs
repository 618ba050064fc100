//! The broker's configuration: every key of RocketMQ's properties file as one immutable, typed value.
//!
//! A [`BrokerConfig`] is made from [`Settings`] (tables in `broker_keys.rs`, `store_keys.rs` and `own_keys.rs`) and passed
//! around; a change at run time is a new value ([`BrokerConfig::updated`]), never a setter. The settings it was made from
//! travel with it, because tools ask for all keys, also for those without effect here.
//!
//! Not here: files, flags and the environment, which `cli` brings together, and the addresses to bind, which belong
//! to the process and not to the file.

mod broker_keys;
mod delay_levels;
mod messages;
mod own_keys;
mod retention;
mod store_keys;
#[cfg(test)]
mod tests;
mod update;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::name_servers::{self, AddressServer};
use super::pull::PullLimits;
use super::timer::TimerRules;
use super::topics::TopicSettings;
use crate::properties_file::server_keys::{CLIENT_KEYS, SERVER_KEYS};
use crate::properties_file::{Origin, Settings, SettingsError};
use crate::protocol::body::topic_config::Permission;
use crate::store::layout::StoreOptions;

pub use broker_keys::BROKER_KEYS;
pub use messages::{FilterSettings, TransactionSettings};
pub use own_keys::OWN_KEYS;
pub use retention::{RetentionSettings, RetentionTimes};
pub use store_keys::STORE_KEYS;
pub use update::ConfigUpdate;

/// The port of a broker unless told otherwise.
pub const BROKER_PORT: u16 = 10_911;

/// Everything that a broker is told before it starts; the names of the keys stand beside the fields.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// `brokerName`: of the set of a master and its slaves.
    pub name: String,
    /// `brokerClusterName`.
    pub cluster: String,
    /// `brokerId`; 0, the master's, in this version.
    pub id: i64,
    /// `listenPort`; 0 lets the system choose, for tests.
    pub listen_port: u16,
    /// `brokerIP1`: the host announced to clients, an address or a name.
    pub announced_host: String,
    /// The address of `brokerIP1`: store host of records, so part of message ids.
    pub store_ip: IpAddr,
    /// `namesrvAddr`: `host:port` of each name server.
    pub name_servers: Vec<String>,
    /// `fetchNamesrvAddrByAddressServer`: who is asked for them instead.
    pub address_server: Option<AddressServer>,
    /// `regionId`: MSG_REGION of replies to sends.
    pub region: String,
    /// `traceOn`: TRACE_ON of replies to sends.
    pub trace_on: bool,
    /// `brokerPermission`: what may be done with the broker as a whole.
    pub permission: Permission,
    /// `autoCreateSubscriptionGroup`: an unknown group is made when it is first used.
    pub auto_create_groups: bool,
    /// `notifyConsumerIdsChangedEnable`: members of a group are told when one comes or goes.
    pub notify_consumers: bool,
    /// `slaveReadEnable`: a pull's answer may name another broker id to pull from.
    pub slave_read: bool,
    /// `startAcceptSendRequestTimeStamp`: sends before this time are refused, in ms since the epoch.
    pub accept_sends_from_ms: i64,
    /// `maxMessageSize`: greatest body in bytes.
    pub message_bytes_max: usize,
    /// `storeReplyMessageEnable`: replies of request-reply are stored as well.
    pub store_replies: bool,
    /// `defaultQueryMaxNum`: results of a query by the id that a producer gave.
    pub unique_key_results: i32,
    /// `maxMsgsNumBatch`: results of any query by key.
    pub query_results_max: i32,
    /// The topics that there are from the start and how others are made.
    pub topics: TopicSettings,
    /// How the store is laid out.
    pub store: StoreOptions,
    /// When what is written is on disk.
    pub flush: FlushSettings,
    /// Filters by properties.
    pub filters: FilterSettings,
    /// Transactions.
    pub transactions: TransactionSettings,
    /// What is removed and when.
    pub retention: RetentionSettings,
    /// `consumerFallbehindThreshold`, with `disableConsumeIfConsumerReadSlowly`: groups further behind are switched off.
    pub behind_bytes_max: Option<u64>,
    /// `timerWheelEnable` and `timerMaxDelaySec`: messages may have a delivery time of their own.
    pub timer: Option<TimerRules>,
    /// `duplicateKeysMax`: how many sends are remembered for topics that store each send once only.
    pub duplicate_keys_max: usize,
    /// Pulls that find nothing.
    pub polling: PollingSettings,
    /// How long requests may wait to be served.
    pub waits: WaitLimits,
    /// Registration with the name servers.
    pub registration: RegistrationSettings,
    /// `serverChannelMaxIdleTimeSeconds`: a connection that is silent for so long is closed.
    pub idle_limit: Duration,
    /// What a pull may return; [`PullLimits::memory_bytes`] is for [`BrokerConfig::pull_limits`] to fill in.
    pulls: PullSettings,
    settings: Arc<Settings>,
}

/// When what is written is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushSettings {
    /// `flushDiskType=SYNC_FLUSH`: a send is answered when it is on disk.
    pub sync: bool,
    /// `syncFlushTimeout`: the longest such an answer waits.
    pub sync_timeout: Duration,
    /// `flushIntervalCommitLog`: between two flushes of the log under ASYNC_FLUSH.
    pub log_interval: Duration,
    /// `transientStorePoolEnable`, which means something under ASYNC_FLUSH only: records are collected in memory and written with
    /// one call, before they are acknowledged.
    pub staged: bool,
    /// `flushConsumeQueueThoroughInterval`: after which all queues and the checkpoint are flushed.
    pub checkpoint_interval: Duration,
    /// `flushConsumerOffsetInterval`: between two writes of consumerOffset.json.
    pub offsets_interval: Duration,
    /// `flushDelayOffsetInterval`: between two writes of delayOffset.json.
    pub delay_offsets_interval: Duration,
}

/// Pulls that find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollingSettings {
    /// `longPollingEnable`: they are held for as long as the client says.
    pub long: bool,
    /// `shortPollingTimeMills`: how long they are held otherwise.
    pub short_hold: Duration,
}

impl PollingSettings {
    /// The longest hold, unless a client may be held for as long as it says.
    #[must_use]
    pub fn short_polling(&self) -> Option<Duration> {
        (!self.long).then_some(self.short_hold)
    }
}

/// How long requests may wait to be served; later they are answered with SYSTEM_BUSY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitLimits {
    /// `brokerFastFailureEnable`: whether there is any limit.
    pub enabled: bool,
    /// `waitTimeMillsInSendQueue`.
    pub send: Duration,
}

impl WaitLimits {
    /// How long a send may wait, if that is limited.
    #[must_use]
    pub fn send_wait(&self) -> Option<Duration> {
        self.enabled.then_some(self.send)
    }
}

/// Registration with the name servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationSettings {
    /// `registerNameServerPeriod`, kept within 10 and 60 seconds.
    pub period: Duration,
    /// `registerBrokerTimeoutMills`: the longest that one name server is waited for.
    pub timeout: Duration,
    /// `compressedRegister`: the topic table travels compressed.
    pub compressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PullSettings {
    count_in_memory: u32,
    bytes_in_memory: u64,
    count_on_disk: u32,
    bytes_on_disk: u64,
    memory_percent: u64,
}

impl Default for BrokerConfig {
    /// Every key at its default: a broker on 127.0.0.1 with its store in `./store` and no name server.
    fn default() -> Self {
        Self::from_settings(Self::settings_at_default(), |host| host.parse().ok())
            .expect("a test makes this very value")
    }
}

impl BrokerConfig {
    /// Every key that a broker's file may contain, at its default.
    #[must_use]
    pub fn settings_at_default() -> Settings {
        let mut settings = Settings::new(&[BROKER_KEYS, STORE_KEYS, OWN_KEYS, SERVER_KEYS, CLIENT_KEYS]);
        settings
            .set(Origin::Default, "default", "listenPort", &BROKER_PORT.to_string())
            .expect("the port is within the bounds of its key");
        settings
    }

    /// Reads the settings into types, and checks what the type of a single key cannot say. `resolve` tells the address
    /// of `brokerIP1`, which may be a name; asking the network is not done here.
    ///
    /// # Errors
    /// A value that is well formed and means nothing: a delay level without unit, a name server without port, a
    /// `brokerIP1` that is no address and no name that resolves.
    pub fn from_settings(
        settings: Settings,
        resolve: impl FnOnce(&str) -> Option<IpAddr>,
    ) -> Result<Self, SettingsError> {
        let announced_host = settings.text("brokerIP1").to_owned();
        Ok(Self {
            name: not_empty(&settings, "brokerName")?,
            cluster: not_empty(&settings, "brokerClusterName")?,
            // A master's id is 0 whatever the file says, as in RocketMQ, and there are only masters.
            id: 0,
            listen_port: settings.number("listenPort"),
            store_ip: resolve(&announced_host)
                .ok_or_else(|| settings.wrong("brokerIP1", "an IP address or a host name that resolves"))?,
            announced_host,
            name_servers: name_servers(&settings)?,
            address_server: address_server(&settings)?,
            region: settings.text("regionId").into(),
            trace_on: settings.switch("traceOn"),
            permission: Permission(settings.number("brokerPermission")),
            auto_create_groups: settings.switch("autoCreateSubscriptionGroup"),
            notify_consumers: settings.switch("notifyConsumerIdsChangedEnable"),
            slave_read: settings.switch("slaveReadEnable"),
            accept_sends_from_ms: settings.number("startAcceptSendRequestTimeStamp"),
            message_bytes_max: settings.number("maxMessageSize"),
            store_replies: settings.switch("storeReplyMessageEnable"),
            unique_key_results: settings.number("defaultQueryMaxNum"),
            query_results_max: settings.number("maxMsgsNumBatch"),
            topics: topics(&settings),
            store: store(&settings)?,
            flush: flush(&settings),
            filters: messages::filters(&settings)?,
            transactions: messages::transactions(&settings),
            retention: retention::retention(&settings)?,
            timer: messages::timer(&settings),
            duplicate_keys_max: settings.number("duplicateKeysMax"),
            behind_bytes_max: settings
                .switch("disableConsumeIfConsumerReadSlowly")
                .then(|| settings.number("consumerFallbehindThreshold")),
            polling: PollingSettings {
                long: settings.switch("longPollingEnable"),
                short_hold: settings.millis("shortPollingTimeMills"),
            },
            waits: waits(&settings),
            registration: registration(&settings),
            idle_limit: Duration::from_secs(settings.number("serverChannelMaxIdleTimeSeconds")),
            pulls: pulls(&settings),
            settings: Arc::new(settings),
        })
    }

    /// Where the store of such settings lies and how it is laid out: all that is to be known of it where no broker runs.
    ///
    /// # Errors
    /// A delay level without unit.
    pub fn store_options(settings: &Settings) -> Result<StoreOptions, SettingsError> {
        store(settings)
    }

    /// How messages are filtered with such settings.
    ///
    /// # Errors
    /// Bit maps that would be too long.
    pub fn filter_settings(settings: &Settings) -> Result<FilterSettings, SettingsError> {
        messages::filters(settings)
    }

    /// The configuration after UPDATE_BROKER_CONFIG with this properties text. Keys that are read at the start only
    /// are refused by name; RocketMQ takes them and goes on as before until it is restarted.
    ///
    /// # Errors
    /// The text is no properties text, or its values contradict each other; nothing is changed then.
    pub fn updated(&self, properties: &[u8]) -> Result<ConfigUpdate, SettingsError> {
        let update = self.settings.update(properties)?;
        Ok(ConfigUpdate {
            config: Self::from_settings(update.settings, |_| Some(self.store_ip))?,
            changed: update.changed,
            refused: update.refused,
        })
    }

    /// All keys with their values: body of GET_BROKER_CONFIG, what `-p` prints and what is written to the file.
    #[must_use]
    pub fn to_properties(&self) -> String {
        self.settings.render()
    }

    /// The keys that RocketMQ calls important: what `-m` prints.
    #[must_use]
    pub fn to_important_properties(&self) -> String {
        self.settings.render_important()
    }

    /// `host:port` as clients and name servers are told, for a broker that listens on `port`.
    #[must_use]
    pub fn announced_address(&self, port: u16) -> String {
        format!("{}:{port}", self.announced_host)
    }

    /// What a pull may return, on a machine with so much physical memory.
    #[must_use]
    pub fn pull_limits(&self, physical_memory_bytes: u64) -> PullLimits {
        PullLimits {
            count_in_memory: self.pulls.count_in_memory,
            bytes_in_memory: self.pulls.bytes_in_memory,
            count_on_disk: self.pulls.count_on_disk,
            bytes_on_disk: self.pulls.bytes_on_disk,
            memory_bytes: physical_memory_bytes / 100 * self.pulls.memory_percent,
        }
    }
}

fn not_empty(settings: &Settings, key: &str) -> Result<String, SettingsError> {
    settings.optional_text(key).map(Into::into).ok_or_else(|| settings.wrong(key, "a name"))
}

fn name_servers(settings: &Settings) -> Result<Vec<String>, SettingsError> {
    let listed = name_servers::listed(settings.text("namesrvAddr"));
    listed.map_err(|_| settings.wrong("namesrvAddr", "host:port;host:port"))
}

/// Who names the name servers where the operator does not.
fn address_server(settings: &Settings) -> Result<Option<AddressServer>, SettingsError> {
    let is_part = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let domain = settings.text("rmqAddressServerDomain");
    if !is_part(domain) || domain.contains('/') {
        return Err(settings.wrong("rmqAddressServerDomain", "a host, or host:port"));
    }
    let sub_group = settings.text("rmqAddressServerSubGroup");
    if !is_part(sub_group) {
        return Err(settings.wrong("rmqAddressServerSubGroup", "the last part of a URL"));
    }
    let asks = settings.switch("fetchNamesrvAddrByAddressServer") && settings.optional_text("namesrvAddr").is_none();
    Ok(asks.then(|| AddressServer::at(domain, sub_group)))
}

fn topics(settings: &Settings) -> TopicSettings {
    TopicSettings {
        cluster: settings.text("brokerClusterName").into(),
        broker_name: settings.text("brokerName").into(),
        auto_create: settings.switch("autoCreateTopicEnable"),
        default_queues: settings.number("defaultTopicQueueNums"),
        cluster_topic: settings.switch("clusterTopicEnable"),
        broker_topic: settings.switch("brokerTopicEnable"),
        trace_topic: settings.switch("traceTopicEnable").then(|| settings.text("msgTraceTopicName").into()),
        ..TopicSettings::default()
    }
}

fn store(settings: &Settings) -> Result<StoreOptions, SettingsError> {
    let directories = settings.text("storePathCommitLog").split(',').map(str::trim).filter(|path| !path.is_empty());
    Ok(StoreOptions {
        root: PathBuf::from(settings.text("storePathRootDir")),
        log_dirs: directories.map(PathBuf::from).collect(),
        log_segment_bytes: settings.number("mappedFileSizeCommitLog"),
        queue_file_bytes: settings.number("mappedFileSizeConsumeQueue"),
        queue_ext_enabled: settings.switch("enableConsumeQueueExt"),
        queue_ext_file_bytes: settings.number("mappedFileSizeConsumeQueueExt"),
        index_slots: settings.number("maxHashSlotNum"),
        index_entries: settings.number("maxIndexNum"),
        index_enabled: settings.switch("messageIndexEnable"),
        check_crc: settings.switch("checkCRCOnRecover"),
        delay_levels_ms: delay_levels::parse(settings.text("messageDelayLevel"))
            .ok_or_else(|| settings.wrong("messageDelayLevel", "times such as \"1s 5m 2h\", apart by blanks"))?,
    })
}

fn flush(settings: &Settings) -> FlushSettings {
    let sync = settings.text("flushDiskType") == "SYNC_FLUSH";
    FlushSettings {
        sync,
        staged: settings.switch("transientStorePoolEnable") && !sync,
        sync_timeout: settings.millis("syncFlushTimeout"),
        log_interval: settings.millis("flushIntervalCommitLog"),
        checkpoint_interval: settings.millis("flushConsumeQueueThoroughInterval"),
        offsets_interval: settings.millis("flushConsumerOffsetInterval"),
        delay_offsets_interval: settings.millis("flushDelayOffsetInterval"),
    }
}

fn waits(settings: &Settings) -> WaitLimits {
    WaitLimits {
        enabled: settings.switch("brokerFastFailureEnable"),
        send: settings.millis("waitTimeMillsInSendQueue"),
    }
}

fn registration(settings: &Settings) -> RegistrationSettings {
    const PERIOD_MIN: Duration = Duration::from_secs(10);
    const PERIOD_MAX: Duration = Duration::from_secs(60);
    RegistrationSettings {
        period: settings.millis("registerNameServerPeriod").clamp(PERIOD_MIN, PERIOD_MAX),
        timeout: settings.millis("registerBrokerTimeoutMills"),
        compressed: settings.switch("compressedRegister"),
    }
}

fn pulls(settings: &Settings) -> PullSettings {
    PullSettings {
        count_in_memory: settings.number("maxTransferCountOnMessageInMemory"),
        bytes_in_memory: settings.number("maxTransferBytesOnMessageInMemory"),
        count_on_disk: settings.number("maxTransferCountOnMessageInDisk"),
        bytes_on_disk: settings.number("maxTransferBytesOnMessageInDisk"),
        memory_percent: settings.number("accessMessageInMemoryMaxRatio"),
    }
}
