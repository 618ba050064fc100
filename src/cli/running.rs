//! Runs servers until they are told to stop: SIGTERM, Ctrl-C, or a fault that ends the broker.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::serve::{BrokerStart, NamesrvStart, StandaloneStart, Wording, local};
use super::{machine, print};
use crate::actors::broker::Broker;
use crate::actors::commitlog_actor::FlushPolicy;
use crate::actors::namesrv::Namesrv;
use crate::actors::options::{AppenderKind, BrokerOptions, NamesrvOptions, memory_bytes};

/// Runs a name server and a broker that is registered with it.
pub(super) fn standalone(start: StandaloneStart) -> anyhow::Result<()> {
    on_a_system(async move {
        let StandaloneStart { namesrv, mut broker } = start;
        let mut stop = Stop::listen()?;
        let namesrv = Namesrv::builder(namesrv_options(namesrv)).start().await?;
        // With port 0 the address is known only now.
        broker.config.name_servers = vec![local(namesrv.address()).to_string()];
        let config = broker.config.clone();
        let broker = Broker::builder(broker_options(broker)).start().await?;
        print(&Wording::standalone_ready(namesrv.address(), &config, broker.address().port()))?;
        let ended = stop.wait_for(&broker).await;
        let stopped = broker.stop().await;
        namesrv.stop().await;
        ended?;
        Ok(stopped?)
    })
}

/// Runs a name server.
pub(super) fn namesrv(start: NamesrvStart, wording: Wording) -> anyhow::Result<()> {
    on_a_system(async move {
        let mut stop = Stop::listen()?;
        let namesrv = Namesrv::builder(namesrv_options(start)).start().await?;
        print(&wording.namesrv_ready(namesrv.address()))?;
        stop.asked().await;
        namesrv.stop().await;
        Ok(())
    })
}

/// Runs a broker.
pub(super) fn broker(start: BrokerStart, wording: Wording) -> anyhow::Result<()> {
    on_a_system(async move {
        let mut stop = Stop::listen()?;
        let config = start.config.clone();
        let broker = Broker::builder(broker_options(start)).start().await?;
        print(&wording.broker_ready(&config, broker.address().port()))?;
        let ended = stop.wait_for(&broker).await;
        let stopped = broker.stop().await;
        ended?;
        Ok(stopped?)
    })
}

fn on_a_system(serve: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    machine::raise_descriptor_limit();
    machine::make_room_for_descriptors();
    actix::System::new().block_on(serve)
}

/// What asks a process to stop.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    /// Listens from now on: a signal that comes during a start is not lost, nor does it cut the start short.
    fn listen() -> anyhow::Result<Self> {
        let to = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self { terminate: to(SignalKind::terminate())?, interrupt: to(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for a signal, or for the broker to end by itself, which is an error.
    async fn wait_for(&mut self, broker: &Broker) -> anyhow::Result<()> {
        tokio::select! {
            () = self.asked() => Ok(()),
            terminal = broker.ended() => Err(terminal.into()),
        }
    }
}

fn namesrv_options(start: NamesrvStart) -> NamesrvOptions {
    let NamesrvStart { bind, config, data_dir } = start;
    NamesrvOptions { listen: bind, config, ..NamesrvOptions::at(data_dir) }
}

fn broker_options(start: BrokerStart) -> BrokerOptions {
    let BrokerStart { bind, config, config_file, connection_threads } = start;
    let defaults = BrokerOptions::at(config.store.root.clone());
    BrokerOptions {
        listen: bind,
        announced_host: config.announced_host.clone(),
        store_ip: config.store_ip,
        broker_name: config.name.clone(),
        cluster: config.cluster.clone(),
        broker_id: config.id,
        name_servers: config.name_servers.clone(),
        address_server: config.address_server.clone(),
        store: config.store.clone(),
        flush: if config.flush.sync { FlushPolicy::Sync } else { FlushPolicy::Async },
        appender: if config.flush.staged { AppenderKind::Staged } else { AppenderKind::Mapped },
        flush_every: config.flush.log_interval,
        flush_queues_every: config.flush.checkpoint_interval,
        sync_limit: config.flush.sync_timeout,
        topics: config.topics.clone(),
        auto_create_group: config.auto_create_groups,
        readable: config.permission.readable(),
        writable: config.permission.writable(),
        message_bytes_max: config.message_bytes_max,
        region: config.region.clone(),
        trace_on: config.trace_on,
        accept_from_ms: config.accept_sends_from_ms,
        short_polling: config.polling.short_polling(),
        slave_read: config.slave_read,
        notify_ids_changed: config.notify_consumers,
        pull_limits: config.pull_limits(memory_bytes()),
        send_wait: config.waits.send_wait(),
        idle_limit: config.idle_limit,
        persist_offsets_every: config.flush.offsets_interval,
        persist_delays_every: config.flush.delay_offsets_interval,
        filters: config.filters,
        transactions: config.transactions,
        retention: config.retention.clone(),
        timer: config.timer,
        duplicate_keys_max: config.duplicate_keys_max,
        behind_bytes_max: config.behind_bytes_max,
        store_replies: config.store_replies,
        unique_key_results: config.unique_key_results,
        query_results_max: config.query_results_max,
        register_every: config.registration.period,
        register_limit: config.registration.timeout,
        compressed_register: config.registration.compressed,
        config,
        config_file,
        connection_threads,
        seed: fastrand::u64(..),
        ..defaults
    }
}
