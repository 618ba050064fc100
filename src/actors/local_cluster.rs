//! A whole cluster within a process: for the tests of applications, and to try something out.
//!
//! ```
//! use ferromq::actors::local_cluster::LocalCluster;
//!
//! let cluster = LocalCluster::start()?;
//! assert!(cluster.name_servers().starts_with("127.0.0.1:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use actix_rt::System;
use thiserror::Error;
use tokio::sync::oneshot;

use super::broker::{Broker, StartError};
use super::namesrv::Namesrv;
use super::options::{BrokerOptions, NamesrvOptions};
use crate::store::StoreOptions;

/// Why there is no cluster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LocalClusterError {
    /// The system gives no thread or no folder.
    #[error("cannot prepare a local cluster: {0}")]
    System(#[from] io::Error),
    /// A part of it does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It ended before it served.
    #[error("the local cluster ended before it served, see the log")]
    Ended,
}

/// A name server and a broker on free ports of this machine, with a folder of their own. They run on threads of their own, so
/// that no runtime is needed, and end, folder and all, when this is dropped.
#[derive(Debug)]
pub struct LocalCluster {
    name_server: SocketAddr,
    broker: SocketAddr,
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LocalCluster {
    /// Starts one with the settings of a small broker.
    ///
    /// # Errors
    /// It does not start.
    pub fn start() -> Result<Self, LocalClusterError> {
        Self::start_with(|options| options)
    }

    /// The same with other settings of the broker.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_with(
        change: impl FnOnce(BrokerOptions) -> BrokerOptions + Send + 'static,
    ) -> Result<Self, LocalClusterError> {
        let name = format!("ferromq-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let own = folder.clone();
        // It is there first, so that the folder is removed whatever comes of the rest.
        let mut cluster = Self { name_server: loopback(), broker: loopback(), folder, stop: Some(stop), thread: None };
        let run = move || System::new().block_on(serve(own, change, tell, stopped));
        cluster.thread = Some(std::thread::Builder::new().name("ferromq-local".into()).spawn(run)?);
        (cluster.name_server, cluster.broker) = told.recv().map_err(|_| LocalClusterError::Ended)??;
        Ok(cluster)
    }

    /// The name servers, as clients are told of them: `127.0.0.1:port`.
    #[must_use]
    pub fn name_servers(&self) -> String {
        self.name_server.to_string()
    }

    /// Where the broker serves.
    #[must_use]
    pub fn broker(&self) -> SocketAddr {
        self.broker
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        // A cluster that did not start hears nothing, and has ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of a local cluster panicked");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot remove what a local cluster leaves");
        }
    }
}

type Told = Result<(SocketAddr, SocketAddr), StartError>;

async fn serve(
    folder: PathBuf,
    change: impl FnOnce(BrokerOptions) -> BrokerOptions,
    tell: std::sync::mpsc::Sender<Told>,
    stopped: oneshot::Receiver<()>,
) {
    let started = start(&folder, change).await;
    let (namesrv, broker) = match started {
        Ok(parts) => parts,
        // Who started it waits for this.
        Err(error) => return drop(tell.send(Err(error))),
    };
    let _ = tell.send(Ok((namesrv.address(), broker.address())));
    // Its end is that of whoever holds the cluster.
    let _ = stopped.await;
    if let Err(error) = broker.stop().await {
        tracing::error!(%error, "the broker of a local cluster did not stop well");
    }
    namesrv.stop().await;
}

async fn start(
    folder: &Path,
    change: impl FnOnce(BrokerOptions) -> BrokerOptions,
) -> Result<(Namesrv, Broker), StartError> {
    let namesrv = NamesrvOptions { listen: loopback(), ..NamesrvOptions::at(folder.join("namesrv")) };
    let namesrv = Namesrv::builder(namesrv).start().await?;
    let store = StoreOptions {
        log_segment_bytes: 4 << 20,
        index_slots: 1_000,
        index_entries: 4_000,
        ..StoreOptions::at(folder.join("store"))
    };
    let name_servers = vec![namesrv.address().to_string()];
    let options = BrokerOptions { listen: loopback(), name_servers, store, ..BrokerOptions::at(folder) };
    match Broker::builder(change(options)).start().await {
        Ok(broker) => Ok((namesrv, broker)),
        Err(error) => {
            namesrv.stop().await;
            Err(error)
        }
    }
}

/// Any free port.
fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
