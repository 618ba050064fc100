//! Asks an address server for the name servers, every so often.
//!
//! Nobody sends to it. Has the routes asked of the name servers that it hears of. When it dies they stay those that were heard of
//! last.

use std::sync::Arc;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context};
use tokio::task::spawn_blocking;

use crate::broker::name_servers::{self, AddressServer};
use crate::client::address_server;
use crate::client::error::ClientError;
use crate::client::route_cache::RouteCache;

/// The name servers of one client.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use actix::Actor;
/// use ferromq::broker::name_servers::AddressServer;
/// use ferromq::client::actors::discovery_actor::DiscoveryActor;
/// use ferromq::client::route_cache::RouteCache;
/// use ferromq::client::{Connections, Routes};
/// use ferromq::time::SystemClock;
/// # use std::io::{Read, Write};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || {
/// #     while let Ok((mut stream, _)) = listener.accept() {
/// #         let _ = stream.read(&mut [0; 4096]);
/// #         let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n10.0.0.2:9876");
/// #     }
/// # });
///
/// let routes = Routes::new(Connections::default(), "10.0.0.1:9876")?;
/// let routes = Arc::new(RouteCache::new(routes, SystemClock::shared()));
/// let server = AddressServer { every: Duration::from_millis(10), ..AddressServer::at(&address.to_string(), "nsaddr") };
/// let _discovery = DiscoveryActor::new(server, Arc::clone(&routes)).start();
/// // The name servers are others when it has asked.
/// while *routes.name_servers() != ["10.0.0.2:9876"] {
///     tokio::time::sleep(Duration::from_millis(5)).await;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
pub struct DiscoveryActor {
    server: AddressServer,
    routes: Arc<RouteCache>,
}

impl DiscoveryActor {
    /// Asks this server.
    #[must_use]
    pub fn new(server: AddressServer, routes: Arc<RouteCache>) -> Self {
        Self { server, routes }
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        let asked = ask(self.server.clone(), self.routes.name_servers().to_vec());
        ctx.spawn(wrap_future::<_, Self>(asked).map(|answer, actor, _| match answer {
            Ok(None) => {}
            Ok(Some(addresses)) => {
                tracing::info!(url = actor.server.url, now = ?addresses, "the name servers are others now");
                actor.routes.replace_name_servers(addresses);
            }
            Err(error) => {
                let known = actor.routes.name_servers();
                tracing::warn!(url = actor.server.url, %error, ?known, "the address server names no name servers");
            }
        }));
    }
}

impl Actor for DiscoveryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.server.every, Self::ask);
    }
}

/// What an address server says, if it is something else than what is known. Its own thread waits for it.
///
/// # Errors
/// It cannot be asked, or answers with no list.
pub(in crate::client) async fn ask(
    server: AddressServer,
    known: Vec<String>,
) -> Result<Option<Vec<String>>, ClientError> {
    let failed = |url: &str, reason: String| ClientError::AddressServer { url: url.into(), reason };
    let AddressServer { url, limit, .. } = server;
    let asked = url.clone();
    let answer = spawn_blocking(move || address_server::fetch(&asked, limit)).await.map_err(|_| ClientError::Ended)?;
    let answer = answer.map_err(|error| failed(&url, error.to_string()))?;
    name_servers::heard(&known, &answer).map_err(|error| failed(&url, error.to_string()))
}
