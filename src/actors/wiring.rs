//! Starts a broker: opens its store, makes the actors in the order of their dependence, opens the ports last.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::Recipient;
use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::arbiters::{Arbiters, supervise_on};
use super::broker::{Broker, Parts, StartError};
use super::broker_actor::{self, BrokerActor, BrokerParts};
use super::builder::{BrokerBuilder, QueueWrap, StateMakers, StorageMakers};
use super::client_actor::{self, ClientParts, ClientPorts, PeerClosed};
use super::commitlog_actor::{AppendBatch, CommitLogParts, FlushPolicy};
use super::dispatch_actor::{DispatchParts, DispatchPorts, QueueFactory};
use super::doorbell::{Bell, Doorbell};
use super::fault::{Faults, notify, start_unbounded};
use super::flush_actor::{FlushParts, FlushPorts, FlushTimes};
use super::group_actor::{self, GroupParts, GroupPorts};
use super::hold_actor::{ConnectionClosed, HoldParts, HoldPorts};
use super::index_actor::{IndexParts, IndexPorts};
use super::late::Late;
use super::lookup_service::{self, LookupService};
use super::offset_actor::{self, OffsetParts, OffsetPorts};
use super::open_queues::OpenQueues;
use super::options::BrokerOptions;
use super::preparer::Preparer;
use super::published::Published;
use super::pull_service::PullService;
use super::queue_actor::{QueueActor, QueuePorts, QueueShared};
use super::queue_directory::Directory;
use super::read_pool::ReadPool;
use super::registration_actor::{Identity, Register, RegistrationParts, RegistrationPorts};
use super::requests::{PATIENCE, Requests, ToActor};
use super::send_reply::SendStyle;
use super::send_service::SendService;
use super::tables::Tables;
use super::topic_actor::{self, TopicParts, TopicPorts};
use crate::broker::clients::SubscriptionTable;
use crate::broker::groups::GroupTable;
use crate::broker::pull::admission::PullRules;
use crate::broker::send::SendRules;
use crate::broker::topics::TopicTable;
use crate::net::budget::Budget;
use crate::net::listener::{ListenOptions, Listener, Server};
use crate::net::peer::Patience;
use crate::net::router::{Lane, Router};
use crate::protocol::codes::request;
use crate::store::{self, CommitLog, Durable, Index, LogFlush, LogView, OpenStore, Queues};

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
    let BrokerBuilder { options, storage, state } = builder;
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
    let OpenStore { lock, log, queues, index, durable, .. } = store;
    let wiring = Wiring { options: &options, arbiters: &arbiters, faults: Faults::default(), address };
    let storage = wiring.storage(storage, Stored { log, queues, index, durable })?;
    let state = wiring.state(state, tables, &storage);
    let router = wiring.router(&storage, &state);
    arbiters.settled().await;
    let mut servers = Vec::new();
    if let Some(listener) = fast_listener {
        servers.push(wiring.serve(listener, router.without(&PULL_CODES)).await?);
    }
    servers.push(wiring.serve(listener, router).await?);
    // Clients that are told of the broker now can reach it, and those that ask for it from now on find it.
    state.registration.register.send(Register).await.map_err(|_| StartError::Interrupted)?;
    let faults = wiring.faults;
    let Storage { append, dispatch, index, flush, log, .. } = storage;
    let State { offsets, registration, .. } = state;
    let parts = Parts { append, dispatch, index, flush, offsets, registration, log, faults };
    Ok(Broker { address, servers, parts, arbiters, lock })
}

/// The parts of an open store but its lock.
struct Stored {
    log: CommitLog,
    queues: Queues,
    index: Option<Index>,
    durable: Durable,
}

/// The path of every message.
struct Storage {
    append: Recipient<AppendBatch>,
    dispatch: DispatchPorts,
    index: Option<IndexPorts>,
    flush: FlushPorts,
    hold: HoldPorts,
    directory: Directory,
    pool: ReadPool,
    log: LogView,
}

/// What is known about topics, groups and clients.
struct State {
    topic: TopicPorts,
    group: GroupPorts,
    offsets: OffsetPorts,
    client: ClientPorts,
    registration: RegistrationPorts,
    broker: Recipient<Requests>,
    topics: Published<TopicTable>,
    groups: Published<GroupTable>,
    subscriptions: Published<SubscriptionTable>,
}

/// A broker that is being made.
struct Wiring<'a> {
    options: &'a BrokerOptions,
    arbiters: &'a Arbiters,
    faults: Faults,
    address: SocketAddr,
}

impl Wiring<'_> {
    fn storage(&self, make: StorageMakers, stored: Stored) -> Result<Storage, StartError> {
        let Stored { log, queues, index, durable } = stored;
        let options = self.options;
        let view = log.view();
        let (doorbell, sync_bell) = (Arc::new(Doorbell::default()), Arc::new(Bell::default()));
        let pool = ReadPool::start(options.read_threads, view.clone()).map_err(StartError::Thread)?;
        let (clock, faults) = (Arc::clone(&options.clock), self.faults.clone());
        let hold = (make.hold)(HoldParts { clock, limits: options.hold, faults }, &self.arbiters.hot);
        // The writer and the one who syncs tell each other things, so one of them is named late.
        let synced = Late::default();
        let flush_parts = FlushParts {
            log: LogFlush::new(view.clone()),
            positions: Arc::clone(view.positions()),
            durable,
            preparation: log.preparation(),
            times: FlushTimes { log_every: options.flush_every, queues_every: options.flush_queues_every },
            synced: synced.clone(),
            sync_bell: Arc::clone(&sync_bell),
            doorbell: Arc::clone(&doorbell),
            faults: self.faults.clone(),
        };
        let flush = (make.flush)(flush_parts, &self.arbiters.flush);
        let index = index.map(|index| {
            let parts = IndexParts { index, dirty: flush.index_dirty.clone(), faults: self.faults.clone() };
            (make.index)(parts, &self.arbiters.rest)
        });
        let directory = Directory::default();
        let dispatch_parts = DispatchParts {
            log: view.clone(),
            queues,
            doorbell: Arc::clone(&doorbell),
            directory: directory.writer(),
            queue_actor: queue_factory(Arc::new(self.queue_shared(&view, &hold, &flush, &pool)), make.queue),
            index: index.as_ref().map(|index| index.keys.clone()),
            ahead_max: options.dispatch_ahead_max,
            delay_levels_ms: options.store.delay_levels_ms.clone(),
            faults: self.faults.clone(),
        };
        let dispatch = (make.dispatch)(dispatch_parts, &self.arbiters.hot);
        doorbell.answered_by(dispatch.clone());
        let commit_log_parts = CommitLogParts {
            preparer: self.preparer(&log)?,
            log,
            clock: Arc::clone(&options.clock),
            policy: options.flush,
            sync_limit: options.sync_limit,
            await_sync: flush.await_sync.clone(),
            sync_bell,
            doorbell,
            faults: self.faults.clone(),
        };
        let commit_log = (make.commit_log)(commit_log_parts, &self.arbiters.hot);
        synced.name(commit_log.synced);
        Ok(Storage { append: commit_log.append, dispatch, index, flush, hold, directory, pool, log: view })
    }

    fn queue_shared(&self, view: &LogView, hold: &HoldPorts, flush: &FlushPorts, pool: &ReadPool) -> QueueShared {
        QueueShared {
            log: view.clone(),
            limits: self.options.pull_limits,
            written_since: view.written(),
            hold: hold.clone(),
            dirty: flush.queue_dirty.clone(),
            pool: pool.clone(),
            clock: Arc::clone(&self.options.clock),
            open: OpenQueues::new(self.options.open_queues_max),
            faults: self.faults.clone(),
        }
    }

    /// Starts the thread that is ahead of the writer.
    fn preparer(&self, log: &CommitLog) -> Result<Preparer, StartError> {
        let (options, written) = (self.options, log.view().written());
        let populator = match options.flush {
            FlushPolicy::Async => log.populator(),
            FlushPolicy::Sync => log.populator().page_by_page(),
        };
        let (segment_bytes, pages_ahead) = (options.store.log_segment_bytes, options.appender.pages_ahead());
        Preparer::start(log.preparation(), populator, written, segment_bytes, pages_ahead).map_err(StartError::Thread)
    }

    fn state(&self, make: StateMakers, tables: Tables, storage: &Storage) -> State {
        let (options, on) = (self.options, &self.arbiters.rest);
        let (topics, published_topics) = Published::new(tables.topics.table());
        let (groups, published_groups) = Published::new(tables.groups.table());
        let (subscriptions, published_subscriptions) = Published::new(SubscriptionTable::default());
        // Topics and registration tell each other things, so one of them is named late.
        let changed = Late::default();
        let topic_parts = TopicParts {
            topics: tables.topics,
            published: published_topics,
            file: tables.topics_file,
            clock: Arc::clone(&options.clock),
            changed: changed.clone(),
            faults: self.faults.clone(),
        };
        let topic = (make.topic)(topic_parts, on);
        let registration_parts = RegistrationParts {
            name_servers: options.name_servers.clone(),
            identity: self.identity(),
            topics: topics.clone(),
            every: options.register_every,
            limit: options.register_limit,
            compressed: options.compressed_register,
            permission: options.permission(),
            apply_order: topic.apply_order.clone(),
            faults: self.faults.clone(),
        };
        let registration = (make.registration)(registration_parts, on);
        changed.name(registration.changed.clone());
        let offset_parts = OffsetParts {
            offsets: tables.offsets,
            file: tables.offsets_file,
            persist_every: options.persist_offsets_every,
            queue_of: storage.dispatch.queue_of.clone(),
            pool: storage.pool.clone(),
            memory_bytes: options.pull_limits.memory_bytes,
            faults: self.faults.clone(),
        };
        let offsets = (make.offset)(offset_parts, on);
        let group_parts = GroupParts {
            groups: tables.groups,
            published: published_groups,
            file: tables.groups_file,
            clock: Arc::clone(&options.clock),
            ensure_topic: topic.ensure.clone(),
            forget_offsets: offsets.forget.clone(),
            faults: self.faults.clone(),
        };
        let group = (make.group)(group_parts, on);
        let client_parts = ClientParts {
            notifies: options.notify_ids_changed,
            subscriptions: published_subscriptions,
            groups: groups.clone(),
            ensure_group: group.ensure.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let client = (make.client)(client_parts, on);
        let broker_parts = BrokerParts {
            properties: options.properties.clone(),
            log: storage.log.clone(),
            topics: topics.clone(),
            clock: Arc::clone(&options.clock),
            faults: self.faults.clone(),
        };
        let broker = supervise_on(on, |_| BrokerActor::new(broker_parts)).recipient();
        State { topic, group, offsets, client, registration, broker, topics, groups, subscriptions }
    }

    /// Which request goes to whom.
    fn router(&self, storage: &Storage, state: &State) -> Router {
        let options = self.options;
        let asked = |lane: Lane| lane.patient(Some(PATIENCE));
        let actor = |requests: &Recipient<Requests>| asked(Lane::to(ToActor(requests.clone())));
        let send_patience = options.send_wait.map_or(PATIENCE, |limit| Patience { limit, ..PATIENCE });
        let sends = Arc::new(self.sends(storage, state));
        let sends = Lane::in_place(move || Box::new(sends.batch())).patient(Some(send_patience));
        let lookups = LookupService {
            broker_name: options.broker_name.as_str().into(),
            topics: state.topics.clone(),
            queue_of: storage.dispatch.queue_of.clone(),
            pool: storage.pool.clone(),
            log: storage.log.clone(),
            permits: lookup_service::permits(),
        };
        let (hold, client) = (storage.hold.connection_closed.clone(), state.client.closed.clone());
        Router::new()
            .route(&client_actor::CODES, actor(&state.client.requests))
            .route(&offset_actor::CODES, actor(&state.offsets.requests))
            .route(&offset_actor::NEVER_BUSY, Lane::to(ToActor(state.offsets.requests.clone())))
            .route(&SEND_CODES, sends.within(Arc::new(Budget::new(options.send_bytes_max))))
            .route(&PULL_CODES, asked(Lane::to(self.pulls(storage, state))))
            .route(&lookup_service::CODES, asked(Lane::to(lookups)))
            .route(&topic_actor::CODES, actor(&state.topic.requests))
            .route(&group_actor::CODES, actor(&state.group.requests))
            .route(&broker_actor::CODES, actor(&state.broker))
            .on_closed(move |peer| {
                notify(&hold, ConnectionClosed { connection: peer.id });
                notify(&client, PeerClosed { connection: peer.id });
            })
    }

    fn sends(&self, storage: &Storage, state: &State) -> SendService {
        let options = self.options;
        let store_host = self.store_host();
        let rules = SendRules {
            cluster: options.cluster.clone(),
            store_host,
            message_bytes_max: options.message_bytes_max,
            accept_from_ms: options.accept_from_ms,
            writable: options.writable,
        };
        SendService {
            rules: Arc::new(rules),
            style: Arc::new(SendStyle::new(store_host, &options.region, options.trace_on)),
            topics: state.topics.clone(),
            append: storage.append.clone(),
            create: state.topic.create.clone(),
            clock: Arc::clone(&options.clock),
            seed: options.seed.into(),
            faults: self.faults.clone(),
        }
    }

    fn pulls(&self, storage: &Storage, state: &State) -> PullService {
        let options = self.options;
        PullService {
            rules: PullRules {
                readable: options.readable,
                short_polling: options.short_polling,
                slave_read: options.slave_read,
            },
            topics: state.topics.clone(),
            groups: state.groups.clone(),
            subscriptions: state.subscriptions.clone(),
            directory: storage.directory.clone(),
            open_queue: storage.dispatch.open_queue.clone(),
            create_group: state.group.create.clone(),
            commit: state.offsets.commit.clone(),
        }
    }

    /// Where clients reach the broker, which is part of message ids.
    fn store_host(&self) -> SocketAddr {
        SocketAddr::new(self.options.store_ip, self.address.port())
    }

    fn identity(&self) -> Identity {
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
        let listen = ListenOptions { connections_max, arbiters, ..ListenOptions::new(Arc::clone(clock), *idle_limit) };
        serve_on(&self.arbiters.hot, listener, router, listen).await
    }
}

/// Makes the actors of queues on the arbiter that the DispatchActor runs on.
fn queue_factory(shared: Arc<QueueShared>, wrap: Option<QueueWrap>) -> QueueFactory {
    Box::new(move |queue| {
        let ports: QueuePorts = start_unbounded(|_| QueueActor::new(queue, Arc::clone(&shared))).into();
        match &wrap {
            Some(wrap) => wrap(ports),
            None => ports,
        }
    })
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
    let opened = actix_rt::task::spawn_blocking(move || {
        store::open_with(disk, store_options, appender, &mut |progress| tracing::info!("recovery: {progress:?}"))
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
