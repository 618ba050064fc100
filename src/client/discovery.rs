//! How a client finds its name servers.

use super::error::ClientError;
use crate::broker::name_servers::{self, AddressServer};

/// The environment variable that names the name servers where the application does not.
pub const NAME_SERVERS_VARIABLE: &str = "NAMESRV_ADDR";

/// Where the name servers are known from.
///
/// # Example
/// ```
/// use ferromq::broker::name_servers::AddressServer;
/// use ferromq::client::{ClientOptions, Discovery};
///
/// let listed = ClientOptions::of("10.0.0.1:9876;10.0.0.2:9876");
/// let asked = ClientOptions::of(Discovery::AddressServer(AddressServer::at("addresses.example", "nsaddr")));
/// assert_ne!(listed.discovery, asked.discovery);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// The application: `host:port;host:port`.
    Listed(String),
    /// An address server, which is asked again every so often.
    AddressServer(AddressServer),
}

impl Discovery {
    /// Those that the environment names in `NAMESRV_ADDR`.
    ///
    /// # Errors
    /// It names none.
    pub fn of_environment() -> Result<Self, ClientError> {
        std::env::var(NAME_SERVERS_VARIABLE).map(Self::Listed).map_err(|_| ClientError::NoNameServer)
    }
}

impl From<&str> for Discovery {
    fn from(list: &str) -> Self {
        Self::Listed(list.into())
    }
}

impl From<String> for Discovery {
    fn from(list: String) -> Self {
        Self::Listed(list)
    }
}

impl From<&String> for Discovery {
    fn from(list: &String) -> Self {
        Self::Listed(list.clone())
    }
}

/// The name servers of a list; commas do as well as semicolons.
///
/// # Errors
/// One of them is no address, or there is none.
pub(super) fn listed(list: &str) -> Result<Vec<String>, ClientError> {
    let addresses = name_servers::listed(&list.replace(',', ";"))?;
    if addresses.is_empty() { Err(ClientError::NoNameServer) } else { Ok(addresses) }
}
