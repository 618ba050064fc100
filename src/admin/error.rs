//! What can go wrong for an administrator, besides what can go wrong for every client.

use thiserror::Error;

use crate::client::ClientError;

/// Why something could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdminError {
    /// A server cannot be asked, or refuses.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A broker has no accounts that could be asked for or changed.
    #[error(
        "{broker} seems to have no access control: {source}. RocketMQ's brokers have it with aclEnable=true; those of ferromq do \
        not have it yet"
    )]
    NoAccessControl {
        /// Its address.
        broker: String,
        /// What it has answered, or not.
        source: ClientError,
    },
    /// No broker of a cluster is registered.
    #[error("no cluster {name:?} is known to the name servers; there are: {}", list(known))]
    UnknownCluster {
        /// What it was called.
        name: String,
        /// The clusters there are.
        known: Vec<String>,
    },
    /// No broker of a name, or of an address, is registered with a master.
    #[error("no broker {name:?} is known to the name servers; there are: {}", list(known))]
    UnknownBroker {
        /// What it was called.
        name: String,
        /// The brokers there are.
        known: Vec<String>,
    },
}

impl AdminError {
    /// The code of a server's refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<i32> {
        match self {
            Self::Client(error) | Self::NoAccessControl { source: error, .. } => error.refusal(),
            _ => None,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
