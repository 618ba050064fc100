//! What the commands that serve have worked out, and the place where they hand it over to the actors.
//!
//! Whatever way a server was asked for (`ferromq standalone`, `ferromq broker`, `mqbroker`), it ends up here with its
//! configuration complete and its directories made.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::running;
use crate::broker::config::BrokerConfig;
use crate::namesrv::config::NamesrvConfig;

/// A name server about to start.
#[derive(Clone, Debug)]
pub struct NamesrvStart {
    /// Where to listen; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Its settings.
    pub config: NamesrvConfig,
    /// Where its files lie unless the settings say otherwise.
    pub data_dir: PathBuf,
}

/// A broker about to start. Its store's directory stands in the configuration and exists.
#[derive(Clone, Debug)]
pub struct BrokerStart {
    /// Where to listen; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Its settings.
    pub config: BrokerConfig,
    /// The file they came from, to which changes made by tools are written.
    pub config_file: Option<PathBuf>,
    /// Threads that serve nothing but connections.
    pub connection_threads: usize,
}

/// Both in one process. The broker's name server is the one beside it; when that one's port is 0, its address in the
/// broker's configuration is known only once it is bound.
#[derive(Clone, Debug)]
pub struct StandaloneStart {
    /// The name server.
    pub namesrv: NamesrvStart,
    /// The broker.
    pub broker: BrokerStart,
}

/// In whose words a server says that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// One line that begins with `ready`.
    Ours,
    /// The "boot success" line that start scripts of RocketMQ look for.
    RocketMq,
}

impl Wording {
    /// The line of a name server that listens on `address`.
    #[must_use]
    pub fn namesrv_ready(self, address: SocketAddr) -> String {
        match self {
            Self::Ours => format!("ready: name server on {address}\n"),
            Self::RocketMq => "The Name Server boot success. serializeType=JSON\n".into(),
        }
    }

    /// The line of a broker that listens on `port`.
    #[must_use]
    pub fn broker_ready(self, config: &BrokerConfig, port: u16) -> String {
        let address = config.announced_address(port);
        let servers = config.name_servers.join(";");
        let (name, data) = (&config.name, config.store.root.display());
        match self {
            Self::Ours => {
                let known = match &config.address_server {
                    Some(asked) => format!("name servers from {}", asked.url),
                    None if servers.is_empty() => "no name server".into(),
                    None => format!("name server {servers}"),
                };
                format!("ready: broker {name} on {address}, {known}, store in {data}\n")
            }
            Self::RocketMq => {
                let registered =
                    if servers.is_empty() { String::new() } else { format!(" and name server is {servers}") };
                format!("The broker[{name}, {address}] boot success. serializeType=JSON{registered}\n")
            }
        }
    }

    /// The line of a name server and a broker in one process.
    #[must_use]
    pub fn standalone_ready(namesrv: SocketAddr, config: &BrokerConfig, port: u16) -> String {
        let (name, address) = (&config.name, config.announced_address(port));
        let data = config.store.root.display();
        format!("ready: name server on {namesrv}, broker {name} on {address}, store in {data}\n")
    }
}

/// Where somebody on this machine connects to what is bound to `address`.
#[must_use]
pub fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Serves until told to stop.
///
/// # Errors
/// It cannot start, or ended because of a fault.
pub fn standalone(start: StandaloneStart) -> anyhow::Result<()> {
    running::standalone(start)
}

/// Serves until told to stop.
///
/// # Errors
/// It cannot start, or ended because of a fault.
pub fn namesrv(start: NamesrvStart, wording: Wording) -> anyhow::Result<()> {
    running::namesrv(start, wording)
}

/// Serves until told to stop.
///
/// # Errors
/// It cannot start, or ended because of a fault.
pub fn broker(start: BrokerStart, wording: Wording) -> anyhow::Result<()> {
    running::broker(start, wording)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_reference_are_its_own() {
        let mut config = BrokerConfig::default();
        let line = |config: &BrokerConfig| Wording::RocketMq.broker_ready(config, 10_911);
        let alone = "The broker[DEFAULT_BROKER, 127.0.0.1:10911] boot success. serializeType=JSON";
        assert_eq!(line(&config), format!("{alone}\n"));
        config.name_servers = vec!["a:1".into(), "b:2".into()];
        assert_eq!(line(&config), format!("{alone} and name server is a:1;b:2\n"));
        assert_eq!(
            Wording::Ours.broker_ready(&config, 1),
            "ready: broker DEFAULT_BROKER on 127.0.0.1:1, name server a:1;b:2, store in store\n"
        );
    }
}
