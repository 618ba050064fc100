//! A name server as a library: its actor, its port, and how it stops.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::ArbiterHandle;

use super::arbiters::{Arbiters, supervise_on};
use super::broker::StartError;
use super::builder::Make;
use super::client_actor::PeerClosed;
use super::config_writer::ConfigWriter;
use super::fault::{Faults, notify};
use super::namesrv_actor::{self, NamesrvActor, NamesrvParts, NamesrvPorts};
use super::options::{NamesrvOptions, connections_max};
use super::requests::{self, ToActor};
use super::wiring::serve_on;
use crate::namesrv::kv_config::KvConfig;
use crate::net::listener::{ListenOptions, Listener, Server};
use crate::net::router::{Lane, Router};
use crate::net::terms::Patience;

/// As a broker's, in its own words.
const PATIENCE: Patience =
    Patience { remark: "[TIMEOUT_CLEAN_QUEUE]name server busy, start flow control for a while", ..requests::PATIENCE };
/// How long a stop waits for the last replies.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// A name server at work.
pub struct Namesrv {
    server: Server,
    arbiters: Arbiters,
}

/// Describes a name server: its options and the function that makes its actor.
pub struct NamesrvBuilder {
    options: NamesrvOptions,
    make: Make<NamesrvParts, NamesrvPorts>,
}

impl Namesrv {
    /// Starts to describe a name server.
    #[must_use]
    pub fn builder(options: NamesrvOptions) -> NamesrvBuilder {
        NamesrvBuilder { options, make: Box::new(|parts, on| supervise_on(on, |_| NamesrvActor::new(parts)).into()) }
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.local()
    }

    /// Takes no more connections, answers what is in flight, and ends.
    pub async fn stop(self) {
        self.server.stop_accepting();
        self.server.drain(DRAIN_LIMIT).await;
        let arbiters = self.arbiters;
        if actix_rt::task::spawn_blocking(move || arbiters.stop()).await.is_err() {
            tracing::error!("stopping the threads of the name server panicked");
        }
    }
}

impl NamesrvBuilder {
    /// Replaces the NamesrvActor.
    #[must_use]
    pub fn namesrv(mut self, make: impl FnOnce(NamesrvParts, &ArbiterHandle) -> NamesrvPorts + Send + 'static) -> Self {
        self.make = Box::new(make);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self) -> Result<Namesrv, StartError> {
        let Self { options, make } = self;
        let listen = options.listen;
        let listener = Listener::bind(listen).map_err(|source| StartError::Listen { address: listen, source })?;
        let kv_path = file_of(&options, &options.config.kv_config_path, "kvConfig.json");
        let kv_file = ConfigWriter::new(Arc::clone(&options.disk), kv_path);
        let kv = kv_file.load(KvConfig::load)?;
        let config_path = file_of(&options, &options.config.config_store_path, "namesrv.properties");
        let idle_limit = Duration::from_secs(options.config.idle_seconds_max.into());
        let arbiters = Arbiters::single(options.layout);
        let parts = NamesrvParts {
            config: options.config,
            kv: kv.unwrap_or_default(),
            kv_file,
            config_file: ConfigWriter::new(Arc::clone(&options.disk), config_path),
            clock: Arc::clone(&options.clock),
            faults: Faults::default(),
        };
        let ports = make(parts, &arbiters.rest);
        let closed = ports.closed.clone();
        let router = Router::new()
            .route(&namesrv_actor::CODES, Lane::to(ToActor(ports.requests)).patient(Some(PATIENCE)))
            .on_closed(move |peer| notify(&closed, PeerClosed { connection: peer.id }));
        let connections_max = connections_max() / 2;
        let listen = ListenOptions { connections_max, ..ListenOptions::new(options.clock, idle_limit) };
        let server = serve_on(&arbiters.rest, listener, router, listen).await?;
        Ok(Namesrv { server, arbiters })
    }
}

/// A path of the settings, or the file in the data directory when they name none.
fn file_of(options: &NamesrvOptions, configured: &str, name: &str) -> PathBuf {
    if configured.is_empty() { options.root.join(name) } else { configured.into() }
}
