//! One connection per server address, opened when it is first needed and again after it was lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::connection::{Connection, ConnectionOptions};
use super::error::ClientError;

/// The connections of one client; clones share them.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{ClientError, Connections, Limits};
///
/// let connections = Connections::new(Limits::default());
/// let connection = connections.to(&name_servers).await?;
/// assert!(!connection.is_closed());
/// // To somebody else there is another one, if anybody is there.
/// let nobody = connections.to("127.0.0.1:1").await;
/// assert!(matches!(nobody, Err(ClientError::Connect { address, .. }) if address == "127.0.0.1:1"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connections {
    options: ConnectionOptions,
    slots: Arc<Mutex<HashMap<String, Slot>>>,
}

/// The lock of one address is held while it is connected to, so that two callers open one connection; the lock of the
/// map is not, so that a dead server delays nobody else.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

impl Connections {
    /// No connections yet; each will be made in this way.
    #[must_use]
    pub fn new(options: impl Into<ConnectionOptions>) -> Self {
        Self { options: options.into(), slots: Arc::default() }
    }

    /// The connection to `address`, which is opened when there is none that works.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn to(&self, address: &str) -> Result<Connection, ClientError> {
        let slot = self.slot(address);
        if let Some(connection) = slot.try_lock().ok().as_deref().and_then(working) {
            return Ok(connection);
        }
        // In a box, since connecting takes kilobytes that everybody's future would have room for otherwise.
        Box::pin(self.connect(slot, address)).await
    }

    async fn connect(&self, slot: Slot, address: &str) -> Result<Connection, ClientError> {
        let connecting = async {
            let mut slot = slot.lock().await;
            if let Some(connection) = working(&slot) {
                return Ok(connection);
            }
            let connection = Connection::open(address, self.options.clone()).await?;
            *slot = Some(connection.clone());
            Ok(connection)
        };
        // Many who wait for a server that nobody reaches would otherwise wait one after the other.
        let late = |late: Elapsed| Err(ClientError::Connect { address: address.into(), source: late.into() });
        timeout(self.options.limits.connect_timeout, connecting).await.unwrap_or_else(late)
    }

    fn slot(&self, address: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match slots.get(address) {
            Some(slot) => Arc::clone(slot),
            None => Arc::clone(slots.entry(address.to_owned()).or_default()),
        }
    }
}

/// The connection in a slot, unless it has ended.
fn working(slot: &Option<Connection>) -> Option<Connection> {
    slot.clone().filter(|connection| !connection.is_closed())
}
