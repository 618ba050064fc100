//! What can go wrong for an administrator, besides what can go wrong for every client.

use thiserror::Error;

use crate::client::ClientError;

/// Why something could not be done.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::admin::{Admin, AdminError, Brokers};
///
/// let admin = Admin::new(&name_servers)?;
/// match admin.masters(&Brokers::OfCluster("Elsewhere".into())).await {
///     // Somebody has mistyped it: what there is helps.
///     Err(AdminError::UnknownCluster { name, known }) => {
///         assert_eq!((name.as_str(), known), ("Elsewhere", vec!["DefaultCluster".into()]));
///     }
///     // Somebody has to look at the servers.
///     other => panic!("{other:?}"),
/// }
/// let missing = admin.master_named("broker-z").await.expect_err("there is none of that name");
/// assert!(matches!(missing, AdminError::UnknownBroker { .. }) && missing.refusal().is_none());
/// # Ok(())
/// # }
/// ```
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
    /// No broker of a name, or of an address, is registered.
    #[error("no broker {name:?} is known to the name servers; there are: {}", list(known))]
    UnknownBroker {
        /// What it was called.
        name: String,
        /// The names, or addresses, of the masters there are.
        known: Vec<String>,
    },
    /// Brokers are registered, and no master is among them: what is for masters would be done nowhere.
    #[error("{whose} has no master; its slaves: {}", list(slaves))]
    NoMaster {
        /// What has none: a cluster, a set, a topic.
        whose: String,
        /// The addresses of the brokers there are.
        slaves: Vec<String>,
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
