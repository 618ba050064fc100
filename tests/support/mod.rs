//! A name server and a broker of this process, on free ports and temporary directories.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};
use ferromq::broker::config::RetentionSettings;
use ferromq::broker::retention::RetentionRules;
use ferromq::store::StoreOptions;
use tempfile::TempDir;

/// How often [`wait_until`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Any free port of the loopback address.
pub(crate) fn free_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Options for a small store in a directory.
pub(crate) fn small(directory: &TempDir) -> BrokerOptions {
    let store = StoreOptions {
        log_segment_bytes: 4 << 20,
        index_slots: 1_000,
        index_entries: 4_000,
        ..StoreOptions::at(directory.path().join("store"))
    };
    BrokerOptions { listen: free_port(), store, retention: on_any_disk(), ..BrokerOptions::at(directory.path()) }
}

/// Nothing is refused or removed by force, however full the disk is that the tests run on.
pub(crate) fn on_any_disk() -> RetentionSettings {
    let rules = RetentionRules { force_above: 100, refuse_above: 100, ..RetentionRules::default() };
    RetentionSettings { rules, ..RetentionSettings::default() }
}

/// Options for a name server in the same directory.
#[allow(dead_code, reason = "not every test that includes this file has name servers")]
pub(crate) fn namesrv_in(directory: &TempDir) -> NamesrvOptions {
    NamesrvOptions { listen: free_port(), ..NamesrvOptions::at(directory.path().join("namesrv")) }
}

/// A name server and a broker that is registered with it.
#[allow(dead_code, reason = "not every test that includes this file has name servers")]
pub(crate) struct Cluster {
    pub(crate) namesrv: Namesrv,
    pub(crate) broker: Broker,
    pub(crate) directory: TempDir,
}

#[allow(dead_code, reason = "not every test that includes this file has name servers")]
impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(BrokerOptions) -> BrokerOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let namesrv = Namesrv::builder(namesrv_in(&directory)).start().await.unwrap();
        let name_servers = vec![namesrv.address().to_string()];
        let options = change(BrokerOptions { name_servers, ..small(&directory) });
        let broker = Broker::builder(options).start().await.unwrap();
        Self { namesrv, broker, directory }
    }

    pub(crate) fn name_servers(&self) -> String {
        self.namesrv.address().to_string()
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.broker.stop().await.unwrap();
        self.namesrv.stop().await;
        self.directory
    }
}

/// Looks every few milliseconds until a condition holds.
#[allow(dead_code, reason = "not every test that includes this file waits")]
pub(crate) async fn wait_until(limit: Duration, condition: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(limit, async {
        while !holds() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    assert!(waited.await.is_ok(), "within {limit:?}: {condition}");
}
