//! Starts a broker: opens its store, makes the actors in the order of their dependence, opens the ports last.

mod aside;
mod recent;
mod routes;
mod state;
mod storage;

use std::net::SocketAddr;
use std::sync::Arc;

use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::arbiters::Arbiters;
use super::broker::{Broker, Parts, StartError};
use super::builder::BrokerBuilder;
use super::client_actor::ClientPorts;
use super::commitlog_actor::CommitLogPorts;
use super::delay_offset_actor::DelayOffsetPorts;
use super::dispatch_actor::DispatchPorts;
use super::dispatch_cleaning::FilesTurn;
use super::extensions::Extensions;
use super::fault::Faults;
use super::filter_actor::FilterPorts;
use super::flush_actor::FlushPorts;
use super::group_actor::GroupPorts;
use super::hold_actor::HoldPorts;
use super::hooks::Hooks;
use super::index_actor::IndexPorts;
use super::live::Live;
use super::offset_actor::OffsetPorts;
use super::options::BrokerOptions;
use super::published::Published;
use super::queue_directory::Directory;
use super::queue_lock_actor::QueueLockPorts;
use super::read_pool::ReadPool;
use super::recovery_lines::RecoveryLines;
use super::registration_actor::{Identity, Register, RegistrationPorts};
use super::requests::PATIENCE;
use super::retention_actor::RetentionPorts;
use super::schedule_actor::SchedulePorts;
use super::slow_group_actor::SlowGroupPorts;
use super::stats_actor::StatsPorts;
use super::tables::{self, Tables};
use super::timer_actor::TimerPorts;
use super::topic_actor::TopicPorts;
use super::transaction_actor::TransactionPorts;
use crate::broker::clients::SubscriptionTable;
use crate::broker::duplicates::{DuplicateFigures, RecentSends};
use crate::broker::filter::ConsumerFilters;
use crate::broker::groups::GroupTable;
use crate::broker::topics::TopicTable;
use crate::net::listener::{ListenOptions, Listener, Server};
use crate::net::router::Router;
use crate::net::terms::SharedLimit;
use crate::protocol::codes::request;
use crate::protocol::refusal::Refusal;
use crate::store::{self, CommitLog, DeletedTopics, Durable, Index, LogView, OpenStore, Queues};

/// Codes that store messages.
const SEND_CODES: [i32; 3] = [request::SEND_MESSAGE, request::SEND_MESSAGE_V2, request::SEND_BATCH_MESSAGE];
/// Codes that ask for messages: lite consumers of 5.x have one of their own for the same request.
const PULL_CODES: [i32; 2] = [request::PULL_MESSAGE, request::LITE_PULL_MESSAGE];
/// The port that slaves replicate from lies this far above the port.
const HA_PORT_DISTANCE: u16 = 1;
/// The fast port lies this far below the port.
const FAST_PORT_DISTANCE: u16 = 2;

/// Starts the broker that a builder describes.
pub(super) async fn start(builder: BrokerBuilder, arbiters: Arbiters) -> Result<Broker, StartError> {
    let BrokerBuilder { options, storage, state, aside, hooks } = builder;
    let (listener, fast_listener) = bind(options.listen)?;
    let address = listener.local();
    let store = open_store(&options).await?;
    let tables = match Tables::load(&options) {
        Ok(tables) => tables,
        Err(error) => {
            // Nothing was written, so the store is left as clean as it was found; a failure here matters less.
            drop(store.close());
            return Err(error);
        }
    };
    let recent =
        recent::recent_sends(&options, tables.state.topics.table(), store.log.view(), store.deleted.clone()).await?;
    let OpenStore { lock, log, queues, index, durable, deleted, .. } = store;
    let rules = options.rules(SocketAddr::new(options.store_ip, address.port()));
    let send_limit = SharedLimit::new(rules.send_wait.unwrap_or(PATIENCE.limit));
    let (live, publisher) = Published::new(Live::new(rules));
    let (full, publish_full) = Published::new(None);
    let wiring = Wiring {
        options: &options,
        arbiters: &arbiters,
        hooks,
        faults: Faults::default(),
        address,
        live,
        send_limit,
        full,
        files: FilesTurn::default(),
    };
    let Tables { state: state_tables, delays, timer } = tables;
    let (filters, publish_filters) = Published::new(state_tables.filters.clone());
    let extensions = wiring.extensions(&filters);
    let storage = wiring.storage(storage, Stored { log, recent, queues, index, durable, deleted, extensions })?;
    let state = wiring.state(state, state_tables, &storage, (filters, publish_filters));
    let aside = wiring.aside(aside, (delays, timer), publish_full, &storage, &state);
    let broker = wiring.broker(publisher, &storage, &state, &aside);
    let router = wiring.router(&storage, &state, &aside, &broker);
    arbiters.settled().await;
    let mut servers = Vec::new();
    if let Some(listener) = fast_listener {
        servers.push(wiring.serve(listener, router.without(&PULL_CODES)).await?);
    }
    servers.push(wiring.serve(listener, router).await?);
    // Clients that are told of the broker now can reach it, and those that ask for it from now on find it.
    state.registration.register.send(Register).await.map_err(|_| StartError::Interrupted)?;
    let faults = wiring.faults;
    let Storage { commit_log, dispatch, index, flush, log, .. } = storage;
    let State { offsets, registration, filter, slow_groups, .. } = state;
    let Aside { delay_offsets, levels, transactions, timer, retention } = aside;
    let parts = Parts {
        commit_log,
        dispatch,
        index,
        flush,
        offsets,
        registration,
        filter,
        delay_offsets,
        _levels: levels,
        slow_groups,
        transactions,
        timer,
        retention,
        log,
        faults,
    };
    Ok(Broker { address, servers, parts, arbiters, lock })
}

/// The parts of an open store but its lock.
struct Stored {
    log: CommitLog,
    recent: RecentSends,
    queues: Queues,
    index: Option<Index>,
    durable: Durable,
    deleted: DeletedTopics,
    extensions: Option<Extensions>,
}

/// The path of every message.
struct Storage {
    commit_log: CommitLogPorts,
    dispatch: DispatchPorts,
    index: Option<IndexPorts>,
    flush: FlushPorts,
    hold: HoldPorts,
    directory: Directory,
    pools: Pools,
    log: LogView,
    stats: StatsPorts,
    deleted: DeletedTopics,
    duplicates: Arc<DuplicateFigures>,
}

/// Threads that may wait for the disk.
struct Pools {
    /// Read what is delivered.
    deliver: ReadPool,
    /// Look things up, which may take long: a question may walk millions of index entries.
    questions: ReadPool,
}

/// What is known about topics, groups and clients.
struct State {
    topic: TopicPorts,
    group: GroupPorts,
    offsets: OffsetPorts,
    client: ClientPorts,
    registration: RegistrationPorts,
    queue_lock: QueueLockPorts,
    filter: FilterPorts,
    slow_groups: SlowGroupPorts,
    topics: Published<TopicTable>,
    groups: Published<GroupTable>,
    subscriptions: Published<SubscriptionTable>,
    filters: Published<ConsumerFilters>,
}

/// What brings messages on that were stored elsewhere first.
struct Aside {
    delay_offsets: DelayOffsetPorts,
    levels: Vec<SchedulePorts>,
    transactions: TransactionPorts,
    timer: Option<TimerPorts>,
    retention: RetentionPorts,
}

/// A broker that is being made.
struct Wiring<'a> {
    options: &'a BrokerOptions,
    arbiters: &'a Arbiters,
    hooks: Hooks,
    faults: Faults,
    address: SocketAddr,
    /// What may change while it runs.
    live: Published<Live>,
    /// How long a send may wait, for those who hold them to it.
    send_limit: SharedLimit,
    /// Why nothing is taken, while the disk is too full.
    full: Published<Option<Refusal>>,
    /// Held by whoever removes files of queues.
    files: FilesTurn,
}

impl Wiring<'_> {
    /// Where clients reach the broker, which is part of message ids.
    pub(super) fn store_host(&self) -> SocketAddr {
        SocketAddr::new(self.options.store_ip, self.address.port())
    }

    pub(super) fn identity(&self) -> Identity {
        let ha_port = self.address.port().saturating_add(HA_PORT_DISTANCE);
        Identity {
            broker_name: self.options.broker_name.clone(),
            cluster: self.options.cluster.clone(),
            broker_id: self.options.broker_id,
            address: format!("{}:{}", self.options.announced_host, self.address.port()),
            ha_address: format!("{}:{ha_port}", self.options.announced_host),
        }
    }

    async fn serve(&self, listener: Listener, router: Router) -> Result<Server, StartError> {
        let BrokerOptions { clock, idle_limit, connections_max, .. } = self.options;
        let (connections_max, arbiters) = (*connections_max, self.arbiters.connections.clone());
        let stall_limit = self.options.retention.stall_limit;
        let usual = ListenOptions::new(Arc::clone(clock), *idle_limit);
        let listen = ListenOptions { connections_max, arbiters, stall_limit, ..usual };
        serve_on(&self.arbiters.hot, listener, router, listen).await
    }
}

/// Binds the port and the fast port, which a port chosen by the system has only if it is free.
fn bind(listen: SocketAddr) -> Result<(Listener, Option<Listener>), StartError> {
    let at = |address| Listener::bind(address).map_err(|source| StartError::Listen { address, source });
    let listener = at(listen)?;
    let fast_port = listener.local().port().checked_sub(FAST_PORT_DISTANCE).filter(|port| *port > 0);
    let fast = fast_port.map(|port| at(SocketAddr::new(listen.ip(), port)));
    match fast {
        Some(Err(_)) if listen.port() == 0 => Ok((listener, None)),
        Some(Err(error)) => Err(error),
        Some(Ok(fast)) => Ok((listener, Some(fast))),
        None => Ok((listener, None)),
    }
}

/// Recovery reads and writes files for as long as it takes, so it has a thread of its own.
async fn open_store(options: &BrokerOptions) -> Result<OpenStore, StartError> {
    let (disk, store_options) = (Arc::clone(&options.disk), options.store.clone());
    let appender = options.appender.make();
    let bit_maps = if options.makes_bit_maps() { tables::bit_maps_at_start(options)? } else { None };
    let mut lines = RecoveryLines::new(Arc::clone(&options.clock));
    let opened = actix_rt::task::spawn_blocking(move || {
        let mut progress = |progress| {
            if let Some(line) = lines.line(progress) {
                tracing::info!("{line}");
            }
        };
        store::open_with(disk, store_options, appender, bit_maps, &mut progress)
    });
    let store = opened.await.map_err(|_| StartError::Interrupted)??;
    let report = &store.report;
    report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    for damaged in &report.damaged {
        tracing::error!(?damaged, "a stored message is damaged; pulls pass over it");
    }
    if report.unclean {
        let (from, end) = (report.walked_from, report.log_end);
        tracing::warn!(%from, %end, torn = ?report.torn, entries = report.entries_added, "recovered after an unclean stop");
    }
    Ok(store)
}

/// Serves a port from an arbiter: a socket belongs to the thread that polls it.
pub(super) async fn serve_on(
    arbiter: &ArbiterHandle,
    listener: Listener,
    router: Router,
    options: ListenOptions,
) -> Result<Server, StartError> {
    let address = listener.local();
    let (tell, told) = oneshot::channel();
    arbiter.spawn_fn(move || {
        // Who waits for this may have given up; then the server is dropped, and with it nothing is served.
        let _ = tell.send(listener.serve(router, options));
    });
    let served = told.await.map_err(|_| StartError::Interrupted)?;
    served.map_err(|source| StartError::Listen { address, source })
}
